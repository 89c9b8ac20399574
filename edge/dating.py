"""Dates of rows: a boot's anchor plus monotonic ms, and per source always increasing.

Dates decide the identity of a point, so two rows of one source must never share one, whatever the clock does.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS
from kewang.wire.names import BOX_SOURCE
from kewang.wire.tally import HOUR_MS, MAX_TALLIES
from kewang.wire.timers import Timers

Free = Callable[[int], int]
"""The first ms, not before the given one, that no row still held by the outbox has taken."""


@dataclass(slots=True)
class SourceDates:
    """What must be remembered of a source to date its next row."""

    last_ms: int
    """The date given last."""
    top_ms: int
    """The highest date ever given: above it every ms is free."""
    fresh: bool
    """Whether this run has not dated a row of the source yet."""


def apart_ms(source: str) -> int:
    """How far apart a source's rows are at least: entry i of a heartbeat's tallies is dated i ms after it."""
    return MAX_TALLIES if source == BOX_SOURCE else 1


def next_date(dates: SourceDates, wanted_ms: int, free: Free, timers: Timers, apart_ms: int = 1) -> int:
    """The date of a source's next row, `wanted_ms` when that is possible; kept in `dates`.

    A tie or a step back of at most `step_back_s` comes `apart_ms` after the last date, the first row of a run
    `run_gap_s` after it: a disk that lies may have lost the rows sent last. A larger step back is believed.
    """
    date_ms = min(max(wanted_ms, MIN_DATE_MS), MAX_DATE_MS)
    if date_ms - apart_ms < dates.last_ms <= date_ms + timers.step_back_s * 1000:
        date_ms = dates.last_ms + (int(timers.run_gap_s * 1000) if dates.fresh else apart_ms)
    if date_ms <= dates.top_ms:
        date_ms = free(date_ms)
    dates.last_ms, dates.top_ms, dates.fresh = date_ms, max(dates.top_ms, date_ms), False
    return date_ms


def by_hour(dates_ms: Iterable[int]) -> list[tuple[int, int]]:
    """(Unix hour, rows) of the given dates, in order of the hours."""
    return sorted(Counter(date_ms // HOUR_MS for date_ms in dates_ms).items())
