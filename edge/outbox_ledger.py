"""The ledger in the outbox: rows made and dropped per (run, source, UTC hour), inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from kewang.wire.tally import HOUR_MS, MAX_TALLIES, Tally

MAX_CELLS: Final = 20_000
"""Cells kept: ten sources for more than two months in one run."""

_COUNT = """INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, source, hour) DO UPDATE SET
    made = made + excluded.made, dropped = dropped + excluded.dropped,
    changed = iif(changed > 0, changed, excluded.changed)"""
_STATE_AGAIN = """INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, source, hour) DO UPDATE SET
    made = max(made, excluded.made), dropped = max(dropped, excluded.dropped),
    changed = iif(changed > 0, changed, excluded.changed)"""
Hours = Sequence[tuple[int, int]]
"""(Unix hour, rows)."""


class Ledger:
    """Counts in `tally`. `changed` holds the order at which a cell began to differ from what was stated; 0 = stated."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def made(self, run: str, source: str, hours: Hours, order: int) -> None:
        """Count rows made."""
        self._db.executemany(_COUNT, [(run, source, hour, rows, 0, order) for hour, rows in hours])

    def dropped(self, run: str, source: str, hours: Hours, order: int) -> None:
        """Count rows dropped."""
        self._db.executemany(_COUNT, [(run, source, hour, 0, rows, order) for hour, rows in hours])

    def state(self) -> list[Tally]:
        """The cells that changed, those that wait longest first; they count as stated from now on."""
        cells = self._db.execute(
            "SELECT run, source, hour, made, dropped FROM tally WHERE changed > 0 ORDER BY changed LIMIT ?",
            (MAX_TALLIES,),
        ).fetchall()
        self._db.executemany(
            "UPDATE tally SET changed = 0 WHERE run = ? AND source = ? AND hour = ?", [cell[:3] for cell in cells]
        )
        return [Tally(*cell) for cell in cells]

    def state_again(self, tallies: Iterable[Tally], order: int) -> None:
        """A statement was lost: its cells count as changed, those forgotten meanwhile are taken from it."""
        self._db.executemany(_STATE_AGAIN, [(t.run, t.source, t.hour, t.made, t.dropped, order) for t in tallies])

    def state_all_again(self, order: int) -> None:
        """A statement was lost and nobody knows which: everything counts as changed."""
        self._db.execute("UPDATE tally SET changed = ? WHERE changed = 0", (order,))

    def prune(self, run: str) -> None:
        """Forget stated cells that no drop can change any more: of runs that hold no batch, then of hours past."""
        self._db.execute(
            "DELETE FROM tally WHERE changed = 0 AND run <> ? AND run NOT IN (SELECT name FROM run)", (run,)
        )
        surplus = self._db.execute("SELECT count(*) FROM tally").fetchone()[0] - MAX_CELLS
        if surplus > 0:
            self._db.execute(
                f"""DELETE FROM tally WHERE (run, source, hour) IN (SELECT run, source, hour FROM tally
                WHERE changed = 0 AND hour < coalesce((SELECT min(first_ms) FROM batch) / {HOUR_MS}, 0)
                ORDER BY hour LIMIT ?)""",
                (surplus + MAX_CELLS // 10,),
            )
