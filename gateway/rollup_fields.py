"""Which fields a roll-up has, by its stream: the least, mean, most and sum of each metric, and of how many readings."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.ports import Point
from kewang.wire.catalogue import METRICS

FUNCTIONS: Final = ("min", "mean", "max", "sum", "count")
ADDED: Final = {"min": "min", "max": "max", "sum": "sum", "count": "sum"}
"""How roll-ups add up to a longer one; the mean follows."""
_COUNTED: Final = frozenset({"camera_state"})
"""Enumerations whose values are counted one by one: a mean of states is none."""


def metrics(stream: str) -> list[str]:
    """Its metrics, in the catalogue's order."""
    return [metric.name for metric in METRICS if metric.stream == stream]


def codes(stream: str) -> list[tuple[str, int, str]]:
    """(metric, code, field) of what is counted by code."""
    counted = (metric for metric in METRICS if metric.stream == stream and metric.name in _COUNTED)
    return [(one.name, code, f"{one.name}_{code}_count") for one in counted for code, *_ in one.codes]


def whole(points: Iterable[Point]) -> list[Point]:
    """The points with their means, out of sums and counts."""
    return [replace(point, fields=point.fields | _means(point.fields)) for point in points]


def _means(fields: dict[str, float | int | str]) -> dict[str, float | int | str]:
    sums = ((name.removesuffix("_sum"), float(value)) for name, value in fields.items() if name.endswith("_sum"))
    return {f"{name}_mean": total / float(fields[f"{name}_count"]) for name, total in sums}
