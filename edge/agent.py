"""The page: read each source on its own schedule, commit to the outbox, send what is committed, obey the acks.

    sources ─> pending rows ─> outbox ─> link ══> gateway
                                 ^─── acks <──────────┘
                       commands <─────── x <──────────┘

Nothing is sent before it is committed; nothing is forgotten before an ack says that it is stored.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

from edge.commands import Commands
from edge.delivery import Delivery
from edge.ports import Clock, Draft, Link, LinkDown, OutboxFull, OutboxStatus, Pace, Source, SourceError, Uplink, Values
from kewang.runtime.backoff import Backoff
from kewang.wire import topics
from kewang.wire.names import BOX_SOURCE
from kewang.wire.state import State, Why
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

MAX_PENDING_ROWS: Final = 1000
"""Rows of a source that wait for a disk that takes nothing; what comes after them is shed and counted."""
FIRST_BIRTH_AGAIN_S: Final = 1.0
POWER_ON_MS: Final = 600_000
"""An agent that starts this soon after the boot was started by the power coming on."""
TICK_S: Final = 10.0
"""How often the machine's clock is looked at, at least."""


@dataclass
class Sampling:
    """How one source is doing, for `kewang edge status`. Dates are monotonic ms."""

    source: Source
    pending: list[tuple[int, Values]] = field(default_factory=list)
    committed: bool = False
    """Whether a batch of this run is committed: the first goes at once."""
    due_ms: int = 0
    """When it is to be read, or was for the reading that goes on."""
    last_ms: int | None = None
    last: Values = ()
    readings: int = 0
    errors: int = 0
    error: str | None = None
    shed_rows: int = 0

    @property
    def hurried(self) -> bool:
        """Whether its rows are committed at once: events, and the first batch of the run."""
        return not self.committed or self.source.stream == "evt"


