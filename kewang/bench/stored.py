"""What a database and an outbox really hold, read by queries of our own: nothing of the gateway or the edge is used.

Only readings with a running number (`sim_n`) count: those of simulated boards.
"""

import json
import shutil
import sqlite3
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from edge.outbox_bodies import unpacked

RUNNING_NUMBER: Final = "sim_n"
STREAM: Final = "env"
_FLAG_ENDING: Final = "_flag"
SYNCHRONISED: Final = 2
_LIMIT_S: Final = 30.0
_OPEN: Final = 0
_STORED: Final = 101
_REFUSED: Final = 103


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """One point of a database with a running number. `tags` is all that tells its series from others."""

    device: str
    source: str
    number: int
    date_ms: int
    values: Mapping[str, float | None]
    """Without the running number."""
    tags: tuple[tuple[str, str], ...]
    reason: str | None = None
    """Why it is in quarantine; None for a stored one."""
    quality: int = SYNCHRONISED
    """Of its date, see protocol.md."""


class Database(Protocol):
    """A database that can be read row by row, at any time, beside the gateway."""

    def points(self) -> Iterator[StoredPoint]: ...

    def count(self, measurement: str = STREAM, device: str | None = None) -> int:
        """How many points there are now, of one device or of all; -1 while it does not answer."""

    def devices(self) -> set[str]:
        """Devices of which anything is stored."""

    def dropped(self) -> dict[tuple[str, str, str, int], int]:
        """(device, source, run, hour) -> rows the device declared as dropped."""


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """The embedded store's file."""

    file: Path

    def points(self) -> Iterator[StoredPoint]:
        for measurement in (STREAM, "quarantine"):
            for tags, date_ms, fields in self.rows(measurement):
                yield from _point(measurement, tags, date_ms, fields)

    def count(self, measurement: str = STREAM, device: str | None = None) -> int:
        query = "SELECT count(*) FROM {0} JOIN series ON id = series_id WHERE ?1 IS NULL OR device = ?1"
        try:
            with closing(self._open()) as db:
                table = db.execute("SELECT tab FROM field WHERE measurement = ?", (measurement,)).fetchone()
                return int(db.execute(query.format(f'"{table[0]}"'), (device,)).fetchone()[0]) if table else 0
        except sqlite3.Error:
            return -1

    def devices(self) -> set[str]:
        with closing(self._open()) as db:
            named = db.execute("SELECT DISTINCT device FROM series WHERE measurement IN ('env', 'sys')")
            return {device for (device,) in named}

    def dropped(self) -> dict[tuple[str, str, str, int], int]:
        return _highest_dropped((tags, fields) for tags, _, fields in self.rows("tally"))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=ro", uri=True)

    def rows(self, measurement: str) -> Iterator[tuple[dict[str, str], int, dict[str, Any]]]:
        """Every point of a measurement: its tags, Unix ms, fields."""
        if not self.file.exists():
            return
        with closing(self._open()) as db:
            known = db.execute("SELECT name, tab, col FROM field WHERE measurement = ?", (measurement,)).fetchall()
            columns = {name: f'p."{col}"' for name, _, col in known}
            if not columns:
                return
            query = f'SELECT s.tags, p.date_ms, {", ".join(columns.values())} FROM "{known[0][1]}" p JOIN series s'
            for tags, date_ms, *values in db.execute(f"{query} ON s.id = p.series_id"):
                yield dict(json.loads(tags)), date_ms, dict(zip(columns, values, strict=True))


@dataclass(frozen=True, slots=True)
class InfluxDatabase:
    """InfluxDB 1, over its query address; every retention policy is read."""

    url: str
    name: str

    def points(self) -> Iterator[StoredPoint]:
        for measurement in (STREAM, "quarantine"):
            for tags, date_ms, fields in self._rows(measurement):
                yield from _point(measurement, tags, date_ms, fields)

    def count(self, measurement: str = STREAM, device: str | None = None) -> int:
        """The greatest count of a field: every point has that one."""
        where = f"WHERE device = '{device}'" if device else ""
        try:
            return sum(
                max(count or 0 for name, count in row.items() if name != "time")
                for policy in self._policies()
                for series in self._ask(f'SELECT count(*) FROM "{self.name}"."{policy}"."{measurement}" {where}')
                for row in _dicts(series)
            )
        except OSError:
            return -1

    def devices(self) -> set[str]:
        found = self._ask('SHOW TAG VALUES FROM env, sys WITH KEY = "device"')
        return {str(row["value"]) for series in found for row in _dicts(series)}

    def dropped(self) -> dict[tuple[str, str, str, int], int]:
        return _highest_dropped((tags, fields) for tags, _, fields in self._rows("tally"))

    def _rows(self, measurement: str) -> Iterator[tuple[dict[str, str], int, dict[str, Any]]]:
        for policy in self._policies():
            for series in self._ask(f'SELECT * FROM "{self.name}"."{policy}"."{measurement}" GROUP BY *'):
                for row in _dicts(series):
                    yield series.get("tags", {}), int(row.pop("time")), row

    def _policies(self) -> list[str]:
        found = self._ask(f'SHOW RETENTION POLICIES ON "{self.name}"')
        return [str(row["name"]) for series in found for row in _dicts(series)]

    def _ask(self, statement: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"db": self.name, "q": statement, "epoch": "ms"})
        with urllib.request.urlopen(f"{self.url}/query?{query}", timeout=_LIMIT_S) as answer:
            result = json.load(answer)["results"][0]
        if "error" in result and "not found" not in result["error"]:
            raise OSError(f"{statement}: {result['error']}")
        series: list[dict[str, Any]] = result.get("series", [])
        return series


