"""The outbox on disk: SQLite in one file, one process at a time, one fsync a commit.

commit ──> open ──ack──> stored / quarantined ──ring──> gone
             ├──ring, when nothing marked is left and it was never sent──> thinned: a new open batch, for many
             └──ring, when nothing is left to thin──> gone, counted as dropped
"""

import json
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from edge.outbox_dates import Dates
from edge.outbox_file import RESERVE_BYTES, Reserve, lock, open_file, replace_damaged
from edge.outbox_ledger import Ledger
from edge.outbox_marks import Marks
from edge.outbox_ring import Orders, Ring
from edge.outbox_schema import Trouble, add_meta, allow_packed, is_full, rewind_of, settle, transaction, trouble
from edge.outbox_thin import Thinning
from edge.ports import Applied, Draft, Entry, OutboxFull, OutboxStatus
from kewang.wire.ack import Ack
from kewang.wire.batch import MAX_METRICS, MAX_ROWS
from kewang.wire.names import STREAMS, is_source
from kewang.wire.timers import Timers

_log = logging.getLogger("edge.outbox")
_T = TypeVar("_T")
_MAX_ROWS_BYTES: Final = 60_000
"""JSON of a batch's rows: leaves room for names and tallies below the 64 KiB of a message, deflated or not."""
_VALUE_BYTES: Final = 26
_PRUNE_EVERY: Final = 256
_FREED_AT_ONCE: Final = 1024 * 1024
_FREE_SPACE: Final = "free space on this disk, or check that it is healthy and mounted writable"
_ROOM_AGAIN_BYTES: Final = 16 * 1024 * 1024


