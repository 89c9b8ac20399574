"""The embedded store: one SQLite file, safe by fsync, written by one thread; several waiting writes share a commit."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from gateway.ports import Lives, Poison, Split, Table
from gateway.sqlite_file import BUSY_S, mapped
from gateway.sqlite_history import SqliteHistory
from gateway.sqlite_writer import SqliteWriter
from kewang.runtime.clock import SystemClock

MAINTENANCE_INTERVAL_S: Final = 1.0
"""Between two deletions of expired rows, each of which some write waits for."""

T = TypeVar("T")
_wall_ms = SystemClock().wall_ms


class _Group:
    """Writes that share a commit. `task` gives an answer for each."""

    def __init__(self) -> None:
        self.writes: list[Sequence[Table]] = []
        self.task: asyncio.Task[Sequence[Split | Poison | None]]


class SqliteStore(SqliteHistory):
    """Store in the file at `path`, made by the first write or `prepare`. `now_ms` judges what has expired.

    `busy_s`: how long a write waits for another process's lock.
    """

    def __init__(
        self,
        path: Path,
        now_ms: Callable[[], int] = _wall_ms,
        *,
        busy_s: float = BUSY_S,
        expire_s: float = MAINTENANCE_INTERVAL_S,
    ) -> None:
        super().__init__(path, now_ms)
        self._writer = SqliteWriter(path, now_ms, busy_s)
        self._thread = ThreadPoolExecutor(1, "sqlite-write")
        self._committing = asyncio.Lock()
        self._gathering: _Group | None = None
        self._expire_s, self._expired_s = expire_s, time.monotonic()

    async def write(self, tables: Sequence[Table]) -> None:
        """See Sink. What comes while a commit runs shares the next one."""
        group = self._gathering
        if group is None:
            group = self._gathering = _Group()
            group.task = asyncio.create_task(self._run(group), name="sqlite-commit")
        place = len(group.writes)
        group.writes.append(tables)
        answer = (await asyncio.shield(group.task))[place]
        if answer is not None:
            raise answer

    async def prepare(self, lives: Lives) -> None:
        async with self._committing:
            await self._in_thread(lambda: self._writer.keep(lives))

    async def close(self) -> None:
        async with self._committing:
            await self._in_thread(self._writer.close)
        self._thread.shutdown()
        await self.close_reader()

    async def _run(self, group: _Group) -> Sequence[Split | Poison | None]:
        async with self._committing:
            self._gathering = None
            return await self._in_thread(lambda: self._commit(group.writes))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _commit(self, writes: Sequence[Sequence[Table]]) -> Sequence[Split | Poison | None]:
        answers = self._writer.store(writes)
        if time.monotonic() - self._expired_s > self._expire_s:
            self._expired_s = time.monotonic()
            self._writer.expire()
        return answers

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            self._writer.close()
            raise mapped(error, self.path) from error