def _dicts(series: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for values in series.get("values", []):
        yield dict(zip(series["columns"], values, strict=True))


def _point(measurement: str, tags: Mapping[str, str], date_ms: int, fields: Mapping[str, Any]) -> Iterator[StoredPoint]:
    """The point in a row; none if it has no running number. Flags are the agent's word, not the board's."""
    values, reason = dict(fields), None
    if measurement == "quarantine":
        reason = str(values.get("reason"))
        values = _refused_values(values)
    number = values.pop(RUNNING_NUMBER, None)
    told = values.pop("tq", None)
    quality = SYNCHRONISED if told is None else int(told)
    if number is not None:
        own = {key: value for key, value in tags.items() if key != "stream"}
        named = tags.get("device", ""), tags.get("source", "")
        values = {name: value for name, value in values.items() if not name.endswith(_FLAG_ENDING)}
        yield StoredPoint(*named, int(number), date_ms, values, tuple(sorted(own.items())), reason, quality)


def _refused_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    try:
        row = json.loads(f"{fields.get('row') or ''}{fields.get('row_more') or ''}")
    except ValueError:
        return {}
    return {**dict(zip(row["k"], row["r"], strict=False)), "tq": row.get("tq")}


def _highest_dropped(
    rows: Iterator[tuple[dict[str, str], dict[str, Any]]],
) -> dict[tuple[str, str, str, int], int]:
    highest: dict[tuple[str, str, str, int], int] = {}
    for tags, fields in rows:
        cell = tags["device"], tags["source"], str(fields["run"]), int(fields["hour"])
        highest[cell] = max(highest.get(cell, 0), int(fields["dropped"]))
    return highest


@dataclass(frozen=True, slots=True)
class Held:
    """One row in an outbox, by its running number."""

    source: str
    number: int
    run: str
    open: bool
    refused: bool


def outbox_open(file: Path) -> int:
    """Open rows of boards in the outbox of a running or stopped agent; -1 if it can't be read now."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            query = "SELECT coalesce(sum(rows), 0) FROM batch WHERE state = ? AND stream = ?"
            return int(db.execute(query, (_OPEN, STREAM)).fetchone()[0])
    except sqlite3.Error:
        return -1


def outbox_stored(file: Path, stream: str) -> int:
    """Rows of `stream` in the outbox of a stopped agent that it was told are stored."""
    query = "SELECT coalesce(sum(rows), 0) FROM batch WHERE state = ? AND stream = ?"
    return sum(int(rows) for (rows,) in _of_copy(file, query, (_STORED, stream)))


def outbox_newest(file: Path) -> int:
    """The highest running number in the newest batch of a board; 0 if there is none or it can't be read now."""
    query = "SELECT body.body FROM batch JOIN body USING (ord) WHERE batch.stream = ? ORDER BY ord DESC LIMIT 1"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute(query, (STREAM,)).fetchone()
    except sqlite3.Error:
        return 0
    return max((row.number for row in _rows_of(found[0], _OPEN)), default=0) if found else 0


def outbox_rows(file: Path) -> list[Held]:
    """Every row of boards in the outbox of a stopped agent, from a copy: looking changes nothing."""
    query = "SELECT batch.state, body.body FROM batch JOIN body USING (ord) WHERE batch.stream = ?"
    return [row for state, text in _of_copy(file, query, (STREAM,)) for row in _rows_of(text, state)]


def _rows_of(kept: bytes, state: int) -> list[Held]:
    body = json.loads(unpacked(kept))
    if RUNNING_NUMBER not in body["k"]:
        return []
    column = body["k"].index(RUNNING_NUMBER) + 1
    numbers = (int(row[column]) for row in body["r"])
    return [Held(body["src"], number, body["bt"], state == _OPEN, state == _REFUSED) for number in numbers]


def outbox_dropped(file: Path, device: str) -> dict[tuple[str, str, str, int], int]:
    """(device, source, run, hour) -> rows the outbox of a stopped agent counted as dropped."""
    rows = _of_copy(file, "SELECT source, run, hour, dropped FROM tally WHERE dropped > 0", ())
    return {(device, source, run, hour): dropped for source, run, hour, dropped in rows}


def _of_copy(file: Path, query: str, values: tuple[object, ...]) -> list[Any]:
    if not file.exists():
        return []
    with tempfile.TemporaryDirectory(prefix="kewang-look-") as folder:
        for ending in ("", "-wal"):
            if file.with_name(file.name + ending).exists():
                shutil.copy(file.with_name(file.name + ending), Path(folder) / f"outbox{ending}")
        with closing(sqlite3.connect(Path(folder) / "outbox")) as db:
            return db.execute(query, values).fetchall()
