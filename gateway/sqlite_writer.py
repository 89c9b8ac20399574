"""Writes into the SQLite file, in one thread: schema that grows with the data, merge of equal points, expiry."""

import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Final

from gateway.points import KINDS, refusal, shape
from gateway.ports import BUCKETS, Lives, Poison, RetryLater, Split, Table, bucket_of
from gateway.sqlite_file import identity, open_file, quoted

DAY_MS: Final = 86_400_000
EXPIRE_ROWS: Final = 2_000
"""Expired rows deleted at a time, so that no write waits long behind it."""
_SQL_TYPES: Final = {"float": "REAL", "integer": "INTEGER", "string": "TEXT"}
_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEY_COLUMNS: Final = frozenset({"series_id", "date_ms"})


class SqliteWriter:
    """The file as the writing thread sees it. sqlite3.Error passes through; after any error the file is opened anew."""

    def __init__(self, path: Path, now_ms: Callable[[], int], busy_s: float) -> None:
        self._path, self._now_ms, self._busy_s = path, now_ms, busy_s
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._forget()

    def _forget(self) -> None:
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._fields: dict[tuple[str, str], str] = {}
        self._statements: dict[tuple[str, tuple[str, ...]], str] = {}
        self._to_expire: list[int] = []

    def store(self, writes: Sequence[Sequence[Table]]) -> list[Split | Poison | None]:
        """Store all in one commit; an answer for each: None, or why it is refused. Raises RetryLater, Misconfigured."""
        db = self._opened()
        try:
            db.execute("BEGIN IMMEDIATE")
            answers = [self._store_one(db, tables) for tables in writes]
            db.execute("COMMIT")
            if identity(self._path) != self._file:
                raise RetryLater(f"{self._path} was replaced or removed while it was written")
        except BaseException:
            self.close()
            raise
        return answers

    def keep(self, lives: Lives) -> None:
        """From now on rows live so long."""
        settings = [(f"{bucket}_days", lives.of(bucket)) for bucket in BUCKETS]
        with self._opened() as db:
            db.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", settings)

    def expire(self) -> int:
        """Delete at most EXPIRE_ROWS rows that are too old, a few series on at each call; how many it deleted."""
        db = self._opened()
        days = dict(db.execute("SELECT name, value FROM setting WHERE name LIKE '%_days'"))
        if not any(days.values()):
            return 0
        if not self._to_expire:
            self._to_expire = [row[0] for row in db.execute("SELECT id FROM series ORDER BY id")]
        return self._expire_some(db, days)

    def close(self) -> None:
        """Close the file and forget what is known of it."""
        if self._db is not None:
            self._db.close()
        self._db = None
        self._forget()

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None and identity(self._path) != self._file:
            self.close()
        if self._db is None:
            self._db = open_file(self._path, busy_s=self._busy_s)
            self._file = identity(self._path)
            for measurement, name, kind in self._db.execute("SELECT measurement, name, kind FROM field"):
                self._fields[measurement, name] = kind
        return self._db

    def _store_one(self, db: sqlite3.Connection, tables: Sequence[Table]) -> Split | Poison | None:
        try:
            types = [shape(table).types for table in tables]
            self._check_kinds(tables, types)
        except ValueError as error:
            return refusal(tables, str(error))
        for table, kinds in zip(tables, types, strict=True):
            if table.rows:
                self._put(db, table, kinds)
        return None

    def _check_kinds(self, tables: Sequence[Table], types: Sequence[tuple[type, ...]]) -> None:
        """A field keeps the type first written, also within one write. Raises ValueError."""
        new: dict[tuple[str, str], str] = {}
        for table, kinds in zip(tables, types, strict=True):
            for field, kind in zip(table.fields, kinds, strict=True):
                if kind is NoneType:
                    continue
                key = (table.measurement, field)
                known = self._fields.get(key) or new.setdefault(key, KINDS[kind])
                if known != KINDS[kind]:
                    raise ValueError(f"{field} of {table.measurement} is {known}, not {KINDS[kind]}")

    def _put(self, db: sqlite3.Connection, table: Table, kinds: tuple[type, ...]) -> None:
        for field, kind in zip(table.fields, kinds, strict=True):
            if kind is not NoneType and (table.measurement, field) not in self._fields:
                self._add_field(db, table.measurement, field, KINDS[kind])
        rows: Sequence[Sequence[object]] = table.rows
        fields = table.fields
        if NoneType in kinds:
            used = [index for index, kind in enumerate(kinds) if kind is not NoneType]
            rows = [(row[0], *(row[index + 1] for index in used)) for row in rows]
            fields = tuple(fields[index] for index in used)
        series = self._series.get((table.measurement, table.tags)) or self._add_series(db, table)
        db.executemany(self._statement(db, table.measurement, fields), [(series, *row) for row in rows])

    def _statement(self, db: sqlite3.Connection, measurement: str, fields: tuple[str, ...]) -> str:
        if found := self._statements.get((measurement, fields)):
            return found
        table, names = table_of(db, measurement), columns_of(db, measurement)
        columns = [quoted(names[field]) for field in fields]
        merges = ", ".join(f"{column} = coalesce(excluded.{column}, {column})" for column in columns)
        statement = (
            f"INSERT INTO {quoted(table or '')} (series_id, date_ms, {', '.join(columns)}) "
            f"VALUES (?, ?{', ?' * len(columns)}) ON CONFLICT DO UPDATE SET {merges}"
        )
        self._statements[measurement, fields] = statement
        return statement

    def _add_series(self, db: sqlite3.Connection, table: Table) -> int:
        tags = json.dumps(table.tags, separators=(",", ":"), ensure_ascii=False)
        named = dict(table.tags)
        db.execute(
            "INSERT OR IGNORE INTO series (measurement, tags, device, source, stream) VALUES (?, ?, ?, ?, ?)",
            (table.measurement, tags, named.get("device"), named.get("source"), named.get("stream")),
        )
        found = db.execute("SELECT id FROM series WHERE measurement = ? AND tags = ?", (table.measurement, tags))
        series: int = found.fetchone()[0]
        self._series[table.measurement, table.tags] = series
        return series

    def _add_field(self, db: sqlite3.Connection, measurement: str, field: str, kind: str) -> None:
        number = db.execute("SELECT count(*) FROM field").fetchone()[0]
        plain = _PLAIN.fullmatch(field) and field not in _KEY_COLUMNS
        table = table_of(db, measurement) or (f"p_{measurement}" if _PLAIN.fullmatch(measurement) else str(number))
        column = field if plain else str(number)
        db.execute("INSERT INTO field VALUES (?, ?, ?, ?, ?)", (measurement, field, kind, table, column))
        db.execute(
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} "
            "(series_id INTEGER, date_ms INTEGER, PRIMARY KEY (series_id, date_ms)) WITHOUT ROWID"
        )
        db.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(column)} {_SQL_TYPES[kind]}")
        self._fields[measurement, field] = kind

    def _expire_some(self, db: sqlite3.Connection, days: Mapping[str, int]) -> int:
        deleted = 0
        while self._to_expire and deleted < EXPIRE_ROWS:
            series = self._to_expire[-1]
            measurement = db.execute("SELECT measurement FROM series WHERE id = ?", (series,)).fetchone()[0]
            lives_days, table = days.get(f"{bucket_of(measurement)}_days"), table_of(db, measurement)
            date_ms = self._now_ms() - (lives_days or 0) * DAY_MS
            gone = _delete_before(db, table, series, date_ms, EXPIRE_ROWS - deleted) if lives_days and table else 0
            deleted += gone
            if deleted < EXPIRE_ROWS:
                self._to_expire.pop()
        return deleted


def table_of(db: sqlite3.Connection, measurement: str) -> str | None:
    """The table with the points of `measurement`; None if there are none yet."""
    found = db.execute("SELECT tab FROM field WHERE measurement = ? LIMIT 1", (measurement,)).fetchone()
    return found[0] if found else None


def columns_of(db: sqlite3.Connection, measurement: str) -> dict[str, str]:
    """Field -> column of `measurement`'s table."""
    return dict(db.execute("SELECT name, col FROM field WHERE measurement = ?", (measurement,)))


def _delete_before(db: sqlite3.Connection, table: str, series: int, date_ms: int, limit: int) -> int:
    last = db.execute(
        f"SELECT max(date_ms) FROM (SELECT date_ms FROM {quoted(table)} WHERE series_id = ? AND date_ms < ? LIMIT ?)",
        (series, date_ms, limit),
    ).fetchone()[0]
    if last is None:
        return 0
    return db.execute(f"DELETE FROM {quoted(table)} WHERE series_id = ? AND date_ms <= ?", (series, last)).rowcount
