"""The outbox of an older version opens in this one, and that of the next one too, if it kept to the rule."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import READER, SCHEMA
from edge.ports import OutboxTooNew
from kewang.wire.ack import Ack
from tests.edge.outbox_files import ANCHOR_MS, PLENTY_BYTES, batch, env, everything

OUTBOXES = Path(__file__).with_name("outboxes")
HELD = {1: (22, 10, 2, 2), 2: (22, 10, 2, 2)}
"""Of each released schema's fixture: batches open, stored, quarantined, refused. A released file never changes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def states(path: Path) -> tuple[int, ...]:
    with closing(sqlite3.connect(path)) as db:
        found = dict(db.execute("SELECT state, count(*) FROM batch GROUP BY state"))
    return tuple(found.get(state, 0) for state in (0, 101, 102, 103))


def test_every_released_schema_has_its_fixture() -> None:
    assert sorted(HELD) == list(range(1, SCHEMA + 1)), "A new schema: keep a file of it in tests/edge/outboxes"
    assert {each.stem for each in OUTBOXES.glob("*.db")} == {f"schema-{version}" for version in HELD}
    assert 1 <= READER <= SCHEMA


@pytest.mark.parametrize("version", HELD)
def test_the_outbox_of_an_older_version_is_taken_over_whole(version: int, path: Path) -> None:
    shutil.copyfile(OUTBOXES / f"schema-{version}.db", path)
    assert states(path) == HELD[version]
    works(path, HELD[version][0])
    assert states(path)[1:] == (HELD[version][1] + HELD[version][0] + 2, *HELD[version][2:])


def works(path: Path, open_: int) -> None:
    """Everything that an agent does with its outbox; all that is open is read, and named."""
    outbox = SqliteOutbox(path, PLENTY_BYTES, "boot-3")
    assert outbox.status().open_batches == open_
    assert (outbox.status().rewind, outbox.status().damaged_batches) == (1_785_000_000, 0)
    outbox.date(ANCHOR_MS + 10**6, 2)
    outbox.commit([env(0), env(0, source="env-2")])
    dates = []
    for entry in everything(outbox):
        found = batch(outbox, entry)
        assert (found.run, found.number, found.source) == (entry.run, entry.number, entry.source)
        dates += [(found.source, found.t0_ms + row[0]) for row in found.rows]
        outbox.apply(Ack(rw=1_785_000_000, ok=((entry.run, entry.number, entry.number),), gt=ANCHOR_MS), {})
    assert len(dates) == len(set(dates))
    assert outbox.status().open_batches == 0
    outbox.close()


def newer(path: Path, reader: int) -> None:
    """The next version had it, and kept to the rule: what it added stands in tables and keys of its own."""
    shutil.copyfile(OUTBOXES / f"schema-{SCHEMA}.db", path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            f"""CREATE TABLE next (ord INTEGER PRIMARY KEY, more TEXT NOT NULL);
            INSERT INTO next SELECT ord, 'kept' FROM batch;
            CREATE INDEX next_more ON next (more); CREATE INDEX batch_source ON batch (source);
            INSERT OR REPLACE INTO meta VALUES ('reader', {reader}), ('next', 7);
            UPDATE meta SET value = {SCHEMA + 1} WHERE key = 'schema'; PRAGMA user_version = {SCHEMA + 1};"""
        )


def test_the_way_back_from_the_next_version_is_open(path: Path) -> None:
    newer(path, SCHEMA)
    works(path, HELD[SCHEMA][0])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,), "it is still the newer version's"
        assert db.execute("SELECT count(*), min(more) FROM next").fetchone() == (sum(HELD[SCHEMA]), "kept")
        assert db.execute("SELECT value FROM meta WHERE key = 'next'").fetchone() == (7,)


def test_a_newer_file_that_is_not_for_us_is_refused_and_kept(path: Path) -> None:
    newer(path, SCHEMA + 1)
    kept = path.read_bytes()
    with pytest.raises(OutboxTooNew, match="install that version again"):
        SqliteOutbox(path, PLENTY_BYTES, "boot-3")
    assert path.read_bytes() == kept


def test_a_damaged_newer_file_is_salvaged_once(path: Path) -> None:
    """What was saved is a file of ours, and is no longer called a newer one."""
    newer(path, SCHEMA)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 2048)
    for _ in range(2):
        outbox = SqliteOutbox(path, PLENTY_BYTES, "boot-3")
        assert outbox.status().open_batches
        outbox.close()
    assert len(list(path.parent.glob("outbox.db.damaged-?"))) == 1
