"""Are the dates right? What boards gave out and when, by their journals, against the dates in the database."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from firmware_sim.journal import Given
from kewang.bench.field_stories import CHAINED, LIE_S, Kind, Story
from kewang.bench.stored import StoredPoint
from kewang.wire.batch import MIN_DATE_MS

_NEAR_MS: Final = 15_000
"""An answer of a second and a correction that is not made below ten; a busy agent looks late at what it was answered.
What is to be found out is hours and years off."""
_DAY_MS: Final = 86_400_000
_EXAMPLES: Final = 5


@dataclass
class Dates:
    """The dates of one box. `behind_ms`, `ahead_ms`: how far those that are right are from the truth at most."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    qualities: set[int] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    behind_ms: int = 0
    ahead_ms: int = 0
    failed: list[str] = field(default_factory=list)

    def held_against(self, story: Story) -> list[str]:
        """What is not as the story wants it, in sentences."""
        named = {str(kind) for kind, count in self.kinds.items() if count}
        wanted = {str(kind) for kind in story.kinds}
        found = [f"dates are {sorted(named)}, not {sorted(wanted)}"] if named != wanted else []
        if not self.qualities <= story.qualities:
            found.append(f"time qualities {sorted(self.qualities)}, not within {sorted(story.qualities)}")
        if missed := story.days - self.days:
            found.append(f"no reading of {sorted(missed)}")
        return found + self.failed


def judge(points: Iterable[StoredPoint], given: Mapping[int, Given]) -> Dates:
    """The dates of one board's points, against what it gave out."""
    dates, chained = Dates(), list[StoredPoint]()
    for point in sorted(points, key=lambda point: point.number):
        error_ms = point.date_ms - given[point.number].unix_ms
        kind = _kind(point, error_ms)
        dates.kinds[kind] += 1
        if kind is Kind.RIGHT:
            dates.qualities.add(point.quality)
            dates.days.add(datetime.fromtimestamp(point.date_ms / 1000, UTC).strftime("%Y-%m-%d"))
            dates.behind_ms, dates.ahead_ms = max(dates.behind_ms, -error_ms), max(dates.ahead_ms, error_ms)
        elif kind is Kind.WRONG and len(dates.failed) < _EXAMPLES:
            dates.failed.append(f"reading {point.number} is dated {error_ms} ms off, {point.reason or 'stored'}")
        if kind in (Kind.CHAINED, Kind.NO_DATE):
            chained.append(point)
    dates.failed += _disorder(chained, [point for point in points if point.quality != CHAINED])
    return dates


def _kind(point: StoredPoint, error_ms: int) -> Kind:
    ahead, old = (point.reason or "").startswith("date: ahead"), (point.reason or "").startswith("date: older")
    if point.quality == CHAINED:
        if old and MIN_DATE_MS <= point.date_ms < MIN_DATE_MS + _DAY_MS:
            return Kind.NO_DATE
        return Kind.CHAINED if point.reason is None and error_ms < 0 else Kind.WRONG
    lied_ms = int(1000 * LIE_S)
    if ahead and _is_near(error_ms - lied_ms):
        return Kind.AHEAD
    if point.reason is None and _is_near(error_ms + lied_ms):
        return Kind.BEHIND
    return Kind.RIGHT if point.reason is None and _is_near(error_ms) else Kind.WRONG


def _is_near(error_ms: int) -> bool:
    return abs(error_ms) <= _NEAR_MS


def _disorder(chained: Sequence[StoredPoint], others: Iterable[StoredPoint]) -> list[str]:
    """Chained dates go up as the readings do, boot after boot, and lie between those that were known."""
    if not chained:
        return []
    first, last = chained[0], chained[-1]
    found = []
    if any(later.date_ms <= point.date_ms for point, later in pairwise(chained)):
        found.append("chained dates are not in the order of their readings")
    if any(point.date_ms >= first.date_ms for point in others if point.number < first.number):
        found.append("a chained date is not after those known before")
    if any(point.date_ms <= last.date_ms for point in others if point.number > last.number):
        found.append("a chained date is not before those known after")
    return found
