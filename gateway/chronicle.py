"""What happened: every incident as it was last known, its timeline, and the turns at which people were told.

For pages and commands. The file is the gateway's decisions, not the city's readings: it is small, and it is backed up.
"""

import json
import logging
import math
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from gateway.found import Query
from gateway.incidents.facts import Step, facts_of, incident_of
from gateway.incidents.maintenance import Window, window_of
from gateway.incidents.model import Change, Incident
from gateway.notify.outbox_file import check_version, check_whole, committing, is_damaged, open_to_read, set_aside
from gateway.turns import KEPT_TURN_BYTES, KEPT_TURNS, TURN_SCHEMA, Turn, readable, row_of
from kewang.wire.placement import Place

log = logging.getLogger(__name__)

KEPT: Final = 20_000
"""Incidents that are over and still remembered."""
_SOME: Final = 500
STEPS_SHOWN: Final = 1000
UNTOLD_S: Final = 3600.0
"""What was written down longer after the last turn that is known as told, was told."""
WINDOWS_KEPT: Final = 2000
"""Windows of maintenance that are remembered."""
SCHEMA_VERSION: Final = 1
"""0: without turns."""
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS incident (
    number INTEGER PRIMARY KEY, opened_s REAL NOT NULL, ended_s REAL, facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS incident_ended ON incident (ended_s);
CREATE TABLE IF NOT EXISTS change (
    number INTEGER NOT NULL, at_s REAL NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
    devices INTEGER NOT NULL, back INTEGER NOT NULL, PRIMARY KEY (number, at_s, what)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS maintenance (number INTEGER PRIMARY KEY, ended_s REAL, facts TEXT NOT NULL);
{TURN_SCHEMA}
PRAGMA user_version = {SCHEMA_VERSION};
"""


class Chronicle:
    """The file at `path`; a damaged one is set aside. Its calls block for a commit; any thread may call.

    `read_only`: for commands, beside a gateway that runs; the file must be there, and stays as it is.
    Raises sqlite3.Error: try again; OutboxRefused for a file of a newer gateway.
    """

    def __init__(
        self,
        path: Path,
        kept: int = KEPT,
        kept_turns: int = KEPT_TURNS,
        kept_turn_bytes: int = KEPT_TURN_BYTES,
        *,
        read_only: bool = False,
    ) -> None:
        self._turn, self._kept = threading.Lock(), kept
        self._kept_turns, self._kept_turn_bytes = kept_turns, kept_turn_bytes
        if read_only:
            self._db = open_to_read(path, SCHEMA_VERSION)
            return
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

    def write(
        self, turns: Sequence[Turn], open_: Iterable[Incident], now_s: float, windows: Iterable[Window] = ()
    ) -> int:
        """Note what changed in `turns`, and how the open incidents and `windows` of maintenance are now (all that are
        not over); of any other incident that is open here nothing was said at its end. The number of the newest turn,
        0 before the first."""
        changes = [change for turn in turns for change in turn.changes]
        newest = {incident.number: incident for incident in (*(change.incident for change in changes), *open_)}
        with self._commit() as db:
            db.executemany("INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?)", map(_row, newest.values()))
            self._end_others(newest.keys(), now_s)
            db.executemany("INSERT OR IGNORE INTO change VALUES (?, ?, ?, ?, ?, ?)", map(_step, changes))
            self._note(windows)
            db.executemany("INSERT INTO turn (now_s, whole, content) VALUES (?, ?, ?)", map(row_of, turns))
            self._forget()
            if any(turn.whole for turn in turns):
                self._forget_bytes()
            return int(db.execute("SELECT coalesce(max(id), 0) FROM turn").fetchone()[0])

    def untold(self, told: int, told_s: float) -> None:
        """Nobody was told of the turns after number `told` at `told_s`: the gateway was killed before. They are taken
        back, unless they are so many that the other file must be an older copy."""
        with self._commit() as db:
            newest_s = db.execute("SELECT max(now_s) FROM turn WHERE id > ?", (told,)).fetchone()[0]
            if newest_s is None or newest_s > told_s + UNTOLD_S:
                return
            found = db.execute("SELECT id, now_s, whole, content FROM turn WHERE id > ?", (told,)).fetchall()
            changes = [change for _, turn in readable(found) for change in turn.changes]
            taken_back = [(change.incident.number, change.at_s, change.what) for change in changes]
            db.executemany("DELETE FROM change WHERE number = ? AND at_s = ? AND what = ?", taken_back)
            db.execute("DELETE FROM turn WHERE id > ?", (told,))

    def places(self) -> dict[str, Place]:
        """Where the devices were when it was written last."""
        with self._turn:
            since = "SELECT coalesce(max(id), 0) FROM turn WHERE whole = 1"
            found = self._db.execute(f"SELECT id, now_s, whole, content FROM turn WHERE id >= ({since})").fetchall()
        known: dict[str, Place | None] = {}
        for _, turn in readable(found):
            known |= turn.places
        return {device: place for device, place in known.items() if place is not None}

    def whole_s(self) -> float:
        """When the newest whole turn was (Unix s); -inf: never."""
        with self._turn:
            found = self._db.execute("SELECT now_s FROM turn WHERE whole = 1 ORDER BY id DESC LIMIT 1").fetchone()
        return -math.inf if found is None else float(found[0])

    def turn_before(self, before_s: float) -> int:
        """The number of the newest whole turn before that time, with which who goes through them begins; else 0."""
        wanted = "SELECT coalesce(max(id), 0) FROM turn WHERE whole = 1 AND now_s < ?"
        with self._turn:
            return int(self._db.execute(wanted, (before_s,)).fetchone()[0]) if self._has_turns() else 0

    def turns(self, after: int = 0) -> Iterator[tuple[int, Turn]]:
        """The turns after that number, each with its own, in order."""
        wanted = "SELECT id, now_s, whole, content FROM turn WHERE id > ? ORDER BY id LIMIT ?"
        while True:
            with self._turn:
                found = self._db.execute(wanted, (after, _SOME)).fetchall() if self._has_turns() else []
            yield from readable(found)
            if len(found) < _SOME:
                return
            after = found[-1][0]

    def incidents(self, *, open_only: bool = False, limit: int = 200) -> list[Incident]:
        """The newest, those that are open first."""
        where = "WHERE ended_s IS NULL" if open_only else ""
        order = "ORDER BY ended_s IS NOT NULL, number DESC LIMIT ?"
        with self._turn:
            found = self._db.execute(f"SELECT facts FROM incident {where} {order}", (limit,)).fetchall()
        return [incident_of(json.loads(facts)) for (facts,) in found]

    def newest(self) -> tuple[int, int]:
        """The highest numbers of an incident and of a window of maintenance, 0 before the first."""
        with self._turn:
            wanted = [f"SELECT coalesce(max(number), 0) FROM {name}" for name in ("incident", "maintenance")]
            incident, window = (int(self._db.execute(each).fetchone()[0]) for each in wanted)
        return incident, window

    def found(self, query: Query, offset: int, limit: int) -> tuple[list[Incident], int]:
        """Those looked for, after `offset` of them, and how many there are; open ones first, then the newest."""
        where, values = query.where()
        with self._turn:
            (count,) = self._db.execute(f"SELECT count(*) FROM incident WHERE {where}", values).fetchone()
            wanted = (
                f"SELECT facts FROM incident WHERE {where} ORDER BY ended_s IS NOT NULL, number DESC LIMIT ? OFFSET ?"
            )
            found = self._db.execute(wanted, (*values, limit, offset)).fetchall()
        return [incident_of(json.loads(facts)) for (facts,) in found], count

    def one(self, number: int) -> tuple[Incident, list[Step]] | None:
        """An incident with the newest of its timeline, oldest first; None if there is none of this number."""
        with self._turn:
            found = self._db.execute("SELECT facts FROM incident WHERE number = ?", (number,)).fetchone()
            wanted = "SELECT at_s, what, why, devices, back FROM change WHERE number = ? ORDER BY at_s DESC LIMIT ?"
            steps = self._db.execute(wanted, (number, STEPS_SHOWN)).fetchall()
        if found is None:
            return None
        return incident_of(json.loads(found[0])), [
            Step(at_s, what, json.loads(why), devices, back) for at_s, what, why, devices, back in reversed(steps)
        ]

    def _has_turns(self) -> bool:
        """Not of a file that an older gateway wrote and that is only read."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0] >= 1)

    def windows(self, limit: int = 200) -> list[Window]:
        """Of maintenance, the newest first."""
        wanted = "SELECT facts FROM maintenance ORDER BY number DESC LIMIT ?"
        with self._turn:
            found = self._db.execute(wanted, (limit,)).fetchall() if self._has_turns() else []
        return [window_of(json.loads(facts)) for (facts,) in found]

    def _note(self, windows: Iterable[Window]) -> None:
        """Those of maintenance that are not over; any other that is not over here was never kept."""
        self._db.execute("DELETE FROM maintenance WHERE ended_s IS NULL")
        rows = ((one.number, one.ended_s, json.dumps(asdict(one), separators=(",", ":"))) for one in windows)
        self._db.executemany("INSERT OR REPLACE INTO maintenance VALUES (?, ?, ?)", rows)

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
        old = "SELECT number FROM maintenance ORDER BY number DESC LIMIT -1 OFFSET ?"
        self._db.execute(f"DELETE FROM maintenance WHERE number IN ({old})", (WINDOWS_KEPT,))
        self._db.execute("DELETE FROM turn WHERE id <= (SELECT max(id) FROM turn) - ?", (self._kept_turns,))

    def _forget_bytes(self) -> None:
        """The oldest turns, where all of them are too large."""
        summed = "SELECT id, sum(length(content)) OVER (ORDER BY id DESC) AS bytes FROM turn"
        over = f"SELECT max(id) FROM ({summed}) WHERE bytes > ?"
        self._db.execute(f"DELETE FROM turn WHERE id <= ({over})", (self._kept_turn_bytes,))

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        with self._turn, committing(self._db):
            yield self._db


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        check_version(connection, path, SCHEMA_VERSION)
        check_whole(connection)
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
