"""Maintenance windows: nothing below them is told while they last, and their end says who was away."""

import json

import pytest
from hypothesis import given, settings

from gateway.incidents.maintenance import AHEAD_S, LONGEST_S, MAX_WINDOWS, NoWindow, check
from gateway.incidents.model import Level, Scope
from gateway.incidents.rules import load_rules
from gateway.incidents.watch import Watch, WatchRules
from tests.gateway.incidents.stage import Stage, at, story
from tests.gateway.incidents.test_watch import STORIES, Do, fresh, told

RULES = WatchRules(conditions=load_rules())
DOWN_S = 3000.0
FROM_S, UNTIL_S = 2000.0, 8000.0
SITE = Scope("site", "s0")


def town(sites: int = 3, per_site: int = 3) -> Stage:
    """Three sites of three boxes on one feeder."""
    stage = Stage(Watch(RULES, 0.0))
    for site in range(sites):
        stage.place([f"s{site}-{box}" for box in range(per_site)], at(f"s{site}", feeder="f0"))
    stage.watch.looped(0.0, 1e9)
    return stage


def worked_on(scope: Scope = SITE) -> Stage:
    """A town where somebody works."""
    stage = town()
    stage.watch.maintain(scope, UNTIL_S, 0.0, FROM_S, "ina", "a new pole")
    return stage


def test_the_report_says_who_was_away_since_when_and_who_is_not_back() -> None:
    stage = worked_on()
    stage.away(["s0-0", "s0-1"], DOWN_S, UNTIL_S - 1000)
    stage.away(["s0-2"], DOWN_S + 600, UNTIL_S + 9000)
    assert stage.play(UNTIL_S - 1) == []
    assert stage.watch.word("s0-1") == stage.watch.word("s0-2") == "maintenance"
    assert (stage.watch.word("s1-0"), stage.watch.word("s0-2", "env-1")) == ("up", "maintenance")
    (begun,), stage.watch.windows = stage.watch.windows, []
    assert (begun.begun, begun.ended_s) == (True, None)
    stage.away(["s0-2"], UNTIL_S - 1, UNTIL_S + 9000, will=False)
    assert story(stage.play(UNTIL_S + 60)) == [("opened", "outage", "device s0-2")]
    assert (stage.watch.word("s0-1"), stage.watch.word("s0-2")) == ("up", "down")
    (ended,) = stage.watch.windows
    assert (ended.ended_s, ended.sites, ended.missing) == (UNTIL_S, ("s0",), ["s0-2"])
    assert all(DOWN_S - 31 < ended.away[box] <= DOWN_S for box in ("s0-0", "s0-1"))
    assert {box: round(back_s, -2) for box, back_s in ended.back.items()} == dict.fromkeys(
        ("s0-0", "s0-1"), UNTIL_S - 1000
    )
    report = ended.report()
    assert (report.kind, report.severity, report.stragglers) == ("maintenance", "warning", ("s0-2",))


def test_before_it_begins_and_outside_of_it_all_is_told() -> None:
    stage = worked_on()
    stage.away(["s0-0"], 300, 1000)
    stage.away(["s1-0"], DOWN_S, DOWN_S + 600)
    assert [each[2] for each in story(stage.play(UNTIL_S)) if each[0] == "opened"] == ["device s0-0", "device s1-0"]
    assert stage.watch.windows[-1].report().severity == "info"


def test_a_neighbours_outage_does_not_count_who_is_worked_on() -> None:
    """The feeder's two other sites fall silent: s0 is silent too, and neither speaks for the feeder nor against it."""
    stage = worked_on()
    stage.away([box for box in stage.devices if box[:2] != "s2"], DOWN_S, UNTIL_S - 1000)
    assert story(stage.play(DOWN_S + 600)) == [("opened", "outage", "site s1")]
    assert stage.watch.open[1].devices.keys() == {"s1-0", "s1-1", "s1-2"}


