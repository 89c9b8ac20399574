"""The SQLite file of the embedded store: its schema, how it is opened, and what its errors mean.

One table per measurement, `p_env (series_id, date_ms, temp_c, ...)`, one column per field: plain SQL reads it. `series`
names the tags of a series, `field` the type each field was first written with.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.ports import Misconfigured, RetryLater

APPLICATION_ID: Final = 0x6B657761
SCHEMA_VERSION: Final = 1
BUSY_S: Final = 5.0
"""How long a statement waits for another process's lock."""
_JOURNAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
_TEMPORARY: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)
_ADVICE: Final = {
    sqlite3.SQLITE_READONLY: "can't be written: give the gateway's user the right to write it and its folder",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: create its folder and let the gateway's user write there",
    sqlite3.SQLITE_NOTADB: "is no SQLite database: name another file",
    sqlite3.SQLITE_CORRUPT: "is damaged: set it aside, start with a new file, then run 'kewang rewind --from 0'",
}
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, tags TEXT NOT NULL, device TEXT, source TEXT, stream TEXT,
    UNIQUE (measurement, tags)
);
CREATE TABLE IF NOT EXISTS field (
    measurement TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, tab TEXT NOT NULL, col TEXT NOT NULL,
    PRIMARY KEY (measurement, name)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


def open_file(path: Path, *, read_only: bool = False, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection to the store's file, created if missing (not by a reader). Raises RetryLater or Misconfigured."""
    try:
        connection = _connect(path, read_only, busy_s)
    except sqlite3.Error as error:
        raise mapped(error, path) from error
    return connection


def has_schema(connection: sqlite3.Connection) -> bool:
    """Whether the store's tables are there: a file that was just made, or an empty one, has none."""
    return _pragma(connection, "user_version") > 0


def mapped(error: sqlite3.Error, path: Path) -> RetryLater | Misconfigured:
    """The one place that says what an SQLite error asks of the gateway."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _TEMPORARY:
        return RetryLater(f"{path}: {error}")
    return Misconfigured(f"{path} {_ADVICE.get(code, 'refuses the statement')} ({error})")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at `path` now; None if none does."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _connect(path: Path, read_only: bool, busy_s: float) -> sqlite3.Connection:
    mode = "rw" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        cached_statements=1024,
        check_same_thread=False,
    )
    try:
        _set_up(connection, path, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    _check_owner(connection, path)
    if read_only:
        connection.execute("PRAGMA query_only = 1")
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
    if _pragma(connection, "user_version") == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    owner, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not empty and owner != APPLICATION_ID:
        raise Misconfigured(f"{path} is another program's database: name another file")
    if version > SCHEMA_VERSION:
        raise Misconfigured(f"{path} has schema {version}, this gateway knows {SCHEMA_VERSION}: upgrade the gateway")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
