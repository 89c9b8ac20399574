"""Thin, don't drop: a full ring makes its oldest open batches fewer before any is dropped.

raw ──> 1 min ──> 5 min ──> 30 min ──> dropped

A thinned batch is a new one, with a name and rows of its own; those it stands for leave in the same transaction and
count as dropped. Only batches that were never sent are thinned: what may be stored already must not be counted twice.
Everything here runs inside the caller's transaction. The rules: docs/dev/protocol.md.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from edge.dating import by_hour
from edge.outbox_ledger import Ledger
from edge.outbox_ring import UNSENT, Orders, Ring
from edge.outbox_schema import LISTED, OPEN, Listed, add_meta, listed
from edge.thinning import believed, spans, thin_batches
from kewang.wire.batch import Row
from kewang.wire.thinned import WIDTHS_S, is_thinned

_LEVELS: Final = (UNSENT, *(-width_s for width_s in WIDTHS_S))
_OF_LEVEL: Final = f"{LISTED} WHERE state = {OPEN} AND acked_ms = ? AND ord >= ?"
_BATCHES: Final = 64
_ROWS: Final = 40
"""Rows of a thinned batch: with the most metrics they fit a message."""
_FAR_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Held:
    """A batch with its content. Rows of an undated one are dated by the monotonic ms of its boot."""

    batch: Listed
    content: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        t0_ms = self.content.get("t0", 0)
        return [[t0_ms + row[0], *row[1:]] for row in self.content["r"]]

    @property
    def last_ms(self) -> int:
        """Of its last row."""
        return int(self.rows[-1][0])

    def rows_of(self, metrics: Sequence[str]) -> Iterator[Row]:
        """Its rows with a value, or None, of each of `metrics`."""
        for ms, *values in self.rows:
            named = dict(zip(self.content["k"], values, strict=True))
            yield [ms, *map(named.get, metrics)]

    @property
    def kind(self) -> tuple[object, ...]:
        """Batches of one kind can be thinned together. Columns of raw ones come and go with the values that are there;
        those of thinned ones tell which part of a source with many metrics this is."""
        names = self.content["k"]
        return self.batch.first_ms is None, self.content.get("tq"), names if is_thinned(names) else None


class Thinning:
    """The batches of one file that may be thinned. `margin_ms`: how long after its end a span is thinned at the
    earliest; what is newer may be sent any moment, and a thinned row is dated more than a small step back."""

    def __init__(self, db: sqlite3.Connection, ring: Ring, ledger: Ledger, margin_ms: int) -> None:
        self._db, self._ring, self._ledger, self._margin_ms = db, ring, ledger, margin_ms
        self._from, self._ahead_ms = dict.fromkeys(_LEVELS, 0), _FAR_MS

    @contextmanager
    def undone_with_it(self) -> Iterator[None]:
        """Around a transaction. If that fails, be it at its very end, begin at the oldest batch again: what was learned
        in it is not so."""
        try:
            yield
        except BaseException:
            self._from = dict.fromkeys(_LEVELS, 0)
            raise

    def step(self, orders: Orders, mono_ms: int) -> bool:
        """Thin some of the oldest batches of the lowest level; whether there were any. `mono_ms`: now."""
        if (anchor_ms := self._ring.anchor_ms()) is None:
            self._ring.date_older_boots()
        undated_ms = mono_ms - self._margin_ms
        # While this boot is undated all dates are of boots that have ended: their spans are over.
        dated_ms = _FAR_MS if anchor_ms is None else undated_ms + anchor_ms
        self._ahead_ms = dated_ms + 2 * self._margin_ms
        for level, width_s in zip(_LEVELS, WIDTHS_S, strict=False):
            while group := self._group(level, width_s * 1000, undated_ms, dated_ms, orders.next):
                if self._thin(group, width_s, orders):
                    return True
                self._mark([held.batch.order for held in group], -width_s)
        return False

    def _group(self, level: int, width_ms: int, undated_ms: int, dated_ms: int, now: int) -> list[Held]:
        """The oldest batches of a level, of one source and kind, whose spans are over and make a batch together."""
        group, seen = list[Held](), set[int]()
        for held in self._oldest(level, now):
            limit_ms = undated_ms if held.batch.first_ms is None else dated_ms
            if (held.last_ms // width_ms + 1) * width_ms > limit_ms or (group and held.kind != group[0].kind):
                break
            seen |= {row[0] // width_ms for row in held.rows}
            if group and len(seen) > _ROWS:
                break
            group.append(held)
        return group

    def _oldest(self, level: int, now: int) -> Iterator[Held]:
        """Batches of the source of the level's oldest one, by order."""
        if (first := self._first(level, now)) is None:
            return
        of_source = f"{_OF_LEVEL} AND stream = ? AND source = ? ORDER BY ord LIMIT {_BATCHES}"
        for row in self._db.execute(of_source, (level, first.order, first.stream, first.source)).fetchall():
            if held := self._held(listed(row)[0]):
                yield held

    def _first(self, level: int, now: int) -> Listed | None:
        """The level's oldest batch that can be thinned."""
        while found := self._db.execute(f"{_OF_LEVEL} ORDER BY ord LIMIT 1", (level, self._from[level])).fetchone():
            batch, _ = listed(found)
            self._from[level] = batch.order
            if self._held(batch):
                return batch
        self._from[level] = now
        return None

    def _held(self, batch: Listed) -> Held | None:
        """The batch with its content; None if that is damaged, not believed, or dated by a clock that was ahead: it
        goes as it is, and does not keep those behind it from being thinned."""
        body = self._ring.sound_body(batch.order)
        if body is not None and (batch.last_ms or 0) <= self._ahead_ms:
            held = Held(batch, json.loads(body))
            if is_thinned(held.content["k"]) or believed(held.content["k"], held.content["r"]):
                return held
        self._mark([batch.order], None)
        return None

    def _mark(self, batches: Sequence[int], level: int | None) -> None:
        """Thinning these to this width gains nothing."""
        self._db.executemany("UPDATE batch SET acked_ms = ? WHERE ord = ?", [(level, order) for order in batches])
        if level in self._from:
            self._from[level] = min(self._from[level], *batches)

    def _thin(self, group: Sequence[Held], width_s: int, orders: Orders) -> bool:
        """Put thinned batches in place of `group`; False if they would need as much room."""
        content, (stream, source) = group[0].content, (group[0].batch.stream, group[0].batch.source)
        metrics = sorted({name for held in group for name in held.content["k"]})
        rows = [row for held in group for row in held.rows_of(metrics)]
        made = thin_batches(metrics, spans(metrics, rows, width_s * 1000))
        bodies = [self._ring.thinned_body(orders, index, content, thin) for index, thin in enumerate(made)]
        if not made or sum(map(self._ring.size, bodies)) >= sum(held.batch.size for held in group):
            return False
        for held in group:
            self._ledger.dropped(self._ring.run_of(held.batch.order)[0], source, held.batch.hours, orders.next)
            self._ring.forget(held.batch.order)
        add_meta(self._db, "thinned_rows", len(rows))
        for thin, body in zip(made, bodies, strict=True):
            order = orders.take()
            dates = [ms for ms, _ in thin.rows] if "tq" in content else []
            self._ring.put(order, stream, source, len(thin.rows), body, dates, -width_s)
            self._ledger.made(self._ring.run, source, by_hour(dates), order)
        return True
