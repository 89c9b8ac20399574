"""The boards: valid, within their rules, in both languages; and each rule can fail."""

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from dashboards import alerts, lint, look, portable, schema
from dashboards.boards import BOARDS, all_boards
from dashboards.builder import panel_id, stat
from dashboards.catalogue import MEASUREMENTS
from dashboards.influxql import chosen, identifier, is_, last_s, select, string
from dashboards.layout import Band, board
from dashboards.limits import LIMITS
from dashboards.voice import Voice
from gateway.availability import availability_tables
from gateway.console.balance import Balance, Books
from gateway.console.ledger_points import ledger_points
from gateway.delivery_figures import _FIELDS as DELIVERED
from gateway.fleet import fleet
from gateway.incident_points import open_points, points_of
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Acknowledged, Change, Incident, Scope, Word
from gateway.metrics import GatewayMetrics
from gateway.ports import Point, SeriesId, bucket_of
from gateway.rollup_fields import FUNCTIONS, codes, metrics
from gateway.worst import Worst
from kewang.ui.palette import contrast
from kewang.wire.placement import Place

Json = dict[str, Any]
ID, EN = Voice("id"), Voice("en")
ALL = all_boards([ID, EN])
RULES = Path(__file__).parents[2] / "gateway" / "incidents" / "rules.toml"


def spoilt(change: Callable[[list[Json]], object]) -> list[str]:
    """What the linter says of boards that were changed."""
    boards = copy.deepcopy(ALL)
    change(boards)
    return lint.faults(boards)


def test_six_boards_in_two_languages_are_well() -> None:
    assert len(ALL) == 12
    assert lint.faults(ALL) == []
    assert schema.faults(ALL) == []
    assert lint.of_rules(alerts.rules(ID), ALL) == []
    listener = lint.Listener("en")
    all_boards([listener])
    alerts.rules(listener)
    assert listener.heard
    assert listener.untranslated() == []


def test_both_languages_are_one_spec() -> None:
    for name in BOARDS:
        ours, theirs = (next(one for one in ALL if one["uid"] == voice.uid(name)) for voice in (ID, EN))
        assert [one["id"] for one in lint.panels(ours)] == [one["id"] for one in lint.panels(theirs)]
        titles = [str(one["description"]) for one in lint.panels(ours)]
        assert titles != [str(one["description"]) for one in lint.panels(theirs)]
        asked = [query.replace("title_id", "title_en") for _, query in lint.queries(ours)]
        assert asked == [query for _, query in lint.queries(theirs)]


def test_nothing_on_a_wall_looks_calm_when_nothing_comes() -> None:
    wall = next(one for one in ALL if one["uid"] == "kewang-wall-en")
    words = {one["title"]: one["fieldConfig"]["defaults"].get("noValue", "") for one in wall["panels"]}
    assert [title for title, said in words.items() if "STALE" not in said and "fresh" not in said] == []


def set_query(boards: list[Json], query: str) -> None:
    boards[0]["panels"][0]["targets"][0]["query"] = query


