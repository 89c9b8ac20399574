"""The last 24 hours on a device's page: what is drawn is what is stored, gaps are gaps, refused rows are marked."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.console.day import Refusals
from gateway.console.plots import HEIGHT, STEP_MS, STEPS, WINDOW_MS, doubting, flag_of, source_day, ticks
from gateway.console.refusals import groups_of
from gateway.ports import Point, Refused, SeriesId, Store, Table
from kewang.ui import figures
from kewang.wire.cameras import CameraState
from tests.fakes import MemoryStore
from tests.gateway import ambon
from tests.gateway.serving import console, now_ms

SERIES = SeriesId("env", "mardika-01", "env-1")
FROM_MS = 1_785_000_000_000 // STEP_MS * STEP_MS


def summary(step: int, low: float, mean: float, high: float) -> Point:
    fields: dict[str, float | int | str] = {
        "temp_c_min": low,
        "temp_c_mean": mean,
        "temp_c_max": high,
        "temp_c_count": 5.0,
    }
    return Point(SERIES, FROM_MS + step * STEP_MS, fields)


def measures(page: str, source: str) -> dict[str, str]:
    """The measures of a source's panel: name -> its part of the page."""
    panel = page.partition(f"<h2><bdi>{source}</bdi>")[2].partition("</section>")[0]
    parts = panel.split('class="metric">')[1:]
    return {part.partition("<")[0]: part for part in parts}


async def test_lowest_highest_and_last_are_those_of_the_store(store: Store) -> None:
    at_ms = now_ms()
    await ambon.a_day(store, at_ms)
    async with console(store, known=ambon.placements()) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
        assert "Grafik: 24 jam terakhir" in await shown.text("/device/mardika-01?lang=id")
    from_ms = ambon.first_ms(at_ms)
    for metric, name in (("temp_c", "Air temperature"), ("pm25_ugm3", "Particulate matter PM2.5")):
        values = await store.values(SERIES, metric, from_ms, from_ms + WINDOW_MS)
        numbers = [value for _, value in values]
        part = measures(page, "env-1")[name]
        said = re.findall(r"lowest <b>([^<]*)</b> · highest <b>([^<]*)</b> (\S+)", part)
        assert said == [(figures.number(min(numbers), 1, "en"), figures.number(max(numbers), 1, "en"), said[0][2])]
        assert f'class="value">{figures.number(numbers[-1], 1, "en")}<small> {said[0][2]}</small>' in part
        assert "1 gap, 2 h" in part
        assert part.count('class="gap"') == 1
        assert re.findall(r'<text class="hour"[^>]*>(\d\d:\d\d)<', part)[:1]
    assert "times in WIT" in page


async def test_refused_rows_are_marked_where_they_had_a_value_and_nowhere_else() -> None:
    store = MemoryStore()
    await ambon.a_day(store, now_ms())
    async with console(store) as shown:
        parts = measures(await shown.text("/device/mardika-01?lang=en"), "env-1")
    for name in ("Air temperature", "Relative humidity"):
        assert parts[name].count('class="refused"') == 3
        assert "▲ 3 readings in quarantine" in parts[name]
        assert "3 readings in quarantine" in re.findall(r'aria-label="([^"]*)"', parts[name])[0]
    assert 'class="refused"' not in parts["Ammonia"]


async def test_a_camera_has_lanes_of_its_states_and_plots_of_its_numbers() -> None:
    store = MemoryStore()
    await ambon.a_day(store, now_ms())
    async with console(store) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
    panel = page.partition("<h2><bdi>cam-1</bdi>")[2].partition("</section>")[0]
    lanes = re.findall(r'class="strip (\w+)" role="img" aria-label="([^"]*)"', panel)
    assert lanes == [
        ("alarm", "down: 4.2 %"),
        ("warn", "degraded: 2.1 %"),
        ("unknown", "unknown: 0.0 %"),
        ("plain", "ok: 93.8 %"),
    ]
    assert {"Frames per second", "Packet loss", "Activity in view"} <= measures(page, "cam-1").keys()
    assert "Camera state" not in panel


async def test_an_open_page_asks_for_plots_only_when_they_have_changed() -> None:
    store = MemoryStore()
    await ambon.a_day(store, now_ms())
    async with console(store) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
        (again,) = re.findall(r'hx-get="([^"]*drawn=\d+)"', page)
        light = await shown.text(again.replace("&amp;", "&"))
        assert light.count("hx-preserve") == page.count('class="plot"') > 10
        assert len(light) < len(page) / 4
        assert 'class="line"' not in light
        assert "drawn" not in re.findall(r'<a href="([^"]*)" lang="id"', light)[0]
        for other in ("0", "x", "-1", "9" * 40):
            assert "hx-preserve" not in await shown.text(f"/device/mardika-01?drawn={other}")


