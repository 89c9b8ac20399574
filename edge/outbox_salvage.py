"""Saving what can be read of a damaged outbox into a fresh one."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edge.dating import by_hour
from edge.outbox_schema import (
    OPEN,
    add_meta,
    connect,
    crc_of,
    create,
    footprint,
    meta,
    raise_meta,
    transaction,
)
from kewang.wire.tally import HOUR_MS

_NEAR: Final = 256
_FAR: Final = 2**40
_Cells = dict[tuple[str, str, int], int]


def salvage(damaged: Path, fresh: Path) -> int:
    """Write everything readable of `damaged` into a new outbox at `fresh`; the number of batches saved.

    Batches whose CRC is wrong are counted as damaged and, where the ledger's facts about them can be read, as dropped.
    Raises sqlite3.Error if `fresh` can't be written.
    """
    new = connect(fresh)
    try:
        create(new)
        with transaction(new):
            saved = _copy_all(damaged, new)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        new.close()
    return saved


def _copy_all(damaged: Path, new: sqlite3.Connection) -> int:
    old = sqlite3.connect(damaged, isolation_level=None)
    try:
        old.execute("PRAGMA writable_schema = ON")
        known_all = _copy_facts(old, new)
        return Salvage(old, new).copy(dates_known=known_all)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            return 0
        raise
    finally:
        old.close()


def _copy_facts(old: sqlite3.Connection, new: sqlite3.Connection) -> bool:
    """Copy meta, runs, anchors, last dates and tallies; whether the last dates could be read to their end."""
    whole = {table: _copy_table(old, new, table) for table in ("meta", "run", "anchor", "last", "tally")}
    return whole["last"]


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> bool:
    """Copy what can be read of a small table; whether that was all."""
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in old.execute(f"SELECT * FROM {table}"):
            new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(row))})", row)
        return True
    return False


class Salvage:
    """One pass over the batches of the damaged file."""

    def __init__(self, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
        self._old, self._new = old, new
        self._made: _Cells = {}
        self._top: dict[str, int] = {}
        self._saved = self._lost = 0

    def copy(self, *, dates_known: bool) -> int:
        """Copy the batches, then raise tallies and dates to what they prove."""
        for order, stream, crc, body in scan(self._old, "body"):
            if isinstance(body, bytes) and isinstance(stream, str) and crc_of(stream, body) == crc:
                self._keep(order, stream, body)
        self._count_lost()
        for (run, source, hour), rows in self._made.items():
            self._new.execute(
                """INSERT INTO tally VALUES (?, ?, ?, ?, 0, 1) ON CONFLICT (run, source, hour) DO UPDATE SET
                made = max(made, excluded.made)""",
                (run, source, hour, rows),
            )
        self._raise_dates(dates_known)
        add_meta(self._new, "damaged_batches", self._lost)
        return self._saved

    def _keep(self, order: int, stream: str, body: bytes) -> None:
        content = json.loads(body)
        run, source, rows = content["bt"], content["src"], content["r"]
        state, acked_ms = self._mark(order)
        span: tuple[int | None, int | None, str | None] = (None, None, None)
        if "t0" in content:
            span = self._span(run, source, [content["t0"] + row[0] for row in rows])
        self._new.execute(
            "INSERT OR IGNORE INTO run VALUES (?, ?, ?)", (order - content["q"] + 1, run, content.get("boot", ""))
        )
        self._new.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (order, stream, source, len(rows), footprint(body), state, acked_ms, *span),
        )
        self._new.execute("INSERT INTO body VALUES (?, ?, ?, ?)", (order, stream, crc_of(stream, body), body))
        self._saved += 1

    def _mark(self, order: int) -> tuple[int, int | None]:
        """State and ack time of a batch; open if that can't be read: sending again costs nothing."""
        with contextlib.suppress(sqlite3.DatabaseError):
            found = self._old.execute("SELECT state, acked_ms FROM batch WHERE ord = ?", (order,)).fetchone()
            if found and found[0] in range(4) and isinstance(found[1], int | None):
                return found[0], found[1]
        return OPEN, None

    def _span(self, run: str, source: str, dates: list[int]) -> tuple[int, int, str | None]:
        hours = by_hour(dates)
        for hour, rows in hours:
            self._made[run, source, hour] = self._made.get((run, source, hour), 0) + rows
        self._top[source] = max(self._top.get(source, 0), *dates)
        return min(dates), max(dates), json.dumps(hours) if len(hours) > 1 else None

    def _count_lost(self) -> None:
        """Batches that are listed but have no sound body: damaged, and dropped if they were open and dated."""
        for row in scan(self._old, "batch"):
            order, _, source, rows, _, state, _, first_ms, _, hours_text = row
            if self._new.execute("SELECT 1 FROM batch WHERE ord = ?", (order,)).fetchone():
                continue
            self._lost += 1
            with contextlib.suppress(ValueError, TypeError):
                hours = json.loads(hours_text) if hours_text else [(first_ms // HOUR_MS, rows)]
                if state == OPEN:
                    self._drop(order, source, hours)

    def _drop(self, order: int, source: str, hours: list[tuple[int, int]]) -> None:
        found = self._new.execute("SELECT name FROM run WHERE first <= ? ORDER BY first DESC", (order,)).fetchone()
        if found is None:
            return
        for hour, rows in hours:
            self._new.execute(
                """INSERT INTO tally VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (run, source, hour) DO UPDATE SET
                dropped = dropped + excluded.dropped, changed = max(changed, 1)""",
                (found[0], source, hour, rows, rows),
            )
            add_meta(self._new, "dropped_rows", rows)

    def _raise_dates(self, dates_known: bool) -> None:
        for source, top_ms in self._top.items():
            self._new.execute(
                """INSERT INTO last VALUES (?, ?, ?, '') ON CONFLICT (source) DO UPDATE SET
                top_ms = max(top_ms, excluded.top_ms)""",
                (source, top_ms, top_ms),
            )
            raise_meta(self._new, "wall_ms", top_ms)
        if not dates_known:
            raise_meta(self._new, "floor_ms", meta(self._new, "wall_ms"))


def scan(old: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows of `table` in order of `ord`; parts of the file that can't be read are passed over."""
    after = -1
    while (found := _next_readable(old, table, after)) is not None:
        try:
            for row in old.execute(f"SELECT * FROM {table} WHERE ord >= ? ORDER BY ord", (found,)):
                yield row
                after = row[0]
        except sqlite3.DatabaseError:
            after = max(after, found)
        else:
            return


def _next_readable(old: sqlite3.Connection, table: str, after: int) -> int | None:
    """The first order above `after` from which the table can be read; None if there is none."""

    def first_from(order: int) -> int | None:
        found = old.execute(f"SELECT ord FROM {table} WHERE ord >= ? ORDER BY ord LIMIT 1", (order,)).fetchone()
        return int(found[0]) if found else None

    step = 1
    while step < _FAR:
        try:
            return first_from(after + step)
        except sqlite3.DatabaseError:
            step = step + 1 if step < _NEAR else step * 2
    return None
