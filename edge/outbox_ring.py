"""What happens to batches the outbox holds: they are added, dated later, marked elsewhere, and dropped for room.

Everything here runs inside the caller's transaction.
"""

import json
import math
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from edge.dating import by_hour
from edge.outbox_dates import Dates
from edge.outbox_ledger import Ledger
from edge.outbox_schema import LISTED, OPEN, Listed, add_meta, crc_of, footprint, listed
from edge.ports import Draft
from kewang.wire.batch import Batch, Row, fixed
from kewang.wire.names import BOX_SOURCE
from kewang.wire.tally import HOUR_MS, Tally

_AT_ONCE: Final = 64
_MARKED = f"{LISTED} WHERE state > 0 ORDER BY ord LIMIT {_AT_ONCE}"
_OPEN = f"{LISTED} WHERE state = 0 ORDER BY ord LIMIT {_AT_ONCE}"


def is_heartbeat(stream: str, source: str) -> bool:
    """Whether batches of this source carry `held` and the tallies."""
    return stream == "sys" and source == BOX_SOURCE


class Ring:
    """The batches of the file. `run` and `boot` are those of this process."""

    def __init__(self, db: sqlite3.Connection, dates: Dates, ledger: Ledger, run: str, boot: str) -> None:
        self._db, self._dates, self._ledger = db, dates, ledger
        self._run, self._boot = run, boot

    def add(self, order: int, number: int, draft: Draft) -> None:
        """Keep one batch, dated and tallied if the boot is."""
        held = self._held() if is_heartbeat(draft.stream, draft.source) else None
        rows = [[mono_ms, *map(_finite, values)] for mono_ms, values in draft.rows]
        waiting: dict[str, Any] = {"bt": self._run, "q": number, "boot": self._boot, "src": draft.source}
        waiting |= {"held": held, "k": list(draft.metrics), "r": rows}
        anchor = self._dates.anchor(self._boot)
        if anchor is not None:
            self._put_dated(order, draft.stream, waiting, anchor, states=held is not None)
            return
        body = json.dumps(waiting, separators=(",", ":")).encode()
        Listed(order, draft.stream, draft.source, len(rows), footprint(body)).put(self._db)
        self._put_body(order, draft.stream, body)

    def _held(self) -> int:
        return int(self._db.execute("SELECT held_rows FROM total").fetchone()[0])

    def _put_body(self, order: int, stream: str, body: bytes) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO body VALUES (?, ?, ?, ?)", (order, stream, crc_of(order, stream, body), body)
        )

    def _put_dated(
        self, order: int, stream: str, waiting: dict[str, Any], anchor: tuple[int, int], *, states: bool
    ) -> None:
        """Date and tally the rows of `waiting` and keep them as a batch that can be sent."""
        anchor_ms, quality = anchor
        run, source, rows = waiting["bt"], waiting["src"], waiting["r"]
        dates = self._dates.date(source, anchor_ms, (row[0] for row in rows))
        hours = by_hour(dates)
        self._ledger.made(run, source, hours, order)
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
        span = (min(dates), max(dates), json.dumps(hours) if len(hours) > 1 else None)
        Listed(order, stream, source, len(rows), footprint(body), *span).put(self._db)
        self._put_body(order, stream, body)

    def sound_body(self, order: int) -> bytes | None:
        """The body of a batch; None if it is gone or fails its CRC."""
        found = self._db.execute("SELECT stream, crc, body FROM body WHERE ord = ?", (order,)).fetchone()
        return bytes(found[2]) if found and crc_of(order, found[0], found[2]) == found[1] else None

    def date_boots(self, last_boot: str, anchor: tuple[int, int] | None = None) -> None:
        """Date the undated boots up to `last_boot`, older ones first, and their waiting rows.

        `anchor` is for `last_boot`; a boot without one goes on from the last date known.
        """
        for boot in self._undated_boots(last_boot):
            known = anchor if boot == last_boot and anchor else (self._dates.last_known_ms() + 1, 0)
            self._dates.set_anchor(boot, *known)
            while waiting := self._waiting_of(boot):
                for batch in waiting:
                    self._date_waiting(batch, known)

    def _date_waiting(self, batch: Listed, anchor: tuple[int, int]) -> None:
        body = self.sound_body(batch.order)
        if body is None:
            self._lose(batch)
        else:
            # A heartbeat dated late states nothing: its rows were not tallied when it was made, and what dating
            # tallies now counts as changed, so the next heartbeats state it.
            self._put_dated(batch.order, batch.stream, json.loads(body), anchor, states=False)

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
        self._forget(batch.order)
        add_meta(self._db, "dropped_rows", batch.rows)
        add_meta(self._db, "damaged_batches", 1)

    def run_of(self, order: int) -> tuple[str, int]:
        """(run, number in it) of a batch."""
        name, first = self._db.execute(
            "SELECT name, first FROM run WHERE first <= ? ORDER BY first DESC LIMIT 1", (order,)
        ).fetchone()
        return name, order - first + 1

    def make_room(self, limit_bytes: int, now: int, *, marked_only: bool = False) -> None:
        """Drop marked batches, then open ones, oldest first, until what is held fits `limit_bytes`.

        `now` is the newest order: the time at which dropped cells count as changed.
        """
        for query in (_MARKED,) if marked_only else (_MARKED, _OPEN):
            while self._used_bytes() > limit_bytes and (found := self._find(query)):
                for batch in found:
                    if self._used_bytes() <= limit_bytes:
                        return
                    if query is _MARKED:
                        self._forget(batch.order)
                    else:
                        self.drop(batch.order, now)

    def _used_bytes(self) -> int:
        return int(self._db.execute("SELECT used_bytes FROM total").fetchone()[0])

    def _forget(self, order: int) -> None:
        self._db.execute("DELETE FROM batch WHERE ord = ?", (order,))
        self._db.execute("DELETE FROM body WHERE ord = ?", (order,))

    def drop(self, order: int, now: int) -> None:
        """Drop an open batch and count its rows; an undated one is dated first, for it must be counted in an hour."""
        for batch in self._find(f"{LISTED} WHERE ord = ?", order):
            if batch.first_ms is None:
                self.date_boots(self._boot_of(order))
        self.count_dropped(order, now)
        self._forget(order)

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


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