SPOILT: dict[str, Callable[[list[Json]], object]] = {
    "the uid of 2 boards": lambda all_: all_[1].update(uid=all_[0]["uid"]),
    "panels have the id": lambda all_: all_[0]["panels"][1].update(id=all_[0]["panels"][0]["id"]),
    "is not within the 24 columns": lambda all_: all_[0]["panels"][0]["gridPos"].update(w=30),
    "lie on each other": lambda all_: all_[0]["panels"][1]["gridPos"].update(x=0),
    "which not every Grafana brings": lambda all_: all_[0]["panels"][0].update(type="piechart"),
    "has no title or no description": lambda all_: all_[0]["panels"][0].update(description=""),
    "has no unit": lambda all_: all_[0]["panels"][0]["fieldConfig"]["defaults"].update(unit=""),
    "has no words for when nothing comes": lambda all_: all_[0]["panels"][0]["fieldConfig"]["defaults"].pop("noValue"),
    "asks nothing": lambda all_: all_[0]["panels"][0].update(targets=[]),
    "not raw InfluxQL of our data source": lambda all_: all_[0]["panels"][0]["targets"][0].update(rawQuery=False),
    "not in the palette": lambda all_: all_[0]["panels"][0]["fieldConfig"]["defaults"].update(
        color={"mode": "fixed", "fixedColor": "red"}
    ),
    "at least 10 s must pass": lambda all_: all_[0].update(refresh="5s"),
    "which is no board": lambda all_: all_[0]["links"].append({"url": "/d/elsewhere"}),
    "into a link as it is": lambda all_: all_[0]["links"].append({"url": "/d/kewang-wall-id?var-x=${__value.raw}"}),
    "too many for a wall": lambda all_: set_query(all_, 'SELECT last(age_s) FROM "state" WHERE time > now() - 60s'),
    "which nobody writes": lambda all_: set_query(all_, 'SELECT last(x) FROM "cpu" WHERE time > now() - 60s'),
    "names totl": lambda all_: set_query(all_, 'SELECT last(totl) FROM "fleet" WHERE time > now() - 60s'),
    "names nmae": lambda all_: set_query(all_, 'SELECT last(up) FROM "fleet" WHERE $timeFilter GROUP BY "nmae"'),
    "has no time bound": lambda all_: set_query(all_, 'SELECT last(up) FROM "fleet"'),
    "it lives in years": lambda all_: set_query(all_, 'SELECT last(back) FROM "incident" WHERE $timeFilter'),
    "calls integral": lambda all_: set_query(all_, 'SELECT integral(up) FROM "fleet" WHERE $timeFilter'),
    "names SLIMIT": lambda all_: set_query(all_, 'SELECT last(up) FROM "fleet" WHERE $timeFilter SLIMIT 5'),
    "outside of a regular expression": lambda all_: set_query(
        all_, 'SELECT last(up) FROM "fleet" WHERE $timeFilter AND "name" = ${site}'
    ),
    "more than one statement": lambda all_: set_query(all_, 'SELECT last(up) FROM "fleet" WHERE $timeFilter; SHOW TAG'),
    "variable device": lambda all_: all_[4]["templating"]["list"][0].update(query='SHOW TAG VALUES FROM "cpu"'),
    "must be shown as text": lambda all_: next(one for one in all_[0]["panels"] if one["type"] == "table")[
        "fieldConfig"
    ]["overrides"].append({"matcher": {}, "properties": [{"id": "custom.cellOptions", "value": {"type": "markdown"}}]}),
    "others chose": lambda all_: all_[0]["panels"][0].update(type="text", options={"content": "Site $site"}),
}


@pytest.mark.parametrize("said", SPOILT)
def test_each_rule_can_fail(said: str) -> None:
    found = spoilt(SPOILT[said])
    assert any(said in one for one in found), found
    assert all(one.startswith("kewang-") for one in found)


def test_grafana_types_can_fail() -> None:
    board_ = copy.deepcopy(ALL[0])
    board_["refresh"] = 10
    board_["panels"][0]["options"]["graphMode"] = "bars"
    assert [one for one in schema.faults([board_]) if "refresh" in one]
    assert [one for one in schema.faults([board_]) if "graphMode" in one and "13.2.3" in one]


def test_a_rule_that_points_nowhere_is_found() -> None:
    rules = alerts.rules(ID)
    rules["groups"][0]["rules"][0] |= {"panelId": 1, "title": "$HOME"}
    assert len(lint.of_rules(rules, ALL)) == 2


def test_no_data_of_the_gateway_is_an_alarm() -> None:
    groups = {one["name"]: one["rules"] for one in alerts.rules(ID)["groups"]}
    assert {one["noDataState"] for one in groups["kewang-platform"]} == {"Alerting"}
    assert {one["execErrState"] for one in groups["kewang-platform"]} == {"Alerting"}


def test_every_row_of_the_wall_says_when_it_is_stale() -> None:
    for wall in (one for one in ALL if one["uid"].startswith("kewang-wall-")):
        words = "■ DATA BASI" if wall["uid"].endswith("id") else "■ STALE DATA"
        ends = [one for one in wall["panels"] if one["gridPos"]["x"] == 21]
        rows = {one["gridPos"]["y"] for one in wall["panels"] if one["gridPos"]["x"] == 0}
        fresh = [one for one in ends if one["fieldConfig"]["defaults"]["mappings"]]
        assert {one["gridPos"]["y"] for one in fresh} == rows
        for one in fresh:
            assert one["fieldConfig"]["defaults"]["noValue"] == words
            nothing = one["fieldConfig"]["defaults"]["mappings"][-1]["options"]
            assert nothing["result"] == {"text": words, "color": look.ALARM}
            assert "time > now() - 60s" in one["targets"][0]["query"] or "worst_5m" in one["targets"][0]["query"]
        assert len(ends) - len(fresh) == len(rows), "the absolute time stands beside each"


@pytest.mark.parametrize("colour", sorted(look.PALETTE))
def test_colours_can_be_read(colour: str) -> None:
    assert contrast(colour, look.GROUND) >= 4.5
    part = look.FILL_PCT / 100
    mixed = (round(part * over + (1 - part) * under) for over, under in zip(rgb(colour), rgb(look.GROUND), strict=True))
    assert contrast("#" + "".join(f"{one:02x}" for one in mixed), look.WHITE) >= 4.5, "white words on a timeline"


def rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def test_states_have_a_word_and_a_symbol() -> None:
    for mapping in (look.states(ID), look.words_of_device(ID), look.severities(ID)):
        for one in mapping["options"].values():
            assert one["text"][0] in "▲●◇■" or one["color"] == look.NORMAL


def test_ids_follow_from_keys() -> None:
    shown: Json = {"unit": "none"}
    first = stat("a", "A", "a", select("last(up)", "fleet"), **shown)
    second = stat("b", "B", "b", select("last(up)", "fleet"), **shown)
    alone = board("x", ID, "X", "x", [Band(4, [(4, second)])], refresh="1m", since="now-1h")
    both = board("x", ID, "X", "x", [Band(4, [(12, first), (12, second)])], refresh="1m", since="now-1h")
    assert alone["panels"][0]["id"] == both["panels"][1]["id"] == panel_id("b")


@pytest.mark.parametrize("name", ["pasar'mardika", 'a"b', "a\\", "x\ny", "' OR 1=1 --"])
def test_hostile_names_stay_names(name: str) -> None:
    query = select("last(up)", "fleet", last_s(60), is_("name", name))
    assert list(portable.faults(query)) == []
    assert "\n" not in string(name) + identifier(name)


def test_what_a_viewer_chose_is_one_escaped_value() -> None:
    assert chosen("device") == '"device" =~ /^${device:regex}$/'
    inside = [query for one in ALL for _, query in lint.queries(one) if "${" in query]
    assert inside
    assert all(query.count("${") == query.count("/^${device:regex}$/") for query in inside)


def test_the_catalogue_is_what_the_gateway_writes() -> None:
    place = Place.model_validate(
        {"from": 0, "site": "mardika", "lat": -3.7, "lon": 128.2, "uplink": "fo", "feeder": "pln"}
    )
    incident = Incident(1, "outage", Scope("site", "mardika"), "critical", 1.0, 2.0, {"a": 1.0}, {"a": 5.0})
    incident.ended_s, incident.cause, incident.acknowledged = 9.0, "power", Acknowledged("ani", 3.0)
    moved = Transition("a", "cam-1", "down", "up", 9.0, 1.0, 1.0, Hearing.GONE)
    tables = [
        *fleet({"a": place}, lambda _: "up", 1),
        *open_points([incident], {}, 1),
        *points_of([moved], [Change("resolved", incident, 9.0)]),
        *availability_tables({"a": {"up": 1.0}}, 0),
    ]
    tables += ledger_points(Books(0, 1, by_device={"a": Balance(1, 1)}), "gw1", 1)
    means: dict[str, float | int | str] = {f"{one}_mean": 1.0 for one in metrics("env")}
    worst = Worst()
    worst.see([Point(SeriesId("env", "a", "env-1"), 0, means)])
    tables += worst.tables()
    for name in ("ledger", "worst_5m", "fleet", "incident_open", "incident", "device_event", "availability_1d"):
        written = [one for one in tables if one.measurement == name]
        known = MEASUREMENTS[name]
        assert {key for one in written for key, _ in one.tags} == set(known.tags), name
        assert {field for one in written for field in one.fields} == set(known.fields), name
    assert set(MEASUREMENTS["gw"].fields) <= set(GatewayMetrics().snapshot())
    assert MEASUREMENTS["delivery"].fields == DELIVERED
    for name, known in MEASUREMENTS.items():
        assert bucket_of(name) == known.bucket
        stream, _, every = name.partition("_")
        if every in ("5m", "1d") and stream not in ("availability", "worst"):
            rolled = [f"{one}_{function}" for one in metrics(stream) for function in FUNCTIONS]
            assert set(known.fields) == {*rolled, *(field for _, _, field in codes(stream))}


def test_words_of_devices_are_the_watchs() -> None:
    assert set(look.words_of_device(ID)["options"]) == set(get_args(Word))


def test_limits_are_those_of_the_rules() -> None:
    rules = {one["metric"]: one for one in tomllib.loads(RULES.read_text()).values() if one.get("when") is None}
    for name, (warning, critical) in LIMITS.items():
        rule = rules[name]
        at_once = rule.get("severity") == "critical" and "critical_from" not in rule
        limits = (None, rule["from"]) if at_once else (rule["from"], rule.get("critical_from"))
        assert limits == (warning, critical), name


def test_schemas_hold_no_address_of_ours() -> None:
    for file in schema.FOLDER.glob("*.json"):
        text = file.read_text()
        assert json.loads(text)["grafana"] in file.name
        assert "/home" not in text
        assert "/tmp" not in text
