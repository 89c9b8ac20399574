"""What the outbox writes: marks that wait for a commit, deflated bodies, and files as older versions laid them out."""

import shutil
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_bodies import is_packed, packed, unpacked
from edge.outbox_schema import LAYOUTS, PACKED_READER, READER, SCHEMA, Layout, connect, create
from edge.ports import Draft, Entry
from edge.upgrade.steps import outbox_schema
from kewang.wire.ack import Ack
from tests.edge.outbox_files import ANCHOR_MS, PLENTY_BYTES, dated, env, everything, fill

OUTBOXES = Path(__file__).with_name("outboxes")
OLD = LAYOUTS[-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def on_disk(path: Path, query: str) -> list[tuple[object, ...]]:
    """What another process finds, or this one after a kill."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def marked(path: Path) -> int:
    return len(on_disk(path, "SELECT 1 FROM batch WHERE state > 0"))


def store(outbox: SqliteOutbox, *entries: Entry) -> None:
    ok = tuple((entry.run, entry.number, entry.number) for entry in entries)
    assert outbox.apply(Ack(ok=ok, gt=ANCHOR_MS), {}) is not None


def left_behind(path: Path, beside: Path) -> SqliteOutbox:
    """The outbox as a kill leaves it."""
    beside.mkdir()
    for part in ("", "-wal"):
        shutil.copy(path.with_name(path.name + part), beside / (path.name + part))
    return dated(beside / path.name)


def test_a_mark_waits_for_the_next_commit(path: Path) -> None:
    outbox = dated(path)
    entries = outbox.commit([env(0, source="a"), env(0, source="b")])
    store(outbox, entries[0])
    assert everything(outbox) == entries[1:]
    assert marked(path) == 0
    outbox.commit([env(1000)])
    assert marked(path) == 1
    store(outbox, entries[1])
    outbox.close()
    assert marked(path) == 2, "an end in good order writes what waits"


def test_a_mark_that_a_kill_takes_back_costs_a_resend(path: Path, tmp_path: Path) -> None:
    outbox = dated(path)
    entries = outbox.commit([env(0, source="a"), env(0, source="b")])
    store(outbox, *entries)
    bodies = [outbox.body(entry.order) for entry in entries]
    again = left_behind(path, tmp_path / "killed")
    assert bodies == [None, None]
    assert everything(again) == entries
    store(again, *entries)
    assert (again.status().open_batches, again.status().dropped_rows) == (0, 0)
    again.close()
    outbox.close()


def test_a_commit_that_fails_takes_back_what_waited_and_loses_nothing(path: Path) -> None:
    outbox = dated(path)
    entries = outbox.commit([env(0, source="a"), env(0, source="b")])
    store(outbox, *entries)
    with pytest.raises(TypeError):
        outbox.commit([Draft("env", "a", ("temp_c",), ((1000, ("warm",)),))])  # type: ignore[arg-type]
    assert everything(outbox) == entries
    outbox.close()


@pytest.mark.parametrize("what", ["rewind", "date", "going", "damage"])
def test_whatever_else_goes_to_the_disk_takes_along_what_waits(path: Path, what: str) -> None:
    outbox = dated(path)
    first, second, third = outbox.commit([env(0, source=name) for name in "abc"], unsent=True)
    store(outbox, first)
    if what == "rewind":
        outbox.apply(Ack(rw=5, rf=ANCHOR_MS + 1), {})
    elif what == "date":
        outbox.date(ANCHOR_MS + 60_000, 2)
    elif what == "going":
        outbox.going([second.order])
    else:
        outbox._db.execute("UPDATE body SET crc = crc + 1 WHERE ord = ?", (third.order,))
        assert outbox.body(third.order) is None
    assert marked(path) == 1
    outbox.close()


@pytest.mark.parametrize("body", [b"{}", b'{"v":1,"bt":"4f1e0c9a77d2","q":1,"src":"env-1","tq":2,"r":[[0,29.1]]}'])
def test_a_short_body_is_kept_as_it_is_and_a_longer_one_by_the_dictionary(body: bytes) -> None:
    assert unpacked(packed(body)) == body
    assert is_packed(packed(body)) is (len(body) > 2)
    assert len(packed(body)) < 0.6 * len(body) + 2


def packing(path: Path, budget_bytes: int = PLENTY_BYTES) -> SqliteOutbox:
    outbox = SqliteOutbox(path, budget_bytes, "boot-1", packs=True)
    if outbox.anchor_ms is None:
        outbox.date(ANCHOR_MS, 2)
    return outbox


def test_a_deflated_body_is_the_same_body(path: Path, tmp_path: Path) -> None:
    plain, deflated = dated(tmp_path / "plain.db"), packing(path)
    for outbox in (plain, deflated):
        outbox.commit([env(start, rows=30) for start in range(0, 3_000_000, 100_000)])
    bodies = [deflated.body(entry.order) or b"" for entry in everything(deflated)]
    runs = deflated.run.encode(), plain.run.encode()
    assert [body.replace(*runs) for body in bodies] == [plain.body(entry.order) for entry in everything(plain)]
    assert deflated.status().used_bytes < 0.6 * plain.status().used_bytes
    for outbox in (plain, deflated):
        outbox.close()
    again = dated(path)
    assert [again.body(entry.order) for entry in everything(again)] == bodies
    again.close()


def test_only_a_file_with_deflated_bodies_is_closed_to_older_versions(path: Path) -> None:
    query = "SELECT value FROM meta WHERE key = 'reader'"
    dated(path).close()
    assert on_disk(path, query) == [(READER,)]
    packing(path).close()
    assert on_disk(path, query) == [(PACKED_READER,)]
    dated(path).close()
    assert on_disk(path, query) == [(PACKED_READER,)]


def test_an_outbox_that_is_alone_writes_no_file_for_readers(path: Path) -> None:
    """And still says to whoever upgrades the box which schemas it takes."""
    outbox = SqliteOutbox(path, PLENTY_BYTES, "boot-1", packs=True, alone=True)
    outbox.date(ANCHOR_MS, 2)
    entries = outbox.commit([env(0)])
    assert not path.with_name("outbox.db-shm").exists()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        on_disk(path, "SELECT 1 FROM batch")
    assert outbox_schema(path) == (PACKED_READER, SCHEMA)
    outbox.close()
    again = dated(path)
    assert everything(again) == entries
    again.close()


def test_the_file_of_an_older_version_stays_open_to_it(path: Path) -> None:
    """It has no word that would keep an older version from deflated bodies."""
    shutil.copyfile(OUTBOXES / "schema-1.db", path)
    outbox = packing(path)
    outbox.commit([env(10**9, rows=30)])
    outbox.close()
    assert on_disk(path, "PRAGMA user_version") == [(1,)]
    assert on_disk(path, "SELECT 1 FROM body WHERE substr(body, 1, 1) <> x'7b'") == []


def test_a_program_of_the_schema_before_finds_what_it_asks_for(path: Path) -> None:
    """The same tables with the same columns in the same order, the same indexes and triggers."""
    dated(path).close()
    query = """SELECT t.type, t.name, c.name, c.type FROM sqlite_master AS t, pragma_table_info(t.name) AS c
        UNION SELECT type, name, tbl_name, '' FROM sqlite_master WHERE type IN ('index', 'trigger') ORDER BY 1, 2"""
    assert on_disk(path, query) == on_disk(OUTBOXES / "schema-1.db", query)
    with closing(sqlite3.connect(path)) as db:
        count = (
            "INSERT INTO tally VALUES ('a1', 's', 5, 3, 0, 1) ON CONFLICT (run, source, hour) DO UPDATE SET made = 6"
        )
        db.execute(count)
        db.execute(count)
        assert db.execute("SELECT made FROM tally").fetchall() == [(6,)]


def made_by(layout: Layout, path: Path) -> list[Entry]:
    """An outbox in a file of this layout, with 600 batches, 200 of them stored."""
    with closing(connect(path, layout)) as db:
        create(db, layout)
    return fill(path, 600)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_without_a_head_gets_that_of_its_own_layout(layout: Layout, path: Path) -> None:
    entries = made_by(layout, path)
    with path.open("r+b") as file:
        file.write(bytes(layout.page_bytes))
    outbox = dated(path)
    assert everything(outbox) == entries[200:]
    assert (outbox.rewind, outbox.status().damaged_batches) == (9, 0)
    outbox.close()


def test_what_is_saved_of_a_file_with_deflated_bodies_is_one_too(path: Path) -> None:
    outbox = packing(path)
    entries = outbox.commit([env(start, rows=30) for start in range(0, 3_000_000, 100_000)])
    bodies = [outbox.body(entry.order) for entry in entries]
    outbox.close()
    with path.open("r+b") as file:
        file.write(bytes(512))
    again = dated(path)
    assert [again.body(entry.order) for entry in everything(again)] == bodies
    again.close()
    assert on_disk(path, "SELECT value FROM meta WHERE key = 'reader'") == [(PACKED_READER,)]


def test_the_ring_makes_room_in_lots_of_what_is_stored(path: Path) -> None:
    """Never of what is open."""
    outbox, budget_bytes = dated(path, 200_000), 200_000
    sizes = []
    for index in range(1200):
        entries = outbox.commit([env(index * 1000)])
        if index > 5:
            store(outbox, *entries)
        sizes.append(outbox.status().used_bytes)
    assert max(sizes) <= budget_bytes
    assert min(sizes[600:]) >= budget_bytes * 14 // 16
    assert len(everything(outbox)) == 6
    assert sum(before > after for before, after in pairwise(sizes)) < 40
    outbox.close()
