"""Reads from the SQLite file, in a thread and over a connection of their own: they never hold up a write."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway import sqlite_queries as queries
from gateway import sqlite_rollups as rollups
from gateway.ports import Late, Point, Refused, Rewind, SeriesId, Span, WordChange
from gateway.sqlite_file import has_schema, identity, mapped, open_file

T = TypeVar("T")


class SqliteHistory:
    """History of the file at `path`; a file that is not there yet, or not set up yet, is empty."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self.path, self._now_ms = path, now_ms
        self._readers = ThreadPoolExecutor(1, "sqlite-read")
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def rewinds(self) -> list[Rewind]:
        return await self._read(queries.rewinds, [])

    async def series(self) -> list[SeriesId]:
        return await self._read(queries.series, [])

    async def newest(self, stream: str) -> list[Point]:
        since_ms = self._now_ms() - queries.DAY_MS
        return await self._read(lambda db: queries.newest(db, stream, since_ms), [])

    async def recent(self, stream: str, from_ms: int, device: str | None = None) -> list[Point]:
        return await self._read(lambda db: queries.recent(db, stream, from_ms, device=device), [])

    async def values(self, series: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
        return await self._read(lambda db: queries.values(db, series, metric, from_ms, to_ms), [])

    async def dates(self, series: SeriesId, from_ms: int, to_ms: int) -> list[int]:
        return await self._read(lambda db: queries.dates(db, series, from_ms, to_ms), [])

    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        return await self._read(lambda db: queries.counts(db, from_ms, to_ms), {})

    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        return await self._read(lambda db: queries.tallies(db, from_hour, to_hour, dated, device), {})

    async def tally_points(self, span: Span, step_ms: int) -> dict[int, int]:
        return await self._read(lambda db: queries.tally_points(db, span, step_ms), {})

    async def thinned(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        return await self._read(lambda db: queries.thinned(db, from_ms, to_ms), {})

    async def held(self) -> dict[str, int]:
        return await self._read(queries.held, {})

    async def refused(
        self, from_ms: int, to_ms: int, device: str | None = None, limit: int = 1000, *, waiting: bool = False
    ) -> list[Refused]:
        return await self._read(lambda db: queries.refused(db, from_ms, to_ms, device, limit, waiting), [])

    async def summaries(
        self, stream: str, from_ms: int, to_ms: int, step_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[list[Point]]:
        span = (from_ms, to_ms)
        yield await self._read(lambda db: rollups.summaries(db, stream, span, step_ms, devices), [])

    async def summed(
        self, stream: str, from_ms: int, to_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[list[Point]]:
        yield await self._read(lambda db: rollups.summed(db, stream, (from_ms, to_ms), devices), [])

    async def worsts(self, from_ms: int, to_ms: int) -> list[Point]:
        return await self._read(lambda db: rollups.worsts(db, (from_ms, to_ms)), [])

    async def late(self, from_ms: int, to_ms: int) -> list[Late]:
        return await self._read(lambda db: rollups.late(db, (from_ms, to_ms)), [])

    async def word_changes(self, from_ms: int, to_ms: int) -> list[WordChange]:
        return await self._read(lambda db: rollups.word_changes(db, (from_ms, to_ms)), [])

    async def words(self, before_ms: int) -> dict[str, str]:
        return await self._read(lambda db: rollups.words(db, before_ms), {})

    async def close_reader(self) -> None:
        """Close the reading connection."""
        await asyncio.get_running_loop().run_in_executor(self._readers, self._close)
        self._readers.shutdown()

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
                if not has_schema(self._db):
                    self._close()
                    return empty
            return query(self._db)
        except sqlite3.Error as error:
            self._close()
            raise mapped(error, self.path) from error

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._file = None
