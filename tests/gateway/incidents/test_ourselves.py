"""Doubts about ourselves: a broker that is away, a loop that is silent, and what others report."""

import json

import pytest

from gateway.incidents.model import Scope
from gateway.incidents.watch import Watch, WatchRules
from tests.gateway.incidents.stage import Stage, at, story

DOWN_S = 2000.0


def town() -> tuple[Stage, list[str]]:
    """Four sites with four devices each."""
    stage = Stage()
    devices = [
        device
        for site in "abcd"
        for device in stage.place([f"{site}{box}" for box in range(4)], at(site, feeder=f"f-{site}"))
    ]
    return stage, devices


def test_a_broker_away_for_five_minutes_is_one_incident_about_ourselves() -> None:
    stage, devices = town()
    stage.watch.looped(0.0, DOWN_S)
    stage.event(DOWN_S, lambda now_s: stage.watch.broker(False, now_s))
    stage.event(DOWN_S + 300, lambda now_s: stage.watch.broker(True, now_s))
    stage.event(DOWN_S + 300, lambda now_s: stage.watch.looped(now_s, 1e9))
    stage.away(devices, DOWN_S, DOWN_S + 310, "link", will=False, stagger_s=3.0)
    changes = stage.play(DOWN_S + 3000)
    assert story(changes) == [("opened", "self", "gateway broker"), ("resolved", "self", "gateway broker")]
    assert changes[0].why == {"trouble": "no connection to the broker"}
    assert {stage.watch.word(device) for device in devices} == {"up"}


def test_a_broker_back_within_the_hold_is_nothing() -> None:
    stage, devices = town()
    stage.watch.looped(0.0, 1e9)
    stage.event(DOWN_S, lambda now_s: stage.watch.broker(False, now_s))
    stage.event(DOWN_S + 20, lambda now_s: stage.watch.broker(True, now_s))
    stage.away(devices, DOWN_S, DOWN_S + 60, "link", will=False)
    assert stage.play(DOWN_S + 3000) == []


def test_who_did_not_come_back_with_the_broker_is_told() -> None:
    stage, devices = town()
    stage.watch.looped(0.0, 1e9)
    stage.event(DOWN_S, lambda now_s: stage.watch.broker(False, now_s))
    stage.event(DOWN_S + 20, lambda now_s: stage.watch.broker(True, now_s))
    stage.away(devices[:4], DOWN_S, DOWN_S + 6000, will=False)
    stage.away(devices[4:], DOWN_S, DOWN_S + 60, "link", will=False)
    (opened,) = stage.play(DOWN_S + 600)
    assert opened.incident.scope == Scope("site", "a")


def test_everybody_silent_without_our_loop_is_no_city_and_with_it_is() -> None:
    for loop_s, expected in ((DOWN_S, ("opened", "self", "gateway loop")), (1e9, ("opened", "outage", "city"))):
        stage, devices = town()
        stage.watch.looped(0.0, loop_s)
        stage.away(devices, DOWN_S, DOWN_S + 6000, will=False)
        assert story(stage.play(DOWN_S + 2000)) == [expected]


def test_when_our_loop_comes_again_and_nobody_else_it_is_the_city() -> None:
    stage, devices = town()
    stage.watch.looped(0.0, DOWN_S)
    stage.event(DOWN_S + 1000, lambda now_s: stage.watch.looped(now_s, 1e9))
    stage.away(devices, DOWN_S, DOWN_S + 6000, will=False)
    told = story(stage.play(DOWN_S + 3000))
    assert sorted(told) == sorted(
        [("opened", "self", "gateway loop"), ("resolved", "self", "gateway loop"), ("opened", "outage", "city")]
    )


def test_when_devices_come_again_our_doubt_is_over_without_a_loop() -> None:
    stage, devices = town()
    stage.away(devices, DOWN_S, DOWN_S + 1000, "link", will=False)
    told = story(stage.play(DOWN_S + 3000))
    assert told == [("opened", "self", "gateway loop"), ("resolved", "self", "gateway loop")]


