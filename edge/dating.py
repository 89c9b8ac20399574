"""Dates of rows: a boot's anchor plus monotonic ms, and per source always increasing.

Dates decide the identity of a point, so two rows of one source must never share one, whatever the clock does.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS
from kewang.wire.names import BOX_SOURCE
from kewang.wire.tally import HOUR_MS, MAX_TALLIES
from kewang.wire.timers import Timers

DIGITS: Final = 10
"""Boots in a row whose dates differ in the last digit."""
Free = Callable[[int], int]
"""The first ms, not before the given one, that no row still held by the outbox has taken."""


@dataclass(slots=True)
class SourceDates:
    """What must be remembered of a source to date its next row."""

    last_ms: int
    """The date given last."""
    top_ms: int
    """The highest date ever given: above it every ms is free."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The dates that a boot may give to rows of a source. Those of the nine boots before it and after it lie between
    them, so none is written over whatever a disk forgot and a clock said."""

    digit: int
    apart_ms: int

    def before(self, ms: int) -> int:
        """The last one, not after `ms`."""
        return ms - (ms - self.digit * self.apart_ms) % (DIGITS * self.apart_ms)

    def after(self, ms: int) -> int:
        """The first one, not before `ms`."""
        return ms + (self.digit * self.apart_ms - ms) % (DIGITS * self.apart_ms)


def with_digit(anchor_ms: int, digit: int) -> int:
    """The anchor, at most 9 ms earlier, of a boot with this last digit."""
    return Grid(digit % DIGITS, 1).before(anchor_ms)


def grid(anchor_ms: int, source: str) -> Grid:
    """Of a source in the boot with this anchor, which has the boot's digit."""
    return Grid(anchor_ms % DIGITS, apart_ms(source))


def apart_ms(source: str) -> int:
    """How far apart a source's rows are at least: entry i of a heartbeat's tallies is dated i ms after it."""
    return MAX_TALLIES if source == BOX_SOURCE else 1


def next_date(dates: SourceDates, wanted_ms: int, grid: Grid, free: Free, timers: Timers) -> int:
    """The date of a source's next row: the last of `grid` not after `wanted_ms` when that is possible; kept in `dates`.

    A tie or a step back of at most `step_back_s` gives the next one after the last date. A larger step back is
    believed.
    """
    date_ms = max(grid.before(min(wanted_ms, MAX_DATE_MS)), grid.after(MIN_DATE_MS))
    if date_ms - grid.apart_ms < dates.last_ms <= date_ms + timers.step_back_s * 1000:
        date_ms = grid.after(dates.last_ms + grid.apart_ms)
    if date_ms <= dates.top_ms:
        while (free_ms := free(date_ms)) != date_ms:
            date_ms = grid.after(free_ms)
    dates.last_ms, dates.top_ms = date_ms, max(dates.top_ms, date_ms)
    return date_ms


def by_hour(dates_ms: Iterable[int]) -> list[tuple[int, int]]:
    """(Unix hour, rows) of the given dates, in order of the hours."""
    return sorted(Counter(date_ms // HOUR_MS for date_ms in dates_ms).items())
