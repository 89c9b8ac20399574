"""What boxes live through. Each story is one box's; `Kind` says what its dates may be afterwards."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from kewang.bench.field_city import READINGS, Box
from kewang.bench.stored import SYNCHRONISED

BY_GATEWAY, CHAINED = 1, 0
HOUR_S: Final = 3600.0
YEAR_S: Final = 365.25 * 24 * HOUR_S
LIE_S: Final = 2 * HOUR_S
_BEFORE_MIDNIGHT_S: Final = 8.0


class Kind(StrEnum):
    """What the date of a reading may be, against when it was given out."""

    RIGHT = "right"
    CHAINED = "chained"
    """Time quality 0, stored: after all that was dated before, and not ahead of the truth."""
    NO_DATE = "no_date"
    """Time quality 0, in quarantine, in the first day of 2000: its boot never had time, nor any before."""
    AHEAD = "told_ahead"
    """What a lying time service said; in quarantine."""
    BEHIND = "told_behind"
    """What a lying time service said; nobody can tell."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Story:
    """`live` moves the box. `kinds`: all that its dates must be and may be; `qualities`: the same of those right."""

    live: Callable[[Box], None]
    kinds: frozenset[Kind] = frozenset({Kind.RIGHT})
    qualities: frozenset[int] = frozenset({BY_GATEWAY, SYNCHRONISED})
    days: frozenset[str] = frozenset()
    """UTC days that its readings must be of."""


def seconds_to(date: datetime) -> float:
    """From now until then."""
    return date.timestamp() - time.time()


def no_time(box: Box) -> None:
    """The RTC says 2000 and no time service is reached. The gateway tells the time; at last a service does."""
    box.on(seconds_to(datetime(2000, 1, 1, tzinfo=UTC)), linked=False)
    box.reads()
    box.must(not box.dated(), "it has no date before anybody told it one")
    box.must(box.arrived() == 0, "nothing is sent before it has a date")
    box.link()
    box.waits(lambda: box.arrived() >= READINGS, "what waited is stored")
    box.clock.serve()
    box.reads()


def epoch(box: Box) -> None:
    """The RTC says 1970. The time comes by radio, before there is any link; the agent was killed twice by then."""
    box.on(seconds_to(datetime(1970, 1, 1, tzinfo=UTC)), linked=False)
    for _ in range(2):
        box.reads()
        box.dies()
    box.reads()
    box.must(not box.dated(), "it has no date before its clock is synchronised")
    box.clock.serve()
    box.waits(box.dated, "a date")
    box.reads()
    box.link()


def future(box: Box) -> None:
    """The RTC is three years ahead; the gateway is heard first, then a time service sets the clock back."""
    box.on(3 * YEAR_S, linked=False)
    box.reads()
    box.must(not box.dated(), "a clock that nobody keeps is not believed")
    box.link()
    box.waits(lambda: box.arrived() >= READINGS, "what waited is stored")
    box.clock.serve()
    box.reads()


def steps(box: Box) -> None:
    """A clock that was right is set by hand, hours ahead and back, and the agent is killed in between."""
    box.on(kept=True)
    box.reads()
    for offset_s in (3 * HOUR_S, -5 * HOUR_S):
        box.clock.set(offset_s)
        box.reads()
    box.dies()
    box.reads()
    box.clock.serve()
    box.reads()


def cuts(box: Box) -> None:
    """A box that had the time once. Then the power goes in two boots that never had it, and comes back with time."""
    box.on(kept=True)
    box.reads()
    box.off()
    for _ in range(2):
        box.on(seconds_to(datetime(2000, 1, 1, tzinfo=UTC)), linked=False)
        box.reads()
        box.must(not box.dated(), "a boot has no date of another one's")
        box.off()
    box.on(kept=True)
    box.reads()


def carton(box: Box) -> None:
    """A box that never had the time: two boots end without it. In the third the gateway tells it."""
    for _ in range(2):
        box.on(seconds_to(datetime(1970, 1, 1, tzinfo=UTC)), linked=False)
        box.reads()
        box.off()
    box.on(seconds_to(datetime(1970, 1, 1, tzinfo=UTC)))
    box.waits(box.dated, "a date by the gateway")
    box.reads()


def lies(box: Box) -> None:
    """A time service that lies by hours, ahead and behind, and the truth before, between and after."""
    box.on(kept=True)
    box.reads()
    for offset_s in (LIE_S, 0.0, -LIE_S, 0.0):
        box.clock.serve(offset_s)
        box.reads()


def nobody(box: Box) -> None:
    """Not even the server has the time: everything waits. Then the server gets it."""
    box.on(seconds_to(datetime(2000, 1, 1, tzinfo=UTC)))
    box.reads()
    box.must(not box.dated(), "a server without time gives none")
    box.must(box.arrived() == 0, "nothing is sent before there is a date")
    box.city.server.serve(box.city.server.offset_s)
    box.waits(lambda: box.arrived() >= READINGS, "what waited is stored")
    box.stop()


def calendar(box: Box) -> None:
    """The turn of a year with a leap second, and both sides of a 29th of February, the world over."""
    box.on(box.city.server.offset_s, kept=True)
    box.reads()
    for midnight in (_NEW_YEAR, datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)):
        box.hush()
        ahead_s = seconds_to(midnight) - _BEFORE_MIDNIGHT_S
        box.city.server.serve(ahead_s)
        box.clock.serve(ahead_s)
        box.hush(over=True)
        box.reads()
        time.sleep(max(0.0, seconds_to(midnight) - ahead_s))
        if midnight is _NEW_YEAR:
            box.city.server.leap(ahead_s - 1)
            box.clock.leap(ahead_s - 1)
            time.sleep(1)
        box.reads()


_NEW_YEAR: Final = datetime(2028, 1, 1, tzinfo=UTC)
_DAYS: Final = frozenset({"2027-12-31", "2028-01-01", "2028-02-28", "2028-02-29", "2028-03-01"})
NOW: Final[Mapping[str, Story]] = {
    "no-time": Story(no_time),
    "epoch": Story(epoch, qualities=frozenset({SYNCHRONISED})),
    "future": Story(future),
    "steps": Story(steps, qualities=frozenset({SYNCHRONISED})),
    "cuts": Story(cuts, frozenset({Kind.RIGHT, Kind.CHAINED}), frozenset({SYNCHRONISED})),
    "carton": Story(carton, frozenset({Kind.RIGHT, Kind.NO_DATE}), frozenset({BY_GATEWAY})),
    "lies": Story(lies, frozenset({Kind.RIGHT, Kind.AHEAD, Kind.BEHIND}), frozenset({SYNCHRONISED})),
}
"""In a city of today, at the same time."""
CALENDAR: Final[Mapping[str, Story]] = {
    "nobody": Story(nobody, qualities=frozenset({BY_GATEWAY})),
    "calendar": Story(calendar, qualities=frozenset({SYNCHRONISED}), days=_DAYS),
}
"""In a city at the end of 2027, one after the other."""
STORIES: Final = {**NOW, **CALENDAR}
