"""Batches between intake and writers: bounded in batches, in values and per device; each batch once."""

import asyncio
from collections import Counter
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
        self._queue: asyncio.Queue[Work] = asyncio.Queue(batches)
        self._rows, self._values, self._max_values, self._per_device = 0, 0, values, per_device
        self._underway: set[tuple[str, tuple[str, int] | int]] = set()
        self._devices: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._queue.qsize()

    @property
    def free(self) -> float:
        """Share of the room that is left, 0 to 1."""
        return max(0.0, 1 - max(self._queue.qsize() / self._queue.maxsize, self._values / self._max_values))

    def offer(self, work: Work) -> str | None:
        """Take `work`; or the reason why not: it is under way already, its device has enough here, no room."""
        if (work.device, work.name) in self._underway:
            return "underway"
        if self._devices[work.device] >= self._per_device:
            return "quota"
        if self._queue.full() or self._values >= self._max_values:
            return "queue"
        self._underway.add((work.device, work.name))
        self._devices[work.device] += 1
        self._rows += work.rows
        self._values += work.values
        self._queue.put_nowait(work)
        return None

    async def take(self, rows: int) -> list[Work]:
        """The oldest work, and what follows it until `rows` rows are reached. Waits for the first, then a moment."""
        works = [await self._queue.get()]
        if self._rows < rows:
            await asyncio.sleep(GATHER_S)
        taken = works[0].rows
        while taken < rows and not self._queue.empty():
            works.append(self._queue.get_nowait())
            taken += works[-1].rows
        return works

    def done(self, work: Work) -> None:
        """`work` is stored or given up."""
        self._underway.discard((work.device, work.name))
        self._devices[work.device] -= 1
        if not self._devices[work.device]:
            del self._devices[work.device]
        self._rows -= work.rows
        self._values -= work.values
        self._queue.task_done()

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        await self._queue.join()
