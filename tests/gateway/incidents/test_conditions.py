"""Rules at work: two limits, a hold, worse values, pauses, sites together."""

import json
from collections.abc import Iterable

import pytest

from gateway.incidents.model import Change, Scope
from gateway.incidents.rules import load_rules
from gateway.incidents.watch import Watch, WatchRules
from tests.gateway.incidents.stage import at, story

RULES = WatchRules(conditions=load_rules())


def watch(*sites: str) -> Watch:
    """A watch with one box `m-SITE` in each site."""
    watch = Watch(RULES, 0.0)
    for site in sites:
        watch.place(f"m-{site}", at(site), 0.0)
        watch.heard(f"m-{site}", 0.0, 1e6)
    watch.due(0.0)
    return watch


def rows(watch: Watch, device: str, metric: str, values: Iterable[float], from_s: float, each_s: float) -> list[Change]:
    """One row after the other."""
    found: list[Change] = []
    for number, value in enumerate(values):
        watch.measured(device, "env-1", {metric: value}, from_s + number * each_s)
        found += watch.due(from_s + number * each_s)
    return found


def test_heat_is_told_after_its_hold_and_over_below_its_lower_limit() -> None:
    told = rows(watch("mardika"), "m-mardika", "temp_c", [37] * 40 + [35] * 40 + [33] * 10, 0, 60)
    assert story(told) == [("opened", "heat", "site mardika"), ("resolved", "heat", "site mardika")]
    assert [each.at_s for each in told] == [1800.0, 80 * 60 + 300.0]
    assert told[0].incident.value == 37


def test_a_dip_below_the_lower_limit_begins_the_hold_anew_and_one_above_it_does_not() -> None:
    assert rows(watch("a"), "m-a", "temp_c", [37] * 20 + [33] + [37] * 29, 0, 60) == []
    assert len(rows(watch("a"), "m-a", "temp_c", [37] * 20 + [35] + [37] * 29, 0, 60)) == 1


def test_a_pause_in_the_rows_begins_the_hold_anew() -> None:
    one = watch("a")
    assert rows(one, "m-a", "temp_c", [37] * 25, 0, 60) == []
    assert rows(one, "m-a", "temp_c", [37] * 29, 10_000, 60) == []


def test_from_the_critical_limit_on_it_is_worse_once() -> None:
    told = rows(watch("a"), "m-a", "temp_c", [37] * 31 + [41, 42, 37, 41], 0, 60)
    assert [(each.what, each.incident.severity, each.incident.value) for each in told] == [
        ("opened", "warning", 37),
        ("worsened", "critical", 41),
    ]


def test_codes_and_sources() -> None:
    told = rows(watch("a"), "m-a", "camera_state", [1, 3, 3, 3, 1, 1, 1, 1, 1], 0, 30)
    assert story(told) == [
        ("opened", "camera-lost", "source m-a/env-1"),
        ("resolved", "camera-lost", "source m-a/env-1"),
    ]


def test_smoke_over_the_town_is_one_incident_of_the_city() -> None:
    sites = [f"s{number}" for number in range(12)]
    one, told = watch(*sites), []
    for minute in range(120):
        for site in sites:
            one.measured(f"m-{site}", "env-1", {"pm25_ugm3": 80.0 if minute < 80 else 20.0}, minute * 60.0)
        told += one.due(minute * 60.0)
    assert [each for each in story(told) if each[2] == "city"] == [
        ("opened", "pm25", "city"),
        ("resolved", "pm25", "city"),
    ]
    assert len([each for each in told if each.what == "opened"]) == 4
    assert not one.open


def test_maintenance_and_places_that_do_not_alert_silence_it() -> None:
    one = watch("a")
    one.maintain(Scope("site", "a"), 1e5, 0.0)
    assert rows(one, "m-a", "temp_c", [37] * 60, 0, 60) == []
    assert rows(one, "nobody", "temp_c", [37] * 60, 0, 60) == []


