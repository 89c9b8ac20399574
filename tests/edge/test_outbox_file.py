"""The outbox on disk: killed, copied, full, held by two."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import SCHEMA
from edge.ports import Draft, OutboxBusy, OutboxFull, OutboxTooNew
from kewang.wire.ack import Ack
from tests.edge.outbox_files import (
    PLENTY_BYTES,
    batch,
    dated,
    env,
    everything,
    fill,
    start,
)
from tests.unprivileged import unprivileged

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
    outbox = dated(before / "outbox.db", boot="boot-2")
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
        db.execute("UPDATE meta SET value = ? WHERE key IN ('schema', 'reader')", (SCHEMA + 1,))
        db.commit()
    kept = path.read_bytes()
    with pytest.raises(OutboxTooNew, match="newer Kewang"):
        dated(path)
    assert path.read_bytes() == kept
    assert not list(tmp_path.glob("*.damaged*"))


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


@pytest.mark.parametrize("others", ["the folder", "its lock", "the file", "the folder above"])
def test_an_outbox_of_another_user_is_refused_with_the_command_that_mends_it(tmp_path: Path, others: str) -> None:
    """Left behind by an agent that somebody ran once as root."""
    path = tmp_path / "kewang" / "outbox.db"
    if others != "the folder above":
        dated(path).close()
    refused = {
        "the folder": path.parent,
        "its lock": path.with_name("outbox.db.lock"),
        "the file": path,
        "the folder above": tmp_path,
    }
    told = f"can't be written: `sudo chown -R kewang: {path.parent}`"
    with unprivileged(refused[others]), pytest.raises(OutboxFull, match=told):
        SqliteOutbox(path, PLENTY_BYTES, "boot-1")


def test_a_place_where_no_outbox_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxFull, match=r"can't be written: (Not a directory|File exists): correct outbox.path"):
        SqliteOutbox(tmp_path / "file" / "outbox.db", PLENTY_BYTES, "boot-1")
