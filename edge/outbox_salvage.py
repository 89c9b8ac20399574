"""Saving what can be read of a damaged outbox into a fresh one."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from edge.dating import by_hour
from edge.outbox_bodies import is_packed, unpacked
from edge.outbox_pages import Pages
from edge.outbox_schema import (
    LAYOUTS,
    LISTED,
    META,
    OPEN,
    PACKED_READER,
    STATES,
    Layout,
    Listed,
    add_meta,
    connect,
    crc_of,
    create,
    footprint,
    listed,
    page_bytes,
    raise_meta,
    transaction,
)
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.names import is_run, is_source

_NEAR: Final = 256
_FAR: Final = 2**40
_PAGES_AT: Final = slice(28, 32)
_FREE_PAGES_AT: Final = slice(32, 40)
_CHANGES_AT: Final = slice(24, 28)
_VALID_FOR_AT: Final = slice(92, 96)
_KIND_AT: Final = 100
_CELL_COUNT_AT: Final = 103
_LAST_CHILD_AT: Final = 108
_CELLS_AT: Final = 112
_INTERIOR: Final = 5
"""Where things are in the first page of a database file (sqlite.org/fileformat2.html, 1.3 and 1.6)."""
_OF_ROWIDS: Final = (5, 13)
_OF_KEYS: Final = (2, 10)
"""How a page of a table with rowids begins, and one of an index or a table without."""
_Cells = dict[tuple[str, str, int], int]
_Check = Callable[..., bool]


def _number(value: object, high: int = 2**53) -> bool:
    return isinstance(value, int) and 0 <= value <= high


_FACTS: Final[dict[str, _Check]] = {
    # Of which schema the fresh file is, the file itself knows: the old one may be a newer version's.
    "meta": lambda key, value: key in META and key != "schema" and _number(value),
    "anchor": lambda boot, anchor_ms, quality: (
        isinstance(boot, str) and _number(anchor_ms, MAX_DATE_MS) and quality in (0, 1, 2)
    ),
    "last": lambda source, last_ms, top_ms, run: (
        is_name(source, is_source)
        and is_name(run, is_run)
        and _number(last_ms, MAX_DATE_MS)
        and _number(top_ms, MAX_DATE_MS)
    ),
    "tally": lambda run, source, *counts: (
        is_name(run, is_run) and is_name(source, is_source) and all(map(_number, counts))
    ),
}
"""The small tables, and whether a row of one can be believed."""


def is_name(value: object, fits: Callable[[str], bool]) -> bool:
    """Whether `value` is a name of that grammar."""
    return isinstance(value, str) and fits(value)


def salvage(damaged: Path, fresh: Path) -> int:
    """Write everything readable of `damaged` into a new outbox at `fresh`; the number of batches saved.

    Batches whose CRC is wrong are counted as damaged and, where the ledger's facts about them can be read, as dropped.
    Raises sqlite3.Error if `fresh` can't be written.
    """
    _mend_head(damaged, fresh)
    new = _made(fresh)
    try:
        with transaction(new):
            saved = _copy_all(damaged, new)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        new.close()
    return saved


def _made(path: Path, layout: Layout = LAYOUTS[0]) -> sqlite3.Connection:
    """A new outbox, all of it in its file."""
    new = connect(path, layout)
    try:
        create(new, layout)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except BaseException:
        new.close()
        raise
    return new


def _open_damaged(path: Path) -> sqlite3.Connection:
    """A connection that reads on where SQLite would refuse a file that is too short."""
    db = sqlite3.connect(path, isolation_level=None)
    with contextlib.suppress(sqlite3.DatabaseError):
        db.execute("PRAGMA writable_schema = ON")
    return db


_Roots = list[tuple[str, int, str]]
"""Everything in the file by name, the page in which it begins (0: nowhere), and how it was made."""


def _roots(path: Path) -> _Roots | None:
    """Where each table begins; None if that can't be read."""
    with contextlib.closing(_open_damaged(path)) as db, contextlib.suppress(sqlite3.DatabaseError):
        return db.execute("SELECT name, rootpage, sql FROM sqlite_master ORDER BY name").fetchall()
    return None


