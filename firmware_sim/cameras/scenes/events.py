"""When the harmless events of a day happen: a timetable per seed and day that both families play in their own way."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from .chance import generator

DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
TRUCKS_A_DAY: Final = 8


@dataclass(frozen=True, slots=True)
class Event:
    """One harmless event; `strength` 0 to 1 within what it is, `key` tells it from others of its name."""

    name: str
    start_s: float
    end_s: float
    strength: float
    key: int

    def ramp(self, time_s: float, rise_s: float) -> float:
        """0 outside, 1 inside, rising and falling over `rise_s`."""
        return float(np.clip(min(time_s - self.start_s, self.end_s - time_s) / rise_s, 0, 1))


@lru_cache(maxsize=64)
def of_day(seed: int, day: int) -> tuple[Event, ...]:
    """The day's events; every kind comes every day, so a quiet day is harder to get than in life."""
    rng = generator(seed, 7_001, day)
    planned = [
        *_some(rng, "rain", 1, (5, 23), (1_800, 5_400)),
        *_some(rng, "fog", 1, (3.5, 7.5), (2_400, 3_600)),
        *_some(rng, "wind", 1, (7, 21), (7_200, 7_200)),
        *_some(rng, "truck", TRUCKS_A_DAY, (4.5, 22.5), (120, 480)),
        *_some(rng, "crowd", 2, (6, 19), (1_200, 3_600)),
        *_some(rng, "pumping", 2, (6, 23), (300, 900)),
        *_some(rng, "insects", 3, (18.8, 29), (60, 900)),
        *_some(rng, "reboot", 1, (0, 23), (3, 6)),
        *_some(rng, "lightning", 1, (19, 28), (600, 1_800)),
    ]
    return tuple(
        Event(name, day * DAY_S + start, day * DAY_S + end, float(rng.random()), int(rng.integers(1 << 30)))
        for name, start, end in planned
    )


def _some(
    rng: np.random.Generator, name: str, count: int, hours: tuple[float, float], lengths_s: tuple[float, float]
) -> list[tuple[str, float, float]]:
    starts = rng.uniform(hours[0] * HOUR_S, hours[1] * HOUR_S, count)
    lengths = rng.uniform(*lengths_s, count)
    return [(name, float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]


def now(seed: int, time_s: float) -> list[Event]:
    """The events going on; one that began late may last past midnight."""
    day = int(time_s // DAY_S)
    days = (*of_day(seed, day - 1), *of_day(seed, day))
    return [event for event in days if event.start_s <= time_s < event.end_s]
