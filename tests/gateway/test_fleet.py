"""Points for the boards: how many devices are how, and what became of incidents."""

from __future__ import annotations

import random
from typing import cast

import pytest

from gateway.fleet import WORDS, fleet
from gateway.incident_points import OPEN_POINTS, open_points, points_of
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Acknowledged, Change, Incident, Scope, Word
from gateway.ports import Lives, Table
from gateway.stores import open_store
from gateway.writer import write
from kewang.bench.parts import Influxd
from kewang.wire.placement import Place

NOW_MS = 1_785_000_000_000
DICE = random.Random(5)
HOSTILE = "x'y\",level=site =\\n"


def place(n: int, **other: object) -> Place:
    facts = {"from": 0, "site": f"pasar-{n % 7}", "uplink": f"fo-{n % 3}", "feeder": f"pln-{n % 2}"}
    return Place.model_validate(facts | {"lat": -3.7 + n / 1000, "lon": 128.2} | other)


def fields(table: Table) -> dict[str, object]:
    (row,) = table.rows
    assert row[0] == NOW_MS
    return dict(zip(table.fields, row[1:], strict=True))


def test_every_device_is_counted_once_at_each_level_it_hangs_on() -> None:
    places = {f"kotak-{n}": place(n) for n in range(100)}
    words: dict[str, Word] = {device: DICE.choice(WORDS) for device in places}
    tables = fleet(places, words.__getitem__, NOW_MS)
    for level, groups in (("city", 1), ("site", 7), ("uplink", 3), ("feeder", 2)):
        told = [fields(table) for table in tables if dict(table.tags)["level"] == level]
        assert len(told) == groups
        for word in WORDS:
            assert sum(float(str(one[word])) for one in told) == list(words.values()).count(word)
        assert all(sum(float(str(one[word])) for word in WORDS) == one["total"] for one in told)
    site = next(fields(table) for table in tables if dict(table.tags) == {"level": "site", "name": "pasar-0"})
    assert site["lat"] == pytest.approx(sum(-3.7 + n / 1000 for n in range(0, 100, 7)) / 15)


@pytest.mark.parametrize(("life", "counted"), [("installed", 1), ("maintenance", 1), ("approved", 0), ("retired", 0)])
def test_only_who_may_alert_or_is_worked_on_is_counted(life: str, counted: int) -> None:
    assert bool(fleet({"kotak-1": place(1, life=life)}, lambda _: "up", NOW_MS)) == bool(counted)


def test_a_place_without_coordinates_has_none() -> None:
    tables = fleet({"kotak-1": place(1, lat=None, lon=None, uplink=None, feeder=None)}, lambda _: "down", NOW_MS)
    assert [dict(table.tags) for table in tables] == [
        {"level": "city", "name": "-"},
        {"level": "site", "name": "pasar-1"},
    ]
    assert all("lat" not in table.fields for table in tables)


def incident(**more: object) -> Incident:
    made = Incident(
        7, "outage", Scope("feeder", "pln-1"), "critical", 1000.0, 1090.0, {"a": 1000.0, "b": 1010.0, "c": 900.0}
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_a_resolved_incident_says_what_it_cost() -> None:
    over = incident(ended_s=2000.0, back={"a": 1600.0, "b": 1510.0}, acknowledged=Acknowledged("ibu sari", 1100.0))
    opened, resolved = points_of([], [Change("opened", incident(), 1090.0), Change("resolved", over, 2000.0)])
    assert dict(opened.tags) == {"kind": "outage", "level": "feeder", "name": "pln-1", "number": "7"}
    told = dict(zip(resolved.fields, resolved.rows[0][1:], strict=True))
    assert (told["lost_s"], told["device_lost_s"], told["by"]) == (1000.0, 600.0 + 500.0, "ibu sari")
    assert "lost_s" not in opened.fields


def test_open_incidents_are_told_the_worst_first_and_not_without_end() -> None:
    many = [incident(number=number, severity="warning" if number % 2 else "critical") for number in range(500)]
    tables = open_points(many, {}, NOW_MS)
    assert len(tables) == OPEN_POINTS
    told = fields(tables[0])
    assert (told["severity"], told["missing"], told["since_ms"]) == ("critical", 3.0, 1_000_000.0)
    assert told["title_en"] == "Sites on feeder pln-1 are not heard"
    assert "by" not in told, "nobody has it"


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("up up up", 0),
        ("up degraded up", 1),
        ("up down up", 1),
        ("down up", 4),
        ("maintenance maintenance up", 2),
        ("unknown unknown up", 3),
        ("unknown unknown down down", 4),
        ("unstable up up", 1),
    ],
)
def test_a_place_is_one_number_for_a_map(words: str, state: int) -> None:
    told = dict(enumerate(words.split()))
    places = {f"kotak-{n}": place(1) for n in told}
    tables = fleet(places, lambda device: cast(Word, told[int(device.rpartition("-")[2])]), NOW_MS)
    assert {fields(table)["state"] for table in tables} == {float(state)}


def test_a_device_that_changed_its_word_is_an_event() -> None:
    moved = Transition("kotak-1", None, "down", "up", 100.0, 40.0, 40.0, Hearing.GONE)
    same = Transition("kotak-1", None, "up", "up", 100.0, 40.0, 40.0, Hearing.HEARD)
    (event,) = points_of([moved, same], [])
    assert (event.measurement, event.rows) == ("device_event", [(100_000, "down", "up", 60.0)])


async def test_a_database_takes_all_of_it(influxd: Influxd) -> None:
    over = incident(ended_s=2000.0, back={"a": 1600.0}, acknowledged=Acknowledged(HOSTILE, 1100.0, HOSTILE))
    tables = [*fleet({"kotak-1": place(1)}, lambda _: "up", NOW_MS), *points_of([], [Change("resolved", over, 2000.0)])]
    store = open_store(f"influx1+{influxd.url}/armada")
    try:
        await store.prepare(Lives(0, 0, 0))
        assert await write(store, tables) == []
    finally:
        await store.close()
