"""The outbox file: its tables, its settings, and what SQLite's errors mean for it.

`body` holds what never changes once it is dated, each batch with its CRC; `batch` holds the mark and what the ring and
the ledger must know without reading bodies. A run's batches lie side by side: `ord` = the run's `first` + number - 1.
"""

import errno
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from kewang.wire.tally import HOUR_MS

SCHEMA: Final = 2
READER: Final = 1
"""The oldest schema whose program may use a file of ours as well (decision 35). Kept in `meta` of a newer file."""
PACKED_READER: Final = 2
"""The same of a file with deflated bodies in it."""
_APPLICATION: Final = 0x4B574F42
WAL_BYTES: Final = 2 * 1024 * 1024
"""The write-ahead log is written back into the file when it is this long: a page that changes in every commit is then
written back once for all of them."""
_LOCK_WAIT_S: Final = 5.0
_CELL_BYTES: Final = 20
_ROW_BYTES: Final = 120

OPEN: Final = 0
STORED: Final = 101
QUARANTINED: Final = 102
REFUSED: Final = 103
"""States of a batch. A refused one can't be read by any gateway: it is counted as dropped and stays so.

No flipped bit makes a stored batch of an open one.
"""
STATES: Final = (OPEN, STORED, QUARANTINED, REFUSED)

