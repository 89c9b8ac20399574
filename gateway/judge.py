"""Which rows of a batch may be stored, and why the others may not. Pure.

A batch whose rows are all well is judged by columns (the common case); otherwise row by row.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from gateway.ports import Columns, Refused, SeriesId, Table, Tags, Value
from kewang.wire.batch import Batch, Row
from kewang.wire.catalogue import BY_NAME, Metric
from kewang.wire.errors import printable
from kewang.wire.names import BOX_SOURCE
from kewang.wire.thinned import THINNED, is_thinned

_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True)
class Window:
    """Dates that are believed, Unix ms, both included. An unsynchronised gateway judges no time: the default."""

    oldest_ms: int = -(2**62)
    newest_ms: int = 2**62


@dataclass(slots=True)
class Verdict:
    """What becomes of a batch: `tables` to store, `refused` rows for quarantine."""

    tables: list[Table] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def judge(series: SeriesId, batch: Batch, window: Window) -> Verdict:
    """The verdict on `batch`, that came as `series`. Raises nothing for any decoded batch."""
    metrics, fields = _metrics(tuple(batch.metrics), series.stream)
    verdict = Verdict()
    rows: Sequence[tuple[Value, ...]] | None = _all_rows(metrics, batch, window)
    if rows is None:
        rows = _row_by_row(series, metrics, batch, window, verdict.refused)
    if rows:
        if is_thinned(batch.metrics):
            fields, rows = _with_sums(fields, rows)
        if batch.time_quality < 2:
            fields, rows = (*fields, "tq"), [(*row, float(batch.time_quality)) for row in rows]
        verdict.tables.append(Table(series.stream, tags_of(series.device, series.source), fields, rows))
    if series.stream == "sys" and series.source == BOX_SOURCE:
        verdict.tables += _heartbeat_tables(series, batch, window)
    return verdict


def refuse_all(series: SeriesId, batch: Batch, reason: str) -> Verdict:
    """Every row to quarantine, for one reason."""
    return Verdict(refused=[_refused(series, batch, row, reason) for row in batch.rows])


@lru_cache(maxsize=256)
def _metrics(names: tuple[str, ...], stream: str) -> tuple[tuple[Metric | None, ...], tuple[str, ...]]:
    """The metrics of a batch, None for what this stream has not; and the names of those it has."""
    found = (BY_NAME.get(name) or THINNED.get((stream, name)) for name in names)
    metrics = tuple(metric if metric and metric.stream == stream else None for metric in found)
    return metrics, tuple(metric.name for metric in metrics if metric)


def _with_sums(
    fields: tuple[str, ...], rows: Sequence[tuple[Value, ...]]
) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Thinned rows with what roll-ups are added up from: `temp_c_sum` beside `temp_c_mean` and `temp_c_count`."""
    places = {name: index for index, name in enumerate(fields, 1)}
    means = [name.removesuffix("_mean") for name in fields if name.endswith("_mean") and _count_of(name) in places]
    pairs = [(places[f"{name}_mean"], places[f"{name}_count"]) for name in means]
    sums = ([_product(row[mean], row[count]) for mean, count in pairs] for row in rows)
    summed = [(*row, *added) for row, added in zip(rows, sums, strict=True)]
    return (*fields, *(f"{name}_sum" for name in means)), summed


def _count_of(mean: str) -> str:
    return mean.removesuffix("_mean") + "_count"


def _product(mean: Value, count: Value) -> float | None:
    return mean * count if isinstance(mean, float) and isinstance(count, float) else None


@lru_cache(maxsize=16_384)
def tags_of(device: str, source: str) -> Tags:
    """The tags of what a source says."""
    return (("device", device), ("source", source))


