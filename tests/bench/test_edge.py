"""`kewang bench edge` and `scale` at a tiny size, and how they fail."""

import pytest

from kewang.bench.edge import EdgeLimits, EdgePlan, installed_bytes, measure
from kewang.bench.scale import ScalePlan
from kewang.bench.scale import measure as measure_scale

LENIENT = EdgeLimits(rss_mb=1e6, cpu_percent=1e6, start_s=1e6)


@pytest.mark.slow
def test_the_agent_is_measured() -> None:
    result = measure(EdgePlan(sources=2, interval_s=0.2, seconds=12, starts=1, settle_s=0), LENIENT)
    assert result["ok"], result["failed"]
    assert result["sources"] == 2
    assert result["readings_per_s"] > 1
    assert min(result["rss_mb"], result["start_s"], result["venv_mb"]) > 0


def test_each_limit_fails_it() -> None:
    result = measure(EdgePlan(sources=1, interval_s=0.5, seconds=2, starts=1, settle_s=0), EdgeLimits(1, -1, 0))
    assert not result["ok"]
    assert [reason.split()[0] for reason in result["failed"]] == ["rss_mb", "cpu_percent", "start_s"]


def test_what_is_installed_is_counted() -> None:
    edge = installed_bytes("kewang", "edge")
    assert edge > 5_000_000
    assert installed_bytes("kewang", "gateway") > edge


@pytest.mark.slow
def test_scale_measures_each_size_and_fails_when_it_is_not_flat() -> None:
    plan = ScalePlan(devices=(5, 20), readings_per_s=600, seconds=4, windows=2)
    result = measure_scale(plan, flatness=1e6)
    assert [size["devices"] for size in result["by_devices"]] == [5, 20]
    assert all(size["cpu_us_per_reading"] > 0 < size["rss_mb"] for size in result["by_devices"])
    assert result["flatness"] >= 1
    uneven = measure_scale(ScalePlan(devices=(5,), readings_per_s=600, seconds=2, windows=1), flatness=0.5)
    assert "flatness" in uneven["failed"][0]
