"""The last 24 hours of a metric as a small plot: range and mean of five minutes each, gaps as gaps. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median
from typing import Final

from gateway.ports import Point
from kewang.wire.cameras import CameraState
from kewang.wire.catalogue import BY_NAME, FLAG_ENDING, METRICS, Metric

STEP_MS: Final = 300_000
STEPS: Final = 288
WINDOW_MS: Final = STEPS * STEP_MS
HEIGHT: Final = 60
_EDGE: Final = 3
_TICK_HOURS: Final = 6
_LANES: Final = (CameraState.DOWN, CameraState.DEGRADED, CameraState.UNKNOWN, CameraState.OK)
STATE: Final = "camera_state"


@dataclass(frozen=True, slots=True)
class Tick:
    """A time of the axis: `at` in per cent of its length."""

    at: float
    said: str
    main: bool
    """Noon or midnight."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One metric of a day, in STEPS x HEIGHT. `low`, `high`: of all readings; `last`: mean of the newest step.

    `line`: the means; `band`: from the lowest to the highest of each step; both the `d` of a path.
    """

    metric: Metric
    low: float
    high: float
    last: float
    last_ms: int
    line: str
    band: str
    gaps: tuple[tuple[int, int], ...]
    """First step without a reading where one was due, and how many."""
    doubted: tuple[tuple[int, int], ...] = ()
    """The same of steps with a reading that its box doubts."""
    doubts: tuple[tuple[Metric, float], ...] = ()
    """Why it does: codes of the metric's flag."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The steps at which a camera was in a state, as (first, how many); how many readings told so, of all."""

    state: CameraState
    spans: tuple[tuple[int, int], ...]
    share: float


@dataclass(frozen=True, slots=True)
class SourceDay:
    """What is known of one source's day. `lanes`: of a camera, else empty."""

    plots: tuple[Plot, ...]
    lanes: tuple[Lane, ...]


def source_day(points: Sequence[Point], from_ms: int) -> SourceDay:
    """The day of one source out of its summaries by STEP_MS, oldest first."""
    found = ((metric, _steps(points, metric, from_ms)) for metric in METRICS)
    shown = ((metric, steps) for metric, steps in found if steps and not is_said_elsewhere(metric.name))
    plots = tuple(_plot(metric, steps, from_ms) for metric, steps in shown)
    return SourceDay(plots, _lanes(points, from_ms))


def is_said_elsewhere(name: str) -> bool:
    """Whether it has no plot of its own: lanes tell a camera's state, the plot of what is doubted tells the doubt."""
    return name == STATE or name.endswith(FLAG_ENDING)