def test_trouble_that_others_report_is_told_after_a_hold_and_ends_after_a_while() -> None:
    watch = Watch(WatchRules(), 0.0)
    watch.own("disk", "2 % left", 0.0)
    watch.own("database", "no answer", 0.0)
    watch.own("database", None, 10.0)
    watch.own("backup", "9 days old", 20.0)
    assert watch.due(29.0) == []
    told = watch.due(60.0)
    assert [(each.incident.scope.name, each.incident.severity) for each in told] == [
        ("disk", "critical"),
        ("backup", "warning"),
    ]
    watch.own("disk", None, 100.0)
    watch.own("disk", "1 % left", 150.0)
    watch.own("disk", None, 200.0)
    assert watch.due(319.0) == []
    assert story(watch.due(320.0)) == [("resolved", "self", "gateway disk")]


def test_two_boxes_are_told_once_and_over_after_an_hour_without() -> None:
    stage, _ = town()
    stage.watch.looped(0.0, 1e9)
    for at_s in (100.0, 200.0, 900.0):
        stage.event(at_s, lambda now_s: stage.watch.two_boxes("a0", now_s))
    changes = stage.play(9000.0)
    assert story(changes) == [("opened", "two-boxes", "device a0"), ("resolved", "two-boxes", "device a0")]
    assert changes[-1].at_s == 900.0 + 3600


def test_a_device_silent_a_moment_before_nothing_came_at_all_blames_nobody() -> None:
    """Our subscription dies while the connection lives: the first to be looked at must not tell a part of the city."""
    stage, devices = town()
    stage.watch.looped(0.0, DOWN_S)
    stage.event(DOWN_S + 200, lambda now_s: stage.watch.looped(now_s, 1e9))
    stage.away(devices[:1], DOWN_S - 60, DOWN_S + 200, "link", will=False)
    stage.away(devices[1:], DOWN_S, DOWN_S + 200, "link", will=False)
    assert {each.incident.kind for each in stage.play(DOWN_S + 3000)} == {"self"}


@pytest.mark.parametrize("back_s", [0.0, 86_400.0])
def test_a_clock_set_back_between_two_runs_neither_proves_our_loop_nor_holds_an_outage(back_s: float) -> None:
    """What was kept speaks of times to come: of our loop, of who was heard last, of what ends when."""
    first, devices = town()
    first.now_s = back_s
    for device in devices:
        first.watch.heard(device, back_s)
    first.away(devices[:4], back_s + 1000, back_s + 2500)
    first.event(back_s + 2600, first.watch.looped)
    first.play(back_s + 2620)
    kept, (again, devices) = json.loads(json.dumps(first.watch.kept())), town()
    again.now_s = 2700.0
    again.watch = Watch.restored(kept, WatchRules(), again.now_s)
    for device in devices:
        again.watch.place(device, at(device[0], feeder=f"f-{device[0]}"), again.now_s)
    again.away(devices, 5000.0, 9000.0, will=False)
    told = [each for each in story(again.play(6000.0)) if each[0] != "cause"]
    assert told == [("resolved", "outage", "site a"), ("opened", "self", "gateway loop")]


def test_trouble_of_a_start_that_was_killed_is_held_anew_by_the_next_one() -> None:
    """At a start nothing is connected yet; what was kept then must not be told at once by the start after."""
    first, _ = town()
    first.watch.broker(False, 0.0)
    first.watch.own("database", "the store has not answered yet", 0.0)
    kept, (again, _) = json.loads(json.dumps(first.watch.kept())), town()
    again.now_s = DOWN_S
    again.watch = Watch.restored(kept, WatchRules(), again.now_s)
    again.event(DOWN_S + 2, lambda now_s: again.watch.broker(True, now_s))
    again.event(DOWN_S + 2, lambda now_s: again.watch.own("database", None, now_s))
    assert story(again.play(DOWN_S + 3000)) == []


def test_trouble_that_was_told_is_not_told_again_by_the_next_start() -> None:
    first, _ = town()
    first.watch.own("database", "refused", 0.0)
    assert story(first.play(100.0)) == [("opened", "self", "gateway database")]
    kept, (again, _) = json.loads(json.dumps(first.watch.kept())), town()
    again.now_s = DOWN_S
    again.watch = Watch.restored(kept, WatchRules(), again.now_s)
    again.event(DOWN_S + 2, lambda now_s: again.watch.own("database", "refused", now_s))
    assert story(again.play(DOWN_S + 500)) == []
    again.event(DOWN_S + 600, lambda now_s: again.watch.own("database", None, now_s))
    assert story(again.play(DOWN_S + 3000)) == [("resolved", "self", "gateway database")]
