"""What happens to batches the outbox holds: they are added, dated later, marked elsewhere, and dropped for room.

Everything here runs inside the caller's transaction.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from edge.dating import by_hour
from edge.outbox_bodies import packed, unpacked
from edge.outbox_dates import Dates
from edge.outbox_ledger import Ledger
from edge.outbox_schema import (
    LISTED,
    OPEN,
    Listed,
    add_meta,
    crc_of,
    footprint,
    listed,
    page_bytes,
)
from edge.ports import Draft
from edge.thinning import Thin
from kewang.wire.batch import Batch, Row, fixed
from kewang.wire.names import BOX_SOURCE
from kewang.wire.tally import HOUR_MS, Tally
from kewang.wire.thinned import STANDS_FOR, is_thinned

_AT_ONCE: Final = 64
_MARKED = f"{LISTED} WHERE state > 0 ORDER BY ord LIMIT {_AT_ONCE}"
_OPEN = f"{LISTED} WHERE state = 0 ORDER BY ord LIMIT {_AT_ONCE}"
_LOT_BYTES: Final = 64 * 1024
_LOT_PART: Final = 16
"""Of the budget at most: room is made in lots, for each time the pages at the front are written."""


def is_heartbeat(stream: str, source: str) -> bool:
    """Whether batches of this source carry `held` and the tallies."""
    return stream == "sys" and source == BOX_SOURCE


UNSENT: Final = -1
"""In `acked_ms` of an open batch: never sent, and raw. A thinned one has its width in s there, negative as well."""


def may_be_thinned(stream: str, source: str) -> bool:
    """Events are few and each counts; heartbeats carry the tallies."""
    return stream != "evt" and not is_heartbeat(stream, source)


@dataclass(slots=True)
class Orders:
    """The orders that a transaction gives out. `first`: of this run."""

    first: int
    next: int

    def take(self) -> int:
        """The next one."""
        self.next += 1
        return self.next - 1

    def number(self, order: int) -> int:
        """The number in this run of the batch of this order."""
        return order - self.first + 1


class Ring:
    """The batches of the file. `run` and `boot` are those of this process; with `packs` bodies are kept deflated."""

    def __init__(
        self, db: sqlite3.Connection, dates: Dates, ledger: Ledger, run: str, boot: str, *, packs: bool = False
    ) -> None:
        self._db, self._dates, self._ledger = db, dates, ledger
        self.run, self._boot, self._packs = run, boot, packs
        self._page_bytes = page_bytes(db)

    def add(self, order: int, number: int, draft: Draft, *, unsent: bool = False) -> None:
        """Keep one batch, dated and tallied if the boot is. `unsent`: it is not sent before it is marked as going."""
        held = self._held() if is_heartbeat(draft.stream, draft.source) else None
        rows = [[mono_ms, *map(_finite, values)] for mono_ms, values in draft.rows]
        waiting: dict[str, Any] = {"bt": self.run, "q": number, "boot": self._boot, "src": draft.source}
        waiting |= {"held": held, "k": list(draft.metrics), "r": rows}
        anchor = self._dates.anchor(self._boot)
        thinnable = may_be_thinned(draft.stream, draft.source)
        if anchor is not None:
            mark = UNSENT if unsent and thinnable else None
            self._put_dated(order, draft.stream, waiting, anchor, mark, states=held is not None)
        else:
            self.put(order, draft.stream, draft.source, len(rows), _json(waiting), (), UNSENT if thinnable else None)

    def anchor_ms(self) -> int | None:
        """Unix ms at monotonic 0 of this boot."""
        anchor = self._dates.anchor(self._boot)
        return anchor[0] if anchor else None

    def _held(self) -> int:
        return int(self._db.execute("SELECT held_rows FROM total").fetchone()[0])

    def put(
        self, order: int, stream: str, source: str, rows: int, body: bytes, dates: Sequence[int], mark: int | None
    ) -> None:
        """Keep an open batch of this body; no dates: it is undated. `mark`: see UNSENT."""
        span: tuple[int, int, str | None] | tuple[()] = ()
        if dates:
            hours = by_hour(dates)
            span = (min(dates), max(dates), json.dumps(hours) if len(hours) > 1 else None)
        kept = self._kept(body)
        Listed(order, stream, source, rows, footprint(len(kept), self._page_bytes), *span).put(self._db, OPEN, mark)
        self._db.execute(
            "INSERT OR REPLACE INTO body VALUES (?, ?, ?, ?)", (order, stream, crc_of(order, stream, kept), kept)
        )

    def _kept(self, body: bytes) -> bytes:
        return packed(body) if self._packs else body

    def size(self, body: bytes) -> int:
        """Bytes that a batch of this body would take on the disk."""
        return footprint(len(self._kept(body)), self._page_bytes)

    def thinned_body(self, orders: Orders, index: int, content: Mapping[str, Any], thin: Thin) -> bytes:
        """Of the batch that will have the `index`-th order from now, in place of batches like `content`."""
        number, (t0_ms, _), source = orders.number(orders.next + index), thin.rows[0], content["src"]
        if "tq" not in content:
            rows = [[ms, *values] for ms, values in thin.rows]
            waiting = {"bt": self.run, "q": number, "boot": self._boot, "src": source, "held": None}
            return _json(waiting | {"k": thin.metrics, "r": rows})
        dated: list[Row] = [[ms - t0_ms, *values] for ms, values in thin.rows]
        return fixed(Batch(self.run, number, source, content["tq"], t0_ms, list(thin.metrics), dated))

    def _put_dated(
        self,
        order: int,
        stream: str,
        waiting: dict[str, Any],
        anchor: tuple[int, int],
        mark: int | None = None,
        *,
        states: bool,
    ) -> None:
        """Date and tally the rows of `waiting` and keep them as a batch that can be sent."""
        anchor_ms, quality = anchor
        run, source, rows = waiting["bt"], waiting["src"], waiting["r"]
        dates = self._dates.date(source, anchor_ms, (row[0] for row in rows))
        hours = by_hour(dates)
        self._ledger.made(run, source, hours, order)
        self._tally_thinned(waiting, dates, order)
        dated: list[Row] = [[date_ms - dates[0], *row[1:]] for date_ms, row in zip(dates, rows, strict=True)]
        body = fixed(
            Batch(
                run=run,
                number=waiting["q"],
                source=source,
                time_quality=quality,
                t0_ms=dates[0],
                metrics=waiting["k"],
                rows=dated,
                held=waiting["held"],
                tallies=self._ledger.state() if states else [],
            )
        )
        self.put(order, stream, source, len(rows), body, dates, mark)

    def _tally_thinned(self, waiting: Mapping[str, Any], dates: Sequence[int], order: int) -> None:
        """The rows that undated rows stand for were never tallied: they were made, and are dropped."""
        if not is_thinned(waiting["k"]):
            return
        index = 1 + waiting["k"].index(STANDS_FOR)
        each = ([date_ms] * row[index] for date_ms, row in zip(dates, waiting["r"], strict=True))
        hours = by_hour(chain.from_iterable(each))
        self._ledger.made(waiting["bt"], waiting["src"], hours, order)
        self._ledger.dropped(waiting["bt"], waiting["src"], hours, order)

    def sound_body(self, order: int) -> bytes | None:
        """The body of a batch; None if it is gone or fails its CRC."""
        found = self._db.execute("SELECT stream, crc, body FROM body WHERE ord = ?", (order,)).fetchone()
        return unpacked(found[2]) if found and crc_of(order, found[0], found[2]) == found[1] else None

    def date_older_boots(self) -> None:
        """Boots before this one get no anchor of their own any more."""
        found = self._db.execute(
            """SELECT boot FROM run WHERE boot <> ? AND boot NOT IN (SELECT boot FROM anchor)
            ORDER BY first DESC LIMIT 1""",
            (self._boot,),
        ).fetchone()
        if found:
            self.date_boots(found[0])

    def date_boots(self, last_boot: str, anchor: tuple[int, int] | None = None) -> None:
        """Date the undated boots up to `last_boot`, older ones first, and their waiting rows.

        `anchor` is for `last_boot`; a boot without one goes on from the last date known.
        """
        for boot in self._undated_boots(last_boot):
            given = anchor if boot == last_boot and anchor else (self._dates.last_known_ms() + 1, 0)
            known = self._dates.set_anchor(boot, *given)
            while waiting := self._waiting_of(boot):
                for batch in waiting:
                    self._date_waiting(batch, known)
        self._dates.end_dating()

    def _date_waiting(self, batch: Listed, anchor: tuple[int, int]) -> None:
        body = self.sound_body(batch.order)
        if body is None:
            self._lose(batch)
        else:
            # A heartbeat dated late states nothing: its rows were not tallied when it was made, and what dating
            # tallies now counts as changed, so the next heartbeats state it.
            mark = self._db.execute("SELECT acked_ms FROM batch WHERE ord = ?", (batch.order,)).fetchone()[0]
            self._put_dated(batch.order, batch.stream, json.loads(body), anchor, mark, states=False)

    def _undated_boots(self, last_boot: str) -> Iterator[str]:
        boots = self._db.execute(
            "SELECT boot FROM run WHERE boot NOT IN (SELECT boot FROM anchor) GROUP BY boot ORDER BY min(first)"
        ).fetchall()
        for (boot,) in boots:
            if boot == last_boot:
                break
            yield boot
        yield last_boot

    def _waiting_of(self, boot: str) -> list[Listed]:
        """The next undated batches of a boot; those of older boots are dated already."""
        return self._find(
            f"""{LISTED} WHERE first_ms IS NULL AND ord < coalesce(
            (SELECT min(first) FROM run WHERE first > (SELECT max(first) FROM run WHERE boot = ?)), {2**62})
            ORDER BY ord LIMIT {_AT_ONCE}""",
            boot,
        )

    def _find(self, query: str, *values: object) -> list[Listed]:
        return [listed(row)[0] for row in self._db.execute(query, values).fetchall()]

    def _lose(self, batch: Listed) -> None:
        """An undated batch can't be read any more: its rows count as made and dropped at the last date known."""
        hours = [(self._dates.last_known_ms() // HOUR_MS, batch.rows)]
        run = self.run_of(batch.order)[0]
        self._ledger.made(run, batch.source, hours, batch.order)
        self._ledger.dropped(run, batch.source, hours, batch.order)
        self.forget(batch.order)
        add_meta(self._db, "dropped_rows", batch.rows)
        add_meta(self._db, "damaged_batches", 1)

    def run_of(self, order: int) -> tuple[str, int]:
        """(run, number in it) of a batch."""
        name, first = self._db.execute(
            "SELECT name, first FROM run WHERE first <= ? ORDER BY first DESC LIMIT 1", (order,)
        ).fetchone()
        return name, order - first + 1

    def forget_marked(self, limit_bytes: int) -> None:
        """If what is held does not fit `limit_bytes`: let go of a lot of marked batches, oldest first."""
        if not self.is_over(limit_bytes):
            return
        wanted_bytes = limit_bytes - min(_LOT_BYTES, limit_bytes // _LOT_PART)
        while self.is_over(wanted_bytes) and (found := self._find(_MARKED)):
            for batch in found:
                if not self.is_over(wanted_bytes):
                    return
                self.forget(batch.order)

    def drop_open(self, limit_bytes: int, now: int) -> None:
        """Drop open batches, oldest first, until what is held fits `limit_bytes`.

        `now` is the newest order: the time at which dropped cells count as changed.
        """
        while self.is_over(limit_bytes) and (found := self._find(_OPEN)):
            for batch in found:
                if not self.is_over(limit_bytes):
                    return
                self.drop(batch.order, now)

    def is_over(self, limit_bytes: int) -> bool:
        """Whether what is held takes more room than that."""
        return int(self._db.execute("SELECT used_bytes FROM total").fetchone()[0]) > limit_bytes

    def forget(self, order: int) -> None:
        """Let go of a batch."""
        self._db.execute("DELETE FROM batch WHERE ord = ?", (order,))
        self._db.execute("DELETE FROM body WHERE ord = ?", (order,))

    def drop(self, order: int, now: int) -> None:
        """Drop an open batch and count its rows; an undated one is dated first, for it must be counted in an hour."""
        for batch in self._find(f"{LISTED} WHERE ord = ?", order):
            if batch.first_ms is None:
                self.date_boots(self._boot_of(order))
        self.count_dropped(order, now)
        self.forget(order)

    def _boot_of(self, order: int) -> str:
        query = "SELECT boot FROM run WHERE first <= ? ORDER BY first DESC LIMIT 1"
        return str(self._db.execute(query, (order,)).fetchone()[0])

    def count_dropped(self, order: int, now: int) -> None:
        """Count the rows of a dated open batch as dropped; what a heartbeat among them stated must be stated again."""
        for batch in self._find(f"{LISTED} WHERE ord = ? AND state = {OPEN}", order):
            self._ledger.dropped(self.run_of(order)[0], batch.source, batch.hours, now)
            add_meta(self._db, "dropped_rows", batch.rows)
            if is_heartbeat(batch.stream, batch.source):
                self._state_again(order, now)

    def take_back_dropped(self, order: int, now: int) -> None:
        """A refused batch is opened again: its rows no longer count as dropped."""
        for batch in self._find(f"{LISTED} WHERE ord = ?", order):
            hours = [(hour, -rows) for hour, rows in batch.hours]
            self._ledger.dropped(self.run_of(order)[0], batch.source, hours, now)
            add_meta(self._db, "dropped_rows", -batch.rows)

    def _state_again(self, heartbeat: int, now: int) -> None:
        body = self.sound_body(heartbeat)
        if body is None:
            self._ledger.state_all_again(now)
        else:
            self._ledger.state_again([Tally(*cell) for cell in json.loads(body).get("tl", [])], now)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
