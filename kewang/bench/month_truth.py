"""What a month's readings really were, and whether the database says the same: by number, by numpy, by the ledger."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.ports import Draft
from gateway.ledger import Total, device_totals, ledger, overall
from gateway.ports import Point, Store
from gateway.sqlite_queries import recent
from kewang.wire.tally import HOUR_MS
from kewang.wire.thinned import STANDS_FOR

METRICS: Final = {"env": ("sim_n", "temp_c", "rh_pct", "pm25_ugm3"), "sys": ("uptime_s",)}
"""Of each stream; the first is the reading's number."""
MEAN_IS: Final = 1e-6
"""A mean of means, each kept to seven digits, is that exact."""
LATE_MS: Final = {2: 1000, 1: 6000}
"""By time quality: how far before the truth a date may be. Never behind it: it was rounded down."""
_ALL: Final = 10**9


@dataclass
class Journal:
    """Every reading that a box committed, by number."""

    values: dict[int, tuple[float, ...]] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    true_ms: dict[int, int] = field(default_factory=dict)
    misled: list[tuple[int, int]] = field(default_factory=list)
    """True times between which a clock was wrong and called itself synchronised, or dates still made up for it."""
    closed: bool = False
    """No more readings, so that what is on its way arrives."""
    _numbers: int = 0

    def next_number(self) -> int:
        """Of the next reading."""
        self._numbers += 1
        return self._numbers

    def committed(self, draft: Draft, boot_true_ms: int) -> None:
        """These are in the outbox now."""
        for mono_ms, values in draft.rows:
            number = int(values[0] or 0)
            self.values[number] = tuple(float(value or 0) for value in values)
            self.sources[number] = draft.source
            self.true_ms[number] = boot_true_ms + mono_ms

    def was_misled(self, number: int) -> bool:
        """Whether the clock that dated it lied."""
        return any(first <= self.true_ms[number] <= last for first, last in self.misled)


@dataclass
class Found:
    """What the database holds, in figures; `wrong`: a sentence for each reading that is not as it was."""

    raw: int = 0
    thinned_rows: int = 0
    in_thinned: int = 0
    absent: int = 0
    dates: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)

    def take(self, number: int, what: str) -> None:
        """A reading was found."""
        if number in self.numbers:
            self.wrong.append(f"reading {number} is there twice ({what})")
        self.numbers.add(number)

    def dated(self, how: str) -> None:
        """One more date of that kind."""
        self.dates[how] = self.dates.get(how, 0) + 1


def compare(path: Path, journal: Journal) -> Found:
    """Every reading of the journal against the points of the store at `path`."""
    found = Found()
    with closing(sqlite3.connect(path)) as db:
        points = [point for stream in METRICS for point in recent(db, stream, 0, limit=_ALL)]
    thinned = [point for point in points if STANDS_FOR in point.fields]
    for point in points:
        if STANDS_FOR not in point.fields:
            _raw(point, journal, found)
    left: dict[str, list[int]] = {}
    for number in sorted(journal.values.keys() - found.numbers):
        left.setdefault(journal.sources[number], []).append(number)
    numbers = {source: np.array(of, dtype=np.int64) for source, of in left.items()}
    for point in thinned:
        _thinned(point, journal, numbers.get(point.series.source, np.array([], dtype=np.int64)), found)
    found.absent = len(journal.values.keys() - found.numbers)
    return found


def _raw(point: Point, journal: Journal, found: Found) -> None:
    metrics = METRICS[point.series.stream]
    number = int(point.fields.get(metrics[0], 0))
    said = tuple(point.fields.get(metric) for metric in metrics)
    found.raw += 1
    found.take(number, "raw")
    if said != journal.values.get(number) or journal.sources.get(number) != point.series.source:
        found.wrong.append(f"reading {number} of {point.series.source} says {said}, not {journal.values.get(number)}")
        return
    _date(point, number, journal, found)


def _date(point: Point, number: int, journal: Journal, found: Found) -> None:
    """A date of a clock that could be believed is that of the reading."""
    quality = int(point.fields.get("tq", 2))
    behind_ms = journal.true_ms[number] - point.date_ms
    if quality == 0:
        found.dated("chained")
    elif journal.was_misled(number):
        found.dated("misled")
    elif 0 <= behind_ms <= LATE_MS[quality]:
        found.dated("synchronised" if quality == 2 else "by_gateway")
    else:
        found.wrong.append(f"reading {number} is dated {behind_ms} ms before the truth (time quality {quality})")


def _thinned(point: Point, journal: Journal, left: NDArray[np.int64], found: Found) -> None:
    """A thinned row against the readings that it stands for: those of its source, not stored, between its numbers."""
    fields: Mapping[str, Any] = point.fields
    name = METRICS[point.series.stream][0]
    low, high, count = int(fields[f"{name}_min"]), int(fields[f"{name}_max"]), int(fields[f"{name}_count"])
    numbers = left[(left >= low) & (left <= high)]
    found.thinned_rows += 1
    found.in_thinned += numbers.size
    if numbers.size != count:
        found.wrong.append(f"a thinned row of {point.series.source} is of {count} readings, not {numbers.size}")
        return
    for number in numbers:
        found.take(int(number), "thinned")
    values = np.array([journal.values[int(number)] for number in numbers])
    for at, metric in enumerate(METRICS[point.series.stream]):
        _stat(point, metric, values[:, at], found)
    _date(point, low, journal, found)


def _stat(point: Point, metric: str, values: NDArray[np.float64], found: Found) -> None:
    fields: Mapping[str, Any] = point.fields
    said = [fields[f"{metric}_{end}"] for end in ("min", "max", "count", "mean")]
    right = [values.min(), values.max(), values.size, values.mean()]
    exact, mean = said[:3] == right[:3], abs(said[3] - right[3]) <= MEAN_IS * max(1.0, abs(right[3]))
    if not exact or not mean:
        found.wrong.append(f"{point.series.source} {point.date_ms}: {metric} says {said}, numpy {right}")


async def totals(store: Store, now_ms: int) -> Total:
    """The ledger of everything, by production, from the database alone."""
    sources = await ledger(store, 0, now_ms + 24 * HOUR_MS)
    return overall(device_totals(sources, await store.held()).values())


def unexplained(found: Found, total: Total, journal: Journal) -> list[str]:
    """A sentence for each reading or sum that nothing explains; empty is well."""
    wrong, made = found.wrong[:10], len(journal.values)
    if len(found.wrong) > 10:
        wrong.append(f"and {len(found.wrong) - 10} more like these")
    if total.missing or total.lost:
        wrong.append(f"ledger: {total.missing} rows missing, {total.lost} lost")
    if made != found.raw + found.in_thinned + found.absent:
        wrong.append(f"{made} made, {found.raw} stored, {found.in_thinned} in thinned rows, {found.absent} absent")
    if found.absent > total.dropped:
        wrong.append(f"{found.absent} readings are neither stored nor thinned, {total.dropped} are declared as dropped")
    if found.absent == 0 and total.dropped:
        wrong.append(f"{total.dropped} rows are declared as dropped, and every reading is there")
    return wrong + list(_sums(found, total))


def _sums(found: Found, total: Total) -> Iterable[str]:
    if total.found != found.raw + found.thinned_rows:
        yield f"ledger: {total.found} rows found, {found.raw} raw and {found.thinned_rows} thinned are there"
    if total.made != total.found + total.missing + total.thinned + total.dropped:
        yield f"ledger: {total.made} made are not the sum of the rest: {total}"
    if total.thinned < found.in_thinned:
        yield f"ledger: {total.thinned} rows thinned, {found.in_thinned} readings are in thinned rows"
