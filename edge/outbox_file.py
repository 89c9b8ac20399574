"""The outbox file as a whole: who holds it, opening it, and putting a damaged one aside."""

import fcntl
import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.files import sync_folder
from edge.outbox_salvage import salvage
from edge.outbox_schema import SCHEMA, WAL_BYTES, Trouble, check_totals, connect, create, meta, schema_of, trouble
from edge.ports import OutboxBusy, OutboxFull, OutboxTooNew

_log = logging.getLogger("edge.outbox")
_KEPT_DAMAGED: Final = 2
RESERVE_BYTES: Final = 2 * WAL_BYTES
_BESIDE: Final = ("-wal", "-shm")


def lock(path: Path) -> int:
    """Hold `<path>.lock` until the returned descriptor is closed. Raises OutboxBusy if another process does,
    OutboxFull if the outbox can't be written."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise OutboxBusy(
            f"outbox {path} is held by process {holder}: stop that agent, or give this one an outbox of its own"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _open_lock(path: Path) -> int:
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if all(os.access(each, os.W_OK, effective_ids=True) for each in (folder, path) if each.exists()):
            return descriptor
        os.close(descriptor)
        raise PermissionError
    except PermissionError:
        told = f"`sudo chown -R kewang: {folder}`, or start the agent as the user that owns it"
        raise OutboxFull(f"outbox {path} can't be written: {told}") from None
    except OSError as error:
        told = "correct outbox.path, or check that this disk has room and is mounted writable"
        raise OutboxFull(f"outbox {path} can't be written: {error.strerror}: {told}") from None


class Reserve:
    """Disk kept for the moment when the disk is full: without it not even the log could be written back."""

    def __init__(self, path: Path) -> None:
        self._path = _beside(path, ".reserve")

    @property
    def held(self) -> bool:
        """Whether there is any."""
        return self._path.exists()

    def keep(self) -> None:
        """Have it, if there is room; else what there was of it."""
        with suppress(OSError), self._path.open("ab") as file:
            had_bytes = file.tell()
            try:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            except OSError:
                file.truncate(had_bytes)
                if not had_bytes:
                    self._path.unlink()

    def give(self) -> bool:
        """Let the outbox use it; whether there was any."""
        held = self.held
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return held


def open_file(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """The outbox at `path`, made if there is none; a damaged one is set aside and what can be read of it taken over.

    `alone`: nobody else can read it meanwhile. Raises OutboxTooNew for the file of a newer Kewang, sqlite3.Error when
    the disk does not let us work.
    """
    _finish_exchange(path)
    try:
        db = _open_sound(path, alone)
    except sqlite3.Error as error:
        if trouble(error) is not Trouble.DAMAGED:
            raise
        _log.error("outbox %s is damaged: %s", path, error)
        db = None
    return db if db is not None else replace_damaged(path, alone=alone)


def _open_sound(path: Path, alone: bool) -> sqlite3.Connection | None:
    """The connection; None if the file is not an outbox in good order."""
    db = connect(path, alone=alone)
    try:
        version = schema_of(db)
        if version is not None and version > SCHEMA and not 0 < meta(db, "reader") <= SCHEMA:
            raise OutboxTooNew(
                f"outbox {path} was written by a newer Kewang (schema {version}, this one knows {SCHEMA}): "
                "install that version again, or let it deliver what it holds first"
            )
        if version == 0:
            create(db)
            sync_folder(path.parent)
        if version is not None:
            _touch(db)
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    return None


def _touch(db: sqlite3.Connection) -> None:
    """Read the ends of every table, so that a file cut short is noticed now and not in the middle of the night."""
    for table in ("run", "batch", "body"):
        db.execute(f"SELECT * FROM {table} ORDER BY 1 LIMIT 1").fetchone()
        db.execute(f"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1").fetchone()
    for index in ("batch_open", "batch_marked", "batch_undated"):
        condition = {"batch_open": "state = 0", "batch_marked": "state > 0"}.get(index, "first_ms IS NULL")
        db.execute(f"SELECT ord FROM batch INDEXED BY {index} WHERE {condition} ORDER BY ord DESC LIMIT 1").fetchone()
    check_totals(db)


def replace_damaged(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """Build a fresh outbox from what can be read of the one at `path`, which is kept as `<name>.damaged-1` or `-2`.

    A crash at any point loses nothing: the fresh file takes the place only when it is complete.
    """
    fresh = _beside(path, ".new")
    for leftover in (fresh, *(_beside(fresh, end) for end in _BESIDE)):
        leftover.unlink(missing_ok=True)
    saved = salvage(path, fresh)
    aside = _next_aside(path)
    path.replace(aside)
    _log.error("%s: %d batches saved, the damaged file is kept as %s", path, saved, aside.name)
    _finish_exchange(path, aside)
    db = connect(path, alone=alone)
    _touch(db)
    return db


def _finish_exchange(path: Path, aside: Path | None = None) -> None:
    """The old file is out of the way: move its log away too, then put the fresh one in its place."""
    fresh = _beside(path, ".new")
    if path.exists() or not fresh.exists():
        return
    log = _beside(path, "-wal")
    if log.exists():
        log.replace(_beside(aside or _beside(path, ".damaged-1"), "-wal"))
    _beside(path, "-shm").unlink(missing_ok=True)
    fresh.replace(path)
    sync_folder(path.parent)


def _next_aside(path: Path) -> Path:
    """A free name for the damaged file; the older of two kept ones makes way."""
    names = [_beside(path, f".damaged-{number}") for number in range(1, _KEPT_DAMAGED + 1)]
    free = next((name for name in names if not name.exists()), None)
    return free or min(names, key=lambda name: name.stat().st_mtime_ns)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
