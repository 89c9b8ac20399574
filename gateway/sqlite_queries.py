"""What History asks, as SQL over the store's tables. A table or column that is not there yet has no points."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from gateway.ports import Point, Refused, Rewind, SeriesId, Span
from gateway.sqlite_file import quoted
from gateway.sqlite_writer import columns_of, table_of
from kewang.wire.names import BOX_SOURCE, STREAMS
from kewang.wire.tally import HOUR_MS
from kewang.wire.thinned import STANDS_FOR

DAY_MS: Final = 86_400_000
MAX_VALUES: Final = 10_000
MAX_RECENT: Final = 100
# SQLite's division rounds towards zero; the hour of a date before 1970 is rounded down like all others.
_HOUR: Final = f"((p.date_ms - ((p.date_ms % {HOUR_MS}) + {HOUR_MS}) % {HOUR_MS}) / {HOUR_MS})"
_EVER: Final = (-(2**63), 2**63 - 1)
_Db = sqlite3.Connection


def rewinds(db: _Db) -> list[Rewind]:
    """All rewinds, by number."""
    if (found := _named(db, "rewind", "rw", "rf")) is None:
        return []
    table, number, since = found
    rows = db.execute(f"SELECT {number}, coalesce({since}, 0) FROM {table} WHERE {number} IS NOT NULL ORDER BY 1, 2")
    return [Rewind(*row) for row in rows]


def series(db: _Db) -> list[SeriesId]:
    """Every series that has readings."""
    return sorted(one for stream in STREAMS for _, one in _series_of(db, stream, "1"))


def newest(db: _Db, stream: str, since_ms: int) -> list[Point]:
    """The newest point of each series after `since_ms`."""
    return recent(db, stream, since_ms + 1, 1)


def recent(db: _Db, stream: str, from_ms: int, limit: int = MAX_RECENT, device: str | None = None) -> list[Point]:
    """The newest `limit` points of each series (of one device) from `from_ms` on, by series, oldest first."""
    if (table := _table(db, stream)) is None:
        return []
    fields = columns_of(db, stream)
    columns = ", ".join(quoted(column) for column in fields.values())
    newest_first = "WHERE series_id = ? AND date_ms >= ? ORDER BY date_ms DESC LIMIT ?"
    statement = f"SELECT date_ms, {columns} FROM {table} {newest_first}"
    points = []
    for number, one in _series_of(db, stream, f"p.date_ms >= {from_ms:d}", device):
        for date_ms, *row in db.execute(statement, (number, from_ms, limit)):
            points.append(Point(one, date_ms, _without_none(zip(fields, row, strict=True))))
    return sorted(points, key=lambda point: (point.series, point.date_ms))


def values(db: _Db, of: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
    """The newest 10,000 values, oldest first."""
    if (found := _named(db, of.stream, metric)) is None:
        return []
    table, column = found
    rows = db.execute(
        f"SELECT p.date_ms, p.{column} FROM series s JOIN {table} p ON p.series_id = s.id "
        f"WHERE s.measurement = ? AND s.device = ? AND s.source = ? AND p.date_ms >= ? AND p.date_ms < ? "
        f"AND typeof(p.{column}) IN ('real', 'integer') ORDER BY p.date_ms DESC LIMIT {MAX_VALUES}",
        (of.stream, of.device, of.source, from_ms, to_ms),
    ).fetchall()
    return [(date_ms, float(value)) for date_ms, value in reversed(rows)]


def dates(db: _Db, of: SeriesId, from_ms: int, to_ms: int) -> list[int]:
    """Dates in stream or quarantine."""
    found: set[int] = set()
    for measurement, stream in ((of.stream, None), ("quarantine", of.stream)):
        if table := _table(db, measurement):
            rows = db.execute(
                f"SELECT p.date_ms FROM series s JOIN {table} p ON p.series_id = s.id WHERE s.measurement = ? "
                "AND s.device = ? AND s.source = ? AND s.stream IS ? AND p.date_ms >= ? AND p.date_ms < ?",
                (measurement, of.device, of.source, stream, from_ms, to_ms),
            )
            found.update(date_ms for (date_ms,) in rows)
    return sorted(found)


def counts(db: _Db, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
    """Dates in stream or quarantine by (device, source, hour)."""
    total: Counter[tuple[str, str, int]] = Counter()
    for stream in STREAMS:
        if table := _table(db, stream):
            total.update(_counted(db, f"JOIN {table} p", "s.measurement = ?", (from_ms, to_ms, stream)))
    if quarantine := _table(db, "quarantine"):
        alone = " ".join(_not_in(db, stream) for stream in STREAMS)
        where = f"s.measurement = 'quarantine' {alone}"
        total.update(_counted(db, f"JOIN {quarantine} p", where, (from_ms, to_ms)))
    return dict(total)


def tallies(
    db: _Db, from_hour: int, to_hour: int, dated: Span | None, of_device: str | None
) -> dict[tuple[str, str, int, str], tuple[int, int]]:
    """(device, source, hour, run) -> highest (made, dropped)."""
    if (found := _named(db, "tally", "hour", "run", "made", "dropped")) is None:
        return {}
    table, hour, run, made, dropped = found
    rows = db.execute(
        f"SELECT s.device, s.source, p.{hour}, p.{run}, max(p.{made}), max(p.{dropped}) "
        f"FROM series s JOIN {table} p ON p.series_id = s.id "
        f"WHERE s.measurement = 'tally' AND p.{hour} >= ? AND p.{hour} < ? AND p.date_ms >= ? AND p.date_ms < ? "
        "AND s.device = coalesce(?, s.device) "
        f"AND p.{run} IS NOT NULL AND p.{made} IS NOT NULL AND p.{dropped} IS NOT NULL GROUP BY 1, 2, 3, 4",
        (from_hour, to_hour, *(dated or _EVER), of_device),
    )
    return {(device, source, of, name): (most, lost) for device, source, of, name, most, lost in rows}


def tally_points(db: _Db, span: Span, step_ms: int) -> dict[int, int]:
    """Start of a step of dates -> number of tallies."""
    if (table := _table(db, "tally")) is None:
        return {}
    rows = db.execute(
        f"SELECT p.date_ms / ?1 * ?1, count(*) FROM series s JOIN {table} p ON p.series_id = s.id "
        "WHERE s.measurement = 'tally' AND p.date_ms >= ?2 AND p.date_ms < ?3 GROUP BY 1",
        (step_ms, *span),
    )
    return dict(rows.fetchall())


def thinned(db: _Db, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
    """(device, source, hour) -> rows that thinned rows stand for."""
    total: Counter[tuple[str, str, int]] = Counter()
    for stream in STREAMS:
        if found := _named(db, stream, STANDS_FOR):
            table, column = found
            rows = db.execute(
                f"SELECT s.device, s.source, {_HOUR}, sum(p.{column}) FROM series s JOIN {table} p "
                "ON p.series_id = s.id AND p.date_ms >= ? AND p.date_ms < ? "
                f"WHERE s.measurement = ? AND p.{column} IS NOT NULL GROUP BY s.id, 3",
                (from_ms, to_ms, stream),
            )
            total.update({(device, source, hour): int(stands_for) for device, source, hour, stands_for in rows})
    return dict(total)


def held(db: _Db) -> dict[str, int]:
    """Device -> `held` of its newest heartbeat."""
    if (found := _named(db, "sys", "held")) is None:
        return {}
    table, column = found
    rows = db.execute(
        f"SELECT device, (SELECT {column} FROM {table} WHERE series_id = s.id AND {column} IS NOT NULL "
        "ORDER BY date_ms DESC LIMIT 1) FROM series s WHERE measurement = 'sys' AND source = ?",
        (BOX_SOURCE,),
    )
    return {device: int(rows_held) for device, rows_held in rows if rows_held is not None}


def refused(db: _Db, from_ms: int, to_ms: int, device: str | None, limit: int, waiting: bool) -> list[Refused]:
    """Rows in quarantine, newest first; all, or those that wait."""
    if limit <= 0 or (table := _table(db, "quarantine")) is None:
        return []
    fields = columns_of(db, "quarantine")
    columns = ", ".join(f"p.{quoted(column)}" for column in fields.values())
    open_only = f"AND coalesce(p.{quoted(fields['deleted'])}, 0) = 0 " if waiting and "deleted" in fields else ""
    rows = db.execute(
        f"SELECT s.stream, s.device, s.source, p.date_ms, {columns} FROM series s JOIN {table} p ON p.series_id = s.id "
        "WHERE s.measurement = 'quarantine' AND p.date_ms >= ? AND p.date_ms < ? AND s.device = coalesce(?, s.device) "
        f"{open_only}ORDER BY p.date_ms DESC LIMIT ?",
        (from_ms, to_ms, device, limit),
    )
    return [_refused(row, _without_none(zip(fields, row[4:], strict=True))) for row in rows]


def _refused(row: tuple[Any, ...], fields: dict[str, Any]) -> Refused:
    text = "".join(str(fields[name]) for name in sorted(fields) if name.startswith("row"))
    return Refused(SeriesId(*row[:3]), row[3], fields.get("reason", ""), text, bool(fields.get("deleted", 0)))


def _counted(db: _Db, join: str, where: str, values: tuple[Any, ...]) -> dict[tuple[str, str, int], int]:
    found: Counter[tuple[str, str, int]] = Counter()
    for device, source, hour, count in db.execute(
        f"SELECT s.device, s.source, {_HOUR}, count(*) FROM series s {join} "
        f"ON p.series_id = s.id AND p.date_ms >= ? AND p.date_ms < ? WHERE {where} GROUP BY s.id, 3",
        values,
    ):
        found[device, source, hour] += count
    return found


def _not_in(db: _Db, stream: str) -> str:
    """Leaves out quarantined rows that are stored in `stream` too (replayed ones)."""
    if (table := _table(db, stream)) is None:
        return ""
    return (
        f"AND NOT (s.stream = '{stream}' AND EXISTS (SELECT 1 FROM series t JOIN {table} r ON r.series_id = t.id "
        f"WHERE t.measurement = '{stream}' AND t.device = s.device AND t.source = s.source "
        "AND r.date_ms = p.date_ms))"
    )


def _series_of(db: _Db, stream: str, condition: str, device: str | None = None) -> Iterator[tuple[int, SeriesId]]:
    """(number, id) of the series of `stream` (of one device) that have a point `p` for which `condition` holds."""
    if (table := _table(db, stream)) is None:
        return
    rows = db.execute(
        "SELECT id, device, source FROM series s WHERE measurement = ?1 AND (?2 IS NULL OR device = ?2) "
        f"AND EXISTS (SELECT 1 FROM {table} p WHERE p.series_id = s.id AND {condition})",
        (stream, device),
    ).fetchall()
    for number, device, source in rows:
        yield number, SeriesId(stream, device or "", source or "")


def _table(db: _Db, measurement: str) -> str | None:
    table = table_of(db, measurement)
    return quoted(table) if table else None


def _named(db: _Db, measurement: str, *fields: str) -> list[str] | None:
    """The table and the columns of `fields`; None if one is not there yet."""
    table, columns = _table(db, measurement), columns_of(db, measurement)
    if table is None or not columns.keys() >= set(fields):
        return None
    return [table, *(quoted(columns[field]) for field in fields)]


def _without_none(fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields if value is not None}
