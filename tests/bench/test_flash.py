"""The bench of flash: how it counts, what fails it, and a short run on the real agent."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import WAL_BYTES
from edge.settings import PROFILES
from kewang.bench.flash import FlashLimits, FlashPlan, Log, failures, fill, measure
from kewang.wire.ack import Ack
from tests.edge.outbox_files import dated, env

NAMES = [f"env-{number}" for number in range(10)]
WELL: dict[str, Any] = {
    "profile": "card",
    "bytes_per_reading": 119.0,
    "syncs_per_minute": 2.0,
    "rss_mb": 55.0,
    "read_share": 1.0,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"bytes_per_reading": 121.0}, ["card: 121.0 bytes written for a reading, more than 120"]),
        ({"profile": "cellular", "bytes_per_reading": 801.0}, ["cellular: 801.0 bytes written for a reading"]),
        ({"profile": "wired", "bytes_per_reading": 5000.0}, []),
        ({"syncs_per_minute": 10.1}, ["card: 10.1 syncs a minute, more than 10"]),
        ({"syncs_per_minute": None}, ["card: syncs were not counted: run as root"]),
        ({"rss_mb": 60.1}, ["card: 60.1 MB resident, more than 60"]),
        ({"read_share": 0.8}, ["card: only 0.8 of the readings were made"]),
    ],
)
def test_each_limit_fails_it(change: dict[str, Any], says: list[str]) -> None:
    found = failures([WELL | change], FlashLimits())
    assert [told.startswith(said) for told, said in zip(found, says, strict=True)] == [True] * len(says)


def test_a_turn_of_the_log_is_as_much_as_it_holds(tmp_path: Path) -> None:
    """With what is written after it began anew: the frames of the turn before are still in the file."""
    outbox = dated(tmp_path / "outbox.db")
    outbox.commit([env(0)])
    log, wrote, committed = Log(tmp_path / "outbox.db"), list[float](), 0
    while not wrote or wrote[-1] < 1.5:
        committed += 1
        outbox.commit([env(committed * 1000, rows=200)])
        wrote.append(log.turned())
    assert wrote == sorted(wrote)
    assert max(after - before for before, after in pairwise(wrote)) < 0.1
    assert tmp_path.joinpath("outbox.db-wal").stat().st_size < 1.3 * WAL_BYTES
    outbox.close()


@pytest.mark.parametrize("profile", ["wired", "cellular", "card"])
def test_the_outbox_that_is_measured_is_full_of_what_is_stored(tmp_path: Path, profile: Any) -> None:
    path = tmp_path / "outbox.db"
    fill(path, PROFILES[profile], NAMES, 1_785_000_000, 0.7)
    assert path.with_name("outbox.db-wal").stat().st_size >= WAL_BYTES
    outbox = SqliteOutbox(path, 700_000, "boot-now", packs=PROFILES[profile].sparing)
    status = outbox.status()
    assert (status.rewind, status.dropped_rows) == (1_785_000_000, 0)
    assert status.used_bytes > 560_000
    assert status.open_batches < 100
    assert outbox.apply(Ack(rw=1_785_000_000), {}) is not None
    outbox.close()


@pytest.mark.slow
def test_what_the_agent_writes_is_counted() -> None:
    """The figures of so short a time are no statement; that everything is read, acknowledged and counted, is."""
    plan = FlashPlan(("cellular",), faster=20.0, turns=0.02, budget_mb=1.0)
    (found,) = measure(plan, FlashLimits(rss_mb=60.0))["profiles"]
    assert found["readings"] > 10
    assert 100 < found["bytes_per_reading"] < 20_000
    assert found["rss_mb"] < 60.0
    assert found["flush_s"] == 30.0
