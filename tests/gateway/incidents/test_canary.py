"""The daily test: told apart, without a vote; it must come daily and arrive; only a later one that arrives ends it."""

import json
from collections.abc import Sequence

import pytest

from gateway.incidents.canary import CANARY, SLACK_S, Canary, Drill, Fate
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.model import Change, Incident, Scope
from gateway.incidents.watch import Watch, WatchRules
from tests.gateway.incidents.stage import Stage, at, story

DOWN_S = 2000.0
DAY_S = 86_400.0
BIRD = "amb-canary-1"


def town(sites: str = "abcde", boxes: int = 1) -> tuple[Stage, list[str]]:
    """Sites with devices, and the canary at its own site. Our loop comes."""
    stage = Stage(Watch(WatchRules(engine=EngineRules(canary=BIRD)), 0.0))
    stage.place([BIRD], at("canary"))
    found = [device for site in sites for device in stage.place([f"{site}{n}" for n in range(boxes)], at(site))]
    stage.watch.looped(0.0, 1e9)
    return stage, found


def test_its_outage_is_of_its_own_kind_and_no_reason_to_worry() -> None:
    stage, _ = town()
    stage.away([BIRD], DOWN_S, DOWN_S + 420, will=False)
    changes = stage.play(DOWN_S + 3000)
    told = [each for each in changes if each.what != "cause"]
    assert story(told) == [(what, CANARY, f"device {BIRD}") for what in ("opened", "resolved")]
    assert told[0].incident.severity == "info"
    assert told[0].incident.sites == {"canary"}


@pytest.mark.parametrize("silent", [4, 5])
def test_it_neither_hides_nor_makes_a_city_that_is_dark(silent: int) -> None:
    """Four of five are most; with the canary, which runs on the server and is heard, they would be too few."""
    stage, devices = town()
    stage.away(devices[:silent], DOWN_S, DOWN_S + 6000, will=False)
    assert story(stage.play(DOWN_S + 1000)) == [("opened", "outage", "city")]
    (three, others) = town()
    three.away([*others[:3], BIRD], DOWN_S, DOWN_S + 6000, will=False)
    found = {place for _, _, place in story(three.play(DOWN_S + 1000))}
    assert found == {f"device {device}" for device in [*others[:3], BIRD]}


def test_it_is_tested_while_the_city_is_dark() -> None:
    stage, devices = town(boxes=2)
    stage.away(devices, DOWN_S, DOWN_S + 9000, will=False)
    stage.away([BIRD], DOWN_S + 1000, DOWN_S + 9000, will=False)
    assert story(stage.play(DOWN_S + 2000)) == [
        ("opened", "outage", "city"),
        ("opened", CANARY, f"device {BIRD}"),
    ]


def test_a_restart_in_the_test_tells_its_end() -> None:
    stage, _ = town()
    stage.away([BIRD], DOWN_S, DOWN_S + 10_000, will=False)
    assert [what for what, *_ in story(stage.play(DOWN_S + 500))] == ["opened"]
    kept, (again, _) = json.loads(json.dumps(stage.watch.kept())), town()
    again.now_s = DOWN_S + 500
    again.watch = Watch.restored(kept, WatchRules(engine=EngineRules(canary=BIRD)), again.now_s)
    again.watch.place(BIRD, at("canary"), again.now_s)
    again.devices = [BIRD]
    told = [each for each in story(again.play(DOWN_S + 4000)) if each[0] != "cause"]
    assert told == [("resolved", CANARY, f"device {BIRD}")]


# ---- whether it arrives


def bird(now_s: float = 0.0) -> Canary:
    return Canary(BIRD, 600.0, DAY_S, now_s)


def drilled(canary: Canary, number: int, at_s: float, kind: str = CANARY, device: str = BIRD) -> None:
    incident = Incident(number, kind, Scope("device", device), "info", at_s - 150, at_s)
    canary.take([Change("opened", incident, at_s)])
    canary.noticed([(f"x-{number}-opened", [number]), ("x-other", [99])])