class SqliteOutbox:
    """ports.Outbox in the file at `path`, for one boot (`boot` names it, so that monotonic times compare).

    `budget_bytes` is what batches may take; beside it come the log (2 MiB), a reserve for the day the disk is full
    (4 MiB) and small tables. Raises OutboxBusy, OutboxTooNew, OutboxFull. A damaged file is set aside and what can be
    read of it taken over.
    """

    def __init__(
        self,
        path: Path,
        budget_bytes: int,
        boot: str,
        *,
        timers: Timers | None = None,
        packs: bool = False,
        alone: bool = False,
    ) -> None:
        """`packs`: deflate what is kept; versions that can't inflate it then refuse the file. `alone`: nobody else can
        read the file meanwhile, which saves the card a file."""
        self._path, self._boot, self._timers, self._packs = path, boot, timers or Timers(), packs
        self._alone = alone
        self._wanted_bytes = self._budget_bytes = budget_bytes
        self._run = secrets.token_hex(6)
        self._committed = 0
        self._anchor_waits = False
        self._anchor: tuple[int, int] | None = None
        self._reserve = Reserve(path)
        self._lock = lock(path)
        try:
            with self._refusals("open"):
                self._open_anew()
                self._first = self._next = self._next_free()
        except BaseException:
            os.close(self._lock)
            raise

    def _use(self, db: sqlite3.Connection) -> None:
        self._db, self._broken = db, False
        self._dates = Dates(db, self._run, self._timers)
        self._ledger = Ledger(db)
        packs = self._packs and allow_packed(db)
        self._ring = Ring(db, self._dates, self._ledger, self._run, self._boot, packs=packs)
        self._thinning = Thinning(db, self._ring, self._ledger, int(self._timers.step_back_s * 1000))
        self._marks = Marks(db, self._ring)
        self._marks.distrust_older_versions()

    def _next_free(self) -> int:
        query = "SELECT max(coalesce((SELECT max(ord) FROM batch), 0), coalesce((SELECT max(first) FROM run), 0)) + 1"
        return int(self._db.execute(query).fetchone()[0])

    @property
    def run(self) -> str:
        """The run of this process."""
        return self._run

    @property
    def rewind(self) -> int:
        """The rewind obeyed last; 0 = none."""
        return self._attempt("read", lambda: rewind_of(self._db))

    @property
    def anchor_ms(self) -> int | None:
        """Unix ms at monotonic 0 of this boot; None while the boot is undated."""
        self._anchor = self._attempt("read", lambda: self._dates.anchor(self._boot))
        return self._anchor[0] if self._anchor else None

    @property
    def sendable(self) -> bool:
        """Whether the boot is dated and a commit came after the one that dated it."""
        return not self._anchor_waits and self.anchor_ms is not None

    def commit(self, drafts: Sequence[Draft], *, unsent: bool = False) -> list[Entry]:
        """Keep `drafts` in one transaction and make room in the ring. `unsent`: they are not sent before `going` names
        them, and may be thinned until then.

        A draft above 1,000 rows or too long for a message becomes several batches. Raises OutboxFull, and ValueError
        for a draft that no message could carry.
        """
        parts = [part for draft in drafts for part in _parts(_checked(draft))]
        if not parts:
            return []
        self._budget_bytes = self._budget_now()
        entries, following, dated = self._attempt("commit", lambda: self._commit(parts, unsent))
        self._next = following
        self._committed += 1
        self._anchor_waits = dated
        return entries

    def _commit(self, parts: Sequence[Draft], unsent: bool) -> tuple[list[Entry], int, bool]:
        """The entries, the next order, and whether the boot was dated in this transaction."""
        orders, mono_ms = Orders(self._first, self._next), max(part.rows[-1][0] for part in parts)
        with self._thinning.undone_with_it(), transaction(self._db):
            undated = self._dates.anchor(self._boot) is None
            self._marks.begin_run(self._first, self._run, self._boot)
            if self._budget_bytes < self._wanted_bytes:
                # The disk is full: the file must not grow even for a moment.
                self._make_room(self._budget_bytes - sum(map(_guess_bytes, parts)), orders, mono_ms)
            entries = [self._add(orders, part, unsent) for part in parts]
            self._make_room(self._budget_bytes, orders, mono_ms)
            if self._committed % _PRUNE_EVERY == 0:
                self._prune()
            return entries, orders.next, undated and self._dates.anchor(self._boot) is not None

    def _add(self, orders: Orders, part: Draft, unsent: bool) -> Entry:
        order = orders.take()
        self._ring.add(order, orders.number(order), part, unsent=unsent)
        return Entry(order, self._run, orders.number(order), part.stream, part.source, len(part.rows))

    def _make_room(self, limit_bytes: int, orders: Orders, mono_ms: int) -> None:
        """Until what is held fits `limit_bytes`: let go of marked batches, then thin, then drop open ones."""
        self._ring.forget_marked(limit_bytes)
        while self._ring.is_over(limit_bytes) and self._thinning.step(orders, mono_ms):
            pass
        self._ring.drop_open(limit_bytes, orders.next)

    def _prune(self) -> None:
        """Forget what nothing held refers to."""
        self._db.execute(
            """DELETE FROM run WHERE name <> ? AND first < (SELECT max(first) FROM run
            WHERE first <= (SELECT min(ord) FROM batch))""",
            (self._run,),
        )
        self._dates.prune(self._boot)
        self._ledger.prune(self._run)

    def date(self, anchor_ms: int, time_quality: int) -> None:
        """Date this boot, and before it every older boot without an anchor. On a dated boot: a correction, for rows
        not yet committed. Raises OutboxFull."""
        self._anchor_waits |= self._attempt("date", lambda: self._date((anchor_ms, time_quality)))

    def _date(self, anchor: tuple[int, int]) -> bool:
        with transaction(self._db):
            if self._dates.anchor(self._boot) is not None:
                self._dates.set_anchor(self._boot, *anchor)
                return False
            self._ring.date_boots(self._boot, anchor)
            return True

    def oldest_open(self, limit: int, without: Collection[int]) -> list[Entry]:
        """Up to `limit` open dated batches, oldest first, without the orders in `without`."""
        return self._attempt("read", lambda: self._marks.oldest_open(limit, without))

    def body(self, order: int) -> bytes | None:
        """The `fixed` JSON of a dated open batch; None if it is gone, marked, or fails its CRC (then it is dropped
        and counted here and now)."""
        return self._attempt("read", lambda: self._body(order))

    def _body(self, order: int) -> bytes | None:
        if not self._marks.is_sendable(order):
            return None
        body = self._ring.sound_body(order)
        if body is None:
            with transaction(self._db):
                self._ring.drop(order, self._next)
                add_meta(self._db, "damaged_batches", 1)
            _log.error("batch %d of the outbox failed its checksum: dropped and counted", order)
        return body

    def going(self, orders: Sequence[int]) -> None:
        """These are sent from now on: no power cut makes them such as may be thinned. Raises OutboxFull."""
        self._attempt("mark", lambda: self._marks.going(orders))

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        """Obey an ack: rewind, then marks. `unreadable`: CRC of a payload on its way -> its order. None if the whole
        ack is to be ignored. Raises OutboxFull."""
        return self._attempt("mark", lambda: self._marks.apply(ack, unreadable, self._next))

    def status(self) -> OutboxStatus:
        """What the outbox holds."""
        return replace(self._attempt("read", self._marks.status), budget_bytes=self._budget_bytes)

    def close(self) -> None:
        """Let go of the file. What was acknowledged last is kept, if the disk takes it."""
        with suppress(sqlite3.Error):
            settle(self._db)
        with suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)

    def _attempt(self, what: str, operation: Callable[[], _T]) -> _T:
        """Do it. After damage: on the file opened anew, for an I/O error may have confused what is in memory, then on
        what can be saved. On a full disk: after marked batches made room. Each once."""
        remedies = {Trouble.DAMAGED: [self._open_anew, self._replace_damaged], Trouble.REFUSED: [self._free_space]}
        with self._refusals(what):
            if self._broken:
                self._open_anew()
        while True:
            with self._refusals(what):
                try:
                    return operation()
                except sqlite3.Error as error:
                    if not (left := remedies.get(trouble(error))):
                        raise
                    _log.warning("outbox: %s: %s", what, error)
                left.pop(0)()

    @contextmanager
    def _refusals(self, what: str) -> Iterator[None]:
        """Say OutboxFull for what SQLite or the system can't do now."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and trouble(error) is Trouble.OTHER:
                raise
            busy = isinstance(error, sqlite3.Error) and trouble(error) is Trouble.BUSY
            remedy = "end the other program that has it open" if busy else _FREE_SPACE
            raise OutboxFull(
                f"outbox {self._path}: can't {what}: {error}: {remedy}; nothing committed is lost and the agent tries "
                "again"
            ) from error

    def _replace_damaged(self) -> None:
        self._go_on_with(replace_damaged)

    def _open_anew(self) -> None:
        """Also where an exchange of the damaged file did not come to its end."""
        self._go_on_with(open_file)

    def _go_on_with(self, opened: Callable[..., sqlite3.Connection]) -> None:
        """An opened file needs some room at once: on a full disk that of the reserve."""
        self._let_go()
        try:
            self._go_on(opened(self._path, alone=self._alone))
        except (sqlite3.Error, OSError) as error:
            if not is_full(error) or not self._reserve.give():
                raise
            _log.warning("outbox: open: %s: the reserve is given", error)
            self._let_go()
            self._go_on(open_file(self._path, alone=self._alone))
        else:
            self._reserve.keep()

    def _let_go(self) -> None:
        self._broken = True
        with suppress(sqlite3.Error, AttributeError):  # at the start there is none
            self._db.close()

    def _go_on(self, db: sqlite3.Connection) -> None:
        self._use(db)
        if self._anchor is not None and self._dates.anchor(self._boot) is None:
            with transaction(db):
                self._dates.keep_anchor(self._boot, *self._anchor)

    def _free_space(self) -> None:
        """Give the reserve and the room of marked batches to what is new, and hold no more than now until the disk
        has room again: from here on the ring turns in less space."""
        self._reserve.give()
        with suppress(sqlite3.Error):
            settle(self._db)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        used = self._marks.status().used_bytes
        with transaction(self._db):
            self._ring.forget_marked(used - _FREED_AT_ONCE)
        self._budget_bytes = min(self._wanted_bytes, max(used, RESERVE_BYTES // 2))

    def _budget_now(self) -> int:
        with suppress(OSError):
            short = self._budget_bytes < self._wanted_bytes or not self._reserve.held
            if short and shutil.disk_usage(self._path.parent).free > _ROOM_AGAIN_BYTES:
                self._reserve.keep()
                return self._wanted_bytes
        return self._budget_bytes


def _checked(draft: Draft) -> Draft:
    if draft.stream not in STREAMS or not is_source(draft.source):
        raise ValueError(f"{draft.stream}/{draft.source} names no source: use one of {', '.join(STREAMS)} and a name")
    if not 0 < len(draft.metrics) <= MAX_METRICS:
        raise ValueError(f"source {draft.source} has {len(draft.metrics)} metrics, the limit is {MAX_METRICS}")
    return draft


def _parts(draft: Draft) -> Iterator[Draft]:
    """`draft` in pieces that fit a message."""
    if len(draft.rows) > MAX_ROWS:
        for start in range(0, len(draft.rows), MAX_ROWS):
            yield from _parts(replace(draft, rows=draft.rows[start : start + MAX_ROWS]))
    elif draft.rows and _fits(draft):
        yield draft
    elif len(draft.rows) > 1:
        middle = len(draft.rows) // 2
        yield from _parts(replace(draft, rows=draft.rows[:middle]))
        yield from _parts(replace(draft, rows=draft.rows[middle:]))
    elif draft.rows:
        raise ValueError(f"a row of source {draft.source} is too long for a message")


def _fits(draft: Draft) -> bool:
    longest = max(len(values) for _, values in draft.rows)
    if len(draft.rows) * (longest + 1) * _VALUE_BYTES <= _MAX_ROWS_BYTES:
        return True
    return len(json.dumps([[mono_ms, *values] for mono_ms, values in draft.rows])) <= _MAX_ROWS_BYTES


def _guess_bytes(draft: Draft) -> int:
    """About what a draft will take."""
    return 512 + sum(10 + 8 * len(values) for _, values in draft.rows)
