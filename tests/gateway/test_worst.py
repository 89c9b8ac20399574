"""The worst of the city: the highest mean of each metric in each step, and where."""

from gateway.ports import Point, SeriesId
from gateway.worst import Worst


def test_the_highest_of_each_step_and_where() -> None:
    worst = Worst()
    assert worst.tables() == []
    worst.see(
        [
            Point(SeriesId("env", "a", "env-1"), 0, {"temp_c_mean": 30.0, "temp_c_max": 99.0, "noise_dba_mean": 50.0}),
            Point(SeriesId("env", "a", "env-1"), 300_000, {"temp_c_mean": 29.0}),
        ]
    )
    worst.see([Point(SeriesId("env", "b", "env-1"), 0, {"temp_c_mean": 31.5})])
    found = worst.tables()
    assert [dict(zip(one.fields, one.rows[0][1:], strict=True)) for one in found] == [
        {"noise_dba_mean": 50.0, "noise_dba_device": "a", "temp_c_mean": 31.5, "temp_c_device": "b"},
        {"temp_c_mean": 29.0, "temp_c_device": "a"},
    ]
    assert [(one.measurement, one.tags, one.rows[0][0]) for one in found] == [
        ("worst_5m", (), 0),
        ("worst_5m", (), 300_000),
    ]
