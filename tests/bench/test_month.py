"""`kewang bench month` with days of ten minutes: it explains every reading, and notices what is spoilt."""

import logging
from dataclasses import replace

import pytest

from kewang.bench.month import MonthPlan, measure

SHORT = MonthPlan(day_s=600.0, interval_s=60.0, sources=3, ring_bytes=30_000)


def test_a_short_month_is_explained() -> None:
    said: list[str] = []
    result = measure(SHORT, said.append)
    assert result["failed"] == []
    assert result["made"] == result["stored_raw"] + result["in_thinned"] + result["absent"]
    assert result["ledger"]["missing"] == 0
    assert result["thinned_rows"] > 0
    assert result["power_cuts"] == sum(line.endswith("power cut") for line in said) + 1


def test_a_month_leaves_the_log_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    measure(replace(SHORT, day_s=300.0, sources=1), lambda said: None)
    logging.getLogger("edge.agent").warning("after the month")
    assert caplog.messages == ["after the month"]


def test_what_is_spoilt_is_noticed() -> None:
    failed = " | ".join(measure(replace(SHORT, sabotage="all"), lambda said: None)["failed"])
    for sentence in ("rows missing", "neither stored nor thinned", "temp_c says", "ms before the truth"):
        assert sentence in failed
