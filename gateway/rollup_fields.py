"""Which fields a roll-up has, by its stream: the least, mean, most and sum of each metric, and of how many readings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, groupby
from operator import add
from typing import Any, Final

from gateway.ports import Point, SeriesId
from kewang.wire.catalogue import FLAG_ENDING, METRICS
from kewang.wire.thinned import COUNTED, code_field

FUNCTIONS: Final = ("min", "mean", "max", "sum", "count")
ADDED: Final = {"min": "min", "max": "max", "sum": "sum", "count": "sum"}
"""How roll-ups add up to a longer one; the mean follows."""
_ADDERS: Final[dict[str, Callable[[float, float], float]]] = {"min": min, "max": max, "sum": add, "count": add}


def metrics(stream: str) -> list[str]:
    """Its metrics, in the catalogue's order. Flags are few and stay with their readings."""
    measured = (metric.name for metric in METRICS if metric.stream == stream)
    return [name for name in measured if not name.endswith(FLAG_ENDING)]


def codes(stream: str) -> list[tuple[str, int, str]]:
    """(metric, code, field) of what is counted by code."""
    counted = (metric for metric in METRICS if metric.stream == stream and metric.name in COUNTED)
    return [(one.name, code, code_field(one.name, code)) for one in counted for code, *_ in one.codes]


def together(*roll_ups: Sequence[Point]) -> list[Point]:
    """Roll-ups of the same series and times, out of readings and out of thinned ones, made one each."""
    found: dict[tuple[SeriesId, int], Point] = {}
    for point in chain.from_iterable(roll_ups):
        known = found.get((point.series, point.date_ms))
        found[point.series, point.date_ms] = point if known is None else _added(known, point)
    return [found[key] for key in sorted(found)]


def _added(one: Point, other: Point) -> Point:
    """Both as one; codes that are counted are sums too."""
    fields = dict(one.fields)
    for name, value in other.fields.items():
        how = _ADDERS.get(name.rpartition("_")[2])
        if name not in fields:
            fields[name] = value
        elif how:
            fields[name] = how(float(fields[name]), float(value))
    return replace(one, fields=fields | _means(fields))


@cache
def sums(stream: str) -> list[tuple[str, str]]:
    """(field, function) by which its roll-ups are added up to those of a longer time, but for means."""
    fields = [(f"{name}_{function}", added) for name in metrics(stream) for function, added in ADDED.items()]
    return fields + [(field, "sum") for _, _, field in codes(stream)]


def rolled(
    stream: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], step_ms: int
) -> Iterator[tuple[int, dict[str, float | int | str]]]:
    """(start, fields) of each step in which a series has readings. `rows` by date: Unix ms, then a value per column,
    None where there is none; columns that are no metrics are passed over."""
    names = [_names(stream, column) for column in columns[1:]]
    for step, some in groupby(rows, lambda row: row[0] // step_ms):
        _, *values = zip(*some, strict=True)
        fields: dict[str, float | int | str] = {}
        for named, column in zip(names, values, strict=True):
            if named and (unknown := column.count(None)) < len(column):
                known = [value for value in column if value is not None] if unknown else column
                fields.update(zip(named[0], _figures(known), strict=True))
                fields.update((field, float(count)) for code, field in named[1] if (count := known.count(code)))
        if fields:
            yield step * step_ms, fields


def _figures(known: Sequence[float]) -> tuple[float, float, float, float, float]:
    """As FUNCTIONS names them."""
    total, count = float(sum(known)), float(len(known))
    return float(min(known)), total / count, float(max(known)), total, count


@cache
def _names(stream: str, metric: str) -> tuple[tuple[str, ...], list[tuple[int, str]]] | None:
    """Its fields, and (code, field) of what is counted; None for what is no metric of the stream."""
    if metric not in metrics(stream):
        return None
    counted = [(code, field) for name, code, field in codes(stream) if name == metric]
    return tuple(f"{metric}_{function}" for function in FUNCTIONS), counted


def whole(points: Iterable[Point]) -> list[Point]:
    """The points with their means, out of sums and counts."""
    return [replace(point, fields=point.fields | _means(point.fields)) for point in points]


def _means(fields: dict[str, float | int | str]) -> dict[str, float | int | str]:
    """Of what was measured at all: a box may thin no value to a count of 0."""
    sums = ((name.removesuffix("_sum"), float(value)) for name, value in fields.items() if name.endswith("_sum"))
    return {f"{name}_mean": total / float(count) for name, total in sums if (count := fields.get(f"{name}_count"))}
