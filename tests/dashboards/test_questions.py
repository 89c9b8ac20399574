"""An operator's questions, answered by the panels' own queries from what the production code wrote."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards import lint, schema
from dashboards.boards import all_boards
from dashboards.builder import panel_id
from dashboards.lint import panels, queries
from dashboards.voice import Voice
from gateway.incident_points import points_of
from gateway.influx1_sink import Influx1Store
from gateway.ports import Lives, Table
from gateway.rollups import DAY_MS, Rollups
from gateway.writer import write
from kewang.bench.boards_ask import Influx, ask, filled_in, since
from kewang.bench.boards_check import DATABASE
from kewang.bench.boards_seed import At, Seeder
from kewang.bench.boards_town import over, town
from kewang.bench.parts import Influxd
from tests.docs_examples.pages import DOCS, fences_of

ZONE = ZoneInfo("Asia/Jayapura")
TOWN = town(60)
BOARDS = {one["uid"]: one for one in all_boards([Voice("id"), Voice("en")])}
HOUR_MS = 3_600_000
BAD, GOOD = TOWN.cameras[:2]
HOSTILE = ["kotak'; DROP SERIES FROM /.*/; --", ".*", "a/b", "kotak-0000.", '"', "\\", "<script>alert(1)</script>"]


@dataclass(frozen=True, slots=True)
class House:
    """A filled database of the influxd at `url`."""

    url: str
    influx: Influx
    lost_min: dict[str, float]

    def rows(self, board: str, key: str, device: str = TOWN.shown) -> list[dict[str, Any]]:
        """What a panel shows: tags and columns of every row."""
        shown = BOARDS[board]
        panel = next(one for one in panels(shown) if one["id"] == panel_id(key))
        found = []
        for target in panel["targets"]:
            sent = filled_in(target["query"], shown, panel, {"device": device}, time.time_ns() // 1_000_000)
            for one in self.influx.series(sent):
                tags = one.get("tags", {})
                found += [tags | dict(zip(one["columns"], row, strict=True)) for row in one["values"]]
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Influxd(tmp_path_factory.mktemp("house")) as influxd:
        lost = asyncio.run(fill(influxd.url))
        influx = Influx(influxd.url, DATABASE)
        yield House(influxd.url, influx, lost)
        influx.close()


async def fill(url: str) -> dict[str, float]:
    """How it is now, a month of incidents, a week of two cameras. Feeder -> minutes it lost."""
    store, now_ms = Influx1Store(url, DATABASE), time.time_ns() // 1_000_000
    await store.prepare(Lives())
    month_s = since(BOARDS["kewang-network-id"], now_ms) / 1000
    changes = list(over(TOWN, month_s + 1, now_ms / 1000 - 1))
    await store.write(points_of([], changes))
    rollups = Rollups(store, At(now_ms), ZONE, 14)
    for day in range(7, 0, -1):
        start_ms = (now_ms - day * DAY_MS) // HOUR_MS * HOUR_MS
        for device, state in ((BAD, 3.0), (GOOD, 1.0)):
            rows = [(start_ms + minute * 60_000, state) for minute in range(60)]
            await store.write([Table("cam", (("device", device), ("source", "cam-1")), ("camera_state",), rows)])
        await rollups.make((start_ms, start_ms + HOUR_MS))
        await rollups.make_day(rollups._day(start_ms))
    await Seeder(store, TOWN, ZONE, 1).now()
    await store.close()
    lost: dict[str, float] = {}
    for change in changes:
        one = change.incident
        if change.what == "resolved" and one.scope.level == "feeder" and one.ended_s:
            lost[one.scope.name] = lost.get(one.scope.name, 0.0) + (one.ended_s - one.since_s) / 60
    return lost


@pytest.mark.parametrize("language", ["id", "en"])
def test_what_is_down_since_when_why_and_who_has_it(house: House, language: str) -> None:
    rows = house.rows(f"kewang-wall-{language}", "incidents")
    assert len(rows) == 9
    title = {"id": "Penyulang pln-0", "en": "feeder pln-0"}[language]
    down = next(one for one in rows if title.lower() in one[f"title_{language}"].lower())
    assert time.time() - 600 < down["since_ms"] / 1000 < time.time()
    assert down["missing"] == 1
    taken = [one for one in rows if one["by"]]
    assert {(one["by"], one["cause"]) for one in taken} == {("ani", "power")}
    assert len(taken) == 4


def test_which_markets_camera_has_been_bad_for_a_week(house: House) -> None:
    worst, best, *places = house.rows("kewang-cameras-id", "week")
    assert {one["device"]: one["site"] for one in places}[BAD] == TOWN.places[BAD].site
    assert (worst["device"], worst["source"], worst["top"]) == (BAD, "cam-1", 100)
    assert (best["device"], best["top"]) == (GOOD, 0)


def test_how_many_minutes_each_feeder_lost_this_month(house: House) -> None:
    rows = house.rows("kewang-network-id", "feeder")
    assert house.lost_min
    assert {one["name"]: round(one["minutes"], 6) for one in rows} == pytest.approx(house.lost_min, abs=1e-3)


def test_is_the_data_complete(house: House) -> None:
    (row,) = house.rows("kewang-platform-id", "complete")
    assert row["last"] == 0
    (sums,) = house.rows("kewang-platform-en", "ledger")
    assert sums["made"] == sum(sums[name] for name in ("stored", "quarantined", "dropped", "held", "lost")) == 2880


def test_is_this_wall_fresh(house: House) -> None:
    for key in ("fresh-devices", "fresh-incidents", "fresh-sites"):
        (row,) = house.rows("kewang-wall-id", key)
        assert time.time() * 1000 - row["time"] < 60_000


def on_the_page(voice: Voice) -> tuple[dict[str, Any], str]:
    """The board of the page add-a-board, and its words."""
    module, words = (one.text for one in fences_of(DOCS / "dev" / "add-a-board.md") if one.kind.endswith(" board"))
    made = ModuleType("water")
    exec(compile(module, "water.py", "exec"), made.__dict__)
    return made.board(voice), words


def test_the_board_of_the_page_add_a_board_is_well() -> None:
    listener = lint.Listener("en")
    new, words = on_the_page(listener)
    assert lint.faults([*BOARDS.values(), new]) == []
    assert schema.faults([new]) == []
    unknown = listener.untranslated()
    assert unknown
    assert [one for one in unknown if f"msgid {json.dumps(one[len('no Indonesian for ') + 1 : -1])}" not in words] == []


@pytest.mark.parametrize("device", HOSTILE)
def test_whatever_a_viewer_writes_shows_nothing_of_others(house: House, device: str) -> None:
    board = BOARDS["kewang-device-id"]
    found = ask(house.influx, board, {"device": device}, {})
    assert len(found) == len(list(queries(board)))
    assert [one.answer.error for one in found if one.answer.error] == []
    assert [one.where for one in found if one.answer.values] == []
    assert len(house.rows("kewang-wall-id", "fresh-devices")) == 1


def test_an_empty_database_is_no_error_and_nothing_is_calm(house: House) -> None:
    asyncio.run(written(house.url, "empty", []))
    influx = Influx(house.url, "empty")
    for board in BOARDS.values():
        for one in ask(influx, board, {"device": "x"}, {}):
            assert (one.answer.values, one.answer.error) == (0, "")
    influx.close()


def test_a_city_of_one_device_fills_its_boards(house: House) -> None:
    asyncio.run(of_one(house.url, "one"))
    influx = Influx(house.url, "one")
    boards = [*BOARDS.values(), on_the_page(Voice("id"))[0]]
    asked = [one for board in boards for one in ask(influx, board, {"device": town(1).shown}, {})]
    assert [one.where for one in asked if one.answer.error or not one.answer.values] == []
    influx.close()


async def of_one(url: str, database: str) -> None:
    store = Influx1Store(url, database)
    await store.prepare(Lives())
    seeder = Seeder(store, town(1), ZONE, 1, hours=2)
    await seeder.past()
    await seeder.now()
    await store.close()


def test_hostile_names_in_the_database_come_back_as_they_are_and_find_only_their_own(house: House) -> None:
    """Our own wire lets none of these in (kewang.wire.placement); somebody else may write into the database."""
    now_ms = time.time_ns() // 1_000_000
    tables = []
    for age_s, name in enumerate(HOSTILE, start=1):
        tables += [
            Table("fleet", (("level", "site"), ("name", name)), ("state", "total"), [(now_ms, 4.0, 1.0)]),
            Table("state", (("device", name),), ("age_s", "site"), [(now_ms, float(age_s), name)]),
            Table(
                "incident_open",
                (("kind", "outage"), ("level", "site"), ("name", name), ("number", name)),
                ("severity", "title_id", "title_en", "devices"),
                [(now_ms, "critical", name, name, 1.0)],
            ),
        ]
    assert asyncio.run(written(house.url, "names", tables)) == len(tables) - 3, "a backslash at the end is refused"
    strange = House(house.url, Influx(house.url, "names"), {})
    stored = set(HOSTILE) - {"\\"}
    assert {one["name"] for one in strange.rows("kewang-wall-id", "map")} == stored
    assert {one["title_id"] for one in strange.rows("kewang-wall-id", "incidents")} == stored
    for age_s, name in enumerate(HOSTILE, start=1):
        found = [one["last"] for one in strange.rows("kewang-device-en", "age", name)]
        assert found == [age_s] * (name in stored)
    strange.influx.close()


def test_a_source_that_is_down_is_not_its_device(house: House) -> None:
    now_ms = time.time_ns() // 1_000_000
    tables = [
        Table("device_event", (("device", "a"),), ("word", "before"), [(now_ms - 2000, "up", "unknown")]),
        Table("device_event", (("device", "a"), ("source", "cam-1")), ("word", "before"), [(now_ms, "down", "up")]),
    ]
    assert asyncio.run(written(house.url, "words", tables)) == 2
    told = House(house.url, Influx(house.url, "words"), {})
    assert [one["last"] for one in told.rows("kewang-device-id", "word", "a")] == ["up"]
    week = told.rows("kewang-device-id", "week", "a")
    assert [(one.get("source", ""), one["word"]) for one in week] == [("", "up"), ("cam-1", "down")]
    told.influx.close()


async def written(url: str, database: str, tables: Sequence[Table]) -> int:
    """How many of the tables the store lets in."""
    store = Influx1Store(url, database)
    await store.prepare(Lives())
    refused = await write(store, tables)
    await store.close()
    return len(tables) - len(refused)
