"""Readings that come after their roll-ups may have been made are marked, in the write that stores them.

The mark is in the database: whichever process makes roll-ups, now or after a restart, finds it there.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.ports import Clock, Sink, Table
from gateway.writer import Outcome, write
from kewang.wire.names import STREAMS
from kewang.wire.tally import HOUR_MS

STEP_MS: Final = 300_000
"""Length of a roll-up."""
SETTLED_MS: Final = 30_000
"""So long after its step's end a reading is late."""
WRITE_MS: Final = 60_000
"""A write that takes longer marks its readings again."""
ROLLED_MS: Final = SETTLED_MS + WRITE_MS
"""A step is rolled up so long after its end, and a mark is heeded at this age: what belongs to it is stored by then."""
_MAX_DEVICES: Final = 100_000


class LateMarks:
    """Writes of one process, with their marks. `writer`: its name."""

    def __init__(self, sink: Sink, clock: Clock, writer: str) -> None:
        self._sink, self._clock, self._writer = sink, clock, writer
        self._last_ms: dict[str, int] = {}

    async def write(self, tables: Sequence[Table]) -> Outcome:
        """See writer.write. Each try of a write is a call of its own."""
        began_ms = self._clock.mono_ms()
        outcome = await write(self._sink, [*tables, *self.of(tables)])
        if self._clock.mono_ms() - began_ms > WRITE_MS:
            await write(self._sink, self.of(tables))
        return outcome

    def of(self, tables: Iterable[Table]) -> list[Table]:
        """Marks of the late readings in `tables`: by device, one for each run of hours that they are in."""
        now_ms = self._clock.wall_ms()
        settled_ms = (now_ms - SETTLED_MS) // STEP_MS * STEP_MS
        hours: dict[str, set[int]] = {}
        for table in tables:
            if table.measurement in STREAMS:
                dates = table.turned()[0] if table.rows else ()
                if dates and min(dates) < settled_ms:  # seldom: most readings are of now
                    late = {date_ms // HOUR_MS for date_ms in dates if date_ms < settled_ms}
                    hours.setdefault(dict(table.tags)["device"], set()).update(late)
        return [self._mark(device, list(_runs(found)), now_ms) for device, found in hours.items()]

    def _mark(self, device: str, runs: list[tuple[int, int]], now_ms: int) -> Table:
        """No two marks of a device have the same time: the second would replace the first."""
        if len(self._last_ms) >= _MAX_DEVICES:
            self._last_ms.clear()
        first_ms = max(now_ms, self._last_ms.get(device, 0) + 1)
        self._last_ms[device] = first_ms + len(runs) - 1
        rows = [(first_ms + n, float(a * HOUR_MS), float(b * HOUR_MS)) for n, (a, b) in enumerate(runs)]
        return Table("late", (("device", device), ("writer", self._writer)), ("from_ms", "to_ms"), rows)


def _runs(hours: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, end) of each run of hours without a gap."""
    ordered = sorted(hours)
    first = last = ordered[0]
    for hour in ordered[1:]:
        if hour > last + 1:
            yield first, last + 1
            first = hour
        last = hour
    yield first, last + 1
