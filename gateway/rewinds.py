"""Rewinds: rows in the database that make edges reopen what they hold. Read before the first write and ever after."""

import asyncio
import logging

from gateway.acks import Acks
from gateway.health import StoreHealth
from gateway.ports import Clock, Lives, Misconfigured, RetryLater, Rewind, Store, Table
from kewang.runtime.backoff import Backoff
from kewang.wire.batch import MAX_DATE_MS, MAX_REWIND

log = logging.getLogger(__name__)


class RewindWatch:
    """Keeps `acks.rewinds` as the database has them; `known` is set once they have been read."""

    def __init__(
        self, store: Store, acks: Acks, health: StoreHealth, clock: Clock, poll_s: float, lives: Lives
    ) -> None:
        self._store, self._acks, self._health, self._clock = store, acks, health, clock
        self._poll_s, self._lives = poll_s, lives
        self.known = asyncio.Event()
        self._odd: list[Rewind] = []

    async def follow(self) -> None:
        """Read them for ever."""
        backoff = Backoff("reading the rewinds", log, longest_s=self._poll_s)
        while True:
            try:
                await self.read()
            except (RetryLater, Misconfigured) as error:
                self._health.failed(error)
                await backoff.failed(error)
            else:
                backoff.succeeded()
                await asyncio.sleep(self._poll_s)

    async def read(self) -> None:
        """Read them now; a database without any is new and gets one. Raises RetryLater or Misconfigured."""
        if self._health.failing:
            await self._store.prepare(self._lives)
        found = await self._store.rewinds()
        rewinds = [rewind for rewind in found if _can_be(rewind)]
        self._tell_odd([rewind for rewind in found if rewind not in rewinds])
        if not rewinds:
            rewinds = [await add_rewind(self._store, self._clock.wall_ms(), since_ms=0)]
        self._acks.rewinds = rewinds
        if not self.known.is_set():
            self._health.succeeded()
            self.known.set()

    def _tell_odd(self, odd: list[Rewind]) -> None:
        if odd and odd != self._odd:
            log.error("the database holds rewinds that can't be, they are passed over: delete the rows: %s", odd[:5])
        self._odd = odd


def _can_be(rewind: Rewind) -> bool:
    """Whether an ack can carry it; a row somebody wrote by hand may say anything."""
    return 0 < rewind.number <= MAX_REWIND and 0 <= rewind.since_ms <= MAX_DATE_MS


async def add_rewind(store: Store, now_ms: int, since_ms: int) -> Rewind:
    """Write one more rewind: what was acknowledged from gateway time `since_ms` on (Unix ms; 0 = all) is sent again.

    Its number is the greater of the present Unix second and the highest known plus one.
    """
    known = await store.rewinds()
    rewind = Rewind(max([now_ms // 1000, *(rewind.number + 1 for rewind in known)]), since_ms)
    row = (rewind.number * 1000, rewind.number, rewind.since_ms)
    await store.write([Table("rewind", (), ("rw", "rf"), [row])])
    return rewind