def ticks(from_ms: int, zone: tzinfo) -> tuple[Tick, ...]:
    """Every six hours of the day there: 00, 06, 12 and 18 o'clock."""
    first = datetime.fromtimestamp(from_ms / 1000, zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    hours = (first + timedelta(hours=each) for each in range(26))
    dated = ((hour, hour.replace(tzinfo=zone).timestamp() * 1000 - from_ms) for hour in hours)
    every = ((hour, 100 * at_ms / WINDOW_MS) for hour, at_ms in dated if hour.hour % _TICK_HOURS == 0)
    return tuple(Tick(round(at, 2), f"{hour:%H:%M}", hour.hour % 12 == 0) for hour, at in every if 0 <= at <= 100)


def step_of(date_ms: int, from_ms: int) -> int | None:
    """The step of a date, None outside of the window."""
    step = (date_ms - from_ms) // STEP_MS
    return step if 0 <= step < STEPS else None


_Steps = dict[int, tuple[float, float, float]]
"""Step -> lowest, mean, highest."""


def _steps(points: Iterable[Point], metric: Metric, from_ms: int) -> _Steps:
    steps: _Steps = {}
    for point in points:
        step = step_of(point.date_ms, from_ms)
        three = [point.fields.get(f"{metric.name}_{what}") for what in ("min", "mean", "max")]
        low, mean, high = (one if isinstance(one, float) else None for one in three)
        if step is not None and low is not None and mean is not None and high is not None:
            steps[step] = (low, mean, high)
    return steps


def _plot(metric: Metric, steps: _Steps, from_ms: int) -> Plot:
    low, high = min(low for low, _, _ in steps.values()), max(high for _, _, high in steps.values())
    span = max(high - low, 10.0 ** (1 - metric.decimals) if not metric.codes else 1.0)
    bottom = (low + high - span) / 2

    def y(value: float) -> int:
        return round(HEIGHT - _EDGE - (value - bottom) / span * (HEIGHT - 2 * _EDGE))

    usual = _usual(sorted(steps))
    runs = _runs(sorted(steps), usual)
    line = "".join(_stroke([(step, y(steps[step][1])) for step in run]) for run in runs)
    band = "".join(_ring([(step, y(steps[step][0]), y(steps[step][2])) for step in run]) for run in runs)
    last = max(steps)
    return Plot(metric, low, high, steps[last][1], from_ms + last * STEP_MS, line, band, _gaps(runs, usual))


def flag_of(metric: Metric) -> Metric | None:
    """The metric that says why a value of this one is doubted, if there is one."""
    return BY_NAME.get(metric.name + FLAG_ENDING)


def doubting(plot: Plot, flag: Metric, values: Iterable[tuple[int, float]], from_ms: int) -> Plot:
    """The plot with what its flag, (date, code), says."""
    told = {(step, code) for date_ms, code in values if (step := step_of(date_ms, from_ms)) is not None}
    doubts = tuple((flag, code) for code in sorted({code for _, code in told}))
    return replace(plot, doubted=_spans(sorted({step for step, _ in told})), doubts=doubts)


def _usual(steps: Sequence[int]) -> float:
    """How many steps lie between two readings. A source read every quarter of an hour has one in every third step:
    what is usual for it is no gap."""
    return median([later - earlier for earlier, later in pairwise(steps)] or [1])


def _runs(steps: Sequence[int], usual: float) -> list[list[int]]:
    """The steps, parted where readings are missing."""
    runs = [[steps[0]]]
    for earlier, later in pairwise(steps):
        if later - earlier > 1.5 * usual:
            runs.append([])
        runs[-1].append(later)
    return runs


def _gaps(runs: Sequence[Sequence[int]], usual: float) -> tuple[tuple[int, int], ...]:
    """What is missing between runs, before the first and after the last; the running step may still be empty."""
    edges = [(-1, runs[0][0]), *((before[-1], after[0]) for before, after in pairwise(runs)), (runs[-1][-1], STEPS)]
    least = max(2, 1.5 * usual)
    return tuple((before + 1, after - before - 1) for before, after in edges if after - before > least)


def _stroke(points: Sequence[tuple[int, int]]) -> str:
    """A line through the points; one alone is as wide as its step."""
    path = "L".join(f"{step}.5 {y}" for step, y in points)
    return f"M{path}" if len(points) > 1 else f"M{points[0][0]} {points[0][1]}h1"


def _ring(points: Sequence[tuple[int, int, int]]) -> str:
    """The outline of the range."""
    there, back = (f"{step}.5 {high}" for step, _, high in points), (f"{step}.5 {low}" for step, low, _ in points[::-1])
    return f"M{'L'.join([*there, *back])}Z" if len(points) > 1 else ""


def _lanes(points: Sequence[Point], from_ms: int) -> tuple[Lane, ...]:
    told = {state: _told(points, state, from_ms) for state in _LANES}
    total = sum(sum(counts.values()) for counts in told.values())
    return tuple(
        Lane(state, _spans(sorted(counts)), sum(counts.values()) / total) for state, counts in told.items() if total
    )


def _told(points: Iterable[Point], state: CameraState, from_ms: int) -> Mapping[int, float]:
    """Step -> how often the state was told."""
    counts: dict[int, float] = {}
    for point in points:
        step, count = step_of(point.date_ms, from_ms), point.fields.get(f"{STATE}_{state.value}_count")
        if step is not None and isinstance(count, float) and count:
            counts[step] = count
    return counts


def _spans(steps: Sequence[int]) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for step in steps:
        if spans and sum(spans[-1]) == step:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((step, 1))
    return tuple(spans)
