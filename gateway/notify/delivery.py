"""The delivery: takes messages out of the outbox, sends them, marks what came of it. A loop for each channel.

At least once, whatever is killed when; exactly once where the channel honours the key. A channel that fails is tried
again with doubled, jittered waits, or when it says; meanwhile what it can't carry goes to the next one.
"""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from pydantic import Field

from gateway.notify.message import Channel, Unclear
from gateway.notify.outbox import Claimed, Outbox
from gateway.notify.outbox_file import is_damaged
from gateway.ports import Misconfigured, Poison, RetryLater
from kewang.runtime.backoff import Backoff
from kewang.runtime.settings import Settings

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
OUTBOX: Final = "outbox"
"""Its name among the troubles; no channel has it."""
ENDS: Final = ("delivered", "refused", "expired")
"""What becomes of a message, as it is counted."""
_SHORTEST_REST_S: Final = 0.01
_LONGEST_REST_S: Final = 60.0
_TROUBLE_FAILURES: Final = 3


class DeliveryRules(Settings):
    """How hard it is tried."""

    try_s: float = Field(30.0, gt=0, le=600, description="Longest time of one try (s).")
    first_wait_s: float = Field(1.0, gt=0, le=600, description="Wait after the first failure (s); doubled each time.")
    longest_wait_s: float = Field(300.0, gt=0, le=3600, description="Longest wait between two tries (s).")

    def wait_s(self, failures: int) -> float:
        """How long to wait after so many failures."""
        wait_s = min(self.first_wait_s * 2.0 ** min(max(failures, 1) - 1, 30), self.longest_wait_s)
        return wait_s * random.uniform(0.8, 1.2)