def test_ended_early_who_is_away_is_told_at_once_and_called_off_nothing_is() -> None:
    stage = worked_on()
    planned = stage.watch.maintain(Scope("feeder", "f0"), 9e5, 0.0, 8e5)
    stage.away(["s0-0"], DOWN_S, DOWN_S + 9000)
    assert stage.play(DOWN_S + 600) == []
    assert [stage.watch.end_maintenance(number, stage.now_s) for number in (1, planned.number, 77)] == [
        True,
        True,
        False,
    ]
    assert story(stage.watch.due(stage.now_s)) == [("opened", "outage", "device s0-0")]
    assert [(window.number, window.begun) for window in stage.watch.windows] == [(1, True), (1, True), (2, False)]
    assert stage.watch.windows[1].missing == ["s0-0"]


def test_what_is_open_already_is_taken_on_by_who_works_there_and_its_end_is_told() -> None:
    stage = worked_on()
    boxes = ["s0-0", "s0-1", "s0-2"]
    stage.away(boxes, 300, DOWN_S)
    stage.away(["s1-0"], 300, 1e5)
    changes = [each for each in stage.play(UNTIL_S) if each.incident.scope == SITE and each.what != "cause"]
    assert [each.what for each in changes] == ["opened", "acknowledged", "resolved"]
    assert changes[1].why == {"by": "ina", "note": "a new pole"}
    assert set(stage.watch.windows[-1].away) == set(boxes)
    assert stage.watch.windows[-1].missing == []
    (other,) = stage.watch.open.values()
    assert (other.scope.name, other.acknowledged) == ("s1-0", None)


def test_starts_during_the_work_make_nobody_unstable() -> None:
    stage = worked_on()
    for number in range(5):
        stage.away(["s0-0"], DOWN_S + 600 * number, DOWN_S + 600 * number + 300)
    stage.play(UNTIL_S - 1800)
    stage.watch.end_maintenance(1, stage.now_s)
    assert stage.play(UNTIL_S) == []
    assert stage.watch.word("s0-0") == "up"


