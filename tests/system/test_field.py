"""Boxes without time on real processes: a clock years ahead, power cuts before the first date; and one that believes.

They need root: where CI runs they must be there, elsewhere they are skipped.
"""

from typing import Any

import pytest

from kewang.bench.field import FieldPlan, measure
from kewang.bench.process import PartFailed
from tests.lacking import lacking


def measured(plan: FieldPlan) -> dict[str, Any]:
    try:
        return measure(plan, print)
    except PartFailed as error:
        if "root" not in str(error):
            raise
        lacking(str(error))


@pytest.mark.slow
def test_what_a_box_read_before_it_had_the_time_is_dated_rightly_or_told() -> None:
    result = measured(FieldPlan(("future", "cuts", "carton")))
    assert result["failed"] == []
    future, cuts, carton = result["stories"]
    assert future["right"] > 0
    assert future["qualities"] == [1, 2]
    assert cuts["chained"] > 0
    assert carton["no_date"] == result["quarantined"] > 0
    assert result["readings_stored"] + result["quarantined"] == result["readings_produced"]


@pytest.mark.slow
def test_a_box_that_believes_any_clock_is_found_out() -> None:
    result = measured(FieldPlan(("steps",), store="sqlite", sabotage="trusting"))
    assert not result["ok"]
    assert result["wrong_dates"] > 0
