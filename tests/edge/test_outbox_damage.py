"""The outbox on disk: cut short, spoiled, salvaged."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import LAYOUT
from edge.ports import Draft
from kewang.wire.ack import Ack
from tests.edge.outbox_files import (
    ANCHOR_MS,
    PLENTY_BYTES,
    ROOTS,
    batch,
    dated,
    env,
    everything,
    fill,
)

PAGE_BYTES: Final = LAYOUT.page_bytes
BLOCK_BYTES: Final = 1024
"""What a card loses at once, at least."""


def cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def zero_pages(path: Path, rng: random.Random) -> None:
    """Some pages read as zeros, as an SD card's lost blocks do."""
    with path.open("r+b") as file:
        for _ in range(3):
            file.seek(a_block(path, rng))
            file.write(bytes(BLOCK_BYTES))


def a_block(path: Path, rng: random.Random) -> int:
    """Where one begins, behind the roots."""
    return BLOCK_BYTES * rng.randrange(-(-ROOTS * PAGE_BYTES // BLOCK_BYTES), path.stat().st_size // BLOCK_BYTES)


def zero_head(path: Path, rng: random.Random) -> None:
    """The first page, which says where everything is, and another."""
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
        file.seek(a_block(path, rng))
        file.write(bytes(BLOCK_BYTES))


def flip_bits(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(20):
        content[rng.randrange(PAGE_BYTES, len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("damage", [cut, zero_pages, zero_head, flip_bits])
def test_a_damaged_file_never_stops_the_box(
    tmp_path: Path, damage: Callable[[Path, random.Random], None], seed: int
) -> None:
    """What it hands out is what was put in; it takes new batches; what it does not hand out was set aside."""
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    drafts = {}
    for index in range(300):
        (entry,) = outbox.commit([env(index * 1000, rows=2 + index % 7)])
        drafts[entry.order] = outbox.body(entry.order)
    outbox.close()
    damage(path, random.Random(seed))
    outbox = dated(path)
    for entry in everything(outbox):
        outbox.body(entry.order)
    found = [(entry, body) for entry in everything(outbox) if (body := outbox.body(entry.order)) is not None]
    assert all(drafts[entry.order] == body for entry, body in found)
    assert len(found) >= (0 if damage is cut else 250)
    (after,) = outbox.commit([env(10_000_000)])
    assert outbox.body(after.order) is not None
    status = outbox.status()
    assert status.open_batches == len(everything(outbox)) == len(found) + 1
    outbox.close()
    again = dated(path)
    assert again.status() == status
    again.close()


def test_salvage_takes_over_marks_rewind_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    entries = fill(path, 600)
    spoil_index(path)
    outbox = dated(path)
    assert (tmp_path / "outbox.db.damaged-1").exists()
    assert outbox.rewind == 9
    assert outbox.anchor_ms == ANCHOR_MS
    assert everything(outbox) == entries[200:]
    assert outbox.apply(Ack(rw=10, rf=ANCHOR_MS), {}) is not None
    assert everything(outbox) == entries
    (after,) = outbox.commit([env(599_000)])
    assert batch(outbox, after).t0_ms == ANCHOR_MS + 599_030
    outbox.close()


def test_half_a_file_is_half_saved(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    entries = fill(path, 3000)
    os.truncate(path, path.stat().st_size // 2)
    outbox = dated(path)
    assert outbox.apply(Ack(rw=10, rf=0), {}) is not None
    found = everything(outbox)
    assert set(found) <= set(entries)
    assert len(found) > 1200
    outbox.close()


def test_a_wide_hole_costs_what_was_in_it(tmp_path: Path) -> None:
    """As many batches are saved as can be read one by one, and of the others those that are whole and listed."""
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    orders = [
        entry.order for start in range(30) for entry in outbox.commit([env(start * 100_000 + n) for n in range(100)])
    ]
    bodies = [outbox.body(order) or b"?" for order in orders]
    outbox.close()
    pages = path.stat().st_size // PAGE_BYTES
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES * (pages * 2 // 5))
        file.write(bytes(PAGE_BYTES * (pages // 5)))
    with closing(sqlite3.connect(path)) as db:
        readable = sum(is_readable(db, order) for order in orders)
    left = path.read_bytes()
    outbox = dated(path)
    assert readable <= len(everything(outbox)) <= sum(body in left for body in bodies)
    assert 1000 < readable < 3000 - 300
    outbox.close()


def lose_the_way_to_the_bodies(path: Path) -> None:
    """Zero the root page of their table: what lies below it stays where it is."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'body'").fetchone()
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES * (root - 1))
        file.write(bytes(PAGE_BYTES))


@pytest.mark.parametrize("packs", [False, True])
def test_bodies_that_nothing_leads_to_are_found_in_their_pages(tmp_path: Path, packs: bool) -> None:
    """Long ones too, which lie in chains of pages; marks, dates and tallies are as they were."""
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path, PLENTY_BYTES, "boot-1", packs=packs)
    outbox.date(ANCHOR_MS, 2)
    entries = [
        entry
        for n in range(300)
        for entry in outbox.commit([env(n * 100_000, rows=(3, 40, 400)[n % 3 if n < 90 else 0])])
    ]
    bodies = {entry.order: outbox.body(entry.order) for entry in entries}
    assert max(len(body or b"") for body in bodies.values()) > 8 * PAGE_BYTES
    assert outbox.apply(Ack(ok=((outbox.run, 1, 100),), gt=ANCHOR_MS), {}) is not None
    before = outbox.status()
    outbox.close()
    lose_the_way_to_the_bodies(path)
    outbox = dated(path)
    assert outbox.status() == before
    assert outbox.apply(Ack(rw=10, rf=0), {}) is not None
    assert {entry.order: outbox.body(entry.order) for entry in everything(outbox)} == bodies
    outbox.close()


def test_what_has_left_the_ring_does_not_come_back_from_free_pages(tmp_path: Path) -> None:
    """Dropped, stored and gone, or not dated yet: their bytes lie there still, and are sound."""
    path, budget_bytes = tmp_path / "outbox.db", 40_000
    outbox = SqliteOutbox(path, budget_bytes, "boot-1")
    for index in range(60):
        outbox.commit([env(index * 1000)])
    outbox.date(ANCHOR_MS, 2)
    for index in range(60, 400):
        entries = outbox.commit([env(index * 1000)])
        if index % 3:
            outbox.apply(Ack(ok=((outbox.run, entries[0].number, entries[0].number),), gt=ANCHOR_MS), {})
    bodies, before = {entry.order: outbox.body(entry.order) for entry in everything(outbox)}, outbox.status()
    assert before.dropped_rows > 100
    outbox.close()
    lose_the_way_to_the_bodies(path)
    outbox = SqliteOutbox(path, budget_bytes, "boot-1")
    assert {entry.order: outbox.body(entry.order) for entry in everything(outbox)} == bodies
    assert outbox.status() == before
    outbox.close()


def is_readable(db: sqlite3.Connection, order: int) -> bool:
    try:
        return db.execute("SELECT body FROM body WHERE ord = ?", (order,)).fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def test_what_salvage_can_not_save_is_counted(tmp_path: Path) -> None:
    """A batch whose rows can't be read any more, but whose line in the list can, is a declared loss."""
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    first, second = outbox.commit([env(0, rows=5), env(1000, rows=7)])
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE body SET body = zeroblob(50) WHERE ord = ?", (first.order,))
        db.execute("DELETE FROM tally")
        db.commit()
    spoil_index(path)
    outbox = dated(path)
    assert everything(outbox) == [second]
    status = outbox.status()
    assert (status.damaged_batches, status.dropped_rows) == (1, 5)
    (beat,) = outbox.commit([Draft("sys", "box", ("cpu_pct",), ((2000, (3.0,)),))])
    stated = {(tally.run, tally.source): (tally.made, tally.dropped) for tally in batch(outbox, beat).tallies}
    assert stated[first.run, "env-1"] == (12, 5)
    outbox.close()


def test_totals_that_can_not_be_true_are_counted_anew(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    fill(path, 30)
    outbox = dated(path)
    right = outbox.status()
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE total SET used_bytes = used_bytes + 1000000000")
        db.commit()
    outbox = dated(path)
    assert outbox.status() == right
    outbox.close()


def test_a_rewind_raised_by_a_flipped_bit_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    fill(path, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = value + 1048576 WHERE key = 'rewind'")
        db.commit()
    outbox = dated(path)
    assert outbox.rewind == 0
    assert outbox.apply(Ack(rw=9), {}) is not None
    assert outbox.rewind == 9
    outbox.close()


def spoil_index(path: Path) -> None:
    """Zero the root page of an index, so that the file is damaged and every batch still readable."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batch_open'").fetchone()
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES * (root - 1))
        file.write(bytes(PAGE_BYTES))


def test_at_most_two_damaged_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for _ in range(4):
        fill(path, 5)
        spoil_index(path)
    outbox = dated(path)
    assert len(everything(outbox)) > 0
    outbox.close()
    assert sorted(part.name for part in tmp_path.glob("*.damaged-?")) == ["outbox.db.damaged-1", "outbox.db.damaged-2"]


def test_damage_found_while_running_is_repaired_in_place(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    for index in range(100):
        outbox.commit([env(index * 1000)])
    outbox.close()
    outbox = dated(path)
    held = len(everything(outbox))
    outbox.commit([env(200_000)])
    spoil_all_but_first_page(path)
    entries = [outbox.commit([env(300_000 + index * 1000)])[0] for index in range(5)]
    assert [entry.number for entry in entries] == [2, 3, 4, 5, 6]
    assert outbox.sendable
    assert outbox.anchor_ms == ANCHOR_MS
    assert len(everything(outbox)) <= held + 6
    outbox.close()


def spoil_all_but_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // PAGE_BYTES):
            file.seek(PAGE_BYTES * page)
            file.write(bytes(PAGE_BYTES))


def test_a_crash_between_the_two_renames_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    entries = fill(path, 30)
    path.rename(tmp_path / "outbox.db.new")
    outbox = dated(path)
    assert everything(outbox) == entries[10:]
    outbox.close()


NO_DISK: Final = """
import resource
import sys
from pathlib import Path
from typing import Final

from edge.outbox import SqliteOutbox
from edge.ports import Draft, OutboxFull

folder = Path(sys.argv[1])
outbox = SqliteOutbox(folder / "outbox.db", 1_000_000, "boot")


def commit(number: int) -> bool:
    try:
        return bool(outbox.commit([Draft("env", "env-1", ("temp_c",), ((1000 * number, (20.0,)),))]))
    except OutboxFull:
        return False


before = commit(1)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
away = folder.rename(folder.with_name("away"))
refused = [commit(number) for number in range(2, 6)]
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
away.rename(folder)
print(before, refused, commit(6), outbox.status().held_rows)
"""


def test_a_disk_that_fails_at_everything_is_waited_for(tmp_path: Path) -> None:
    """No write is taken and no file found, by salvage neither; afterwards the same outbox goes on with what it held."""
    (tmp_path / "state").mkdir()
    command = [sys.executable, "-c", NO_DISK, str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split("\n")[0] == "True [False, False, False, False] True 2", done.stdout + done.stderr
