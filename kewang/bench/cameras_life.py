"""The days of one camera: it learns its view, then faults come and go, and each slow fault has a day of its own."""

import bisect
import contextlib
import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.cameras.health import NothingToAccept
from firmware_sim.cameras.scenes.spoiled import Spoilable
from kewang.bench.cameras_drive import SPARSE_S, Camera, Costs, Judge, Sample, Zones
from kewang.bench.cameras_market import Market, market
from kewang.bench.cameras_naive import CONFIRMATIONS, confirmed
from kewang.bench.cameras_plan import DAY_S, Event, LinkFault, Weight, day_of_faults, slow_faults
from kewang.bench.cameras_score import FalseAlarm, Found, Track, calm_days, false_alarms, found

WARM_DAYS: Final = 3
QUIET_EVERY: Final = 3
"""Every third scored day of a family has no fault at all."""
TRANSPORT: Final = frozenset(
    {
        *("reachable", "tcp_ms", "options_ms", "describe_ms", "setup_ms", "play_ms", "first_packet_ms", "stalls"),
        *("first_keyframe_ms", "stall_max_s", "keyframe_interval_s", "loss_pct", "jitter_ms", "bitrate_kbps", "fps"),
        *("fps_ratio", "decode_errors_pct"),
    }
)
"""Metrics that tell nothing here: the transport is the bench's own."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera's share of the bench. `number` counts the cameras of a family."""

    family: str
    seed: int
    number: int
    make_scene: Callable[[int], Spoilable]
    make_judge: Callable[[Zones], Judge]
    days: int
    slow: int
    """Slow faults, each on a day of its own."""
    weights: tuple[Weight, ...] = tuple(Weight)
    warm_days: int = WARM_DAYS


@dataclass(slots=True)
class Told:
    """What one judge said of the days: ours, or the naive one."""

    found: list[Found] = field(default_factory=list)
    false_alarms: list[FalseAlarm] = field(default_factory=list)