META: Final = (
    *("schema", "rewind", "rewind_check", "floor_ms", "dropped_rows", "damaged_batches"),
    *("thinned_rows", "marking_run", "sendings", "datings"),
)
"""Keys of `meta`. Those of the second line came later; a version that does not know them passes them over."""
_NO_REWIND: Final = 2**40

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE run (first INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, boot TEXT NOT NULL);
CREATE TABLE anchor (boot TEXT PRIMARY KEY, anchor_ms INTEGER NOT NULL, quality INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE last (source TEXT PRIMARY KEY, last_ms INTEGER NOT NULL, top_ms INTEGER NOT NULL, run TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE tally (run TEXT NOT NULL, source TEXT NOT NULL, hour INTEGER NOT NULL, made INTEGER NOT NULL,
    dropped INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY ({})) WITHOUT ROWID;
CREATE INDEX tally_changed ON tally (changed) WHERE changed > 0;
CREATE TABLE body (ord INTEGER PRIMARY KEY, stream TEXT NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE batch (ord INTEGER PRIMARY KEY, stream TEXT NOT NULL, source TEXT NOT NULL, rows INTEGER NOT NULL,
    size INTEGER NOT NULL, state INTEGER NOT NULL, acked_ms INTEGER, first_ms INTEGER, last_ms INTEGER, hours TEXT,
    crc INTEGER NOT NULL);
CREATE INDEX batch_open ON batch (ord) WHERE state = 0;
CREATE INDEX batch_marked ON batch (ord) WHERE state > 0;
CREATE INDEX batch_undated ON batch (ord) WHERE first_ms IS NULL;
CREATE TABLE total (open_batches INTEGER NOT NULL, held_rows INTEGER NOT NULL, open_bytes INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL, undated_batches INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0, 0, 0, 0);
"""
# Triggers keep the totals: no statement can change a batch and forget them, and a rollback takes them back.
_COUNT = """UPDATE total SET open_batches = open_batches {0} ({1}.state = 0),
    held_rows = held_rows {0} ({1}.state = 0) * {1}.rows, open_bytes = open_bytes {0} ({1}.state = 0) * {1}.size,
    used_bytes = used_bytes {0} {1}.size, undated_batches = undated_batches {0} ({1}.first_ms IS NULL);"""
_ADD, _TAKE = _COUNT.format("+", "new"), _COUNT.format("-", "old")
_TRIGGERS = f"""
CREATE TRIGGER batch_in AFTER INSERT ON batch BEGIN {_ADD} END;
CREATE TRIGGER batch_out AFTER DELETE ON batch BEGIN {_TAKE} END;
CREATE TRIGGER batch_changed AFTER UPDATE ON batch BEGIN {_TAKE} {_ADD} END;
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out when it is made; it stays so."""

    schema: int
    page_bytes: int
    """Small pages: a commit writes each page it touches anew, and flash wears out."""
    tally_key: str
    """By hour first, the cells of all sources that a commit counts up are neighbours."""


LAYOUT: Final = Layout(SCHEMA, 512, "hour, run, source")
LAYOUTS: Final = (LAYOUT, Layout(1, 1024, "run, source, hour"))
"""That of new files, and of those that older versions made."""


class Trouble(Enum):
    """What an error of SQLite asks of us."""

    DAMAGED = auto()
    """The file can't be read: set it aside and save what can be saved."""
    REFUSED = auto()
    """The disk does not let us write now."""
    BUSY = auto()
    """Another program has the file."""
    OTHER = auto()


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_REFUSED = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


def trouble(error: sqlite3.Error) -> Trouble:
    """The kind of `error`."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    kinds = ((_DAMAGED, Trouble.DAMAGED), (_REFUSED, Trouble.REFUSED), (_BUSY, Trouble.BUSY))
    return next((kind for codes, kind in kinds if code in codes), Trouble.OTHER)


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Whether more room on the disk would help."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return trouble(error) is Trouble.REFUSED


def connect(path: Path, layout: Layout = LAYOUT, *, alone: bool = False) -> sqlite3.Connection:
    """A connection with our settings; a new file gets this layout. A commit is one fsync of the write-ahead log, which
    stays near WAL_BYTES. `alone`: nobody else can read the file meanwhile; what readers share with each other is a file
    of its own that the system writes to the card again and again."""
    db = sqlite3.connect(path, isolation_level=None, timeout=_LOCK_WAIT_S, check_same_thread=False)
    db.text_factory = _text
    try:
        if alone:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute(f"PRAGMA page_size = {layout.page_bytes}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // page_bytes(db)}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        db.execute("PRAGMA cache_size = -1024")
        # Nothing is written outside of our folder, whatever else of this machine is read-only.
        db.execute("PRAGMA temp_store = MEMORY")
        # What is freed need not be written once more to be overwritten.
        db.execute("PRAGMA secure_delete = OFF")
    except BaseException:
        db.close()
        raise
    return db


def _text(stored: bytes) -> str:
    """Text that a flipped bit spoiled fails its checksum, not the query."""
    return stored.decode(errors="replace")


def create(db: sqlite3.Connection, layout: Layout = LAYOUT) -> None:
    """The tables, in an empty file, in one transaction."""
    version = layout.schema
    db.executescript(
        f"BEGIN IMMEDIATE; {_TABLES.format(layout.tally_key)} {_TRIGGERS}"
        f"INSERT INTO meta VALUES ('schema', {version}), ('reader', {min(version, READER)});"
        f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {version}; COMMIT;"
    )


def page_bytes(db: sqlite3.Connection) -> int:
    """Of the file's pages."""
    return _pragma(db, "page_size")


def allow_packed(db: sqlite3.Connection) -> bool:
    """Say in the file that bodies may be deflated, so that a program that can't read them leaves it alone; False if the
    file is of a schema that has no such word."""
    if meta(db, "schema") < PACKED_READER:
        return False
    if meta(db, "reader") < PACKED_READER:
        with transaction(db):
            raise_meta(db, "reader", PACKED_READER)
        # Into the file itself: `kewang edge upgrade` looks there while the log is ours alone.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def schema_of(db: sqlite3.Connection) -> int | None:
    """The schema version of the file, 0 for an empty file, None for anything that is not an outbox in good order."""
    version = _pragma(db, "user_version")
    if version == 0 and _pragma(db, "application_id") == 0 and _pragma(db, "schema_version") == 0:
        return 0
    if _pragma(db, "application_id") != _APPLICATION:
        return None
    try:
        return version if meta(db, "schema") == version else None
    except sqlite3.OperationalError as error:
        if trouble(error) in (Trouble.REFUSED, Trouble.BUSY):
            raise
        return None


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def meta(db: sqlite3.Connection, key: str) -> int:
    """A whole number kept under `key`; 0 if there is none."""
    found = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return int(found[0]) if found else 0


def raise_meta(db: sqlite3.Connection, key: str, value: int) -> None:
    """Keep the higher of `value` and what is there."""
    db.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
        (key, value),
    )


def add_meta(db: sqlite3.Connection, key: str, amount: int) -> None:
    """Count up."""
    db.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value", (key, amount)
    )


def rewind_of(db: sqlite3.Connection) -> int:
    """The rewind obeyed last; 0 if there was none or it can't be believed.

    One that a flipped bit raised would make the box ignore every ack for ever; a forgotten one costs resends.
    """
    rewind = meta(db, "rewind")
    return rewind if rewind + meta(db, "rewind_check") == _NO_REWIND else 0


def keep_rewind(db: sqlite3.Connection, rewind: int) -> None:
    """Keep the rewind obeyed."""
    db.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)", [("rewind", rewind), ("rewind_check", _NO_REWIND - rewind)]
    )


