"""`kewang bench ingest` at a tiny size: every row arrives and is compared; a limit that is missed fails it."""

import itertools
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.fleet import FleetReport
from kewang.bench.ingest import IngestPlan, Limits, Push, RawPush, bodies, compare, measure, ratio_by_cpu, raw_push
from kewang.bench.line import FleetRun, Line, prepare
from kewang.bench.parts import Influxd
from kewang.bench.process import PartFailed, wait_for

TINY = IngestPlan(devices=4, batches=3, unbatched=3)


def test_it_measures_and_nothing_is_lost() -> None:
    result = measure(replace(TINY, processes=2), Limits(0, 1e9, 1e9))
    assert result["ok"], result["failed"]
    assert result["lost"] == 0
    for key in (
        "ratio",
        "readings_per_s",
        "raw_readings_per_s",
        "ratio_by_cpu",
        "raw_store_cpu_us_per_reading",
        "raw_pusher_cpu_us_per_reading",
        "gateway_rss_mb",
        "unbatched_messages_per_s",
    ):
        assert result[key] > 0
    assert (result["rows_per_batch"], result["fields_per_reading"], result["peers"]) == (30, 3, [])
    assert result["parts"]["influxd"]
    assert [row["step"] for row in result["steps_us"]] == ["hear", "inflate", "take", "queue", "name", "lines", "ack"]
    assert all(row["batch_of_30"] > 0 < row["message_of_1"] for row in result["steps_us"])


def test_missed_limits_fail_it() -> None:
    result = measure(TINY, Limits(1e9, 0, 0))
    assert not result["ok"]
    assert len(result["failed"]) == 3


def test_missing_and_wrong_rows_are_found() -> None:
    with Line("influxd") as line:
        assert line.influxd
        run = line.run_pour(TINY.fleet(), limit_s=30)
        assert compare(line.influxd.url, run, TINY).sentences == []
        more = compare(line.influxd.url, run, replace(TINY, batches=4))
        assert more.lost == TINY.devices * TINY.rows
        assert len(compare(line.influxd.url, run, replace(TINY, seed=2)).sentences) == TINY.devices
        moved = replace(run, t0_ms={name: t0_ms + 1 for name, t0_ms in run.t0_ms.items()})
        assert "other rows" in compare(line.influxd.url, moved, TINY).sentences[0]


def test_the_raw_push_carries_the_very_same_points() -> None:
    with Line("influxd") as line:
        run = line.run_pour(TINY.fleet(), limit_s=30)
    lines = b"".join(bodies(run, TINY, 60)).splitlines()
    assert len(lines) == TINY.readings == len(set(lines))
    assert lines[0].startswith(b"env,device=ingest-00001,source=env-1 sim_n=1.0,")
    assert [len(body.splitlines()) for body in bodies(run, TINY, 60)] == [60] * 6


def a_row(value: int) -> bytes:
    return b"env temp_c=%d %d" % (value, time.time_ns() // 1_000_000)


def test_a_raw_push_of_which_something_is_not_taken_is_no_figure() -> None:
    with pytest.raises(PartFailed, match=r"2 of 3 writes were taken: 400 .*unable to parse"):
        raw_push([a_row(1), a_row(2), b"?"], 3, 1)


def test_a_thread_of_the_raw_push_that_dies_is_told(tmp_path: Path) -> None:
    with Influxd(tmp_path / "influxd") as influxd:
        prepare(f"influx1+{influxd.url}/kewang")
        push = Push(influxd, map(a_row, itertools.count()))
        threads = [threading.Thread(target=push.work) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: push.taken > 10, 60)
        influxd.kill9()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert push.refused


def test_the_ratio_by_processor_time() -> None:
    report = FleetReport(devices=1)
    line = FleetRun(report, 1e5, 3.0, 2.5, 0.3, 1.0, {}, publisher_cpu_us=0.2)
    raw = RawPush(3e5, 2.4, 0.6)
    cores = len(os.sched_getaffinity(0))
    assert ratio_by_cpu(line, raw, 1) == pytest.approx(3.0 / cores / max(6.0 / cores, 3.0))
    assert ratio_by_cpu(line, raw, cores) == pytest.approx(0.5)


def test_a_gateway_that_is_gone_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from kewang.bench.process import MissingPart

    monkeypatch.setattr("kewang.bench.process.shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingPart, match="make parts"):
        measure(TINY)
