"""Readings made fewer: least, mean, most and number of each metric per span, instead of every value. Pure.

Thinned rows can be thinned again. What a row of theirs holds: kewang.wire.thinned.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kewang.wire.batch import MAX_METRICS, Row
from kewang.wire.catalogue import BY_NAME
from kewang.wire.thinned import COUNTED, STANDS_FOR, code_field, fields_of, is_thinned

_DIGITS: Final = 7
"""Of a mean: more than any sensor has, and a third of the bytes."""


@dataclass(slots=True)
class Stat:
    """One metric in one span."""

    low: float
    high: float
    total: float
    count: int

    def add(self, other: "Stat") -> None:
        """Both spans are one."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.total, self.count = self.total + other.total, self.count + other.count

    def values(self) -> list[float | int]:
        """As a row holds it: the mean lies between least and most, rounded or not."""
        mean = min(max(float(f"{self.total / self.count:.{_DIGITS}g}"), self.low), self.high)
        return [self.low, mean, self.high, self.count]


@dataclass(slots=True)
class Span:
    """What one source told in one span of time."""

    dates_ms: list[int] = field(default_factory=list)
    """Of the rows in it, ascending as they came."""
    stands_for: int = 0
    """Rows of the tally, with those that were thinned before."""
    stats: dict[str, Stat] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thin:
    """Thinned rows of one batch: `rows` are (ms, values in order of `metrics`)."""

    metrics: tuple[str, ...]
    rows: tuple[tuple[int, tuple[float | int | None, ...]], ...]


def believed(metrics: Sequence[str], rows: Iterable[Row]) -> bool:
    """Whether every value is one that a gateway stores: a mean of others would hide what quarantine shows."""
    known = [BY_NAME.get(name) for name in metrics]
    for row in rows:
        if len(row) != len(known) + 1 or all(value is None for value in row[1:]):
            return False
        for metric, value in zip(known, row[1:], strict=True):
            if metric is None or (value is not None and not metric.low <= value <= metric.high):
                return False
    return True


def spans(metrics: Sequence[str], rows: Iterable[Row], width_ms: int) -> list[Span]:
    """`rows`, (ms, value, ...) by time, put together by the multiples of `width_ms` that they lie in."""
    found: dict[int, Span] = {}
    for ms, *values in rows:
        named = {name: value for name, value in zip(metrics, values, strict=True) if value is not None}
        span = found.setdefault(ms // width_ms, Span())
        span.dates_ms.append(ms)
        span.stands_for += 1 + int(named.get(STANDS_FOR, 0))
        for name, stat in (_thinned(named) if STANDS_FOR in metrics else _raw(named)).items():
            if known := span.stats.get(name):
                known.add(stat)
            else:
                span.stats[name] = stat
        for name, count in _codes(named):
            span.codes[name] = span.codes.get(name, 0) + count
    return [found[number] for number in sorted(found)]


def _raw(named: dict[str, Any]) -> dict[str, Stat]:
    return {name: Stat(value, value, value, 1) for name, value in named.items()}


def _thinned(named: dict[str, Any]) -> dict[str, Stat]:
    means = {name.removesuffix("_mean"): mean for name, mean in named.items() if name.endswith("_mean")}
    return {
        name: Stat(named[f"{name}_min"], named[f"{name}_max"], mean * named[f"{name}_count"], named[f"{name}_count"])
        for name, mean in means.items()
    }


def _codes(named: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for metric in COUNTED:
        if metric in named:
            yield code_field(metric, int(named[metric])), 1
        else:
            for code, *_ in BY_NAME[metric].codes:
                if name := named.get(code_field(metric, code)):
                    yield code_field(metric, code), int(name)


def thin_batches(metrics: Sequence[str], found: Sequence[Span]) -> list[Thin]:
    """`found` as batches, more than one where a source has more metrics than a batch can tell of.

    The rows of each are dated by another reading of their span, for no two rows of a source share a date. Empty if a
    span has too few readings for that.
    """
    parts = list(_parts(metrics, found))
    if any(len(span.dates_ms) < len(parts) for span in found):
        return []
    return [_batch(part, found, number) for number, part in enumerate(parts)]


def _parts(metrics: Sequence[str], found: Sequence[Span]) -> Iterator[list[str]]:
    """Names of metrics with a value, as many as fit a batch."""
    told = [name for name in _bases(metrics) if any(name in span.stats for span in found)]
    part, room = list[str](), MAX_METRICS - 1
    for name in told:
        needs = len(fields_of(BY_NAME[name]))
        if needs > room:
            yield part
            part, room = [], MAX_METRICS - 1
        part.append(name)
        room -= needs
    yield part


def _bases(metrics: Sequence[str]) -> list[str]:
    """The metrics themselves, of thinned ones too."""
    if is_thinned(list(metrics)):
        return [name.removesuffix("_mean") for name in metrics if name.endswith("_mean")]
    return list(metrics)


def _batch(part: Sequence[str], found: Sequence[Span], number: int) -> Thin:
    columns = [name for metric in part for name in fields_of(BY_NAME[metric])]
    rows = []
    for span in found:
        told: dict[str, float | int] = dict(span.codes)
        for metric in part:
            if stat := span.stats.get(metric):
                told |= zip(fields_of(BY_NAME[metric]), stat.values(), strict=False)
        stands_for = span.stands_for if number == 0 else 0
        rows.append((span.dates_ms[number], (stands_for, *(told.get(name) for name in columns))))
    return Thin((STANDS_FOR, *columns), tuple(rows))