def check_totals(db: sqlite3.Connection) -> None:
    """Count anew if the totals can't be true: from wrong ones the ring would drop what it has room for."""
    found = db.execute("SELECT * FROM total").fetchall()
    pages = _pragma(db, "page_count")
    if len(found) == 1 and all(number >= 0 for number in found[0]):
        batches, _, open_bytes, used_bytes, undated = found[0]
        if open_bytes <= used_bytes <= 2 * page_bytes(db) * pages and undated <= batches <= used_bytes:
            return
    db.executescript(
        """BEGIN IMMEDIATE; DELETE FROM total; INSERT INTO total SELECT count(*) FILTER (WHERE state = 0),
        coalesce(sum(rows) FILTER (WHERE state = 0), 0), coalesce(sum(size) FILTER (WHERE state = 0), 0),
        coalesce(sum(size), 0), count(*) FILTER (WHERE first_ms IS NULL) FROM batch; COMMIT;"""
    )


@contextmanager
def transaction(db: sqlite3.Connection, *, durable: bool = True) -> Iterator[None]:
    """All or nothing. With `durable` it is on the disk when it ends, and with it what waited; without, it waits.

    What waits is seen by this connection only, and is gone when the process ends or a later transaction fails.
    """
    if not db.in_transaction:
        db.execute("BEGIN IMMEDIATE")
    try:
        yield
        if durable:
            db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def settle(db: sqlite3.Connection) -> None:
    """Write what waits."""
    if db.in_transaction:
        with transaction(db):
            pass


def crc_of(order: int, stream: str, body: bytes) -> int:
    """The checksum kept with a body."""
    return zlib.crc32(body, zlib.crc32(b"%d %s" % (order, stream.encode())))


@dataclass(frozen=True, slots=True)
class Listed:
    """A batch as `batch` lists it: what the ring and the ledger know without its body."""

    order: int
    stream: str
    source: str
    rows: int
    size: int
    """Bytes on the disk."""
    first_ms: int | None = None
    """Date of the earliest row; None while undated."""
    last_ms: int | None = None
    hours_text: str | None = None
    """JSON of (Unix hour, rows) where the rows are of several hours."""

    @property
    def crc(self) -> int:
        return zlib.crc32(repr((self.order, self.stream, self.source, self.rows, self.size, *self._dates)).encode())

    @property
    def _dates(self) -> tuple[object, ...]:
        return (self.first_ms, self.last_ms, self.hours_text)

    @property
    def hours(self) -> list[tuple[int, int]]:
        """(Unix hour, rows) of a dated batch."""
        if self.hours_text:
            return [(hour, rows) for hour, rows in json.loads(self.hours_text)]
        return [] if self.first_ms is None else [(self.first_ms // HOUR_MS, self.rows)]

    def put(self, db: sqlite3.Connection, state: int = OPEN, acked_ms: int | None = None) -> None:
        """List it in place of what was listed under its order."""
        db.execute("DELETE FROM batch WHERE ord = ?", (self.order,))
        db.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.order, self.stream, self.source, self.rows, self.size, state, acked_ms, *self._dates, self.crc),
        )


LISTED: Final = "SELECT ord, stream, source, rows, size, first_ms, last_ms, hours, crc, state FROM batch"
"""A query for `listed`."""


def listed(row: tuple[Any, ...]) -> tuple[Listed, int]:
    """The batch and its state, from a row of LISTED. Raises a DAMAGED sqlite3.DatabaseError if they can't be true."""
    *facts, crc, state = row
    found = Listed(*facts)
    if found.crc != crc or state not in STATES:
        raise damage(f"batch {found.order} is listed wrongly")
    return found, state


def damage(reason: str) -> sqlite3.DatabaseError:
    """Damage that we noticed and SQLite did not."""
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def footprint(kept: int, page: int) -> int:
    """Bytes a batch whose body is kept in so many takes in pages of this size, with what is left empty of them.

    How much of a long row stays in its leaf page: sqlite.org/fileformat2.html, 1.6.
    """
    cell = kept + _CELL_BYTES
    most, least = page - 35, (page - 12) * 32 // 255 - 23
    if cell <= most:
        return page // (page // cell) + _ROW_BYTES
    local = least + (cell - least) % (page - 4)
    local = local if local <= most else least
    return -(-(cell - local) // (page - 4)) * page + page // (page // local) + _ROW_BYTES
