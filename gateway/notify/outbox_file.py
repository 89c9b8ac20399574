"""The file of the outbox: its tables, how it is opened, and that a damaged one is set aside."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

log = logging.getLogger("gateway.notify.outbox")

APPLICATION_ID: Final = 0x6B77616E
SCHEMA_VERSION: Final = 1
BUSY_S: Final = 5.0
_KEPT_DAMAGED: Final = 3
_JOURNAL_LIMIT_BYTES: Final = 4 * 1024 * 1024
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA: Final = f"""
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, channel TEXT NOT NULL, recipient TEXT NOT NULL,
    about TEXT NOT NULL, content TEXT NOT NULL, rank INTEGER NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL, unclear INTEGER NOT NULL,
    created_s REAL NOT NULL, due_s REAL NOT NULL, expires_s REAL NOT NULL, instead_s REAL, root INTEGER,
    ended_s REAL, receipt TEXT NOT NULL, said TEXT NOT NULL,
    UNIQUE (key, channel, recipient)
);
CREATE INDEX message_open ON message (channel, due_s) WHERE state IN ('waiting', 'claimed');
CREATE INDEX message_ended ON message (ended_s) WHERE ended_s IS NOT NULL;
CREATE INDEX message_root ON message (root);
CREATE TABLE kept (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class OutboxRefused(Exception):
    """The file can't be used as it is; the text says what a person has to do."""


@contextmanager
def committing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: what is written within is there whole, or not at all. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise


def open_file(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    """The connection, and where a damaged file was put that lay there before. Raises OutboxRefused, sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _open(path), None
    except sqlite3.DatabaseError as error:
        if not is_damaged(error):
            raise
        log.error("the outbox of notices %s is damaged and is set aside: %s", path, error)
    aside = set_aside(path)
    return _open(path), aside


def open_to_read(path: Path, known: int) -> sqlite3.Connection:
    """One of the gateway's files, which stays as it is, beside a gateway that runs. `known`: the newest schema we know.

    Raises OutboxRefused for a newer one, sqlite3.Error.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(address, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=True)
    try:
        check_version(db, path, known)
    except BaseException:
        db.close()
        raise
    return db


def check_version(db: sqlite3.Connection, path: Path, known: int) -> None:
    """Raise OutboxRefused for a file of a newer program."""
    if (version := db.execute("PRAGMA user_version").fetchone()[0]) > known:
        raise OutboxRefused(f"{path} has schema {version}, this program knows {known}: upgrade it")


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, as against a full disk or a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def set_aside(path: Path) -> Path:
    """Move the file and what belongs to it away; its new place. The newest three are kept."""
    taken = sorted(path.parent.glob(f"{path.name}.damaged-*"), key=_number)
    aside = path.with_name(f"{path.name}.damaged-{_number(taken[-1]) + 1 if taken else 1}")
    for old in taken[: max(0, len(taken) + 1 - _KEPT_DAMAGED)]:
        old.unlink(missing_ok=True)
    os.replace(path, aside)
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    return aside


def _number(path: Path) -> int:
    tail = path.name.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def _open(path: Path) -> sqlite3.Connection:
    _made_for_us_alone(path)
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        os.chmod(path, 0o600)
        _set_up(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _made_for_us_alone(path: Path) -> None:
    """Never one moment readable by others. One that is there isn't opened: closing it would end SQLite's locks."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not empty and owner != APPLICATION_ID:
        raise OutboxRefused(f"{path} is another program's database: name another file for the outbox")
    check_version(db, path, SCHEMA_VERSION)
    if empty:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    else:
        check_whole(db)


def check_whole(db: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError, as for any damaged file, if a page of it is broken."""
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
