"""The bench of buses: its figures from dates, what fails it, and a short run on the real agent."""

from typing import Any

import pytest

from kewang.bench.buses import BusesLimits, BusesPlan, Phase, failures, jitter_ms, judge, measure, percentile

PLAN = BusesPlan(interval_s=1.0, seconds=11.0, hanging=("air-1",))
QUIET, ILL = Phase(None, 0, 10_000), Phase("air-1", 20_000, 30_000)


def dates(*, late_ms: int = 0, missing: int = 0) -> list[int]:
    """A row a second over both phases; each second one in the second phase is late, the last ones are missing."""
    return [t + (late_ms if t >= 20_000 and t % 2000 else 0) for t in range(0, 31_000 - 1000 * missing, 1000)]


def figures(**others: list[int]) -> dict[str, Any]:
    rows = {"air-1": [t for t in dates() if t < 20_000], "air-2": dates(late_ms=900), "pm-1": dates()} | others
    return {"rss_mb": 50.0} | judge(rows, dict.fromkeys(rows, dates()), [QUIET, ILL], PLAN)


def test_jitter_is_what_two_rows_are_off_the_interval() -> None:
    assert jitter_ms([0, 1000, 2100, 2900], Phase(None, 0, 3000), 1.0) == [0, 100, 200]
    assert jitter_ms([0, 1000, 2100], Phase(None, 500, 3000), 1.0) == [100]
    assert [percentile(list(range(200)), share) for share in (0, 50, 99)] == [0, 100, 198]


def test_a_source_on_the_same_wire_is_told_apart() -> None:
    found = figures()
    assert found["jitter_p99_ms"] == {"one_hangs": 0, "beside": 0}
    assert found["same_wire_p99_ms"] == 900
    assert failures(found, BusesLimits()) == []


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"pm-1": dates(late_ms=80)}, "p99 of the others 80 ms while one hangs, 0 ms on the box beside"),
        ({"pm-1": dates(missing=4)}, "while air-1 hung another was read 7 times only"),
        ({"air-1": dates()}, "air-1 was read 11 times while it hung: the bench is broken"),
    ],
)
def test_each_limit_fails_it(others: dict[str, list[int]], says: str) -> None:
    assert failures(figures(**others), BusesLimits()) == [says]


def test_memory_fails_it() -> None:
    assert failures(figures() | {"rss_mb": 61.0}, BusesLimits()) == ["rss_mb 61.0, more than 60.0"]


@pytest.mark.slow
def test_ten_sensors_are_read_while_one_of_them_hangs() -> None:
    """The figures of a busy machine are no statement; that all are read, and the one that hangs is not, is."""
    result = measure(BusesPlan(interval_s=0.5, seconds=4.0, hanging=("air-1",)), BusesLimits(jitter_ms=60_000))
    assert result["sources"] == 10
    assert result["rss_mb"] < BusesLimits().rss_mb
    quiet, ill = result["by_fault"]
    assert (quiet["others"], ill["others"], ill["rows_of_it"]) == (10, 8, 0)
    assert min(quiet["fewest_rows"], ill["fewest_rows"]) > 0
