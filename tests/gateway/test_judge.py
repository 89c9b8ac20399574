"""Each reason for quarantine; the other rows of the batch are stored; both ways of judging say the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.judge import Verdict, Window, judge, refuse_all
from gateway.ports import SeriesId, Table
from kewang.wire.batch import Batch
from kewang.wire.catalogue import METRICS
from kewang.wire.tally import Tally

NOW_MS = 1_785_000_000_000
ENV = SeriesId("env", "ambon-m1", "env-1")
BOX = SeriesId("sys", "ambon-m1", "box")
TAGS = (("device", "ambon-m1"), ("source", "env-1"))
WINDOW = Window(NOW_MS - 14 * 86_400_000, NOW_MS + 300_000)


def batch(*rows: list[Any], metrics: tuple[str, ...] = ("temp_c", "rh_pct"), **more: Any) -> Batch:
    return Batch("4f1e", 1, "env-1", more.pop("tq", 2), more.pop("t0", NOW_MS), list(metrics), list(rows), **more)


def stored(verdict: Verdict) -> list[int]:
    return [row[0] for table in verdict.tables for row in table.rows]  # type: ignore[misc]


def test_good_rows_become_one_table_of_floats() -> None:
    verdict = judge(ENV, batch([0, 29, 78.5], [10_000, 29.5, 78]), WINDOW)
    rows = [(NOW_MS, 29.0, 78.5), (NOW_MS + 10_000, 29.5, 78.0)]
    assert verdict == Verdict([Table("env", TAGS, ("temp_c", "rh_pct"), rows)], [])
    assert {type(value) for row in verdict.tables[0].rows for value in row[1:]} == {float}


def test_null_is_no_value() -> None:
    verdict = judge(ENV, batch([0, 29.0, None], [1, None, 78.0]), WINDOW)
    assert verdict.tables[0].rows == [(NOW_MS, 29.0, None), (NOW_MS + 1, None, 78.0)]
    assert not verdict.refused


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([5], "length: 0 values for 2 metrics"),
        ([5, 29.0], "length: 1 values for 2 metrics"),
        ([5, 29.0, 78.0, 1.0], "length: 3 values for 2 metrics"),
        ([0, 29.0, 78.0], "date: twice in one batch"),
        ([5, None, None], "empty: no value"),
        ([5, "29.0", 78.0], 'type: temp_c="29.0"'),
        ([5, True, 78.0], "type: temp_c=true"),
        ([5, [29.0], 78.0], "type: temp_c=[29.0]"),
        ([5, {"a": 1}, 78.0], 'type: temp_c={"a": 1}'),
        ([5, 29.0, 140.0], "range: rh_pct=140.0"),
        ([5, -10.1, 78.0], "range: temp_c=-10.1"),
        ([5, float("inf"), 78.0], "range: temp_c is too large"),
        ([5, 10**400, 78.0], "range: temp_c is too large"),
        ([300_001, 29.0, 78.0], "date: ahead of the gateway's clock"),
        ([-14 * 86_400_000 - 1, 29.0, 78.0], "date: older than what is kept"),
    ],
)
def test_a_bad_row_goes_to_quarantine_alone(row: list[Any], reason: str) -> None:
    verdict = judge(ENV, batch([0, 29.0, 78.0], row, [9, 30.0, 79.0]), WINDOW)
    assert stored(verdict) == [NOW_MS, NOW_MS + 9]
    (refused,) = verdict.refused
    assert (refused.series, refused.date_ms, refused.reason) == (ENV, NOW_MS + row[0], reason)
    assert json.loads(refused.row) == {"tq": 2, "k": ["temp_c", "rh_pct"], "r": row[1:]}


def test_the_ends_of_ranges_and_of_the_window_are_in() -> None:
    for metric in METRICS:
        series = SeriesId(metric.stream, "ambon-m1", "env-1")
        ends = batch([-14 * 86_400_000, metric.low], [300_000, metric.high], metrics=(metric.name,))
        verdict = judge(series, ends, WINDOW)
        assert len(stored(verdict)) == 2, metric.name
        assert not verdict.refused


def test_an_unsynchronised_gateway_judges_no_time() -> None:
    assert not judge(ENV, batch([10**11, 29.0, 78.0], [-(10**11), 29.0, 78.0]), Window()).refused


@pytest.mark.parametrize("name", ["so2_ppb", "cpu_pct", "\ud800\n", "x" * 5000])
def test_an_unknown_metric_or_one_of_another_stream_refuses_its_rows(name: str) -> None:
    verdict = judge(ENV, batch([0, 29.0, None], [5, 29.0, 1.0], metrics=("temp_c", name)), WINDOW)
    assert stored(verdict) == [NOW_MS], "without a value it says nothing"
    assert verdict.tables[0].fields == ("temp_c",)
    (refused,) = verdict.refused
    assert refused.reason.startswith("unknown metric: ")
    assert refused.reason.isprintable()
    assert len(refused.reason) <= 100


def test_a_row_of_unknown_metrics_alone_is_kept_whole_in_quarantine() -> None:
    verdict = judge(ENV, batch([0, 1.5], metrics=("so2_ppb",)), WINDOW)
    assert not verdict.tables
    assert json.loads(verdict.refused[0].row)["r"] == [1.5]


def test_time_quality_is_a_field_below_2() -> None:
    verdict = judge(ENV, batch([0, 29.0, 78.0], tq=1), WINDOW)
    assert verdict.tables[0] == Table("env", TAGS, ("temp_c", "rh_pct", "tq"), [(NOW_MS, 29.0, 78.0, 1.0)])


def test_a_heartbeat_says_what_is_held_and_the_tallies() -> None:
    tallies = [Tally("4f1e", "env-1", 495_833, 360, 0), Tally("4f1e", "box", 495_833, 9, 1)]
    beat = batch([7, 12.0], metrics=("cpu_pct",), held=41, tallies=[*tallies, Tally("4f1e", "env-1", 495_834, 1, 0)])
    own, held, box, env = judge(BOX, beat, WINDOW).tables
    device = ("device", "ambon-m1")
    assert own.fields == ("cpu_pct",)
    assert held == Table("sys", (device, ("source", "box")), ("held",), [(NOW_MS + 7, 41.0)])
    fields = ("run", "hour", "made", "dropped")
    assert box == Table("tally", (device, ("source", "box")), fields, [(NOW_MS + 8, "4f1e", 495_833, 9, 1)])
    rows = [(NOW_MS + 7, "4f1e", 495_833, 360, 0), (NOW_MS + 9, "4f1e", 495_834, 1, 0)]
    assert env == Table("tally", (device, ("source", "env-1")), fields, rows)


def test_a_heartbeat_ahead_of_the_clock_still_states_its_tallies() -> None:
    tallies = [Tally("4f1e", "env-1", 495_833, 360, 0)]
    ahead = batch([10**10, 12.0], metrics=("cpu_pct",), held=41, tallies=tallies)
    (stated,) = judge(BOX, ahead, WINDOW).tables
    assert (stated.measurement, stated.rows) == ("tally", [(NOW_MS + 10**10, "4f1e", 495_833, 360, 0)])
    old = batch([-(10**10), 12.0], metrics=("cpu_pct",), held=41, tallies=tallies)
    assert not judge(BOX, old, WINDOW).tables


def test_only_the_box_states_tallies() -> None:
    other = batch([0, 29.0], metrics=("temp_c",), held=41, tallies=[Tally("4f1e", "env-1", 495_833, 360, 0)])
    assert [table.measurement for table in judge(ENV, other, WINDOW).tables] == ["env"]


def test_refuse_all_keeps_every_row() -> None:
    verdict = refuse_all(ENV, batch([0, 29.0, 78.0], [1, 200.0]), "source: more than 64 sources")
    assert not verdict.tables
    assert [(each.date_ms, each.reason.partition(":")[0]) for each in verdict.refused] == [
        (NOW_MS, "source"),
        (NOW_MS + 1, "source"),
    ]


values = st.none() | st.integers(-20, 80) | st.floats(-20, 120) | st.sampled_from([True, "1", 2**70, float("inf")])
likely = st.floats(0, 50) | st.integers(0, 50)


@given(
    st.lists(st.tuples(st.integers(-400_000, 400_000), likely | values, likely | values), min_size=1, max_size=6),
    st.sampled_from([("temp_c", "rh_pct"), ("temp_c", "so2_ppb"), ("rh_pct", "cpu_pct")]),
    st.integers(0, 2),
    st.sampled_from([WINDOW, Window(), Window(NOW_MS - 1000, NOW_MS + 1000)]),
)
def test_judging_by_columns_and_row_by_row_say_the_same(
    rows: list[tuple[Any, ...]], metrics: tuple[str, ...], tq: int, window: Window
) -> None:
    lists = [list(row) for row in rows]
    alone = judge(ENV, batch(*lists, metrics=metrics, tq=tq), window)
    # A row of wrong length can't be judged by columns, so that all its companions are judged row by row.
    beside = judge(ENV, batch(*lists, [10**6], metrics=metrics, tq=tq), window)
    assert beside.refused.pop().reason.startswith("length")
    assert alone == beside
    assert len(stored(alone)) + len(alone.refused) == len(rows)
