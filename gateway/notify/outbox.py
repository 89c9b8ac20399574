"""Messages on their way to people, in a file that survives `kill -9`: one SQLite database, one fsync a commit.

A message is put together with the state of who made it, so a restart neither repeats nor forgets. Before it is sent
it is claimed, afterwards marked; a claim that a killed process left is sent again with the same key.
"""

import fcntl
import json
import logging
import math
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from gateway.notify.budget import SEVERITIES
from gateway.notify.message import Message
from gateway.notify.outbox_file import OutboxRefused, committing, open_file

log = logging.getLogger(__name__)

State = Literal["waiting", "claimed", "delivered", "refused", "expired", "spared", "dropped"]
"""`refused`: the channel never takes it; `spared`: it arrived on another channel; `dropped`: too many waited."""
MAX_WAITING: Final = 20_000
MAX_ENDED: Final = 50_000
_OPEN: Final = "state IN ('waiting', 'claimed')"
_NEXT: Final = f"""
FROM message AS one WHERE channel = ? AND state = 'waiting' AND (about = '' OR NOT EXISTS (
    SELECT 1 FROM message AS before WHERE before.{_OPEN} AND before.channel = one.channel
    AND before.recipient = one.recipient AND before.about = one.about AND before.id < one.id))"""
_CLAIM: Final = f"""
SELECT id, content, tries, unclear {_NEXT} AND due_s <= ? AND expires_s > ? ORDER BY rank DESC, id LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to be sent now. `tries` with this one; `unclear`: an earlier try may have arrived."""

    row: int
    message: Message
    tries: int
    unclear: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a message, for people. `said`: the last error."""

    key: str
    channel: str
    recipient: str
    state: State
    tries: int
    created_s: float
    due_s: float
    ended_s: float | None
    receipt: str
    said: str
    first: bool
    """It is not one that is sent instead of another."""


class Outbox:
    """The file at `path`. Its calls block for a commit; any thread may call. Errors are sqlite3's: try again.

    Not `durable`: nobody needs it after a crash, so no commit waits for the disk.
    """

    def __init__(
        self, path: Path, max_waiting: int = MAX_WAITING, max_ended: int = MAX_ENDED, *, durable: bool = True
    ) -> None:
        self.path, self._max_waiting, self._max_ended = path, max_waiting, max_ended
        self._turn = threading.Lock()
        self._db, self.set_aside = open_file(path)
        if not durable:
            self._db.execute("PRAGMA synchronous = OFF")
        self._holding: int | None = None

    def close(self) -> None:
        """Close the file and let another process send from it."""
        with self._turn:
            self._db.close()
            if self._holding is not None:
                os.close(self._holding)
                self._holding = None

    def put(self, messages: Iterable[Message], kept: Mapping[str, Any] | None = None) -> int:
        """Take `messages` and the state `kept` of who made them, all or nothing; how many are new."""
        with self._commit() as db:
            new = sum(_insert(db, message, None) for message in messages)
            states = [(name, json.dumps(state, separators=(",", ":"))) for name, state in (kept or {}).items()]
            db.executemany("INSERT INTO kept VALUES (?, ?) ON CONFLICT DO UPDATE SET json = excluded.json", states)
            if new:
                self._bound(db)
        return new

    def kept(self, name: str) -> Any:
        """The state put under that name; None if there is none that can be read."""
        with self._turn:
            found = self._db.execute("SELECT json FROM kept WHERE name = ?", (name,)).fetchone()
        try:
            return None if found is None else json.loads(found[0])
        except ValueError as error:
            log.error("what was kept as %r in %s can't be read: %s", name, self.path, error)
            return None

    def recover(self, now_s: float) -> int:
        """Be the one who sends from this file: claims of the one before are to be sent again; how many they were.

        Raises OutboxRefused while another process is it. What was made later than now, by a clock that was set back
        since, counts as made now.
        """
        self._hold()
        with self._commit() as db:
            db.execute(
                f"UPDATE message SET due_s = min(due_s, ?), expires_s = expires_s - created_s + ?, created_s = ?, "
                f"instead_s = min(instead_s, ?) WHERE {_OPEN} AND created_s > ?",
                (now_s,) * 5,
            )
            return db.execute(
                "UPDATE message SET state = 'waiting', unclear = 1, due_s = min(due_s, ?) WHERE state = 'claimed'",
                (now_s,),
            ).rowcount

    def claim(self, channel: str, now_s: float) -> Claimed | None:
        """The next message of `channel`, the worst first."""
        with self._commit() as db:
            found = db.execute(_CLAIM, (channel, now_s, now_s)).fetchone()
            if found is None:
                return None
            row, content, tries, unclear = found
            db.execute("UPDATE message SET state = 'claimed', tries = tries + 1 WHERE id = ?", (row,))
        return Claimed(row, _decoded(json.loads(content)), tries + 1, bool(unclear))

    def delivered(self, row: int, receipt: str, now_s: float) -> None:
        """The other side has taken it; what was to be sent instead is not needed any more."""
        with self._commit() as db:
            _end(db, row, "delivered", now_s, receipt=receipt)
            db.execute(
                "UPDATE message SET state = 'spared', ended_s = ? WHERE state = 'waiting' AND id != ? AND "
                "root = (SELECT root FROM message WHERE id = ?)",
                (now_s, row, row),
            )

    def later(self, row: int, due_s: float, said: str, now_s: float, *, unclear: bool) -> None:
        """It is to be tried again, unless it arrived on another channel meanwhile; `unclear`: it may have arrived."""
        with self._commit() as db:
            arrived = db.execute(
                "SELECT 1 FROM message AS one JOIN message AS other ON other.root = one.root "
                "WHERE one.id = ? AND other.state = 'delivered'",
                (row,),
            ).fetchone()
            state, ended_s = ("spared", now_s) if arrived else ("waiting", None)
            db.execute(
                "UPDATE message SET state = ?, ended_s = ?, due_s = ?, said = ?, unclear = max(unclear, ?) "
                "WHERE id = ?",
                (state, ended_s, due_s, _storable(said), unclear, row),
            )

    def refused(self, row: int, said: str, now_s: float) -> bool:
        """It will never be taken; whether something is sent instead."""
        with self._commit() as db:
            _end(db, row, "refused", now_s, said=said)
            return _instead(db, row, now_s)

    def instead(self, now_s: float, channel: str | None = None) -> int:
        """Put what is sent instead of those that wait too long, or of all that wait for `channel`; how many."""
        with self._commit() as db:
            late = db.execute(
                f"SELECT id FROM message WHERE {_OPEN} AND instead_s IS NOT NULL AND (instead_s <= ? OR channel = ? "
                "AND (tries > 0 OR due_s <= ?))",
                (now_s, channel, now_s),
            ).fetchall()
            return sum(_instead(db, row, now_s) for (row,) in late)

    def expire(self, now_s: float) -> list[Row]:
        """End what nobody needs any more; what it was."""
        with self._commit() as db:
            rows = _rows(db, "state = 'waiting' AND expires_s <= ?", now_s)
            db.execute(
                "UPDATE message SET state = 'expired', ended_s = ? WHERE state = 'waiting' AND expires_s <= ?",
                (now_s, now_s),
            )
        return rows

    def next_s(self, channel: str | None = None) -> float:
        """When `channel` has something to send, or (None) when something expires or is sent instead; inf: never."""
        with self._turn:
            if channel is not None:
                found = self._db.execute(f"SELECT min(due_s) {_NEXT}", (channel,)).fetchall()
            else:
                expires = "SELECT min(expires_s) FROM message WHERE state = 'waiting'"
                found = self._db.execute(
                    f"{expires} UNION ALL SELECT min(instead_s) FROM message WHERE {_OPEN}"
                ).fetchall()
        return min((float(at_s) for (at_s,) in found if at_s is not None), default=math.inf)

    def rows(self, key: str = "%", limit: int = 1000) -> list[Row]:
        """What became of the messages whose key is like `key` (% for any part), the newest first."""
        with self._turn:
            return _rows(self._db, "key LIKE ? ORDER BY id DESC LIMIT ?", key, limit)

    def waiting(self, now_s: float) -> dict[str, tuple[int, float]]:
        """Channel -> (messages that should have gone, how long the oldest waits in s), not those for the morning."""
        with self._turn:
            found = self._db.execute(
                f"SELECT channel, count(*), min(created_s) FROM message WHERE {_OPEN} AND (tries > 0 OR due_s <= ?) "
                "GROUP BY channel",
                (now_s,),
            ).fetchall()
        return {channel: (count, max(0.0, now_s - oldest_s)) for channel, count, oldest_s in found}

    def counts(self) -> dict[tuple[str, State], int]:
        """(channel, state) -> messages."""
        with self._turn:
            found = self._db.execute("SELECT channel, state, count(*) FROM message GROUP BY channel, state").fetchall()
        return {(channel, state): count for channel, state, count in found}

    def _hold(self) -> None:
        if self._holding is not None:
            return
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutboxRefused(
                f"another process sends from the outbox {self.path}: stop it, or name another"
            ) from None
        self._holding = descriptor

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        with self._turn, committing(self._db):
            yield self._db

    def _bound(self, db: sqlite3.Connection) -> None:
        """Drop what is least urgent and oldest when too much waits, and forget the oldest of what has ended."""
        waiting, ended = db.execute(f"SELECT sum({_OPEN}), sum(ended_s IS NOT NULL) FROM message").fetchone()
        if waiting > self._max_waiting:
            log.error("%d notices wait: the least urgent are dropped", waiting)
            db.execute(
                "UPDATE message SET state = 'dropped', ended_s = created_s WHERE id IN "
                "(SELECT id FROM message WHERE state = 'waiting' ORDER BY rank, id LIMIT ?)",
                (waiting - self._max_waiting,),
            )
        oldest = "SELECT id FROM message WHERE ended_s IS NOT NULL ORDER BY ended_s LIMIT ?"
        db.execute(f"DELETE FROM message WHERE id IN ({oldest})", (max(0, ended - self._max_ended),))


def _insert(db: sqlite3.Connection, message: Message, root: int | None) -> bool:
    """Whether it is new."""
    due_s = max(message.due_s, message.created_s)
    instead_s = due_s + message.patience_s if message.then else None
    found = db.execute(
        "INSERT INTO message (key, channel, recipient, about, content, rank, state, tries, unclear, created_s, due_s, "
        "expires_s, instead_s, root, receipt, said) VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, 0, ?, ?, ?, ?, ?, '', '') "
        "ON CONFLICT DO NOTHING",
        (
            *(message.key, message.channel, message.recipient, message.about),
            json.dumps(asdict(message), ensure_ascii=False, separators=(",", ":")),
            SEVERITIES.index(message.severity),
            *(message.created_s, due_s, message.expires_s, instead_s, root),
        ),
    )
    if found.rowcount and root is None:
        db.execute("UPDATE message SET root = id WHERE id = ?", (found.lastrowid,))
    return bool(found.rowcount)


def _instead(db: sqlite3.Connection, row: int, now_s: float) -> bool:
    """Put the next of what `row` names, once."""
    content, root, instead_s = db.execute(
        "SELECT content, root, instead_s FROM message WHERE id = ?", (row,)
    ).fetchone()
    db.execute("UPDATE message SET instead_s = NULL WHERE id = ?", (row,))
    if instead_s is None:
        return False
    first, *rest = json.loads(content)["then"]
    created_s = max(float(first["created_s"]), now_s)
    return _insert(db, _decoded(first | {"then": [*first["then"], *rest], "created_s": created_s}), root)


def _end(db: sqlite3.Connection, row: int, state: State, now_s: float, *, receipt: str = "", said: str = "") -> None:
    db.execute(
        "UPDATE message SET state = ?, ended_s = ?, receipt = ?, said = ? WHERE id = ?",
        (state, now_s, _storable(receipt), _storable(said), row),
    )


def _storable(text: str) -> str:
    """What others say, short and without lone surrogates: JSON can hold them, SQLite can't."""
    return text[:500].encode("utf-8", "replace").decode()


def _decoded(content: dict[str, Any]) -> Message:
    return Message(**content | {"then": tuple(_decoded(one) for one in content["then"])})


def _rows(db: sqlite3.Connection, where: str, *values: object) -> list[Row]:
    columns = "key, channel, recipient, state, tries, created_s, due_s, ended_s, receipt, said, root = id"
    return [Row(*found) for found in db.execute(f"SELECT {columns} FROM message WHERE {where}", values)]