@dataclass(slots=True)
class CameraResult:
    """What became of one camera's days; small enough to travel between processes."""

    family: str
    seed: int
    days: int
    calm_days: float = 0.0
    ours: Told = field(default_factory=Told)
    naive: dict[int, Told] = field(default_factory=lambda: {times: Told() for times in CONFIRMATIONS})
    sparse_days: float = 0.0
    sparse_false_alarms: list[FalseAlarm] = field(default_factory=list)
    costs: Costs = field(default_factory=Costs)
    market: Market = field(default_factory=Market)
    cases: list["Case"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """A missed or mistyped fault, or a false alarm: what somebody who tunes wants to look at."""

    kind: str
    family: str
    seed: int
    time_s: float
    seen_s: float
    """When the last picture before was taken."""
    event: Event | None
    text: str


def live(plan: CameraPlan) -> CameraResult:
    """All days of a camera, judged."""
    result = CameraResult(plan.family, plan.seed, plan.days)
    scene = plan.make_scene(plan.seed)
    judge = plan.make_judge([scene.zone])
    warm_up(Camera(judge, scene, plan.seed, SPARSE_S, costs=result.costs), plan.warm_days)
    if Weight.SLOW in plan.weights:
        for event in slow_faults(plan.seed, plan.warm_days, plan.number, plan.slow):
            _slow_day(plan, copy.deepcopy(judge), scene, event, result)
    if plan.days:
        _scored_days(plan, judge, scene, result)
    return result


def warm_up(camera: Camera, days: int) -> None:
    """Days of learning, without faults. On the last one a person accepts the clean view, by day and by night."""
    cleanest: dict[bool, tuple[float, float]] = {}
    for sample in camera.samples((days - 1) * DAY_S, ()):
        if sample.truth is not None and not sample.truth.benign:
            seen = (sample.truth.litter_pct + (sample.truth.persons or 0), sample.time_s % DAY_S)
            cleanest[sample.truth.infrared] = min(cleanest.get(sample.truth.infrared, seen), seen)
    waiting = {infrared: (days - 1) * DAY_S + at_s for infrared, (_, at_s) in cleanest.items()}
    for sample in camera.samples(days * DAY_S, ()):
        truth = sample.truth
        if truth and not truth.benign and sample.time_s >= waiting.get(truth.infrared, math.inf):
            with contextlib.suppress(NothingToAccept):
                camera.judge.accept(True)
                del waiting[truth.infrared]


def _slow_day(plan: CameraPlan, judge: Judge, scene: Spoilable, event: Event, result: CameraResult) -> None:
    from_s = plan.warm_days * DAY_S
    camera = Camera(judge, scene, plan.seed, SPARSE_S, from_s, costs=result.costs)
    samples = list(camera.samples(event.end_s, [event]))
    track, events = alarms(samples), [event]
    result.ours.found.append(found(track, event))
    result.sparse_days += calm_days(from_s, event.start_s, ())
    false = [alarm for alarm in false_alarms(track, events) if alarm.time_s < event.start_s]
    result.sparse_false_alarms += false
    for times, told in result.naive.items():
        told.found.append(found(naive_alarms(samples, times), event))
    result.cases += cases(result, samples, [result.ours.found[-1]], false)


def _scored_days(plan: CameraPlan, judge: Judge, scene: Spoilable, result: CameraResult) -> None:
    first, last = plan.warm_days, plan.warm_days + plan.days
    before = plan.number * plan.days - first  # about so many days of the family's cameras before this one
    events = [
        event
        for day in range(first, last)
        if (before + day) % QUIET_EVERY != QUIET_EVERY - 1
        for event in day_of_faults(plan.seed, day, plan.weights)
    ]
    camera = Camera(judge, scene, plan.seed, now_s=first * DAY_S, costs=result.costs)
    samples = list(camera.samples(last * DAY_S, events))
    result.calm_days = calm_days(first * DAY_S, last * DAY_S, events)
    ours = told_of(alarms(samples), events)
    result.ours.found += ours.found
    result.ours.false_alarms += ours.false_alarms
    for times, told in result.naive.items():
        naive = told_of(naive_alarms(samples, times), [e for e in events if not isinstance(e.fault, LinkFault)])
        told.found += naive.found
        told.false_alarms += naive.false_alarms
    result.market = market(samples, events)
    result.cases += cases(result, samples, ours.found, ours.false_alarms)


def told_of(track: Track, events: Sequence[Event]) -> Told:
    """What a track of alarms says of the events and of the time between them."""
    return Told([found(track, event) for event in events], false_alarms(track, events))


def alarms(samples: Sequence[Sample]) -> Track:
    """The alarm that stands after each look."""
    return [(sample.time_s, sample.alarm) for sample in samples]


def naive_alarms(samples: Sequence[Sample], times: int) -> Track:
    """The same of the naive judge, which looks at pictures alone."""
    pictures = [sample for sample in samples if sample.truth is not None]
    stands = confirmed([sample.naive for sample in pictures], times)
    return [(sample.time_s, reason) for sample, reason in zip(pictures, stands, strict=True)]


def cases(
    result: CameraResult, samples: Sequence[Sample], founds: Sequence[Found], false: Sequence[FalseAlarm]
) -> list[Case]:
    """Everything that went wrong, with the numbers of that moment."""
    wrong = [_wrong(result, samples, one) for one in founds if not one.typed]
    return wrong + [_false(result, samples, alarm) for alarm in false]


def _wrong(result: CameraResult, samples: Sequence[Sample], one: Found) -> Case:
    event = one.event
    kind = "mistyped" if one.in_time else "missed" if one.latency_s is None else "late"
    told = f" as {one.reason.name}" if one.reason else ""
    after = f" after {one.latency_s:.0f} s" if one.latency_s is not None else ""
    masked = ", masked by an alarm that stood before" if one.masked else ""
    at_s = event.start_s + (one.latency_s or 0.9 * (event.end_s - event.start_s))
    return _case(result, samples, kind, at_s, f"{event.fault} {kind}{told}{after}{masked}", event)


def _false(result: CameraResult, samples: Sequence[Sample], alarm: FalseAlarm) -> Case:
    kind = "stuck" if alarm.stuck else "false"
    return _case(result, samples, kind, alarm.time_s, f"{alarm.reason.name} {kind}", None)


def _case(
    result: CameraResult, samples: Sequence[Sample], kind: str, time_s: float, text: str, event: Event | None
) -> Case:
    """With the numbers of the last picture until `time_s`, and what else happened."""
    until = bisect.bisect_right(samples, time_s, key=lambda sample: sample.time_s)
    last = next((each for each in reversed(samples[:until]) if each.truth), None)
    if last is None or last.truth is None:
        return Case(kind, result.family, result.seed, time_s, time_s, event, f"{text}; no picture")
    seen = " ".join(f"{name}={value:.3g}" for name, value in last.metrics.items() if name not in TRANSPORT)
    mode = "infrared" if last.truth.infrared else "day"
    benign = ",".join(sorted(last.truth.benign)) or "nothing"
    told = f"{text}; {mode}, meanwhile {benign}; {seen}"
    return Case(kind, result.family, result.seed, time_s, last.seen_s, event, told)