class Agent:
    """One device's agent. `run` until stopped; kill it at any time."""

    def __init__(
        self,
        sources: Sequence[Source],
        delivery: Delivery,
        uplink: Uplink,
        clock: Clock,
        *,
        timers: Timers,
        commands: Commands | None = None,
        pace: Pace | None = None,
        flush_s: float = 10.0,
        flush_rows: int = 30,
        firmware: str = "",
        drain_s: float = 3.0,
        why: Why | None = None,
    ) -> None:
        """`pace`: who stretches the periods of sources; `why`: what made this start, if it was neither the power nor a
        watchdog."""
        self.flushed_ms = self.connecting_ms = clock.mono_ms()
        """When rows were last committed, or it was tried, and when a connection was last tried. Monotonic."""
        self.samplings = [Sampling(source, due_ms=self.flushed_ms) for source in sources]
        self.delivery, self.uplink, self.clock, self.timers = delivery, uplink, clock, timers
        self.commands, self.pace = commands, pace
        self.flush_s, self.flush_rows = flush_s, flush_rows
        self.firmware, self.drain_s = firmware, drain_s
        self.started_by: Why = why or ("power" if self.flushed_ms < POWER_ON_MS else "watchdog")
        self.connects = 0
        self.link: Link | None = None
        self.link_error: str | None = None
        self._flush_now = asyncio.Event()
        self._pace_changed = asyncio.Event()
        self._sendable = asyncio.Event()
        self._heard = asyncio.Event()
        # Python 3.11's wait_for, which libraries use, loses a cancellation that comes together with its result.
        self._reads_end = self._sends_end = False
        self._committing = asyncio.Lock()
        self._disk = ThreadPoolExecutor(1, "outbox")

    @property
    def failing(self) -> int:
        """Sources that could not be read last time."""
        return sum(sampling.error is not None for sampling in self.samplings)

    @property
    def rests(self) -> bool:
        """Whether rows wait for longer than presence may: then births are the signs of life, not heartbeats."""
        return self.flush_s > self.timers.heartbeat_s

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`; then read no more, commit, drain for a few seconds and return."""
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(self._read(each), name=f"read-{each.source.name}") for each in self.samplings]
            if self.commands:
                reading.append(group.create_task(self.commands.run(self._unix_ms, self._say_result), name="commands"))
            sending = [
                group.create_task(self._flush(), name="flush"),
                group.create_task(self._connect(), name="connect"),
            ]
            await stopping.wait()
            self._reads_end = True
            for task in reading:
                task.cancel()
            await self._finish()
            self._sends_end = True
            for task in sending:
                task.cancel()
        for each in self.samplings:
            await each.source.close()
        self._disk.shutdown()

    async def _read(self, sampling: Sampling) -> None:
        """Read one source on its schedule; a source that hangs or fails delays no other."""
        source, sampling.due_ms = sampling.source, self.clock.mono_ms()
        while not self._reads_end:
            try:
                async with asyncio.timeout(source.timeout_s):
                    values = await source.read()
            except SourceError as error:
                self._failed(sampling, str(error))
            except TimeoutError:
                self._failed(sampling, f"no answer in {source.timeout_s:g} s")
            except Exception as error:
                log.exception("source %s: its driver has a fault", source.name)
                self._failed(sampling, f"fault in the driver: {error!r}")
            else:
                self._recovered(sampling)
                self._keep(sampling, values)
            if self._reads_end:
                return
            now_ms = self.clock.mono_ms()
            sampling.due_ms = max(sampling.due_ms + int(1000 * self._interval_s(source)), now_ms)
            await asyncio.sleep((sampling.due_ms - now_ms) / 1000)

    def _interval_s(self, source: Source) -> float:
        """The box is read at least as often as heartbeats are due."""
        if source.name == BOX_SOURCE:
            return min(source.interval_s, self.timers.heartbeat_s)
        return source.interval_s * (self.pace.stretch_of(source.name) if self.pace else 1)

    def _failed(self, sampling: Sampling, why: str) -> None:
        sampling.errors += 1
        if sampling.error is None:
            log.warning("source %s: %s", sampling.source.name, why)
        sampling.error = why
        if sampling.source.name == BOX_SOURCE:
            self._keep(sampling, self._bare_heartbeat(sampling.source))

    def _recovered(self, sampling: Sampling) -> None:
        if sampling.error is not None:
            log.info("source %s recovered", sampling.source.name)
            sampling.error = None

    def _bare_heartbeat(self, box: Source) -> Values:
        """The box could not be read: its heartbeat goes out all the same, with what the agent knows by itself."""
        known = {"clock_synced": float(self.clock.synchronised())}
        return tuple(known.get(metric) for metric in box.metrics)

    def _keep(self, sampling: Sampling, values: Values) -> None:
        sampling.last_ms, sampling.last = self.clock.mono_ms(), values
        sampling.readings += 1
        if self.pace and self.pace.heard(sampling.source, values):
            self._pace_changed.set()
        if len(sampling.pending) >= MAX_PENDING_ROWS:
            sampling.shed_rows += 1
            return
        sampling.pending.append((sampling.last_ms, values))
        beats = sampling.source.name == BOX_SOURCE and not self.rests
        if sampling.hurried or beats or len(sampling.pending) >= self.flush_rows:
            self._flush_now.set()

    async def _flush(self) -> None:
        """Commit all pending rows together, at most `flush_s` after the oldest was read."""
        backoff = Backoff("committing to the outbox", log, longest_s=min(self.flush_s, TICK_S))
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._flush_in_s(), TICK_S)):
                    await self._flush_now.wait()
            try:
                if self._flush_now.is_set() or self._flush_in_s() <= 0:
                    self._flush_now.clear()
                    await self._commit()
                else:
                    await self._on_disk(self.delivery.tick)
            except OutboxFull as error:
                await backoff.failed(str(error))
            else:
                backoff.succeeded()
            self.flushed_ms = self.clock.mono_ms()

    def _flush_in_s(self) -> float:
        """When the oldest pending row is old enough. A heartbeat that comes just then is waited for: it commits all."""
        now_ms = self.clock.mono_ms()
        oldest_ms = min((each.pending[0][0] for each in self.samplings if each.pending), default=now_ms)
        beats = (each.source for each in self.samplings if each.source.name == BOX_SOURCE and not self.rests)
        late_s = max((box.timeout_s for box in beats if self._interval_s(box) <= self.flush_s), default=0.0)
        return (oldest_ms - now_ms) / 1000 + self.flush_s + late_s

    async def _commit(self) -> None:
        """One transaction for everything pending; rows stay pending until it is done. Raises OutboxFull."""
        async with self._committing:
            taken = [(each, tuple(each.pending)) for each in self.samplings if each.pending]
            await self._on_disk(self.delivery.tick)
            if not taken:
                return
            await self._on_disk(self.delivery.commit, [_draft(each.source, rows) for each, rows in taken])
            for each, rows in taken:
                del each.pending[: len(rows)]
                each.committed = True
        self._sendable.set()

    async def _connect(self) -> None:
        """Keep a connection; while it lasts, send and listen."""
        backoff = Backoff("connecting", log, longest_s=self.timers.heartbeat_s)
        while not self._sends_end:
            self.connects += 1
            self.connecting_ms = self.clock.mono_ms()
            try:
                will = self.delivery.will(self.connects).encode()
                async with self.uplink.connect(will) as self.link:
                    backoff.succeeded()
                    await self._talk(self.link)
            except* (LinkDown, OutboxFull) as error:
                self.link_error = str(error.exceptions[0])
                await backoff.failed(self.link_error)
            finally:
                self.link = None

    async def _talk(self, link: Link) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._say_birth(link), name="birth")
            group.create_task(self._listen(link), name="listen")
            group.create_task(self._send(link), name="send")

    async def _say_birth(self, link: Link) -> None:
        """Once, and again, ever more rarely, while no ack answers or the boot is undated: the answer brings credit and
        time. A gateway that subscribes a moment after us has not seen the first. Where rows wait for long, for ever."""
        connected_ms, wait_s = self.clock.mono_ms(), min(FIRST_BIRTH_AGAIN_S, self.timers.birth_repeat_s)
        while True:
            if not self.rests and self.delivery.dated and (self.delivery.ack_ms or -1) >= connected_ms:
                if self.pace is None:
                    return
                await self._pace_changed.wait()
            self._pace_changed.clear()
            await link.publish(topics.STATE, (await self._birth()).encode(), retain=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._pace_changed.wait()
            wait_s = min(2 * wait_s, self.timers.birth_repeat_s)

    async def _birth(self) -> State:
        why = "link" if self.connects > 1 else self.started_by
        birth = await self._on_disk(self.delivery.birth, self.connects, why, self.firmware)
        stretch = self.pace.stretch if self.pace else 1.0
        told = {"flush_s": self.flush_s} if self.rests else {}
        return birth.model_copy(update=told | ({"stretch": stretch} if stretch > 1 else {}))

    async def _listen(self, link: Link) -> None:
        async for message in link.incoming():
            if message.channel == topics.ACK:
                await self._on_disk(self.delivery.take, message.payload, message.retained)
                self._sendable.set()
                self._heard.set()
            elif message.channel == topics.COMMAND and self.commands:
                self.commands.hear(message.payload, message.retained)
        raise LinkDown("the broker closed the connection")

    async def _unix_ms(self) -> int | None:
        return await self._on_disk(self.delivery.unix_ms)

    async def _say_result(self, result: bytes) -> None:
        if self.link is None:
            raise LinkDown("not connected")
        await self.link.publish(topics.RESULT, result)

    async def _send(self, link: Link) -> None:
        """Send what is due; wake up for a commit, an ack, or the next resend."""
        while not self._sends_end:
            self._sendable.clear()
            for message in await self._on_disk(self.delivery.due):
                await link.publish(message.channel, message.payload)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.delivery.next_due_s()):
                    await self._sendable.wait()

    async def outbox_status(self) -> OutboxStatus:
        """What the outbox holds."""
        return await self._on_disk(self.delivery.status)

    async def _finish(self) -> None:
        """Commit what is pending, give the gateway a moment to name what was just sent, then say good-bye."""
        try:
            await self._commit()
        except OutboxFull as error:
            log.error("%d readings are lost: %s", sum(len(each.pending) for each in self.samplings), error)
        link = self.link
        if link is None:
            return
        await self._drained()
        with suppress(LinkDown, TimeoutError):
            async with asyncio.timeout(self.drain_s):
                await link.publish(topics.STATE, self.delivery.bye(self.connects).encode(), retain=True)

    async def _drained(self) -> None:
        """Wait until all of the live lane is named, but no longer than `drain_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.drain_s):
                while self.delivery.live_unnamed:
                    self._heard.clear()
                    await self._heard.wait()

    async def _on_disk(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in the one thread that may touch the outbox."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, lambda: do(*args, **kwargs))


def _draft(source: Source, rows: tuple[tuple[int, Values], ...]) -> Draft:
    """Metrics without a value in any of the rows are left out: flags and what a sensor does not have cost nothing."""
    kept = [at for at in range(len(source.metrics)) if any(values[at] is not None for _, values in rows)]
    if not kept:
        return Draft(source.stream, source.name, source.metrics, rows)
    narrow = tuple((mono_ms, tuple(values[at] for at in kept)) for mono_ms, values in rows)
    return Draft(source.stream, source.name, tuple(source.metrics[at] for at in kept), narrow)
