"""Outbox files for the tests of the one on disk."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from edge.outbox import SqliteOutbox
from edge.ports import Draft, Entry
from kewang.wire.ack import Ack
from kewang.wire.batch import Batch, decode, stamp

ANCHOR_MS: Final = 1_785_000_000_000


PLENTY_BYTES: Final = 50_000_000


ROOTS: Final = 23
"""Pages at the front in which the tables begin: without the root of `body` nothing but that file's copy is left."""


REPOSITORY: Final = Path(__file__).parents[2]


def env(start_ms: int, rows: int = 3, source: str = "env-1") -> Draft:
    metrics = ("temp_c", "rh_pct", "pm25_ugm3")
    return Draft("env", source, metrics, tuple((start_ms + index, (29.1, 78.2, 14.1)) for index in range(rows)))


def dated(path: Path, budget_bytes: int = PLENTY_BYTES, boot: str = "boot-1") -> SqliteOutbox:
    outbox = SqliteOutbox(path, budget_bytes, boot)
    if outbox.anchor_ms is None:
        outbox.date(ANCHOR_MS, 2)
    return outbox


def fill(path: Path, batches: int) -> list[Entry]:
    """An outbox with `batches` batches, the first third of them stored, closed in good order."""
    outbox = dated(path)
    entries = [entry for index in range(batches) for entry in outbox.commit([env(index * 1000)])]
    assert outbox.apply(Ack(rw=9, ok=((outbox.run, 1, batches // 3),), gt=ANCHOR_MS), {}) is not None
    outbox.close()
    return entries


def everything(outbox: SqliteOutbox) -> list[Entry]:
    return outbox.oldest_open(100_000, ())


def batch(outbox: SqliteOutbox, entry: Entry) -> Batch:
    body = outbox.body(entry.order)
    assert body is not None
    return decode(stamp(body, 0, 0))


def start(code: str, *args: str | Path | int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
