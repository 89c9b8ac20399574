"""The roll-ups that History asks for, as SQL over the store's tables."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.ports import Late, Point, SeriesId, Span, WordChange
from gateway.rollup_fields import FUNCTIONS, codes, metrics, sums, together, whole
from gateway.sqlite_file import quoted
from gateway.sqlite_writer import columns_of, table_of

_SQL = {
    "min": "min(p.{0})",
    "mean": "avg(p.{0})",
    "max": "max(p.{0})",
    "sum": "sum(p.{0})",
    "count": "count(p.{0}) * 1.0",
}


def summaries(
    db: sqlite3.Connection, stream: str, span: Span, step_ms: int, devices: Sequence[str] = ()
) -> list[Point]:
    """See History."""
    known, chosen = columns_of(db, stream), {}
    for name in metrics(stream):
        for function in FUNCTIONS if name in known else ():
            chosen[f"{name}_{function}"] = _SQL[function].format(quoted(known[name]))
    for name, code, field in codes(stream):
        if name in known:
            chosen[field] = f"nullif(sum(p.{quoted(known[name])} = {code}), 0) * 1.0"
    step = f"p.date_ms / {step_ms} * {step_ms}"
    thinned = _points(db, stream, stream, _adding(stream, known), span, step, devices)
    return together(_points(db, stream, stream, chosen, span, step, devices), whole(thinned))


def summed(db: sqlite3.Connection, stream: str, span: Span, devices: Sequence[str] = ()) -> list[Point]:
    """See History."""
    chosen = _adding(stream, columns_of(db, f"{stream}_5m"))
    return whole(_points(db, f"{stream}_5m", stream, chosen, span, str(span[0]), devices))


def _adding(stream: str, known: Mapping[str, str]) -> dict[str, str]:
    """How roll-ups and thinned readings add up: field -> SQL, of the columns that are there."""
    return {field: f"{added}(p.{quoted(known[field])})" for field, added in sums(stream) if field in known}


def worsts(db: sqlite3.Connection, span: Span) -> list[Point]:
    """See History."""
    table, known = table_of(db, "worst_5m"), columns_of(db, "worst_5m")
    if table is None or not known:
        return []
    chosen = ", ".join(map(quoted, known.values()))
    rows = db.execute(
        f"SELECT date_ms, {chosen} FROM {quoted(table)} WHERE date_ms >= ? AND date_ms < ? ORDER BY date_ms", span
    )
    return [_point("worst_5m", known, ("", "", *row)) for row in rows]


def late(db: sqlite3.Connection, span: Span) -> list[Late]:
    """See History."""
    table, known = table_of(db, "late"), columns_of(db, "late")
    if table is None or not known.keys() >= {"from_ms", "to_ms"}:
        return []
    rows = db.execute(
        f"SELECT s.device, p.{quoted(known['from_ms'])}, p.{quoted(known['to_ms'])} FROM series s "
        f"JOIN {quoted(table)} p ON p.series_id = s.id "
        "WHERE s.measurement = 'late' AND p.date_ms >= ? AND p.date_ms < ?",
        span,
    )
    return [Late(device, int(low), int(high)) for device, low, high in rows]


def word_changes(db: sqlite3.Connection, span: Span) -> list[WordChange]:
    """See History."""
    where = "p.date_ms >= ? AND p.date_ms < ?"
    return [WordChange(*row) for row in _events(db, "p.date_ms, p.{word}, p.{before}", where, span)]


def words(db: sqlite3.Connection, before_ms: int) -> dict[str, str]:
    """See History."""
    # SQLite gives the other columns of the row that has the greatest date.
    rows = _events(db, "p.{word}, max(p.date_ms)", "p.date_ms < ? GROUP BY s.id", (before_ms,))
    return {device: word for device, word, _ in rows}


def _events(db: sqlite3.Connection, chosen: str, where: str, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
    table, known = table_of(db, "device_event"), columns_of(db, "device_event")
    if table is None or not known.keys() >= {"word", "before"}:
        return []
    columns = chosen.format(**{name: quoted(column) for name, column in known.items()})
    joined = f"FROM series s JOIN {quoted(table)} p ON p.series_id = s.id"
    rows = db.execute(
        f"SELECT s.device, {columns} {joined} WHERE s.measurement = 'device_event' AND s.source IS NULL AND {where}",
        values,
    )
    return rows.fetchall()


def _points(
    db: sqlite3.Connection,
    measurement: str,
    stream: str,
    chosen: dict[str, str],
    span: Span,
    start: str,
    devices: Sequence[str],
) -> list[Point]:
    """One for each series of `measurement` and `start`, with the fields that have a value."""
    table = table_of(db, measurement)
    if table is None or not chosen:
        return []
    of_some = "AND s.device IN (SELECT value FROM json_each(?))" if devices else "AND ? IS NOT NULL"
    rows = db.execute(
        f"SELECT s.device, s.source, {start}, {', '.join(chosen.values())} "
        f"FROM series s JOIN {quoted(table)} p ON p.series_id = s.id "
        f"WHERE s.measurement = ? {of_some} AND p.date_ms >= ? AND p.date_ms < ? GROUP BY s.id, 3",
        (measurement, json.dumps(devices), *span),
    )
    found = (_point(stream, chosen, row) for row in rows)
    return sorted((point for point in found if point.fields), key=lambda point: (point.series, point.date_ms))


def _point(stream: str, chosen: Iterable[str], row: Sequence[Any]) -> Point:
    device, source, start_ms, *values = row
    fields = {name: value for name, value in zip(chosen, values, strict=True) if value is not None}
    told = {name: value for name, value in fields.items() if value or not name.endswith("_count")}
    return Point(SeriesId(stream, device or "", source or ""), start_ms, told)
