"""A box's disk: the outbox file, what a crash or a power cut leaves of it, and a watch on what the ring drops."""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from edge.outbox import SqliteOutbox
from edge.outbox_schema import OPEN
from edge.ports import Applied, Draft, Entry, OutboxStatus
from kewang.wire.ack import Ack
from kewang.wire.timers import Timers
from tests.stateful.truth import Reading, Truth, thinned_reading

_PARTS = ("", "-wal")
Held = dict[int, tuple[Reading, ...]]
"""Order of a batch -> its readings."""


@dataclass(frozen=True)
class Snapshot:
    """The bytes of the outbox's files at some moment, and what the batches in it are."""

    files: dict[str, bytes] = field(default_factory=dict)
    held: Held = field(default_factory=dict)


class Disk:
    """The folder of one outbox. `durable` is what an honest power cut leaves, `before` what a lying disk leaves."""

    def __init__(self, folder: Path, truth: Truth) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.truth = folder / "outbox.db", truth
        self.held: Held = {}
        self.durable = self.before = Snapshot()

    def now(self) -> Snapshot:
        """What the files hold now."""
        files = {part: self._file(part).read_bytes() for part in _PARTS if self._file(part).exists()}
        return Snapshot(files, dict(self.held))

    def _file(self, part: str) -> Path:
        return self.path.with_name(self.path.name + part)

    def synced(self) -> None:
        """A transaction is on the disk, or the disk says so."""
        self.before, self.durable = self.durable, self.now()

    def leave(self, snapshot: Snapshot) -> None:
        """The files are as in `snapshot` from now on; what came later is gone."""
        for part in (*_PARTS, "-shm"):
            self._file(part).unlink(missing_ok=True)
        for part, content in snapshot.files.items():
            self._file(part).write_bytes(content)
        kept = {reading for readings in snapshot.held.values() for reading in readings}
        gone = {reading for readings in self.held.values() for reading in readings} - kept
        self.truth.excuses.undone |= gone
        self.held = dict(snapshot.held)
        self.durable = self.before = snapshot

    def throw_away(self) -> None:
        """A new, empty card."""
        self.truth.excuses.recreated = True
        self.truth.excuses.thrown_away |= {reading for readings in self.held.values() for reading in readings}
        self.held = {}
        self.leave(Snapshot())

    def thinned(self, order: int) -> tuple[Reading, ...]:
        """The rows of a thinned batch. What a row stands for grows each time it is thinned: so it gets a new name."""
        with closing(sqlite3.connect(self.path)) as db:
            content = json.loads(db.execute("SELECT body FROM body WHERE ord = ?", (order,)).fetchone()[0])
        return tuple(thinned_reading("env", dict(zip(content["k"], row[1:], strict=True))) for row in content["r"])

    def sendings(self) -> int:
        """How often batches were marked as going."""
        with closing(sqlite3.connect(self.path)) as db:
            return sum(value for (value,) in db.execute("SELECT value FROM meta WHERE key = 'sendings'"))

    def unstated(self) -> int:
        """Cells of the ledger that no heartbeat has stated yet."""
        with closing(sqlite3.connect(self.path)) as db:
            return int(db.execute("SELECT count(*) FROM tally WHERE changed > 0").fetchone()[0])


class WatchedOutbox:
    """ports.Outbox: the real one on `disk`; the truth learns of every commit and of what leaves the ring."""

    def __init__(self, disk: Disk, budget_bytes: int, boot: str, timers: Timers, now_s: Callable[[], float]) -> None:
        self.disk, self.now_s = disk, now_s
        self.inner = SqliteOutbox(disk.path, budget_bytes, boot, timers=timers)
        self.bounded = budget_bytes < 10**7

    @property
    def run(self) -> str:
        return self.inner.run

    @property
    def rewind(self) -> int:
        return self.inner.rewind

    @property
    def anchor_ms(self) -> int | None:
        return self.inner.anchor_ms

    @property
    def sendable(self) -> bool:
        return self.inner.sendable

    def commit(self, drafts: Sequence[Draft], *, unsent: bool = False) -> list[Entry]:
        before = self.states() if self.bounded else {}
        entries = self.inner.commit(drafts, unsent=unsent)
        truth = self.disk.truth
        for entry, draft in zip(entries, drafts, strict=True):
            readings = tuple((draft.stream, int(values[0] or 0)) for _, values in draft.rows)
            self.disk.held[entry.order] = readings
            truth.committed_s.update(dict.fromkeys(readings, self.now_s()))
        if self.bounded:
            self._note_gone(before | dict.fromkeys((entry.order for entry in entries), OPEN))
        self.disk.synced()
        return entries

    def states(self) -> dict[int, int]:
        """Order -> state of every batch, as the box knows it: marks that wait for a commit too."""
        return dict(self.inner._db.execute("SELECT ord, state FROM batch"))

    def _note_gone(self, before: dict[int, int]) -> None:
        excuses, now = self.disk.truth.excuses, self.states()
        for order in now.keys() - before.keys():
            self.disk.held[order] = self.disk.thinned(order)
            self.disk.truth.thinned_batches += 1
        for order in before.keys() - now.keys():
            readings = self.disk.held.pop(order)
            if before[order] == OPEN:
                excuses.dropped.update(readings)
            else:
                excuses.left_the_ring.update(readings)

    def date(self, anchor_ms: int, time_quality: int) -> None:
        self.inner.date(anchor_ms, time_quality)
        self.disk.synced()

    def oldest_open(self, limit: int, without: Collection[int]) -> list[Entry]:
        return self.inner.oldest_open(limit, without)

    def body(self, order: int) -> bytes | None:
        return self.inner.body(order)

    def going(self, orders: Sequence[int]) -> None:
        before = self.disk.sendings()
        self.inner.going(orders)
        if self.disk.sendings() != before:
            # Two transactions: what a lying disk loses is the second, which holds nothing that matters.
            self.disk.synced()
            self.disk.synced()

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        rewind = self.inner.rewind
        applied = self.inner.apply(ack, unreadable)
        if self.inner.rewind != rewind:
            self.disk.synced()
        return applied

    def status(self) -> OutboxStatus:
        return self.inner.status()

    def close(self) -> None:
        self.inner.close()

    def kill(self) -> None:
        """The process ends without a word: what it wrote is in the files, as the system has them."""
        now = self.disk.now()
        self.inner.close()
        self.disk.leave(now)

    def cut_power(self, *, lying: bool) -> None:
        """The machine stops: marks since the last sync are lost; a lying disk loses the last synced transaction too."""
        left = self.disk.before if lying else self.disk.durable
        self.disk.truth.excuses.lied |= lying
        self.inner.close()
        self.disk.leave(left)