def test_a_box_that_is_taken_away_ends_what_it_told() -> None:
    one = watch("a")
    rows(one, "m-a", "temp_c", [37] * 40, 0, 60)
    one.place("m-a", None, 3000.0)
    assert story(one.due(3000.0)) == [("resolved", "heat", "site a")]


def test_a_source_that_says_nothing_for_an_hour_holds_its_incident_up_no_longer() -> None:
    """Two measure the heat at one site; one falls silent, the other clears it: nobody knows how it is at the first."""
    one = watch("a", "b")
    one.place("m-b", at("a"), 0.0)
    for minute in range(40):
        for device in ("m-a", "m-b"):
            one.measured(device, "env-1", {"temp_c": 37.0}, minute * 60.0)
    assert story(one.due(2400.0)) == [("opened", "heat", "site a")]
    assert rows(one, "m-b", "temp_c", [33] * 20, 2400, 60) == []
    assert one.due(2340.0 + 1800 + 3600 - 1) == []
    (over,) = one.due(one.next_s)
    assert (over.what, over.incident.stragglers) == ("resolved", ("m-a/env-1",))
    assert over.at_s == 2340.0 + 1800 + 3600
    assert story(rows(one, "m-a", "temp_c", [37] * 40, 9000, 60)) == [("opened", "heat", "site a")]


def test_a_source_that_measures_again_before_the_end_is_part_of_it_again() -> None:
    one = watch("a", "b")
    one.place("m-b", at("a"), 0.0)
    for minute in range(240):
        if not 40 <= minute < 180:
            one.measured("m-a", "env-1", {"temp_c": 37.0}, minute * 60.0)
        one.measured("m-b", "env-1", {"temp_c": 37.0}, minute * 60.0)
        one.due(minute * 60.0)
    (incident,) = one.open.values()
    assert (incident.number, incident.stragglers, incident.missing) == (1, (), ["m-a/env-1", "m-b/env-1"])


def test_rows_that_come_seldom_but_come_hold_it_up() -> None:
    assert len(rows(watch("a"), "m-a", "pm25_ugm3", [80] * 40, 0, 3500)) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_all_are_silent_and_the_closing_says_so(restart: bool) -> None:
    one = watch("a")
    rows(one, "m-a", "temp_c", [37] * 40, 0, 60)
    if restart:
        one = Watch.restored(json.loads(json.dumps(one.kept())), RULES, 2400.0)
        one.place("m-a", at("a"), 2400.0)
        one.heard("m-a", 2400.0, 1e6)
    told = one.due(2400.0 + 5400.0)
    assert [(each.what, each.incident.stragglers) for each in told] == [("resolved", ("m-a/env-1",))]


def test_a_rule_that_was_taken_out_of_the_file_ends_what_it_told() -> None:
    one = watch("a")
    rows(one, "m-a", "temp_c", [37] * 40, 0, 60)
    fewer = WatchRules(conditions=tuple(rule for rule in RULES.conditions if rule.name != "heat"))
    again = Watch.restored(one.kept(), fewer, 2400.0)
    assert story(again.due(2400.0)) == [("resolved", "heat", "site a")]


def test_a_source_that_was_taken_away_ends_what_it_told() -> None:
    one = watch("a")
    one.place("m-a", at("a").model_copy(update={"sources": ("env-1", "env-2")}), 0.0)
    rows(one, "m-a", "temp_c", [37] * 40, 0, 60)
    one.place("m-a", at("a").model_copy(update={"sources": ("env-2",)}), 2400.0)
    assert story(one.due(2400.0)) == [("resolved", "heat", "site a")]


def test_a_restart_forgets_no_course() -> None:
    one = watch("a")
    rows(one, "m-a", "temp_c", [37] * 20, 0, 60)
    again = Watch.restored(one.kept(), RULES, 1200.0)
    again.place("m-a", at("a"), 1200.0)
    again.heard("m-a", 1200.0, 1e6)
    assert story(rows(again, "m-a", "temp_c", [37] * 20, 1200, 60)) == [("opened", "heat", "site a")]
