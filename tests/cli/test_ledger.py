"""`kewang ledger` on real databases: what is missing shows, and is the exit code."""

import time
from pathlib import Path

import pytest

from gateway.judge import Window, judge
from gateway.ports import SeriesId, Store, Table
from gateway.quarantine import quarantine_tables
from kewang.wire.batch import Batch, Row
from tests.cli.commands import HOUR_MS, kewang, this_hour_ms, told, using

RUN = "4f1e0c9a77d2"
ENV = SeriesId("env", "pasar-1", "env-1")
ENV_TAGS = (("device", "pasar-1"), ("source", "env-1"))


def written(found: int, made: int, held: int = 0, quarantined: int = 0) -> list[Table]:
    """Readings of this hour, refused ones among them, a heartbeat, and what the device stated."""
    start_ms = this_hour_ms()
    rows: list[Row] = [[i * 1000, 500.0 if i < quarantined else 29.5] for i in range(found)]
    verdict = judge(ENV, Batch(RUN, 1, "env-1", 2, start_ms, ["temp_c"], rows), Window())
    box = (("device", "pasar-1"), ("source", "box"))
    stated = [
        Table("tally", tags, ("run", "hour", "made", "dropped"), [(start_ms, RUN, start_ms // HOUR_MS, count, 0)])
        for tags, count in ((ENV_TAGS, made), (box, 1))
    ]
    heartbeat = Table("sys", box, ("held",), [(start_ms, float(held))])
    return [*verdict.tables, *quarantine_tables(verdict.refused), heartbeat, *stated]


async def fill(url: str, tables: list[Table]) -> None:
    async def write(store: Store) -> None:
        await store.write(tables)

    await using(url, write)


async def test_a_balanced_ledger_ends_well(store_url: str) -> None:
    await fill(store_url, written(found=10, made=10, quarantined=3))
    done = kewang("ledger", "--store", store_url, "--json")
    assert done.returncode == 0, done.stderr
    total = told(done)["total"]
    assert {name: total[name] for name in ("made", "stored", "quarantined", "missing", "lost")} == {
        "made": 11, "stored": 8, "quarantined": 3, "missing": 0, "lost": 0,
    }  # fmt: skip
    assert total["completeness_pct"] == 100


async def test_what_is_stored_ahead_of_what_was_stated_is_explained(store_url: str) -> None:
    await fill(store_url, written(found=10, made=7))
    done = kewang("ledger", "--store", store_url)
    assert done.returncode == 0, done.stderr
    assert "\n3 readings are stored that no heartbeat has stated yet" in done.stdout


async def test_what_nobody_holds_is_lost_and_ends_with_1(store_url: str) -> None:
    await fill(store_url, written(found=6, made=10, held=1))
    done = kewang("ledger", "--store", store_url, "--json")
    assert done.returncode == 1
    (device,) = told(done)["devices"]
    assert (device["device"], device["missing"], device["held"], device["lost"]) == ("pasar-1", 4, 1, 3)
    table = kewang("ledger", "--store", store_url)
    assert "no heartbeat has stated" not in table.stdout
    assert "3 readings are lost" in table.stdout
    assert "pasar-1" in table.stdout
    assert {"made", "stored", "quarantined", "missing", "%"} <= set(table.stdout.split())


@pytest.mark.parametrize("age_s", [60, 1200])
async def test_right_after_a_rewind_it_is_told_that_nobody_knows_yet(store_url: str, age_s: int) -> None:
    """A restored database knows what was made, and no box has said yet what it will send again."""
    number = int(time.time()) - age_s
    rewind = Table("rewind", (), ("rw", "rf"), [(number * 1000, number, 0)])
    await fill(store_url, [*written(found=6, made=10), rewind])
    done = kewang("ledger", "--store", store_url)
    assert done.returncode == 1
    assert ("4 readings seem lost: after a rewind" in done.stdout) is (age_s == 60)
    assert ("4 readings are lost" in done.stdout) is (age_s == 1200)


async def test_other_devices_and_times_are_left_out(store_url: str) -> None:
    await fill(store_url, written(found=6, made=10))
    unknown = kewang("ledger", "--store", store_url, "--device", "pasar-2")
    assert unknown.returncode == 1
    assert "nothing is known of pasar-2" in unknown.stderr
    assert kewang("ledger", "--store", store_url, "--device", "x' OR 1=1").returncode == 2
    before_s = this_hour_ms() // 1000 - 7200
    done = kewang("ledger", "--store", store_url, "--from", str(before_s), "--to", str(before_s + 60), "--json")
    assert (done.returncode, told(done)["devices"]) == (0, [])


def test_wrong_words_are_told(tmp_path: Path) -> None:
    assert kewang("ledger", "--store", "postgres://here").returncode == 2
    assert "no time zone" in kewang("ledger", "--from", "2026-07-01T06:00").stderr
    missing = kewang("ledger", "--store", f"sqlite:///{tmp_path}/no.db")
    assert (missing.returncode, "no database at" in missing.stderr) == (3, True)
    assert kewang("ledger", "--store", "influx1+http://127.0.0.1:1/kewang").returncode == 3
