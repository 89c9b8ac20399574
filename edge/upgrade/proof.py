"""Whether readings arrive in the database, as the outbox has it: what the gateway acknowledged as stored.

Reads tables and states that every schema keeps (decision 35), in a connection that can't write.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Final

from edge.outbox_schema import STORED
from kewang.wire.names import BOX_SOURCE

HOUR_MS: Final = 3_600_000
_Source = tuple[str, str]
"""(stream, source)."""
_NOWS: Final = """SELECT last_ms FROM batch WHERE stream = 'sys' AND source = ? AND last_ms IS NOT NULL
    ORDER BY ord DESC LIMIT 5"""
"""Dates of the newest heartbeats."""
_WANTED: Final = """SELECT DISTINCT stream, source FROM batch WHERE state = ? AND stream <> 'evt'
    AND last_ms BETWEEN ? AND ?"""
_GIVEN: Final = "SELECT DISTINCT stream, source FROM batch WHERE state = ? AND ord > ?"


@dataclass(frozen=True, slots=True)
class Before:
    """How it was before a start: the newest batch, and who delivered within an hour. Events come when they come."""

    newest: int
    sources: frozenset[_Source]


def before(outbox: Path) -> Before:
    """How it is now. Raises sqlite3.Error for an outbox that can't be read."""
    if not outbox.exists():
        return Before(0, frozenset())
    with closing(_open(outbox)) as db:
        (newest,) = db.execute("SELECT coalesce(max(ord), 0) FROM batch").fetchone()
        # A wrong clock may have dated some of it; most of the newest heartbeats say when now is.
        now_ms = median_low([ms for (ms,) in db.execute(_NOWS, (BOX_SOURCE,))] or [0])
        wanted = db.execute(_WANTED, (STORED, now_ms - HOUR_MS, now_ms + HOUR_MS))
        return Before(newest, frozenset(wanted.fetchall()))


def missing(outbox: Path, was: Before) -> str:
    """Which of the sources that delivered before have no stored reading since, in words; empty if none."""
    try:
        with closing(_open(outbox)) as db:
            given = set(db.execute(_GIVEN, (STORED, was.newest)).fetchall())
    except sqlite3.Error as error:
        return f"anything (the outbox can't be read: {error})"
    if not was.sources:
        return "" if given else "any source"
    return ", ".join(sorted(source for _, source in was.sources - given))


def _open(outbox: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{outbox.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