def _all_rows(metrics: Sequence[Metric | None], batch: Batch, window: Window) -> Columns | None:
    """All rows, dated; None unless every value of every row is a number in range and every date is believed."""
    try:
        offsets, *columns = zip(*batch.rows, strict=True)
    except ValueError:
        return None
    if len(columns) != len(metrics) or len(set(offsets)) != len(offsets):
        return None
    if batch.t0_ms + min(offsets) < window.oldest_ms or batch.t0_ms + max(offsets) > window.newest_ms:
        return None
    for index, metric in enumerate(metrics):
        types = set(map(type, columns[index]))
        if metric is None or not types <= _NUMBERS:
            return None
        if not (metric.low <= min(columns[index]) and max(columns[index]) <= metric.high):
            return None
        if int in types:
            columns[index] = tuple(map(float, columns[index]))
    t0_ms = batch.t0_ms
    return Columns([t0_ms + offset for offset in offsets], *columns)


def _row_by_row(
    series: SeriesId, metrics: Sequence[Metric | None], batch: Batch, window: Window, refused: list[Refused]
) -> list[tuple[Value, ...]]:
    rows, seen = [], set[int]()
    for row in batch.rows:
        date_ms = batch.t0_ms + row[0]
        reason = _why_not(metrics, batch.metrics, row, seen) or _date_problem(date_ms, window)
        if reason:
            refused.append(_refused(series, batch, row, reason))
        else:
            values = (value for value, metric in zip(row[1:], metrics, strict=True) if metric)
            rows.append((date_ms, *(None if value is None else float(value) for value in values)))
        seen.add(row[0])
    return rows


def _why_not(metrics: Sequence[Metric | None], names: list[str], row: Row, seen: set[int]) -> str | None:
    if len(row) != len(metrics) + 1:
        return f"length: {len(row) - 1} values for {len(metrics)} metrics"
    if row[0] in seen:
        return "date: twice in one batch"
    if all(value is None for value in row[1:]):
        return "empty: no value"
    problems = (
        _value_problem(metric, name, value) for metric, name, value in zip(metrics, names, row[1:], strict=True)
    )
    return next((problem for problem in problems if problem), None)


def _value_problem(metric: Metric | None, name: str, value: Any) -> str | None:
    if value is None:
        return None
    if metric is None:
        return f"unknown metric: {printable(name, 64)}"
    if type(value) not in _NUMBERS:
        return f"type: {name}={printable(json.dumps(value), 40)}"
    if not metric.low <= value <= metric.high:
        return f"range: {name}={printable(str(value), 40)}" if abs(value) < 1e300 else f"range: {name} is too large"
    return None


def _date_problem(date_ms: int, window: Window) -> str | None:
    if date_ms > window.newest_ms:
        return "date: ahead of the gateway's clock"
    if date_ms < window.oldest_ms:
        return "date: older than what is kept"
    return None


def _refused(series: SeriesId, batch: Batch, row: Row, reason: str) -> Refused:
    kept = {"tq": batch.time_quality, "k": batch.metrics, "r": list(row[1:])}
    return Refused(series, batch.t0_ms + row[0], reason, json.dumps(kept, separators=(",", ":")))


def _heartbeat_tables(series: SeriesId, batch: Batch, window: Window) -> list[Table]:
    """What a heartbeat says beside its readings, dated by its first row: open rows held, and tallies.

    Tallies of a box whose clock is ahead are kept: it states them once, and rows in quarantine are counted too.
    """
    date_ms = batch.t0_ms + batch.rows[0][0]
    if date_ms < window.oldest_ms:
        return []
    tables = []
    if batch.held is not None and date_ms <= window.newest_ms:
        tables.append(Table("sys", tags_of(series.device, series.source), ("held",), [(date_ms, float(batch.held))]))
    stated = sorted(enumerate(batch.tallies), key=lambda entry: entry[1].source)
    for source, entries in groupby(stated, key=lambda entry: entry[1].source):
        rows = [(date_ms + i, tally.run, tally.hour, tally.made, tally.dropped) for i, tally in entries]
        tags = (("device", series.device), ("source", source))
        tables.append(Table("tally", tags, ("run", "hour", "made", "dropped"), rows))
    return tables
