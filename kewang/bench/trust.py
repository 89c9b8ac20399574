"""How well doubtful sensors are flagged: production's judges on simulated days of Ambon, with faults put into them.

Three sensors of one quantity hang on one box; the first has the fault. The seeds come from the SHA-256 of the judges'
limits, so every new tuning meets days that it has not seen.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.trust.assess import Assessor, Flag, Neighbours
from edge.trust.limits import Limits, limits, limits_sha256
from firmware_sim.signals import DAY_S, HOUR_S, Signals
from kewang.bench.envelope import envelope
from kewang.wire.catalogue import metric

INTERVAL_S: Final = 30.0
SENSORS: Final = ("env-1", "env-2", "env-3")
WANTED: Final = {"stuck": 0.98, "spike": 0.95, "drift": 0.95}
FALSE_WANTED: Final = 0.05
"""Flags a day that a healthy sensor may get."""
_START_S: Final = 1_785_000_000.0
_GRACE_S: Final = 7 * HOUR_S
"""After a fault: so long its flag may still stand, as six hours of differences are looked at."""
_LATE_S: Final = 600.0
_SPIKE_EVERY_S: Final = 2 * HOUR_S
NOISE: Final[Mapping[str, tuple[float, float, float]]] = {
    "temp_c": (0.08, 0.0, 0.1),
    "rh_pct": (0.4, 0.0, 0.1),
    "pressure_hpa": (0.08, 0.0, 0.1),
    "pm1_ugm3": (0.8, 0.05, 1.0),
    "pm25_ugm3": (1.0, 0.05, 1.0),
    "pm10_ugm3": (1.5, 0.05, 1.0),
    "noise_dba": (0.8, 0.0, 0.1),
    "nh3_ppm": (0.03, 0.02, 0.01),
    "h2s_ppm": (0.02, 0.02, 0.01),
    "co2_ppm": (8.0, 0.0, 1.0),
    "bin_fill_pct": (0.8, 0.0, 1.0),
    "water_level_cm": (0.6, 0.0, 0.1),
    "light_lux": (2.0, 0.03, 1.0),
}
"""Of each quantity's cheap sensors: standard deviation of the noise, its share of the value, the last digit."""
_MISSED: Final = 0.01
"""Share of the readings that fail."""
SUDDEN: Final[Mapping[str, tuple[float, float]]] = {
    "temp_c": (-5.0, -2.0),
    "rh_pct": (5.0, 18.0),
    "pm1_ugm3": (20.0, 150.0),
    "pm25_ugm3": (30.0, 250.0),
    "pm10_ugm3": (40.0, 400.0),
    "noise_dba": (10.0, 35.0),
    "nh3_ppm": (2.0, 20.0),
    "h2s_ppm": (1.0, 8.0),
    "co2_ppm": (150.0, 900.0),
    "water_level_cm": (10.0, 60.0),
}
"""What happens rightly and fast, least and most: a squall, smoke, a horn, a drain that is opened. Three times a day."""


@dataclass(frozen=True, slots=True)
class Life:
    """What the first sensor of a box suffers from `from_s` to `to_s`, out of `length_s` seconds."""

    metric: str
    fault: str
    seed: int
    length_s: float
    from_s: float = 0.0
    to_s: float = 0.0


@dataclass(slots=True)
class Score:
    """Faults that were flagged out of those there were, and flags that nothing explains."""

    found: int = 0
    there: int = 0
    false: int = 0
    sensor_days: float = 0.0
    at_rest: int = 0

    def add(self, other: "Score") -> None:
        """Count what `other` counted."""
        self.found += other.found
        self.there += other.there
        self.false += other.false
        self.sensor_days += other.sensor_days
        self.at_rest += other.at_rest