class Delivery:
    """Sends what is in `outbox` over `channels`. `now_s`: the clock that never steps."""

    def __init__(
        self, outbox: Outbox, channels: Mapping[str, Channel], rules: DeliveryRules, now_s: Callable[[], float]
    ) -> None:
        self._outbox, self._channels, self._rules, self._now_s = outbox, channels, rules, now_s
        self._new = {name: asyncio.Event() for name in [*channels, ""]}
        self._failures = dict.fromkeys(channels, 0)
        self._pool = ThreadPoolExecutor(1, "outbox")
        self.troubles: dict[str, str] = {}
        """Channel -> why nothing gets through there, while that is so."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """(channel, one of ENDS) -> messages, since the start."""
        self.count: Callable[[str, str], None] = lambda channel, end: None
        """Told of each."""

    @property
    def channels(self) -> Collection[str]:
        """By name."""
        return self._channels.keys()

    def wake(self) -> None:
        """Something was put into the outbox."""
        for event in self._new.values():
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled. Raises OutboxRefused while another process delivers from the same file."""
        try:
            again = await self._do(self._outbox.recover, self._now_s())
            if again:
                log.warning("%d messages were on their way when the gateway ended: sent again", again)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ever("", self._upkeep), name="notify upkeep")
                for name in self._channels:
                    group.create_task(self._ever(name, partial(self._serve, name)), name=f"notify {name}")
        finally:
            self._pool.shutdown(wait=True)
            for channel in self._channels.values():
                await channel.close()

    async def _ever(self, name: str, step: Callable[[], Awaitable[float]]) -> None:
        """Do `step` again and again, each time after the pause it asks for: one that fails ends no other."""
        failures = 0
        while True:
            try:
                pause_s = await step()
                failures = 0
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - no traceback: what a library says may hold a secret
                failures += 1
                log.error("unexpected %s in the delivery by %s", type(error).__name__, name or "all")
                pause_s = self._rules.wait_s(failures)
            await asyncio.sleep(pause_s)

    async def _serve(self, name: str) -> float:
        claimed = await self._surely(self._outbox.claim, name, self._now_s())
        if claimed is None:
            return await self._rest(name)
        try:
            return await self._send(name, claimed)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return await self._unexpected(name, claimed, error)

    async def _upkeep(self) -> float:
        """Put what is sent instead, end what is too old."""
        if await self._surely(self._outbox.instead, self._now_s()):
            self.wake()
        for row in await self._surely(self._outbox.expire, self._now_s()):
            self._end(row.channel, "expired")
            said = row.said or "never tried"
            log.error("%s to %s by %s expired: %s", row.key, _shown(row.recipient), row.channel, said)
        return await self._rest("")

    async def _rest(self, name: str) -> float:
        """Until there is something to do for `name` ("": the upkeep), at most a minute."""
        due_s = await self._surely(self._outbox.next_s, name or None)
        wait_s = min(max(due_s - self._now_s(), _SHORTEST_REST_S), _LONGEST_REST_S)
        # Not `wait_for`: in Python 3.11 it swallows a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._new[name].wait()
        self._new[name].clear()
        return 0.0

    async def _send(self, name: str, claimed: Claimed) -> float:
        """Send one and mark what came of it; how long the channel is left alone then (s)."""
        try:
            async with asyncio.timeout(self._rules.try_s):
                receipt = await self._channels[name].send(claimed.message)
        except TimeoutError:
            return await self._later(name, claimed, Unclear("no answer in time", 0.0))
        except RetryLater as error:
            return await self._later(name, claimed, error)
        except Misconfigured as error:
            return await self._stuck(name, claimed, error)
        except Poison as error:
            return await self._refused(name, claimed, error)
        except Exception as error:  # noqa: BLE001 - as above
            return await self._unexpected(name, claimed, error)
        await self._surely(self._outbox.delivered, claimed.row, receipt, self._now_s())
        self._end(name, "delivered")
        self._worked(name)
        return 0.0

    async def _unexpected(self, name: str, claimed: Claimed, error: Exception) -> float:
        log.error("unexpected %s with %s by %s", type(error).__name__, claimed.message.key, name)
        return await self._later(name, claimed, Unclear(f"unexpected {type(error).__name__}", 0.0))

    async def _later(self, name: str, claimed: Claimed, error: RetryLater) -> float:
        self._failures[name] += 1
        wait_s = max(error.after_s, self._rules.wait_s(claimed.tries))
        await self._again(claimed, wait_s, error)
        if self._failures[name] >= _TROUBLE_FAILURES:
            self._trouble(name, str(error))
        return max(error.after_s, self._rules.wait_s(self._failures[name]))

    async def _stuck(self, name: str, claimed: Claimed, error: Misconfigured) -> float:
        """Nothing gets through: all that waits for this channel goes to the next one now."""
        self._failures[name] += 1
        self._trouble(name, str(error))
        await self._again(claimed, self._rules.wait_s(claimed.tries), error)
        if await self._surely(self._outbox.instead, self._now_s(), name):
            self.wake()
        return self._rules.wait_s(self._failures[name])

    async def _refused(self, name: str, claimed: Claimed, error: Poison) -> float:
        message = claimed.message
        instead = await self._surely(self._outbox.refused, claimed.row, str(error), self._now_s())
        self._end(name, "refused")
        log.error("%s to %s by %s is refused: %s", message.key, _shown(message.recipient), name, error)
        if instead:
            self.wake()
        return 0.0

    def _end(self, channel: str, end: str) -> None:
        self.ended[channel, end] += 1
        self.count(channel, end)

    async def _again(self, claimed: Claimed, wait_s: float, error: Exception) -> None:
        now_s = self._now_s()
        unclear = isinstance(error, Unclear)
        await self._surely(_later_of(self._outbox, unclear), claimed.row, now_s + wait_s, str(error), now_s)
        self._new[""].set()

    def _trouble(self, name: str, said: str) -> None:
        if name not in self.troubles:
            log.error("nothing gets through by %s: %s", name, said)
        self.troubles[name] = said

    def _worked(self, name: str) -> None:
        self._failures[name] = 0
        if self.troubles.pop(name, None) is not None:
            log.info("messages get through by %s again", name)

    async def _do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that waits for the disk, in the outbox's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))

    async def _surely(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same until the disk lets us: what was sent must be marked, not sent again.

        A damaged file ends the delivery: it is set aside when the gateway opens it next.
        """
        backoff = Backoff("writing the outbox of notices", log)
        while True:
            try:
                found = await self._do(call, *args, **kwargs)
            except sqlite3.Error as error:
                if is_damaged(error):
                    raise
                self.troubles[OUTBOX] = str(error)
                await backoff.failed(error)
            else:
                self.troubles.pop(OUTBOX, None)
                backoff.succeeded()
                return found


def _shown(recipient: str) -> str:
    """What a log says of it: an address on the web may be a secret, so its host alone."""
    scheme, web, rest = recipient.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}" if web else recipient


def _later_of(outbox: Outbox, unclear: bool) -> Callable[[int, float, str, float], None]:
    return lambda row, due_s, said, now_s: outbox.later(row, due_s, said, now_s, unclear=unclear)
