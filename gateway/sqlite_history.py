"""Reads from the SQLite file, in a thread and over a connection of their own: they never hold up a write."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.ports import Rewind
from gateway.sqlite_file import identity, mapped, open_file, quoted
from gateway.sqlite_writer import columns_of, table_of

T = TypeVar("T")


class SqliteHistory:
    """History of the file at `path`; a file that is not there yet is empty."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self.path, self._now_ms = path, now_ms
        self._readers = ThreadPoolExecutor(1, "sqlite-read")
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def close_reader(self) -> None:
        """Close the reading connection."""
        await asyncio.get_running_loop().run_in_executor(self._readers, self._close)
        self._readers.shutdown()

    async def rewinds(self) -> list[Rewind]:
        return await self._read(_rewinds, [])

    async def _read(self, query: Callable[[sqlite3.Connection], T], empty: T) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._answer, query, empty)

    def _answer(self, query: Callable[[sqlite3.Connection], T], empty: T) -> T:
        if (file := identity(self.path)) != self._file:
            self._close()
        if file is None:
            return empty
        try:
            if self._db is None:
                self._db, self._file = open_file(self.path, read_only=True), file
            return query(self._db)
        except sqlite3.Error as error:
            self._close()
            raise mapped(error, self.path) from error

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._file = None


def _rewinds(db: sqlite3.Connection) -> list[Rewind]:
    if (table := table_of(db, "rewind")) is None:
        return []
    names = columns_of(db, "rewind")
    number, since = quoted(names["rw"]), quoted(names["rf"])
    rows = db.execute(f"SELECT {number}, coalesce({since}, 0) FROM {quoted(table)} ORDER BY 1")
    return [Rewind(*row) for row in rows]
