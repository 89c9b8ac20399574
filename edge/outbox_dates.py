"""Dates in the outbox file: anchors of boots, last dates of sources, and which ms the held rows have taken."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from edge.dating import SourceDates, grid, next_date, with_digit
from edge.outbox_schema import add_meta, meta, raise_meta
from kewang.wire.batch import MIN_DATE_MS
from kewang.wire.timers import Timers

MAX_SOURCES: Final = 1000
_SPANS: Final = 1000


class Dates:
    """Reads and writes `anchor` and `last`, inside the caller's transaction.

    `floor_ms` in `meta` stands for the last date of a source that is not known.
    """

    def __init__(self, db: sqlite3.Connection, run: str, timers: Timers) -> None:
        self._db, self._run, self._timers = db, run, timers
        self._spans: dict[str, Spans] = {}

    def anchor(self, boot: str) -> tuple[int, int] | None:
        """(Unix ms at monotonic 0, time quality) of a boot; None while it is undated."""
        found = self._db.execute("SELECT anchor_ms, quality FROM anchor WHERE boot = ?", (boot,)).fetchone()
        return (int(found[0]), int(found[1])) if found else None

    def set_anchor(self, boot: str, anchor_ms: int, quality: int) -> tuple[int, int]:
        """Date a boot, or correct it for what comes: the anchor with the last digit that it has, or else the next."""
        known = self.anchor(boot)
        digit = known[0] if known else meta(self._db, "datings")
        given = with_digit(anchor_ms, digit), quality
        self.keep_anchor(boot, *given)
        return given

    def keep_anchor(self, boot: str, anchor_ms: int, quality: int) -> None:
        """As it was given."""
        self._db.execute("INSERT OR REPLACE INTO anchor VALUES (?, ?, ?)", (boot, anchor_ms, quality))

    def end_dating(self) -> None:
        """Boots were dated in this transaction: those of the next have another last digit."""
        add_meta(self._db, "datings", 1)

    def last_known_ms(self) -> int:
        """The last date given to anything."""
        (top_ms,) = self._db.execute("SELECT max(top_ms) FROM last").fetchone()
        return max(top_ms or 0, meta(self._db, "floor_ms"), MIN_DATE_MS)

    def date(self, source: str, anchor_ms: int, monos_ms: Iterable[int]) -> list[int]:
        """Dates of a source's next rows."""
        dates, free = self._of(source), self._spans.setdefault(source, Spans(self._db, source)).free
        on = grid(anchor_ms, source)
        given = [next_date(dates, anchor_ms + mono_ms, on, free, self._timers) for mono_ms in monos_ms]
        self._db.execute(
            "INSERT OR REPLACE INTO last VALUES (?, ?, ?, ?)", (source, dates.last_ms, dates.top_ms, self._run)
        )
        return given

    def _of(self, source: str) -> SourceDates:
        found = self._db.execute("SELECT last_ms, top_ms FROM last WHERE source = ?", (source,)).fetchone()
        if found is None:
            floor_ms = meta(self._db, "floor_ms")
            return SourceDates(floor_ms, floor_ms)
        return SourceDates(*found)

    def prune(self, boot: str) -> None:
        """Forget boots without batches, and the sources unheard longest when there are too many."""
        self._db.execute("DELETE FROM anchor WHERE boot <> ? AND boot NOT IN (SELECT boot FROM run)", (boot,))
        surplus = self._db.execute(
            "SELECT source, top_ms FROM last ORDER BY last_ms DESC LIMIT -1 OFFSET ?", (MAX_SOURCES,)
        ).fetchall()
        for source, top_ms in surplus:
            self._db.execute("DELETE FROM last WHERE source = ?", (source,))
            self._spans.pop(source, None)
            raise_meta(self._db, "floor_ms", top_ms)


class Spans:
    """The times from first to last row of a source's held batches, read only while its dates are in the past.

    The answer holds for dates that grow; for an earlier one the file is read again.
    """

    def __init__(self, db: sqlite3.Connection, source: str) -> None:
        self._db, self._source = db, source
        self._taken: list[tuple[int, int]] = []
        self._from_ms, self._to_ms = 0, -1

    def free(self, ms: int) -> int:
        """The first free ms, not before `ms`."""
        while True:
            if not self._from_ms <= ms <= self._to_ms:
                self._load(ms)
            hit = self._hit(ms)
            if hit is None:
                self._from_ms = ms
                return ms
            ms = hit + 1

    def _hit(self, ms: int) -> int | None:
        """The end of the span that `ms` falls into."""
        index = bisect_left(self._taken, (ms + 1,)) - 1
        return max((last for _, last in self._taken[: index + 1] if last >= ms), default=None)

    def _load(self, ms: int) -> None:
        rows = self._db.execute(
            "SELECT first_ms, last_ms FROM batch WHERE source = ? AND last_ms >= ? ORDER BY first_ms LIMIT ?",
            (self._source, ms, _SPANS),
        ).fetchall()
        self._taken = rows
        self._from_ms, self._to_ms = ms, rows[-1][0] if len(rows) == _SPANS else 2**62
