"""Marks of batches: which are open, what an ack changes, what is held."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import Final

from edge.outbox_ring import Ring
from edge.outbox_schema import (
    LISTED,
    OPEN,
    QUARANTINED,
    REFUSED,
    STORED,
    add_meta,
    keep_rewind,
    listed,
    meta,
    raise_meta,
    rewind_of,
    transaction,
)
from edge.ports import Applied, Entry, OutboxStatus
from kewang.wire.ack import Ack

_FAR: Final = 2**62
_SENDABLE = "state = 0 AND first_ms IS NOT NULL"
_RANGE = f"{_SENDABLE} AND ord BETWEEN ? AND ?"
_UNSENT = f"state = {OPEN} AND acked_ms < 0"
_LOT: Final = 1000
"""Batches that one statement changes at most: what takes it back is kept in memory."""


class Marks:
    """Reads and sets the state of batches."""

    def __init__(self, db: sqlite3.Connection, ring: Ring) -> None:
        self._db, self._ring = db, ring

    def oldest_open(self, limit: int, without: Collection[int]) -> list[Entry]:
        """Up to `limit` open dated batches, oldest first."""
        found: list[Entry] = []
        with closing(self._db.execute(f"{LISTED} WHERE {_SENDABLE} ORDER BY ord")) as rows:
            for row in rows:
                if len(found) >= limit:
                    break
                if row[0] not in without:
                    batch, _ = listed(row)
                    name = self._ring.run_of(batch.order)
                    found.append(Entry(batch.order, *name, batch.stream, batch.source, batch.rows))
        return found

    def is_sendable(self, order: int) -> bool:
        """Whether the batch is open and dated."""
        row = self._db.execute(f"{LISTED} WHERE ord = ?", (order,)).fetchone()
        if row is None:
            return False
        batch, state = listed(row)
        return state == OPEN and batch.first_ms is not None

    def status(self) -> OutboxStatus:
        """What is held (the budget is not known here)."""
        batches, rows, open_bytes, used, undated = self._db.execute("SELECT * FROM total").fetchone()
        oldest = self._db.execute("SELECT first_ms FROM batch WHERE state = 0 ORDER BY ord LIMIT 1").fetchone()
        return OutboxStatus(
            open_batches=batches,
            held_rows=rows,
            open_bytes=open_bytes,
            used_bytes=used,
            budget_bytes=0,
            undated_batches=undated,
            dropped_rows=meta(self._db, "dropped_rows"),
            damaged_batches=meta(self._db, "damaged_batches"),
            rewind=rewind_of(self._db),
            oldest_open_ms=oldest[0] if oldest else None,
            thinned_rows=meta(self._db, "thinned_rows"),
        )

    def begin_run(self, first: int, run: str, boot: str) -> None:
        """List this run, once, as one of a version that marks what it sends."""
        if self._db.execute("INSERT OR IGNORE INTO run VALUES (?, ?, ?)", (first, run, boot)).rowcount:
            raise_meta(self._db, "marking_run", first)

    def distrust_older_versions(self) -> None:
        """After a run of a version that did not mark what it sent, everything may have been sent."""
        newest = self._db.execute("SELECT max(first) FROM run").fetchone()[0]
        if newest is not None and newest != meta(self._db, "marking_run"):
            with transaction(self._db):
                self._change(f"UPDATE batch SET acked_ms = NULL WHERE {_UNSENT}")

    def _change(self, query: str, *values: object, within: tuple[int, int] | None = None) -> None:
        """Do the UPDATE to all batches, or to those `within` two orders."""
        first, last = self._db.execute("SELECT coalesce(min(ord), 0), coalesce(max(ord), -1) FROM batch").fetchone()
        if within:
            first, last = max(first, within[0]), min(last, within[1])
        for low in range(first, last + 1, _LOT):
            self._db.execute(f"{query} AND ord BETWEEN ? AND ?", (*values, low, min(low + _LOT - 1, last)))

    def going(self, orders: Sequence[int]) -> None:
        """Mark what goes for the first time, in the last transaction but one: a disk that lies loses the last."""
        named = f"{_UNSENT} AND ord IN (SELECT value FROM json_each(?))"
        chosen = (json.dumps(list(orders)),)
        if self._db.execute(f"SELECT 1 FROM batch WHERE {named} LIMIT 1", chosen).fetchone() is None:
            return
        with transaction(self._db):
            self._db.execute(f"UPDATE batch SET acked_ms = NULL WHERE {named}", chosen)
        with transaction(self._db):
            add_meta(self._db, "sendings", 1)

    def apply(self, ack: Ack, unreadable: Mapping[int, int], now: int) -> Applied | None:
        """Obey an ack; `now` is the newest order. None if its rewind is lower than ours."""
        rewind = rewind_of(self._db)
        if ack.rw < rewind:
            return None
        if ack.rw > rewind:
            self._rewind(ack.rw, ack.rf, now)
        ranges = [found for name, low, high in ack.ok if (found := self._orders(name, low, high))]
        refused = {unreadable[crc] for crc in ack.bad if crc in unreadable}
        if not any(map(self._any_open, ranges)) and not any(map(self.is_sendable, refused)):
            return Applied(frozenset(), ack.rw > rewind)
        # A mark that is forgotten costs a resend, so it waits for the next commit.
        with transaction(self._db, durable=False):
            marked = self._store(ack, ranges) | {order for order in refused if self._refuse(order, ack.gt, now)}
        return Applied(frozenset(marked), ack.rw > rewind)

    def _rewind(self, rewind: int, since_ms: int, now: int) -> None:
        """Keep the rewind and open again what was marked by acks that no longer count."""
        no_longer = "(acked_ms IS NULL OR acked_ms >= ?)"
        with transaction(self._db):
            keep_rewind(self._db, rewind)
            refused = f"SELECT ord FROM batch WHERE state = {REFUSED} AND {no_longer}"
            for (order,) in self._db.execute(refused, (since_ms,)).fetchall():
                self._ring.take_back_dropped(order, now)
            query = f"UPDATE batch SET state = {OPEN}, acked_ms = NULL WHERE state <> {OPEN} AND {no_longer}"
            self._change(query, since_ms)

    def _orders(self, name: str, low: int, high: int) -> tuple[int, int] | None:
        """First and last order of the batches `low..high` of a run; None if we never had that run."""
        found = self._db.execute(
            "SELECT first, (SELECT min(first) FROM run WHERE first > mine.first) FROM run AS mine WHERE name = ?",
            (name,),
        ).fetchone()
        if found is None:
            return None
        first, after = found[0], found[1] or _FAR
        return first + max(low, 1) - 1, min(first + high, after) - 1

    def _any_open(self, orders: tuple[int, int]) -> bool:
        return self._db.execute(f"SELECT 1 FROM batch WHERE {_RANGE} LIMIT 1", orders).fetchone() is not None

    def _store(self, ack: Ack, ranges: list[tuple[int, int]]) -> set[int]:
        """Mark open batches in `ranges`; those labelled in the ack as quarantined."""
        marked: set[int] = set()
        for orders in ranges:
            marked |= {order for (order,) in self._db.execute(f"SELECT ord FROM batch WHERE {_RANGE}", orders)}
            self._change(f"UPDATE batch SET state = {STORED}, acked_ms = ? WHERE {_SENDABLE}", ack.gt, within=orders)
        for name, number, _ in ack.nk:
            found = self._orders(name, number, number)
            if found and found[0] in marked:
                self._db.execute(f"UPDATE batch SET state = {QUARANTINED} WHERE ord = ?", (found[0],))
        return marked

    def _refuse(self, order: int, acked_ms: int | None, now: int) -> bool:
        """Mark a batch that no gateway can read and count its rows as dropped."""
        if not self.is_sendable(order):
            return False
        self._ring.count_dropped(order, now)
        query = f"UPDATE batch SET state = {REFUSED}, acked_ms = ? WHERE ord = ? AND state = {OPEN}"
        self._db.execute(query, (acked_ms, order))
        return True
