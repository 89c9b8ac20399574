"""What happened: every incident as it was last known, and its timeline, in the gateway's file; for pages and commands.

The file is the gateway's decisions, not the city's readings: it is small, and it is backed up.
"""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gateway.incidents.facts import Step, facts_of, incident_of
from gateway.incidents.model import Change, Incident
from gateway.notify.outbox_file import is_damaged, set_aside

log = logging.getLogger(__name__)

KEPT: Final = 20_000
"""Incidents that are over and still remembered."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS incident (
    number INTEGER PRIMARY KEY, opened_s REAL NOT NULL, ended_s REAL, facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS incident_ended ON incident (ended_s);
CREATE TABLE IF NOT EXISTS change (
    number INTEGER NOT NULL, at_s REAL NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
    devices INTEGER NOT NULL, back INTEGER NOT NULL, PRIMARY KEY (number, at_s, what)
) WITHOUT ROWID;
"""


class Chronicle:
    """The file at `path`; a damaged one is set aside. Its calls block for a commit; any thread may call.

    Raises sqlite3.Error: try again.
    """

    def __init__(self, path: Path, kept: int = KEPT) -> None:
        self._turn, self._kept = threading.Lock(), kept
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            log.error("the chronicle of incidents %s is damaged and is set aside: %s", path, error)
            set_aside(path)
            self._db = _open(path)

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._db.close()

    def write(self, changes: Sequence[Change], open_: Iterable[Incident], now_s: float) -> None:
        """Note what changed, and how the open incidents are now; of any other that is open here nothing was said at its
        end. The same again changes nothing."""
        newest = {incident.number: incident for incident in (*(change.incident for change in changes), *open_)}
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?)", map(_row, newest.values()))
                self._end_others(newest.keys(), now_s)
                self._db.executemany("INSERT OR IGNORE INTO change VALUES (?, ?, ?, ?, ?, ?)", map(_step, changes))
                self._forget()
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def incidents(self, *, open_only: bool = False, limit: int = 200) -> list[Incident]:
        """The newest, those that are open first."""
        where = "WHERE ended_s IS NULL" if open_only else ""
        order = "ORDER BY ended_s IS NOT NULL, number DESC LIMIT ?"
        with self._turn:
            found = self._db.execute(f"SELECT facts FROM incident {where} {order}", (limit,)).fetchall()
        return [incident_of(json.loads(facts)) for (facts,) in found]

    def one(self, number: int) -> tuple[Incident, list[Step]] | None:
        """An incident with its timeline, oldest first; None if there is none of this number."""
        with self._turn:
            found = self._db.execute("SELECT facts FROM incident WHERE number = ?", (number,)).fetchone()
            wanted = "SELECT at_s, what, why, devices, back FROM change WHERE number = ? ORDER BY at_s"
            steps = self._db.execute(wanted, (number,)).fetchall()
        if found is None:
            return None
        return incident_of(json.loads(found[0])), [
            Step(at_s, what, json.loads(why), devices, back) for at_s, what, why, devices, back in steps
        ]

    def _end_others(self, known: Collection[int], now_s: float) -> None:
        rows = self._db.execute("SELECT number, facts FROM incident WHERE ended_s IS NULL").fetchall()
        for number, facts in rows:
            if number not in known:
                ended = json.dumps(json.loads(facts) | {"ended_s": now_s}, separators=(",", ":"))
                self._db.execute("UPDATE incident SET ended_s = ?, facts = ? WHERE number = ?", (now_s, ended, number))

    def _forget(self) -> None:
        """The oldest of those that are over."""
        over = "SELECT number FROM incident WHERE ended_s IS NOT NULL ORDER BY number DESC LIMIT -1 OFFSET ?"
        self._db.execute(f"DELETE FROM change WHERE number IN ({over})", (self._kept,))
        self._db.execute(f"DELETE FROM incident WHERE number IN ({over})", (self._kept,))


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}")
    except BaseException:
        connection.close()
        raise
    return connection


def _row(incident: Incident) -> tuple[Any, ...]:
    facts = json.dumps(facts_of(incident), separators=(",", ":"))
    return incident.number, incident.opened_s, incident.ended_s, facts


def _step(change: Change) -> tuple[Any, ...]:
    incident = change.incident
    why = json.dumps(dict(change.why), separators=(",", ":"))
    return incident.number, change.at_s, change.what, why, len(incident.devices), len(incident.back)
