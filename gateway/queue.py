"""Batches between intake and writers: bounded in batches, in values and per device; each batch once."""

import asyncio
from collections import Counter, deque
from typing import Final

from gateway.intake import Work

MAX_VALUES: Final = 4_000_000
"""Values that may wait, dates too: about 150 MB."""
MAX_PER_DEVICE: Final = 200
"""Batches of one device that may wait or be in a write: no device crowds out the others."""
GATHER_S: Final = 0.05
"""A write waits this long for company: a write costs the store and us as much as a hundred rows."""


class WorkQueue:
    """First in, first out. Work counts as under way until `done`."""

    def __init__(self, batches: int, values: int = MAX_VALUES, per_device: int = MAX_PER_DEVICE) -> None:
        self._works: deque[Work] = deque()
        self._batches, self._max_values, self._per_device = batches, values, per_device
        self._rows, self._values = 0, 0
        self._underway: set[tuple[str, tuple[str, int] | int]] = set()
        self._devices: Counter[str] = Counter()
        self._news, self._idle = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        return len(self._works)

    @property
    def free(self) -> float:
        """Share of the room that is left, 0 to 1."""
        return max(0.0, 1 - max(len(self._works) / self._batches, self._values / self._max_values))

    def offer(self, work: Work) -> str | None:
        """Take `work`; or the reason why not: it is under way already, its device has enough here, no room."""
        named = (work.device, work.name)
        if named in self._underway:
            return "underway"
        if self._devices[work.device] >= self._per_device:
            return "quota"
        if len(self._works) >= self._batches or self._values >= self._max_values:
            return "queue"
        self._underway.add(named)
        self._devices[work.device] += 1
        self._rows += work.rows
        self._values += work.values
        self._works.append(work)
        self._news.set()
        return None

    async def take(self, rows: int) -> list[Work]:
        """The oldest work, and what follows it until `rows` rows are reached. Waits for the first, then a moment."""
        works = [await self._next()]
        if self._rows < rows:
            await asyncio.sleep(GATHER_S)
        taken = works[0].rows
        while taken < rows and self._works:
            works.append(self._works.popleft())
            taken += works[-1].rows
        return works

    async def _next(self) -> Work:
        while not self._works:
            self._news.clear()
            await self._news.wait()
        return self._works.popleft()

    def done(self, work: Work) -> None:
        """`work` is stored or given up."""
        self._underway.discard((work.device, work.name))
        self._devices[work.device] -= 1
        if not self._devices[work.device]:
            del self._devices[work.device]
        self._rows -= work.rows
        self._values -= work.values
        if not self._underway:
            self._idle.set()

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        while self._underway:
            self._idle.clear()
            await self._idle.wait()
