"""`kewang bench attacks`: what it makes of its rows."""

from __future__ import annotations

from kewang.bench.attacks import FEWEST, NOT_RUN, judge, told
from kewang.bench.attacks_rows import Row

GOOD = Row("T2", "one", refused=True, control_passed=True)
BARE = Row("T21", "two", refused=True, control_passed=None)


def test_rows_are_counted_by_threat_and_controls_only_where_there_are_some() -> None:
    figures = told([BARE, GOOD, GOOD])
    counted = [figures[name] for name in ("rows", "attempts", "refused", "controls", "controls_passed")]
    assert counted == [2, 3, 3, 2, 2]
    assert [row["threat"] for row in figures["by_row"]] == ["T2", "T2", "T21"]
    assert {row["threat"] for row in figures["not_run"]} == set(NOT_RUN)


def test_one_success_one_broken_control_and_too_few_are_told() -> None:
    wrong = Row("T3", "replays", refused=False, control_passed=True, detail="twice")
    broken = Row("T3", "asks", refused=True, control_passed=False)
    assert judge([GOOD, wrong, broken], whole=False) == [
        "T3 replays: not refused twice",
        "T3 asks: its control fails ",
    ]
    assert judge([GOOD] * FEWEST, whole=True) == []
    assert judge([GOOD], whole=True) == [f"1 attempts, at least {FEWEST}"]
