"""Where an outbox lives, on disk or in memory, and what its contract suites do with it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from edge.outbox import SqliteOutbox
from edge.ports import Draft, Entry, Outbox
from kewang.wire.ack import Ack
from kewang.wire.batch import Batch, decode, stamp
from tests.fake_outbox import MemoryDisk, MemoryOutbox

ANCHOR_MS = 1_785_000_000_000


PLENTY_BYTES = 50_000_000


class Place(Protocol):
    """Where an outbox lives longer than its process."""

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        """A new process with the outbox that is here; the one before has ended."""

    def spoil(self, order: int) -> None:
        """A bit of a batch's body flips."""

    def close(self) -> None: ...


class InMemory:
    def __init__(self, _: Path) -> None:
        self.disk = MemoryDisk()

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        return MemoryOutbox(self.disk, budget_bytes, boot)

    def spoil(self, order: int) -> None:
        self.disk.batches[order].spoiled = True

    def close(self) -> None:
        """Nothing to close."""


class OnDisk:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.outbox: SqliteOutbox | None = None

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        self.close()
        self.outbox = SqliteOutbox(self.path, budget_bytes, boot)
        return self.outbox

    def spoil(self, order: int) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            body = bytearray(db.execute("SELECT body FROM body WHERE ord = ?", (order,)).fetchone()[0])
            body[-3] ^= 1
            db.execute("UPDATE body SET body = ? WHERE ord = ?", (bytes(body), order))
            db.commit()

    def close(self) -> None:
        if self.outbox is not None:
            self.outbox.close()
            self.outbox = None


def env(*monos_ms: int, source: str = "env-1") -> Draft:
    return Draft("env", source, ("temp_c",), tuple((mono_ms, (29.5,)) for mono_ms in monos_ms))


def heartbeat(mono_ms: int = 1000) -> Draft:
    return Draft("sys", "box", ("cpu_pct",), ((mono_ms, (3.0,)),))


def batch(outbox: Outbox, entry: Entry) -> Batch:
    body = outbox.body(entry.order)
    assert body is not None
    return decode(stamp(body, 0, 0))


def dates(outbox: Outbox, entry: Entry) -> list[int]:
    found = batch(outbox, entry)
    return [found.t0_ms + row[0] for row in found.rows]


def everything(outbox: Outbox) -> list[Entry]:
    return outbox.oldest_open(10_000, ())


def store(outbox: Outbox, *entries: Entry, at_ms: int | None = ANCHOR_MS, rewind: int = 0) -> None:
    ok = tuple((entry.run, entry.number, entry.number) for entry in entries)
    assert outbox.apply(Ack(ok=ok, gt=at_ms, rw=rewind), {}) is not None


def batch_bytes(place: Place) -> int:
    """What one batch of one row takes."""
    outbox = place.open("boot-0")
    outbox.date(ANCHOR_MS - 1_000_000, 2)
    (entry,) = outbox.commit([env(1000)])
    used = outbox.status().used_bytes
    store(outbox, entry)
    return used
