"""The contract of roll-ups, over every store: equal to what numpy makes of the readings."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from gateway.ports import Late, Point, SeriesId, Store, Table, WordChange
from kewang.wire.cameras import CameraState
from tests.contracts.test_store import T0, store, table

__all__ = ["store"]
STEP_MS = 300_000
SPAN = (T0, T0 + 12 * STEP_MS)


async def all_of(parts: AsyncIterator[Sequence[Point]]) -> list[Point]:
    """The points of all parts, by series and time."""
    found = [point async for part in parts for point in part]
    return sorted(found, key=lambda point: (point.series, point.date_ms))


def told(points: Sequence[Point], field: str) -> dict[tuple[str, int], float | int | str | None]:
    return {(point.series.device, point.date_ms): point.fields.get(field) for point in points}


async def readings(store: Store, device: str, seed: int) -> list[tuple[int, float, float | None]]:
    """An hour of readings at odd times; one in five lacks the second metric."""
    dice = random.Random(seed)
    dates = sorted(dice.sample(range(*SPAN), 500))
    rows = [(date, dice.gauss(29, 3), None if dice.random() < 0.2 else dice.uniform(0, 100)) for date in dates]
    await store.write([table("env", ("temp_c", "rh_pct"), rows, device)])
    return rows


async def test_a_roll_up_is_what_numpy_makes_of_the_readings(store: Store) -> None:
    """Least, most and count exactly; the mean to 1e-12 of itself, which is the order of the sum."""
    written = {device: await readings(store, device, seed) for seed, device in enumerate(("pasar-1", "pasar-2"))}
    points = await all_of(store.summaries("env", *SPAN, STEP_MS))
    assert [point.series.device for point in points] == ["pasar-1"] * 12 + ["pasar-2"] * 12
    for point in points:
        within = [row for row in written[point.series.device] if point.date_ms <= row[0] < point.date_ms + STEP_MS]
        for place, metric in ((1, "temp_c"), (2, "rh_pct")):
            values = np.array([row[place] for row in within if row[place] is not None])
            made = [point.fields[f"{metric}_{function}"] for function in ("min", "max", "count")]
            assert made == [values.min(), values.max(), values.size]
            assert math.isclose(float(point.fields[f"{metric}_mean"]), values.mean(), rel_tol=1e-12)
            assert math.isclose(float(point.fields[f"{metric}_sum"]), values.sum(), rel_tol=1e-12)


async def test_what_has_no_reading_has_no_roll_up(store: Store) -> None:
    assert await all_of(store.summaries("env", *SPAN, STEP_MS)) == []
    await store.write([table("env", ("temp_c",), [(T0, 1.0), (T0 + 2 * STEP_MS, 2.0)])])
    points = await all_of(store.summaries("env", *SPAN, STEP_MS))
    assert [point.date_ms for point in points] == [T0, T0 + 2 * STEP_MS]
    assert points[0].fields == {f"temp_c_{function}": 1.0 for function in ("min", "mean", "max", "sum", "count")}
    assert all(type(value) is float for value in points[0].fields.values())


async def test_steps_begin_where_they_should_and_the_end_is_left_out(store: Store) -> None:
    edges = [(T0 - 1, 1.0), (T0, 2.0), (T0 + STEP_MS - 1, 3.0), (T0 + STEP_MS, 4.0)]
    await store.write([table("env", ("temp_c",), edges)])
    points = await all_of(store.summaries("env", T0, T0 + STEP_MS, STEP_MS))
    assert told(points, "temp_c_mean") == {("pasar-1", T0): 2.5}


async def test_only_the_devices_that_were_named(store: Store) -> None:
    for device in ("pasar-1", "pasar-2", "pasar-3"):
        await store.write([table("env", ("temp_c",), [(T0, 1.0)], device)])
    points = await all_of(store.summaries("env", *SPAN, STEP_MS, ["pasar-3", "pasar-1"]))
    assert [point.series.device for point in points] == ["pasar-1", "pasar-3"]
    await rolled_up(store)
    assert [point.series.device for point in await all_of(store.summed("env", *SPAN, ["pasar-2"]))] == ["pasar-2"]


async def test_states_of_a_camera_are_counted(store: Store) -> None:
    states = [CameraState.OK] * 5 + [CameraState.DOWN] * 2
    rows = [(T0 + number, float(state)) for number, state in enumerate(states)]
    await store.write([table("cam", ("camera_state",), rows, source="cam-1")])
    (point,) = await all_of(store.summaries("cam", *SPAN, STEP_MS))
    counts = {name: value for name, value in point.fields.items() if name.endswith("_count")}
    assert counts == {"camera_state_count": 7.0, "camera_state_1_count": 5.0, "camera_state_3_count": 2.0}
    await rolled_up(store, "cam")
    (day,) = await all_of(store.summed("cam", *SPAN))
    assert {name: value for name, value in day.fields.items() if name.endswith("_count")} == counts


async def test_thinned_readings_count_with_their_number(store: Store) -> None:
    """A minute of six readings weighs six times as much as one reading beside it."""
    parts = ("thinned", "temp_c_min", "temp_c_mean", "temp_c_max", "temp_c_count", "temp_c_sum")
    rows = [(T0 + 60_000, 6.0, 20.0, 25.0, 31.0, 6.0, 150.0), (T0 + 120_000, 7.0, 22.0, 23.0, 24.0, 2.0, 46.0)]
    await store.write([table("env", ("temp_c",), [(T0 + 1, 18.0), (T0 + 2, 19.0)]), table("env", parts, rows)])
    (point,) = await all_of(store.summaries("env", *SPAN, STEP_MS))
    wanted = {"min": 18.0, "max": 31.0, "count": 10.0, "sum": 233.0, "mean": 23.3}
    assert point.fields == {f"temp_c_{name}": value for name, value in wanted.items()}
    assert await store.thinned(*SPAN) == {("pasar-1", "env-1", T0 // 3_600_000): 13}
    assert await store.thinned(T0 + 120_001, SPAN[1]) == {}


async def test_a_thinned_row_of_no_reading_changes_nothing(store: Store) -> None:
    """No box of ours sends a count of 0; one that does must not take the roll-ups of all others."""
    parts = ("thinned", "temp_c_mean", "temp_c_count", "temp_c_sum")
    rows = [(T0 + 60_000, 6.0, 20.0, 0.0, 0.0), (T0 + STEP_MS, 6.0, 20.0, 0.0, 0.0)]
    await store.write([table("env", ("temp_c",), [(T0 + 1, 18.0)]), table("env", parts, rows)])
    points = await all_of(store.summaries("env", *SPAN, STEP_MS))
    assert {name: told(points, f"temp_c_{name}").get(("pasar-1", T0)) for name in ("sum", "mean", "count")} == {
        "sum": 18.0, "mean": 18.0, "count": 1.0
    }  # fmt: skip
    assert told(points, "temp_c_mean").get(("pasar-1", T0 + STEP_MS)) is None
    await rolled_up(store)
    (day,) = await all_of(store.summed("env", *SPAN))
    assert day.fields["temp_c_mean"] == 18.0


async def test_thinned_states_of_a_camera_are_counted(store: Store) -> None:
    state = ("camera_state_min", "camera_state_mean", "camera_state_max", "camera_state_count", "camera_state_sum")
    row = (T0, 10.0, 1.0, 1.4, 3.0, 10.0, 14.0, 8.0, 2.0)
    fields = ("thinned", *state, "camera_state_1_count", "camera_state_3_count")
    rows = [(T0 + 1, float(CameraState.OK)), (T0 + 2, float(CameraState.DOWN))]
    await store.write([table("cam", fields, [row]), table("cam", ("camera_state",), rows)])
    (point,) = await all_of(store.summaries("cam", *SPAN, STEP_MS))
    counts = {name: value for name, value in point.fields.items() if name.endswith("_count")}
    assert counts == {"camera_state_count": 12.0, "camera_state_1_count": 9.0, "camera_state_3_count": 3.0}


async def rolled_up(store: Store, stream: str = "env") -> None:
    points = await all_of(store.summaries(stream, *SPAN, STEP_MS))
    for point in points:
        tags = (("device", point.series.device), ("source", point.series.source))
        row = (point.date_ms, *point.fields.values())
        await store.write([Table(f"{stream}_5m", tags, tuple(point.fields), [row])])


async def test_five_minutes_add_up_to_the_whole(store: Store) -> None:
    rows = await readings(store, "pasar-1", 7)
    await rolled_up(store)
    (whole,) = await all_of(store.summed("env", *SPAN))
    assert (whole.series, whole.date_ms) == (SeriesId("env", "pasar-1", "env-1"), T0)
    for place, metric in ((1, "temp_c"), (2, "rh_pct")):
        values = np.array([row[place] for row in rows if row[place] is not None])
        made = [whole.fields[f"{metric}_{function}"] for function in ("min", "max", "count")]
        assert made == [values.min(), values.max(), values.size]
        assert math.isclose(float(whole.fields[f"{metric}_mean"]), values.mean(), rel_tol=1e-12)


@pytest.mark.parametrize("devices", [[], ["pasar-1"]])
async def test_nothing_adds_up_to_nothing(store: Store, devices: list[str]) -> None:
    assert await all_of(store.summed("env", *SPAN, devices)) == []


async def test_the_worst_of_each_step_is_read_with_where_it_was(store: Store) -> None:
    assert await store.worsts(*SPAN) == []
    fields = ("temp_c_mean", "temp_c_device")
    rows = [(T0 + n * STEP_MS, 30.0 + n, f"pasar-{n}") for n in range(3)]
    await store.write([Table("worst_5m", (), fields, rows), Table("worst_5m", (), ("rh_pct_mean",), [(T0, 2.0)])])
    first, second = await store.worsts(T0, T0 + 2 * STEP_MS)
    assert first == Point(
        SeriesId("worst_5m", "", ""), T0, {"temp_c_mean": 30.0, "temp_c_device": "pasar-0", "rh_pct_mean": 2.0}
    )
    assert (second.date_ms, second.fields) == (T0 + STEP_MS, {"temp_c_mean": 31.0, "temp_c_device": "pasar-1"})


async def test_what_came_late_is_found_by_when_it_came(store: Store) -> None:
    fields = ("from_ms", "to_ms")
    marks = [
        Table("late", (("device", device),), fields, [(T0 + number, float(number), float(number + 1))])
        for number, device in enumerate(("pasar-1", "pasar-2", "pasar-1"))
    ]
    await store.write(marks)
    assert sorted(await store.late(T0 + 1, T0 + 3), key=lambda one: one.from_ms) == [
        Late("pasar-2", 1, 2),
        Late("pasar-1", 2, 3),
    ]
    assert await store.late(T0 + 3, T0 + 9) == []


async def test_words_of_devices_are_found_by_time_and_those_of_sources_left_out(store: Store) -> None:
    fields = ("word", "before")
    of_source = (("device", "pasar-1"), ("source", "cam-1"))
    await store.write(
        [
            Table("device_event", (("device", "pasar-1"),), fields, [(T0, "up", "unknown"), (T0 + 9, "down", "up")]),
            Table("device_event", (("device", "pasar-2"),), fields, [(T0 + 5, "up", "unknown")]),
            Table("device_event", of_source, fields, [(T0 + 1, "down", "up")]),
        ]
    )
    changes = await store.word_changes(T0 + 1, T0 + 10)
    assert sorted(changes, key=lambda one: one.device) == [
        WordChange("pasar-1", T0 + 9, "down", "up"),
        WordChange("pasar-2", T0 + 5, "up", "unknown"),
    ]
    assert await store.words(T0) == {}
    assert await store.words(T0 + 6) == {"pasar-1": "up", "pasar-2": "up"}
    assert await store.words(T0 + 10) == {"pasar-1": "down", "pasar-2": "up"}