def fates(*states: str, ended_s: float | None = None) -> Sequence[Fate]:
    return [Fate(f"chat-{n}", state, ended_s) for n, state in enumerate(states)]


def test_one_that_arrives_everywhere_in_time_is_well_and_the_next_is_due_in_a_day() -> None:
    canary = bird()
    drilled(canary, 7, 1000.0)
    assert canary.drill == Drill(7, 1000.0, ["x-7-opened"])
    canary.looked(fates("delivered", "waiting", ended_s=1010.0), 1020.0)
    assert canary.drill is not None
    canary.looked(fates("delivered", "delivered", ended_s=1030.0), 1030.0)
    assert (canary.kept()["drill"], canary.trouble(1030.0)) == (None, None)
    assert canary.trouble(1000.0 + DAY_S + SLACK_S) is None
    assert canary.trouble(1001.0 + DAY_S + SLACK_S) == f"no outage of {BIRD} for 25 h"


@pytest.mark.parametrize("state", ["waiting", "claimed", "refused", "expired", "spared", "dropped"])
def test_one_channel_that_does_not_deliver_is_trouble_until_one_arrives(state: str) -> None:
    """Also if a second channel took it over: the first is not proven."""
    canary = bird()
    drilled(canary, 7, 1000.0)
    canary.looked(fates("delivered", state, ended_s=1010.0), 1600.0)
    assert canary.trouble(1600.0) is None
    canary.looked(fates("delivered", state, ended_s=1010.0), 1601.0)
    assert canary.trouble(1601.0) == "not within 10 min by chat-1"
    assert canary.trouble(3 * DAY_S) == "not within 10 min by chat-1"
    drilled(canary, 8, DAY_S)
    assert canary.trouble(DAY_S) is not None
    canary.looked(fates("delivered", ended_s=DAY_S + 5), DAY_S + 5)
    assert canary.trouble(DAY_S + 5) is None


def test_one_that_arrived_late_did_not_arrive() -> None:
    canary = bird()
    drilled(canary, 7, 1000.0)
    canary.looked(fates("delivered", ended_s=1601.0), 1602.0)
    assert canary.trouble(1602.0) == "not within 10 min by chat-0"


def test_one_that_arrived_in_time_while_we_were_down_is_well() -> None:
    canary = bird()
    drilled(canary, 7, 1000.0)
    again = bird(9000.0).restored(json.loads(json.dumps(canary.kept())), 9000.0)
    again.looked(fates("delivered", ended_s=1005.0), 9000.0)
    assert again.trouble(9000.0) is None


def test_one_that_goes_to_nobody_is_trouble() -> None:
    canary = bird()
    drilled(canary, 7, 1000.0)
    canary.looked([], 1601.0)
    assert canary.trouble(1601.0) == "no route sends it to anybody: name the kind 'canary' in one"


def test_outages_of_others_are_no_test() -> None:
    canary = bird()
    drilled(canary, 7, 1000.0, device="amb-box-1")
    drilled(canary, 8, 1000.0, kind="outage")
    assert canary.drill is None
    assert canary.trouble(DAY_S + SLACK_S + 1) is not None


def test_it_is_remembered_over_a_restart_but_not_for_another_device_and_no_time_lies_ahead() -> None:
    canary = bird()
    drilled(canary, 7, 5000.0)
    kept = json.loads(json.dumps(canary.kept()))
    assert bird().restored(kept, 5000.0).drill == canary.drill
    other = Canary("amb-canary-2", 600.0, DAY_S, 0.0).restored(kept, 5000.0)
    assert other.drill is None
    set_back = bird(100.0).restored(kept, 100.0)
    assert set_back.drill == Drill(7, 100.0, ["x-7-opened"])
    set_back.looked([], 701.0)
    assert set_back.drill is None
    assert set_back.trouble(100.0 + DAY_S + SLACK_S + 1) is not None