def _mend_head(damaged: Path, beside: Path) -> None:
    """Where a file does not say any more where its tables are, a fresh one of its layout does: all are made alike."""
    found, heads = _roots(damaged), list[tuple[int, int, bytes]]()
    sample = beside.with_name(f"{beside.name}.head")
    for layout in LAYOUTS:
        _remove(sample)
        _made(sample, layout).close()
        roots = _roots(sample)
        if roots == found:
            _remove(sample)
            return
        heads.append((_likeness(damaged, sample, layout, roots or []), layout.page_bytes, sample.read_bytes()))
    _remove(sample)
    _, size, pages = max(heads)
    _give_head(damaged, size, pages)


def _remove(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _likeness(damaged: Path, sample: Path, layout: Layout, roots: _Roots) -> int:
    """How many tables and indexes of the sample seem to begin where they would in `damaged`."""
    with damaged.open("rb") as old, sample.open("rb") as new:
        return sum(_kind(old, root, layout) == _kind(new, root, layout) for _, root, _ in roots if root)


def _kind(file: BinaryIO, page: int, layout: Layout) -> tuple[int, ...]:
    file.seek(layout.page_bytes * (page - 1))
    begins = file.read(1)
    return next((kind for kind in (_OF_ROWIDS, _OF_KEYS) if begins and begins[0] in kind), ())


def _give_head(damaged: Path, size: int, pages: bytes) -> None:
    """Replace the pages that say where the tables are by those of a fresh outbox with pages of this size."""
    head = bytearray(pages[:size])
    head[_PAGES_AT] = (-(-damaged.stat().st_size // size)).to_bytes(4, "big")
    head[_FREE_PAGES_AT] = bytes(8)
    head[_VALID_FOR_AT] = head[_CHANGES_AT]
    with damaged.open("r+b") as file:
        file.write(head)
        for page in _below(head):
            file.seek(size * (page - 1))
            file.write(pages[size * (page - 1) : size * page])


def _below(head: bytearray) -> list[int]:
    """Numbers of the pages that the first page points to; none if the list of tables fits into it."""
    if head[_KIND_AT] != _INTERIOR:
        return []
    cells = [_int(head, _CELLS_AT + 2 * index, 2) for index in range(_int(head, _CELL_COUNT_AT, 2))]
    return [_int(head, cell, 4) for cell in cells] + [_int(head, _LAST_CHILD_AT, 4)]


def _int(page: bytearray, at: int, size: int) -> int:
    return int.from_bytes(page[at : at + size], "big")


def _copy_all(damaged: Path, new: sqlite3.Connection) -> int:
    with contextlib.closing(_open_damaged(damaged)) as old:
        with contextlib.suppress(sqlite3.DatabaseError):
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Salvage(old, new, damaged).copy()


class Salvage:
    """One pass over the batches of the damaged file."""

    def __init__(self, old: sqlite3.Connection, new: sqlite3.Connection, damaged: Path) -> None:
        self._old, self._new, self._page_bytes, self._damaged = old, new, page_bytes(new), damaged
        self._runs: dict[int, tuple[str, str]] = {}
        self._made: _Cells = {}
        self._top: dict[str, int] = {}
        self._saved = 0

    def copy(self) -> int:
        """Copy facts and batches, then raise tallies and dates to what the batches prove."""
        whole = {table: self._copy_facts(table, check) for table, check in _FACTS.items()}
        self._read_runs()
        for order, stream, crc, body in scan(self._old, "body"):
            if isinstance(body, bytes) and isinstance(stream, str) and crc_of(order, stream, body) == crc:
                self._keep(order, stream, body)
        if any(not self._is_saved(row[0]) for row in scan(self._old, "batch")):
            self._keep_from_leaves()
        self._count_lost()
        self._raise_tallies()
        self._raise_dates(known=whole["last"])
        return self._saved

    def _copy_facts(self, table: str, check: _Check) -> bool:
        """Copy what can be read of a small table; whether that was all."""
        with contextlib.suppress(sqlite3.DatabaseError):
            for row in self._old.execute(f"SELECT * FROM {table}"):
                if check(*row):
                    self._new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(row))})", row)
            return True
        return False

    def _read_runs(self) -> None:
        """Runs as the old file lists them; only those that a batch proves are taken over."""
        with contextlib.suppress(sqlite3.DatabaseError):
            for first, name, boot in self._old.execute("SELECT first, name, boot FROM run"):
                if is_name(name, is_run) and isinstance(boot, str):
                    self._runs[first] = (name, boot)

    def _keep(self, order: int, stream: str, body: bytes) -> None:
        content = json.loads(unpacked(body))
        run, first = content["bt"], order - content["q"] + 1
        boot = content.get("boot", self._runs.get(first, ("", ""))[1])
        batch = _as_listed(order, stream, content, footprint(len(body), self._page_bytes))
        for hour, rows in batch.hours:
            self._made[run, batch.source, hour] = self._made.get((run, batch.source, hour), 0) + rows
        if batch.last_ms is not None:
            self._top[batch.source] = max(self._top.get(batch.source, 0), batch.last_ms)
        self._new.execute("INSERT OR IGNORE INTO run VALUES (?, ?, ?)", (first, run, boot))
        batch.put(self._new, *self._mark(order))
        self._new.execute("INSERT INTO body VALUES (?, ?, ?, ?)", (order, stream, crc_of(order, stream, body), body))
        if is_packed(body):
            raise_meta(self._new, "reader", PACKED_READER)
        self._saved += 1

    def _is_saved(self, order: int) -> bool:
        return self._new.execute("SELECT 1 FROM batch WHERE ord = ?", (order,)).fetchone() is not None

    def _keep_from_leaves(self) -> None:
        """Bodies that nothing leads to any more. One counts only if it is the very one that is listed: in pages that
        were given free lie those of batches that have left, or were not dated yet."""
        size = page_bytes(self._old)
        with contextlib.closing(Pages(self._damaged, size)) as pages:
            for order, name, crc, body in pages.rows(4):
                stream = name.decode(errors="replace") if isinstance(name, bytes) else ""
                if isinstance(body, bytes) and crc_of(order, stream, body) == crc and not self._is_saved(order):
                    batch = _as_listed(order, stream, json.loads(unpacked(body)), footprint(len(body), size))
                    if self._lists(batch):
                        self._keep(order, stream, body)

    def _lists(self, batch: Listed) -> bool:
        """Whether the damaged file holds this batch, and no other under its order."""
        with contextlib.suppress(sqlite3.DatabaseError):
            found = self._old.execute(f"{LISTED} WHERE ord = ?", (batch.order,)).fetchone()
            return found is not None and listed(found)[0] == batch
        return False

    def _mark(self, order: int) -> tuple[int, int | None]:
        """State and ack time of a batch; open if that can't be read: sending again costs nothing.

        That an open one was never sent is not believed: a mark may be of an older page than the sending.
        """
        with contextlib.suppress(sqlite3.DatabaseError):
            found = self._old.execute("SELECT state, acked_ms FROM batch WHERE ord = ?", (order,)).fetchone()
            if found and found[0] in STATES and isinstance(found[1], int | None):
                return found[0], None if found[0] == OPEN else found[1]
        return OPEN, None

    def _count_lost(self) -> None:
        """Batches that are listed but have no sound body: damaged, and dropped if they were open and dated."""
        for order in [row[0] for row in scan(self._old, "batch")]:
            if self._is_saved(order):
                continue
            add_meta(self._new, "damaged_batches", 1)
            with contextlib.suppress(sqlite3.DatabaseError):
                batch, state = listed(self._old.execute(f"{LISTED} WHERE ord = ?", (order,)).fetchone())
                if state == OPEN:
                    self._drop(order, batch.source, batch.hours)

    def _drop(self, order: int, source: str, hours: list[tuple[int, int]]) -> None:
        first = max((first for first in self._runs if first <= order), default=None)
        if first is None:
            return
        run = self._runs[first][0]
        for hour, rows in hours:
            self._made[run, source, hour] = self._made.get((run, source, hour), 0) + rows
            self._new.execute(
                """INSERT INTO tally VALUES (?, ?, ?, 0, ?, 1) ON CONFLICT (run, source, hour) DO UPDATE SET
                dropped = dropped + excluded.dropped, changed = max(changed, 1)""",
                (run, source, hour, rows),
            )
            add_meta(self._new, "dropped_rows", rows)

    def _raise_tallies(self) -> None:
        """A cell counts at least the rows that were found."""
        for (run, source, hour), rows in self._made.items():
            self._new.execute(
                """INSERT INTO tally VALUES (?, ?, ?, ?, 0, 1) ON CONFLICT (run, source, hour) DO UPDATE SET
                made = max(made, excluded.made), changed = max(changed, excluded.made > made)""",
                (run, source, hour, rows),
            )

    def _raise_dates(self, *, known: bool) -> None:
        """Dates go on after those of the saved batches; if last dates are missing, after the last one of any source."""
        for source, top_ms in self._top.items():
            self._new.execute(
                """INSERT INTO last VALUES (?, ?, ?, '') ON CONFLICT (source) DO UPDATE SET
                top_ms = max(top_ms, excluded.top_ms)""",
                (source, top_ms, top_ms),
            )
        if not known:
            (last_ms,) = self._new.execute("SELECT max(top_ms) FROM last").fetchone()
            raise_meta(self._new, "floor_ms", last_ms or 0)