def measure(seeds: int = 4, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Lives of every metric and fault under `seeds` seeds; the full result."""
    started_s = time.monotonic()
    first = int(limits_sha256()[:8], 16)
    by_fault = {fault: Score() for fault in (*WANTED, "none")}
    by_metric = {name: Score() for name in limits()}
    for seed in range(first, first + seeds):
        progress(f"seed {seed}")
        for life in lives(seed):
            lived = live(life)
            by_fault[life.fault].add(lived)
            by_metric[life.metric].add(lived)
    return _result(by_fault, by_metric, first, started_s)


def lives(seed: int) -> Iterator[Life]:
    """One life without a fault, and one with each that is looked for, of every metric."""
    for name, limit in limits().items():
        rng = random.Random(f"trust-{seed}-{name}")
        yield Life(name, "none", seed, 2 * DAY_S)
        if limit.stuck_s is not None:
            from_s = rng.uniform(6, 18) * HOUR_S
            to_s = from_s + 1.5 * limit.stuck_s + HOUR_S
            yield Life(name, "stuck", seed, to_s + 4 * HOUR_S, from_s, to_s)
        if limit.spike is not None:
            yield Life(name, "spike", seed, 2 * DAY_S, HOUR_S, 2 * DAY_S)
        if limit.drift is not None:
            from_s = rng.uniform(6, 18) * HOUR_S
            yield Life(name, "drift", seed, from_s + 1.5 * DAY_S, from_s, from_s + 1.5 * DAY_S)


def live(life: Life, judge_of: type[Assessor] = Assessor) -> Score:
    """The three sensors through `life`; how their flags compare with what was done to the first of them."""
    world, rng, neighbours = Signals(life.seed), random.Random(f"{life}"), Neighbours()
    limit = limits()[life.metric]
    wrong, events = _Wrong(life, limit, rng), _Events(life, rng)
    offsets = [rng.uniform(-0.3, 0.3) * (limit.drift or 0.0) for _ in SENSORS]
    judges = [judge_of(name, (life.metric,), neighbours, warm_up_s=0) for name in SENSORS]
    score, flagged = Score(sensor_days=len(SENSORS) * life.length_s / DAY_S), [False] * len(SENSORS)
    for step in range(int(life.length_s / INTERVAL_S)):
        at_s = step * INTERVAL_S
        true = world.value(life.metric, _START_S + at_s) + events.at(at_s)
        for sensor, judge in enumerate(judges):
            measured = _measured(life.metric, true + offsets[sensor], rng)
            value = measured if sensor else wrong.value(at_s, measured)
            if rng.random() < _MISSED and not wrong.spiked:
                continue
            flag = judge.judge(1 + int(1000 * at_s), (value,))[1]
            explained = sensor == 0 and wrong.hears(at_s, flag)
            score.false += flag is not None and not explained and not flagged[sensor]
            flagged[sensor] = flag is not None
    score.found, score.there, score.at_rest = wrong.found, wrong.there, int(wrong.at_rest)
    return score


class _Events:
    """What happens in the world: each rises within one to four minutes and dies away within half an hour."""

    def __init__(self, life: Life, rng: random.Random) -> None:
        least, most = SUDDEN.get(life.metric, (0.0, 0.0))
        count = int(3 * life.length_s / DAY_S)
        self._events = sorted(
            (rng.uniform(0, life.length_s), rng.uniform(least, most), rng.uniform(60, 240)) for _ in range(count)
        )

    def at(self, at_s: float) -> float:
        """What they add at `at_s`."""
        added = 0.0
        for start_s, size, rise_s in self._events:
            age_s = at_s - start_s
            if 0 <= age_s < HOUR_S:
                added += size * (age_s / rise_s if age_s < rise_s else math.exp((rise_s - age_s) / 600.0))
        return added


class _Wrong:
    """What the fault of `life` does to the first sensor's values, and which flags it explains."""

    def __init__(self, life: Life, limit: Limits, rng: random.Random) -> None:
        self._life, self._limit, self._rng = life, limit, rng
        self.found, self.there = 0, 0 if life.fault in ("none", "spike") else 1
        self.at_rest = False
        """Stuck at a value that may well stay where it is: nobody could tell."""
        self._held: float | None = None
        self.spiked = False

    def value(self, at_s: float, measured: float) -> float:
        """What the sensor says in place of `measured`."""
        life, self.spiked = self._life, False
        if life.fault == "none" or not life.from_s <= at_s < life.to_s:
            return measured
        if life.fault == "stuck":
            if self._held is None:
                self._held = measured
                self.at_rest = self._limit.rests(measured)
                self.there -= self.at_rest
            return self._held
        if life.fault == "drift":
            return measured + self._drifted(at_s)
        if at_s % _SPIKE_EVERY_S < INTERVAL_S:
            return self._spike(measured)
        return measured

    def _drifted(self, at_s: float) -> float:
        """A ramp of a day to twice the limit."""
        assert self._limit.drift is not None
        full = 2 * self._limit.drift / (1 - self._limit.drift_share)
        return min(1.0, (at_s - self._life.from_s) / DAY_S) * full

    def _spike(self, measured: float) -> float:
        """One reading far off, where the catalogue still believes it; else none this time."""
        assert self._limit.spike is not None
        value = measured + self._rng.choice((-1, 1)) * self._rng.uniform(1.2, 5) * self._limit.spike
        believed = metric(self._life.metric)
        if not believed.low <= value <= believed.high:
            return measured
        self.spiked, self.there = True, self.there + 1
        return value

    def hears(self, at_s: float, flag: float | None) -> bool:
        """Count `flag`; whether the fault explains it."""
        life = self._life
        if life.fault == "spike":
            self.found += self.spiked and flag == Flag.SPIKE
            return self.spiked
        if life.fault == "none" or at_s < life.from_s:
            return False
        if flag == Flag[life.fault.upper()] and at_s <= self._latest_s():
            self.found = 1
        return at_s <= life.to_s + _GRACE_S

    def _latest_s(self) -> float:
        """Until when the fault must be flagged."""
        if self._life.fault == "stuck":
            return self._life.from_s + (self._limit.stuck_s or 0) + _LATE_S
        return self._life.to_s


def _measured(name: str, true: float, rng: random.Random) -> float:
    """What a healthy cheap sensor says of `true`."""
    deviation, share, digit = NOISE[name]
    believed = metric(name)
    noisy = rng.gauss(true, deviation + share * abs(true))
    return min(believed.high, max(believed.low, round(round(noisy / digit) * digit, 6)))


def _result(
    by_fault: Mapping[str, Score], by_metric: Mapping[str, Score], first: int, started_s: float
) -> dict[str, Any]:
    everyone = list(by_fault.values())
    false_a_day = sum(score.false for score in everyone) / sum(score.sensor_days for score in everyone)
    recall = {fault: round(by_fault[fault].found / max(1, by_fault[fault].there), 4) for fault in WANTED}
    figures = {
        "limits_sha256": limits_sha256(),
        "recall": recall,
        "faults": {fault: by_fault[fault].there for fault in WANTED},
        "stuck_at_rest": by_fault["stuck"].at_rest,
        "false_flags_per_sensor_day": round(false_a_day, 4),
        "sensor_days": round(sum(score.sensor_days for score in everyone), 1),
        "by_metric": [_row(name, score) for name, score in by_metric.items()],
    }
    failed = [
        f"recall of {fault} is {recall[fault]}, wanted {least}"
        for fault, least in WANTED.items()
        if recall[fault] < least
    ]
    if false_a_day > FALSE_WANTED:
        failed.append(f"{false_a_day:.3f} false flags a sensor and day, wanted at most {FALSE_WANTED}")
    return envelope("bench trust", seed=first, parts=[], started_s=started_s, failed=failed, figures=figures)


def _row(name: str, score: Score) -> dict[str, Any]:
    recall = round(score.found / score.there, 4) if score.there else None
    return {"metric": name, "recall": recall, "false_per_day": round(score.false / score.sensor_days, 4)}