def test_a_line_breaks_where_readings_are_missing_and_the_gap_is_told() -> None:
    points = [
        summary(step, 20 + step / 10, 21 + step / 10, 22 + step / 10) for step in [*range(10, 50), *range(60, 288)]
    ]
    (plot,) = source_day(points, FROM_MS).plots
    assert plot.gaps == ((0, 10), (50, 10))
    assert (plot.low, plot.high, plot.last_ms) == (21.0, 50.7, FROM_MS + 287 * STEP_MS)
    assert plot.line.count("M") == plot.band.count("M") == plot.band.count("Z") == 2
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) (\d+)", plot.band)]
    assert all(0 <= x <= STEPS and 0 <= y <= HEIGHT for x, y in drawn)
    assert {min(y for _, y in drawn), max(y for _, y in drawn)} == {3, HEIGHT - 3}


def test_what_the_box_doubts_is_marked_at_its_measure() -> None:
    (plot,) = source_day([summary(step, 20.0, 21.0, 22.0) for step in range(288)], FROM_MS).plots
    flag = flag_of(plot.metric)
    assert flag is not None
    told = [(FROM_MS + step * STEP_MS, code) for step, code in ((-1, 1.0), (7, 2.0), (7, 4.0), (8, 2.0), (90, 2.0))]
    plot = doubting(plot, flag, told, FROM_MS)
    assert plot.doubted == ((7, 2), (90, 1))
    assert [(metric.name, code) for metric, code in plot.doubts] == [("temp_c_flag", 2.0), ("temp_c_flag", 4.0)]


async def test_a_doubt_is_said_in_words_of_both_languages() -> None:
    store, at_ms = MemoryStore(), now_ms()
    rows = [(at_ms - 600_000, 29.0, None), (at_ms - 2000, 41.0, 2.0)]
    tags = (("device", "mardika-01"), ("source", "env-1"))
    await store.write([Table("env", tags, ("temp_c", "temp_c_flag"), rows)])
    async with console(store) as shown:
        english = measures(await shown.text("/device/mardika-01?lang=en"), "env-1")
        indonesian = measures(await shown.text("/device/mardika-01?lang=id"), "env-1")
    assert list(english) == ["Air temperature"]
    assert "▲ doubted: spike" in english["Air temperature"]
    assert english["Air temperature"].count('class="doubt"') == 1
    assert "▲ diragukan: lonjakan" in indonesian["Suhu udara"]


def test_a_source_that_is_read_rarely_has_no_gaps_by_that() -> None:
    (plot,) = source_day([summary(step, 20.0, 21.0, 22.0) for step in range(0, 288, 3)], FROM_MS).plots
    assert plot.gaps == ()
    assert plot.line.count("M") == 1
    (plot,) = source_day([summary(7, 20.0, 20.0, 20.0)], FROM_MS).plots
    assert (plot.gaps, plot.line.endswith("h1")) == (((0, 7), (8, 280)), True)


def test_dates_outside_and_states_without_a_count_are_left_out() -> None:
    assert source_day([summary(-1, 1.0, 1.0, 1.0), summary(288, 1.0, 1.0, 1.0)], FROM_MS).plots == ()
    camera = SeriesId("cam", "d", "cam-1")
    day = source_day([Point(camera, FROM_MS, {"camera_state_3_count": 4.0, "camera_state_1_count": 0.0})], FROM_MS)
    assert [(lane.state, lane.spans) for lane in day.lanes if lane.spans] == [(CameraState.DOWN, ((0, 1),))]


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '{"k":5}', "null", "AAEC"])
def test_a_refused_row_that_can_not_be_read_counts_for_every_measure(kept: str) -> None:
    refusals = Refusals([Refused(SERIES, FROM_MS + 5, "x", kept), Refused(SERIES, 0, "x", kept)], FROM_MS)
    assert refusals.steps(SERIES, "temp_c") == [0]
    assert refusals.steps(SeriesId("env", "mardika-01", "env-2"), "temp_c") == []


def test_the_axis_is_in_the_zone_of_the_page_also_when_its_clocks_are_changed() -> None:
    noon_ms = int(datetime(2026, 11, 22, 3, 0, tzinfo=UTC).timestamp() * 1000)
    said = [(tick.said, tick.main) for tick in ticks(noon_ms, ZoneInfo("Asia/Jayapura"))]
    assert said == [("12:00", True), ("18:00", False), ("00:00", True), ("06:00", False), ("12:00", True)]
    summer_ends_ms = int(datetime(2026, 10, 24, 22, 0, tzinfo=UTC).timestamp() * 1000)
    berlin = ticks(summer_ends_ms, ZoneInfo("Europe/Berlin"))
    assert [(tick.said, round(tick.at, 1)) for tick in berlin] == [
        ("00:00", 0.0),
        ("06:00", 29.2),
        ("12:00", 54.2),
        ("18:00", 79.2),
    ]


def test_a_row_too_deep_to_be_read_is_a_damaged_one() -> None:
    """Some 900 brackets pass the intake; whoever reads them with more calls above must not fall over them."""
    deep = Refused(SERIES, FROM_MS, "type: temp_c", '{"tq":2,"k":["temp_c"],"r":[' + "[" * 100_000)
    assert Refusals([deep], FROM_MS).steps(SERIES, "temp_c") == [0]
    (group,) = groups_of([deep], FROM_MS)
    assert group.good == 0