def _as_listed(order: int, stream: str, content: Mapping[str, Any], size: int) -> Listed:
    """A batch of this content and size on the disk, as it is listed."""
    span: tuple[int, int, str | None] | tuple[()] = ()
    if "t0" in content:
        dates = [content["t0"] + row[0] for row in content["r"]]
        hours = by_hour(dates)
        span = (min(dates), max(dates), json.dumps(hours) if len(hours) > 1 else None)
    return Listed(order, stream, content["src"], len(content["r"]), size, *span)


def scan(old: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows of `table` in order of `ord`; parts of the file that can't be read are passed over."""
    order = -1
    while (found := _next_readable(old, table, order)) is not None:
        order = found
        with contextlib.suppress(sqlite3.DatabaseError):
            row = old.execute(f"SELECT * FROM {table} WHERE ord = ?", (order,)).fetchone()
            if row is not None:
                yield row


def _next_readable(old: sqlite3.Connection, table: str, after: int) -> int | None:
    """The first order above `after` that can be read; None if there is none.

    Steps over a damaged page one by one, then, as the damage may be wide, in steps that double.
    """
    query = f"SELECT ord FROM {table} WHERE ord >= ? ORDER BY ord LIMIT 1"
    step, good = 1, None
    while step < _FAR:
        try:
            good = old.execute(query, (after + step,)).fetchone()
            break
        except sqlite3.DatabaseError:
            step = step + 1 if step < _NEAR else step * 2
    if good is None or good[0] <= after:
        return None
    return int(good[0]) if step <= _NEAR else _first_readable(old, query, after + step // 2, int(good[0]))


def _first_readable(old: sqlite3.Connection, query: str, bad: int, good: int) -> int:
    """The first order after the damage that ends between `bad` and `good`."""
    found = good
    while good - bad > 1:
        middle = (bad + good) // 2
        try:
            row = old.execute(query, (middle,)).fetchone()
        except sqlite3.DatabaseError:
            bad = middle
        else:
            good, found = middle, int(row[0]) if row else found
    return found
