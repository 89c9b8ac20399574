"""Which fields a roll-up has, by its stream: the lowest, mean and highest of each metric, and of how many readings."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.ports import Point
from kewang.wire.catalogue import METRICS

FUNCTIONS: Final = ("min", "mean", "max", "count")
_COUNTED: Final = frozenset({"camera_state"})
"""Enumerations whose values are counted one by one: a mean of states is none."""


def metrics(stream: str) -> list[str]:
    """Its metrics, in the catalogue's order."""
    return [metric.name for metric in METRICS if metric.stream == stream]


def codes(stream: str) -> list[tuple[str, int, str]]:
    """(metric, code, field) of what is counted by code."""
    counted = (metric for metric in METRICS if metric.stream == stream and metric.name in _COUNTED)
    return [(one.name, code, f"{one.name}_{code}_count") for one in counted for code, *_ in one.codes]


def divided(points: Iterable[Point]) -> list[Point]:
    """The points, whose `_mean` fields hold sums, with means; what has no reading is left out."""
    return [replace(point, fields=_divided(point.fields)) for point in points]


def _divided(fields: dict[str, float | int | str]) -> dict[str, float | int | str]:
    made: dict[str, float | int | str] = {}
    for name, value in fields.items():
        stem, _, function = name.rpartition("_")
        if function == "mean":
            made[name] = float(value) / float(fields[f"{stem}_count"])
        else:
            made[name] = value
    return made
