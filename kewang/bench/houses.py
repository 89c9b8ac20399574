"""The databases of a city, and what can happen to them: killed, stalled, wiped, backed up, brought back."""

import contextlib
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kewang.bench.parts import Influxd
from kewang.bench.stored import Database, InfluxDatabase, SqliteDatabase

DATABASE = "kewang"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was begun at `taken_ms` (Unix ms)."""

    at: Path
    taken_ms: int


class House(Protocol):
    """A database and its place on disk. Every call may be made while the gateway runs, `restore` while it does not."""

    part: Influxd | None
    """Its process; None if it lives in the gateway's."""
    url: str
    """Its address in the gateway's settings."""
    database: Database

    def kill(self) -> None:
        """Out of order, at once. `mend` ends it."""

    def stall(self) -> None:
        """It takes writes and does not answer. `mend` ends it."""

    def mend(self) -> None:
        """In order again."""

    def wipe(self) -> None:
        """A new, empty disk."""

    def backup(self, into: Path) -> Backup:
        """A backup of what it holds now."""

    def restore(self, backup: Backup) -> None:
        """A new disk with what the backup holds."""


class SqliteHouse:
    """The embedded store: a file in a folder of its own. Nobody can kill it; another program may lock it."""

    part: Influxd | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.file = folder / "kewang.db"
        self.url = f"sqlite:///{self.file}"
        self.database: Database = SqliteDatabase(self.file)
        self._lock: sqlite3.Connection | None = None

    def kill(self) -> None:
        self.stall()

    def stall(self) -> None:
        if self._lock is None and self.file.exists():
            self._lock = sqlite3.connect(self.file, timeout=10, isolation_level=None, check_same_thread=False)
            with contextlib.suppress(sqlite3.OperationalError):
                self._lock.execute("BEGIN IMMEDIATE")

    def mend(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wipe(self) -> None:
        self.mend()
        gone = self.folder.with_name("wiped")
        self.folder.rename(gone)
        self.folder.mkdir()
        shutil.rmtree(gone)

    def backup(self, into: Path) -> Backup:
        taken_ms = time.time_ns() // 1_000_000
        into.mkdir()
        if self.file.exists():
            with (
                contextlib.closing(sqlite3.connect(self.file)) as source,
                contextlib.closing(sqlite3.connect(into / "kewang.db")) as target,
            ):
                source.backup(target)
        return Backup(into, taken_ms)

    def restore(self, backup: Backup) -> None:
        self.wipe()
        saved = backup.at / "kewang.db"
        self.file.write_bytes(saved.read_bytes() if saved.exists() else b"")


class InfluxHouse:
    """influxd 1.6.7 with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.part: Influxd | None = Influxd(folder)
        self._influxd = self.part
        self.url = f"influx1+{self._influxd.url}/{DATABASE}"
        self.database: Database = InfluxDatabase(self._influxd.url, DATABASE)

    def kill(self) -> None:
        self._influxd.kill9()

    def stall(self) -> None:
        self._influxd.freeze()

    def mend(self) -> None:
        self._influxd.thaw()
        self._influxd.start()

    def wipe(self) -> None:
        self._influxd.kill9()
        self._influxd.wipe()
        self._influxd.start()

    def backup(self, into: Path) -> Backup:
        taken_ms = time.time_ns() // 1_000_000
        self._influxd.backup(into)
        return Backup(into, taken_ms)

    def restore(self, backup: Backup) -> None:
        self.wipe()
        self._influxd.restore(backup.at)