def test_a_rule_gets_no_worse_while_somebody_works_and_is_told_afterwards() -> None:
    stage = worked_on(Scope("device", "s0-0"))

    def row(now_s: float) -> None:
        stage.watch.measured("s0-0", "env", {"temp_c": 37.0 if now_s < FROM_S + 300 else 41.0}, now_s)

    for minute in range(int(UNTIL_S) // 60):
        stage.event(60.0 * minute, row)
    assert [each.what for each in stage.play(UNTIL_S - 1)] == ["opened", "acknowledged"]
    stage.event(UNTIL_S + 10, row)
    assert [each.what for each in stage.play(UNTIL_S + 60)] == ["worsened"]


@pytest.mark.parametrize("early_s", [0.0, 2000.0])
def test_a_source_that_falls_silent_meanwhile_is_told_when_it_ends(early_s: float) -> None:
    stage = worked_on()

    def ended(now_s: float) -> None:
        assert stage.watch.end_maintenance(1, now_s)

    for minute in range(int(DOWN_S) // 60):
        stage.event(60.0 * minute, lambda now_s: stage.watch.source_heard("s0-0", "env", now_s))
    if early_s:
        stage.event(UNTIL_S - early_s, ended)
    changes = stage.play(UNTIL_S + 300)
    assert story(changes) == [("opened", "outage", "source s0-0/env")]
    assert 0 <= changes[0].at_s - (UNTIL_S - early_s) <= 61


def test_a_restart_keeps_it_and_it_lasts_until_all_are_heard_again() -> None:
    stage = worked_on()
    stage.watch.maintain(Scope("site", "s1"), 9e5, 0.0, UNTIL_S - 10)
    stage.away(["s0-0"], DOWN_S, UNTIL_S + 9000)
    stage.play(UNTIL_S - 30)
    stage.watch = Watch.restored(json.loads(json.dumps(stage.watch.kept())), RULES, stage.now_s)
    assert stage.watch.maintain(SITE, 9e5, 0.0, 8e5).number == 3
    for device in stage.devices:
        stage.watch.place(device, at(device[:2], feeder="f0"), stage.now_s)
    stage.watch.looped(stage.now_s, 1e9)
    stage.away(["s0-0"], stage.now_s, UNTIL_S + 9000, will=False)
    assert story(stage.play(UNTIL_S + 1000)) == [("opened", "outage", "device s0-0")]
    began, ended = stage.watch.windows
    assert (began.number, began.from_s) == (2, UNTIL_S)
    assert (ended.number, ended.ended_s, ended.missing) == (1, UNTIL_S - 30 + 165, ["s0-0"])


def test_while_we_hear_nobody_it_does_not_end() -> None:
    stage = worked_on()
    stage.event(UNTIL_S - 100, lambda now_s: stage.watch.broker(False, now_s))
    stage.event(UNTIL_S + 50, lambda now_s: stage.watch.broker(True, now_s))
    stage.play(UNTIL_S + 600)
    assert stage.watch.windows[-1].ended_s == UNTIL_S + 165


def test_who_is_taken_away_is_not_waited_for() -> None:
    stage = worked_on()
    stage.away(["s0-0"], DOWN_S, UNTIL_S + 9000)
    stage.event(DOWN_S + 900, lambda now_s: stage.watch.place("s0-0", None, now_s))
    stage.play(UNTIL_S + 1)
    assert stage.watch.windows[-1].away == {}


@settings(deadline=None, max_examples=40)
@given(STORIES)
def test_whatever_happens_nothing_below_it_is_opened(events: list[tuple[float, Do]]) -> None:
    watch = fresh()
    watch.maintain(Scope("site", "a"), 1e9, 0.0)
    opened = [change.incident for change in told(watch, events) if change.what == "opened"]
    assert [one for one in opened if one.kind != "two-boxes" and "a" in one.sites] == []


PLACES = {"s0-0": at("mardika", uplink="fo-1", feeder="pln-7"), "s1-0": at("passo")}


@pytest.mark.parametrize(
    ("level", "name"), [("device", "s0-0"), ("site", "passo"), ("uplink", "fo-1"), ("feeder", "pln-7")]
)
def test_what_is_placed_can_be_worked_on(level: Level, name: str) -> None:
    check(Scope(level, name), 0.0, 10.0 + LONGEST_S, 10.0, PLACES)


@pytest.mark.parametrize(
    ("scope", "from_s", "until_s", "code"),
    [
        (Scope("site", "mardka"), 10.0, 20.0, "unknown"),
        (Scope("feeder", "fo-1"), 10.0, 20.0, "unknown"),
        (Scope("site", "passo"), 30.0, 20.0, "past"),
        (Scope("site", "passo"), 0.0, 10.0, "past"),
        (Scope("site", "passo"), 10.0, 11.0 + LONGEST_S, "long"),
        (Scope("site", "passo"), 11.0 + AHEAD_S, 20.0 + AHEAD_S, "ahead"),
    ],
)
def test_what_makes_no_sense_is_refused(scope: Scope, from_s: float, until_s: float, code: str) -> None:
    with pytest.raises(NoWindow) as refused:
        check(scope, from_s, until_s, 10.0, PLACES)
    assert refused.value.code == code


def test_names_that_are_nearly_right_are_told() -> None:
    with pytest.raises(NoWindow, match="did you mean pln-7") as refused:
        check(Scope("feeder", "pln-8"), 0.0, 20.0, 10.0, PLACES)
    assert refused.value.near == ("pln-7",)


def test_there_are_not_too_many() -> None:
    watch = Watch(RULES, 0.0)
    for _ in range(MAX_WINDOWS):
        watch.maintain(SITE, 100.0, 0.0, 50.0)
    with pytest.raises(NoWindow, match="end some first"):
        watch.maintain(SITE, 100.0, 0.0, 50.0)


def test_a_clock_set_back_between_two_runs_makes_no_work_longer() -> None:
    stage = worked_on()
    stage.play(FROM_S + 600)
    kept, ahead_s = json.loads(json.dumps(stage.watch.kept())), 3e6
    for window in kept["engine"]["maintenance"]["windows"]:
        window["from_s"], window["until_s"] = window["from_s"] + ahead_s, window["until_s"] + ahead_s
    watch = Watch.restored(kept, RULES, FROM_S + 700)
    (window,) = watch.engine.maintenance.windows.values()
    assert (window.from_s, window.until_s) == (FROM_S + 700, FROM_S + 700 + UNTIL_S - FROM_S)


def test_what_an_older_gateway_kept_of_maintenance_is_no_obstacle() -> None:
    kept = json.loads(json.dumps(worked_on().watch.kept()))
    kept["engine"]["maintenance"] = [["site", "s0", UNTIL_S]]
    assert Watch.restored(kept, RULES, 0.0).maintain(SITE, UNTIL_S, 0.0).number == 1
