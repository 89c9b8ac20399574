"""The figures of `kewang bench cameras`, and where they fall short of what is promised."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from kewang.bench.cameras_life import CameraResult
from kewang.bench.cameras_market import figures as market_figures
from kewang.bench.cameras_naive import CONFIRMATIONS
from kewang.bench.cameras_plan import WEIGHTS, Fault, Weight
from kewang.bench.cameras_score import Found

LEAST_RECALL: Final = {Weight.HARD: 1.0, Weight.SOFT: 0.95, Weight.SLOW: 0.8}
LEAST_TYPED: Final = 0.85
MOST_FALSE: Final = 0.2
"""A camera-day."""
MOST_P95_S: Final = 90.0
MOST_MAX_S: Final = 120.0
LEAST_RANK: Final = {"activity_rank": 0.9, "clutter_rank": 0.8}
MOST_MOVED: Final = 5.0
"""Points."""
_PERCENTILES: Final = {"p50": 50, "p95": 95, "max": 100}


def family_figures(results: Sequence[CameraResult]) -> dict[str, Any]:
    """The figures of one family's cameras."""
    founds = [one for result in results for one in result.ours.found]
    latencies = {weight: _latencies(founds, weight) for weight in (Weight.HARD, Weight.SOFT)}
    return {
        "camera_days": sum(result.days for result in results),
        **{
            f"{weight}_recall": _share([one.in_time for one in founds if one.event.weight is weight])
            for weight in Weight
        },
        "typed_recall": _share([one.typed for one in founds]),
        **_alarms(results),
        "latency_p95_s": {weight: _percentile(values, 95) for weight, values in latencies.items()},
        "latency_max_s": {weight: _percentile(values, 100) for weight, values in latencies.items()},
        **_costs(results),
        "test_seeds": [result.seed for result in results],
        "by_fault": [_row(fault, results) for fault in WEIGHTS if any(one.event.fault is fault for one in founds)],
        "baseline": {f"k{times}": _baseline(results, times) for times in CONFIRMATIONS},
        "market": market_figures([result.market for result in results]),
    }


def _alarms(results: Sequence[CameraResult]) -> dict[str, Any]:
    """False alarms on days at production's pace, and beside them those before slow faults, on sparsely sampled days."""
    calm_days = sum(result.calm_days for result in results)
    false = [alarm for result in results for alarm in result.ours.false_alarms]
    sparse = {
        "days": round(sum(result.sparse_days for result in results), 2),
        "false_alarms": sum(len(result.sparse_false_alarms) for result in results),
    }
    return {
        "false_alarms_per_camera_day": _rate(len(false), calm_days),
        "false_alarms": dict(Counter(f"{alarm.reason.name}{' stuck' * alarm.stuck}" for alarm in false)),
        "calm_days": round(calm_days, 2),
        "sparse": sparse,
    }


def _costs(results: Sequence[CameraResult]) -> dict[str, Any]:
    pictures = sum(result.costs.pictures for result in results)
    cpu_s = sum(result.costs.cpu_s for result in results)
    return {"cpu_ms_per_sample": round(1000 * cpu_s / max(1, pictures), 2), "pictures": pictures}


def _row(fault: Fault, results: Sequence[CameraResult]) -> dict[str, Any]:
    founds = _of(fault, [one for result in results for one in result.ours.found])
    latencies = [one.latency_s for one in founds if one.latency_s is not None]
    row = {
        "fault": str(fault),
        "class": str(WEIGHTS[fault]),
        "events": len(founds),
        "recall": _share([one.in_time for one in founds]),
        "typed": _share([one.typed for one in founds]),
        **{
            f"latency_{name}_s": _percentile(latencies, share)
            for name, share in (("p50", 50), ("p95", 95), ("max", 100))
        },
    }
    for times in CONFIRMATIONS:
        naive = _of(fault, [one for result in results for one in result.naive[times].found])
        row[f"baseline_k{times}"] = _share([one.in_time for one in naive])
    return row


def _baseline(results: Sequence[CameraResult], times: int) -> dict[str, Any]:
    """The naive judge's: it looks at pictures alone, so faults of the transport are none of its events."""
    founds = [one for result in results for one in result.naive[times].found]
    calm_days = sum(result.calm_days for result in results)
    false = sum(len(result.naive[times].false_alarms) for result in results)
    return {
        "recall": _share([one.in_time for one in founds]),
        **_recalls(founds),
        "typed_recall": _share([one.typed for one in founds]),
        "false_alarms_per_camera_day": _rate(false, calm_days),
    }


def _recalls(founds: Sequence[Found]) -> dict[str, float | None]:
    return {
        f"{weight}_recall": _share([one.in_time for one in founds if one.event.weight is weight]) for weight in Weight
    }


def _of(fault: Fault, founds: Sequence[Found]) -> list[Found]:
    return [one for one in founds if one.event.fault is fault]


def _latencies(founds: Sequence[Found], weight: Weight) -> list[float]:
    return [one.latency_s for one in founds if one.event.weight is weight and one.latency_s is not None]


def _share(good: Sequence[bool]) -> float | None:
    return round(sum(good) / len(good), 3) if good else None


def _rate(count: int, days: float) -> float | None:
    return round(count / days, 3) if days else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 1) if values else None


def shortfalls(figures: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each target that a family misses, and by how much. What was not measured is missed."""
    for least, key, value in _at_least(figures):
        if value is None or value < least:
            yield f"{key}: {_shown(value)}, must be at least {least:g}"
    for most, key, value in _at_most(figures):
        if value is None or value > most:
            yield f"{key}: {_shown(value)}, must be at most {most:g}"


def _at_least(figures: Mapping[str, Any]) -> Iterator[tuple[float, str, float | None]]:
    for weight, least in LEAST_RECALL.items():
        yield least, f"{weight}_recall", figures[f"{weight}_recall"]
    yield LEAST_TYPED, "typed_recall", figures["typed_recall"]
    for key, least in LEAST_RANK.items():
        yield least, key, figures["market"][key]


def _at_most(figures: Mapping[str, Any]) -> Iterator[tuple[float, str, float | None]]:
    yield MOST_FALSE, "false_alarms_per_camera_day", figures["false_alarms_per_camera_day"]
    yield MOST_P95_S, "latency_p95_s of hard faults", figures["latency_p95_s"][Weight.HARD]
    yield MOST_MAX_S, "latency_max_s of hard faults", figures["latency_max_s"][Weight.HARD]
    for name, moved in figures["market"]["moved_by"].items():
        yield MOST_MOVED, f"points that {name} moves a market measure", moved


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:g}"
