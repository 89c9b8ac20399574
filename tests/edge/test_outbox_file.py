"""The outbox on disk: killed, cut short, spoiled, full, copied, held by two."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import PAGE_BYTES, SCHEMA
from edge.ports import Draft, Entry, OutboxBusy, OutboxFull, OutboxTooNew
from kewang.wire.ack import Ack
from kewang.wire.batch import Batch, decode, stamp

ANCHOR_MS: Final = 1_785_000_000_000
PLENTY_BYTES: Final = 50_000_000
ROOTS: Final = 20
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


COMMITTING = """
import sys
from pathlib import Path
from edge.outbox import SqliteOutbox
from edge.ports import Draft
outbox = SqliteOutbox(Path(sys.argv[1]), 50_000_000, "boot-1")
if outbox.anchor_ms is None:
    outbox.date(1_785_000_000_000, 2)
for start_ms in range(0, 10**9, 1000):
    entries = outbox.commit([Draft("env", "env-1", ("temp_c",), ((start_ms, (29.5,)), (start_ms + 1, (29.6,))))] * 2)
    print(*(f"{entry.run}:{entry.number}" for entry in entries), flush=True)
"""


def test_nothing_committed_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of commits, again and again: every batch that was named is there and whole."""
    path, rng, told = tmp_path / "outbox.db", random.Random(7), list[str]()
    for _ in range(6):
        with start(COMMITTING, path) as process:
            assert process.stdout is not None
            told += [name for _ in range(rng.randint(1, 40)) for name in process.stdout.readline().split()]
            process.kill()
            told += [name for line in process.stdout if line.endswith("\n") for name in line.split()]
    outbox = dated(path)
    entries = everything(outbox)
    assert {f"{entry.run}:{entry.number}" for entry in entries} >= set(told)
    dates = [found.t0_ms + row[0] for entry in entries for found in [batch(outbox, entry)] for row in found.rows]
    assert len(dates) == len(set(dates)) == 2 * len(entries)
    assert outbox.status().damaged_batches == 0
    outbox.close()


def test_a_disk_that_lost_the_last_transaction_gives_no_name_and_no_date_twice(tmp_path: Path) -> None:
    """A power cut undoes the newest commit, though its batch was sent already."""
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    outbox.commit([env(1000)])
    before = tmp_path / "before"
    before.mkdir()
    for part in tmp_path.glob("outbox.db*"):
        shutil.copy(part, before / part.name)
    (sent,) = outbox.commit([env(1000)])
    lost = batch(outbox, sent)
    outbox.close()
    outbox = dated(before / "outbox.db")
    (after,) = outbox.commit([env(1000)])
    found = batch(outbox, after)
    assert (found.run, found.number) != (lost.run, lost.number)
    assert not {lost.t0_ms + row[0] for row in lost.rows} & {found.t0_ms + row[0] for row in found.rows}
    outbox.close()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    outbox = dated(tmp_path / "outbox.db")
    with pytest.raises(OutboxBusy, match=f"process {os.getpid()}: stop that agent"):
        SqliteOutbox(tmp_path / "outbox.db", PLENTY_BYTES, "boot-1")
    outbox.close()
    dated(tmp_path / "outbox.db").close()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    with start(COMMITTING, tmp_path / "outbox.db") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(OutboxBusy, match=f"process {process.pid}"):
            dated(tmp_path / "outbox.db")
        process.kill()
    dated(tmp_path / "outbox.db").close()


def test_the_file_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    fill(path, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (SCHEMA + 1,))
        db.commit()
    kept = path.read_bytes()
    with pytest.raises(OutboxTooNew, match="newer Kewang"):
        dated(path)
    assert path.read_bytes() == kept
    assert not list(tmp_path.glob("*.damaged*"))


def cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def zero_pages(path: Path, rng: random.Random) -> None:
    """Some pages read as zeros, as an SD card's lost blocks do."""
    with path.open("r+b") as file:
        for _ in range(3):
            file.seek(PAGE_BYTES * rng.randrange(ROOTS, path.stat().st_size // PAGE_BYTES))
            file.write(bytes(PAGE_BYTES))


def zero_head(path: Path, rng: random.Random) -> None:
    """The first page, which says where everything is, and another."""
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
        file.seek(PAGE_BYTES * rng.randrange(ROOTS, path.stat().st_size // PAGE_BYTES))
        file.write(bytes(PAGE_BYTES))


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
        (entry,) = outbox.commit([env(index * 1000, rows=1 + index % 7)])
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
    assert batch(outbox, after).t0_ms == ANCHOR_MS + 599_002 + 1000
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
    """As many batches are saved as can be read one by one."""
    path = tmp_path / "outbox.db"
    outbox = dated(path)
    orders = [
        entry.order for start in range(30) for entry in outbox.commit([env(start * 100_000 + n) for n in range(100)])
    ]
    outbox.close()
    pages = path.stat().st_size // PAGE_BYTES
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES * (pages * 2 // 5))
        file.write(bytes(PAGE_BYTES * (pages // 5)))
    with closing(sqlite3.connect(path)) as db:
        readable = sum(is_readable(db, order) for order in orders)
    outbox = dated(path)
    assert len(everything(outbox)) == readable
    assert 1000 < readable < 3000 - 300
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


def test_the_file_stays_within_its_budget(tmp_path: Path) -> None:
    """Three budgets' worth of batches of mixed sizes, most of them never stored."""
    path, budget_bytes, rng = tmp_path / "outbox.db", 2_000_000, random.Random(3)
    outbox = dated(path, budget_bytes)
    written = 0
    for index in range(1500):
        drafts = [env(index * 1000 + part, rows=rng.choice((1, 10, 30, 90)), source=f"s-{part}") for part in range(4)]
        *_, entry = entries = outbox.commit(drafts)
        written += sum(len(outbox.body(each.order) or b"") for each in entries)
        if rng.random() < 0.4:
            outbox.apply(Ack(ok=((entry.run, entry.number, entry.number),)), {})
    assert written > 2 * budget_bytes
    status = outbox.status()
    assert status.used_bytes <= budget_bytes
    assert path.stat().st_size < 1.3 * budget_bytes + 500_000
    assert path.with_name("outbox.db-wal").stat().st_size < 6_000_000
    outbox.close()


LIMITED = """
import resource, sys
from pathlib import Path
from edge.outbox import SqliteOutbox
from edge.ports import Draft, OutboxFull
outbox = SqliteOutbox(Path(sys.argv[1]), 50_000_000, "boot-1")
if outbox.anchor_ms is None:
    outbox.date(1_785_000_000_000, 2)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
refused, start_ms = 0, 0
while refused < 3 and start_ms < 10**7:
    start_ms += 1000
    before = outbox.status()
    rows = tuple((start_ms + i, (29.5,)) for i in range(100))
    try:
        entries = outbox.commit([Draft("env", "env-1", ("temp_c",), rows)])
    except OutboxFull as error:
        refused += 1
        print("refused", error, flush=True)
        assert outbox.status().held_rows + outbox.status().dropped_rows == before.held_rows + before.dropped_rows
    else:
        print("kept", *(f"{entry.run}:{entry.number}" for entry in entries), flush=True)
print("budget", outbox.status().budget_bytes, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
outbox.commit([Draft("env", "env-1", ("temp_c",), ((start_ms + 500, (29.5,)),))])
status = outbox.status()
print("end", status.held_rows, status.dropped_rows, flush=True)
"""


def test_a_full_disk_refuses_or_drops_and_counts(tmp_path: Path) -> None:
    """The kernel lets no file of the process grow; what was kept is there or was counted as dropped."""
    path = tmp_path / "outbox.db"
    with start(LIMITED, path, 300_000) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    kept = [line for line in lines if line.startswith("kept")]
    assert any(line.startswith("refused") and "free space on this disk" in line for line in lines)
    assert next(int(line.split()[1]) for line in lines if line.startswith("budget")) < PLENTY_BYTES
    held, dropped = map(int, lines[-1].split()[1:])
    assert held + dropped == 100 * len(kept) + 1
    outbox = dated(path)
    assert outbox.status().damaged_batches == 0
    assert sum(entry.rows for entry in everything(outbox)) == held
    outbox.close()


def test_a_folder_that_can_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(OutboxFull, match="mounted writable"):
        dated(tmp_path / "outbox.db")


def test_a_draft_no_message_can_carry_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    outbox = dated(tmp_path / "outbox.db")
    with pytest.raises(ValueError, match="64"):
        outbox.commit([env(1000), Draft("env", "env-1", tuple(f"m{n}" for n in range(65)), ((1, (1.0,) * 65),))])
    with pytest.raises(ValueError, match="names no source"):
        outbox.commit([env(1000, source="Env 1")])
    assert outbox.status().open_batches == 0
    outbox.close()


def test_an_error_in_the_middle_of_a_commit_takes_all_of_it_back(tmp_path: Path) -> None:
    outbox = dated(tmp_path / "outbox.db")
    before = outbox.status()
    bad = Draft("env", "env-2", ("temp_c",), ((1000, ("warm",)),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        outbox.commit([env(1000), bad])
    assert outbox.status() == before
    (entry,) = outbox.commit([env(1000)])
    assert entry.number == 1
    outbox.close()


def test_a_value_json_can_not_carry_becomes_no_value(tmp_path: Path) -> None:
    outbox = dated(tmp_path / "outbox.db")
    (entry,) = outbox.commit([Draft("env", "env-1", ("a", "b", "c"), ((1, (float("nan"), float("inf"), 1.5)),))])
    assert batch(outbox, entry).rows == [[0, None, None, 1.5]]
    outbox.close()


def test_what_nothing_refers_to_is_forgotten(tmp_path: Path) -> None:
    """Hundreds of restarts leave no trace once their batches have left the ring."""
    path = tmp_path / "outbox.db"
    for start_ms in range(0, 300_000, 1000):
        outbox = dated(path, 3000, f"boot-{start_ms}")
        outbox.commit([env(start_ms)])
        outbox.close()
    with closing(sqlite3.connect(path)) as db:
        runs, anchors = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("run", "anchor"))
    assert runs < 10
    assert anchors < 10
