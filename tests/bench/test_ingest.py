"""`kewang bench ingest` at a tiny size: every row arrives and is compared; a limit that is missed fails it."""

from dataclasses import replace

import pytest

from kewang.bench.ingest import IngestPlan, Limits, bodies, compare, measure
from kewang.bench.line import Line

TINY = IngestPlan(devices=4, batches=3, unbatched=3)


def test_it_measures_and_nothing_is_lost() -> None:
    result = measure(replace(TINY, processes=2), Limits(0, 1e9, 1e9))
    assert result["ok"], result["failed"]
    assert result["lost"] == 0
    for key in ("ratio", "readings_per_s", "raw_readings_per_s", "gateway_rss_mb", "unbatched_messages_per_s"):
        assert result[key] > 0
    assert (result["rows_per_batch"], result["fields_per_reading"], result["peers"]) == (30, 3, [])
    assert result["parts"]["influxd"]


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


def test_a_gateway_that_is_gone_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from kewang.bench.process import MissingPart

    monkeypatch.setattr("kewang.bench.process.shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingPart, match="make parts"):
        measure(TINY)
