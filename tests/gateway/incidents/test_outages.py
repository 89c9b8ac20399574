"""Outages: one incident a cause, in time, at the right place; its end, its stragglers, its relapses."""

import itertools
import json
import sys
from collections.abc import Callable, Sequence

import pytest

from gateway.incidents.model import Scope
from gateway.incidents.watch import Watch, WatchRules
from kewang.wire.state import Why
from tests.gateway.incidents.stage import BEAT_S, Stage, at, story

DOWN_S = 2000.0


def town(*, per_site: int = 5, sites: int = 20, cellular: bool = False) -> tuple[Stage, dict[str, list[str]]]:
    """Sites s0..; two share an uplink u0.., five a feeder f0... Our loop-back message always comes."""
    stage, placed = Stage(), {}
    for number in range(sites):
        place = at(f"s{number}", uplink=f"u{number // 2}", feeder=f"f{number // 5}", cellular=cellular)
        placed[f"s{number}"] = stage.place([f"s{number}-{box}" for box in range(per_site)], place)
    stage.watch.looped(0.0, 1e9)
    return stage, placed


def under(placed: dict[str, list[str]], numbers: Sequence[int]) -> list[str]:
    """All devices of these sites."""
    return [device for number in numbers for device in placed[f"s{number}"]]


@pytest.mark.parametrize("will", [True, False])
@pytest.mark.parametrize(
    ("sites", "place", "why"),
    [
        ([3], "site s3", "power"),
        (range(5, 10), "feeder f1", "power"),
        ([2, 3], "uplink u1", "link"),
        (range(20), "city", "power"),
    ],
)
def test_each_cause_is_one_incident_at_its_place(sites: Sequence[int], place: str, why: Why, will: bool) -> None:
    stage, placed = town()
    stage.away(under(placed, sites), DOWN_S, DOWN_S + 3600, why, will=will, stagger_s=1.0)
    changes = stage.play(DOWN_S + 8000)
    assert story(changes) == [("opened", "outage", place), ("cause", "outage", place), ("resolved", "outage", place)]
    opened, cause, resolved = changes
    assert opened.at_s - DOWN_S <= (100 if will else 125)
    assert opened.incident.devices.keys() == set(under(placed, sites))
    assert DOWN_S - 30 <= opened.incident.since_s <= DOWN_S
    assert (cause.incident.cause, resolved.incident.stragglers) == (why, ())
    assert stage.watch.open == {}


@pytest.mark.parametrize(("cellular", "limit_s"), [(False, 143.0), (True, 190.0)])
def test_one_device_is_one_incident(cellular: bool, limit_s: float) -> None:
    stage, placed = town(cellular=cellular)
    stage.away(placed["s3"][:1], DOWN_S, DOWN_S + 3600, will=False)
    opened, _, resolved = stage.play(DOWN_S + 8000)
    assert opened.incident.scope == Scope("device", "s3-0")
    assert opened.incident.severity == "warning"
    assert limit_s - 30 <= opened.at_s - DOWN_S <= limit_s
    assert resolved.what == "resolved"


@pytest.mark.parametrize("silence_s", [20.0, 60.0, 75.0, 90.0])
def test_a_short_pause_is_nothing_even_of_a_whole_site(silence_s: float) -> None:
    stage, placed = town()
    stage.away(placed["s3"], DOWN_S, DOWN_S + silence_s, "link", will=False)
    assert stage.play(DOWN_S + 3000) == []


def test_a_site_with_one_device_is_that_device() -> None:
    stage, placed = town(per_site=1)
    stage.away(placed["s3"], DOWN_S, DOWN_S + 3600)
    assert stage.play(DOWN_S + 600)[0].incident.scope == Scope("device", "s3-0")


def test_two_of_five_are_two_devices_and_three_are_the_site() -> None:
    for count, places in ((2, ["device s3-0", "device s3-1"]), (3, ["site s3"])):
        stage, placed = town()
        stage.away(placed["s3"][:count], DOWN_S, DOWN_S + 3600)
        assert sorted(place for _, _, place in story(stage.play(DOWN_S + 600))) == places


def test_names_that_make_cycles_are_different_places() -> None:
    stage = Stage()
    stage.watch.looped(0.0, 1e9)
    boxes = stage.place(["a1", "a2"], at("a", uplink="b", feeder="a"))
    stage.place([f"b{number}" for number in range(9)], at("b", uplink="a", feeder="b"))
    stage.away(boxes, DOWN_S, DOWN_S + 3600)
    assert story(stage.play(DOWN_S + 600)) == [("opened", "outage", "site a")]


def test_parents_nobody_named_do_no_harm() -> None:
    stage = Stage()
    stage.watch.looped(0.0, 1e9)
    placed = {name: stage.place([f"{name}-{box}" for box in range(4)], at(name)) for name in "abcdefgh"}
    stage.away(placed["a"], DOWN_S, DOWN_S + 3600)
    stage.away(placed["b"], DOWN_S, DOWN_S + 3600)
    assert sorted(place for _, _, place in story(stage.play(DOWN_S + 600))) == ["site a", "site b"]


def test_the_last_of_two_placements_holds_and_moving_away_ends_nothing_twice() -> None:
    stage, placed = town()
    stage.place(placed["s3"], at("s19", uplink="u9", feeder="f3"))
    stage.away(placed["s3"], DOWN_S, DOWN_S + 3600)
    stage.away(placed["s19"], DOWN_S, DOWN_S + 3600)
    assert story(stage.play(DOWN_S + 600)) == [("opened", "outage", "site s19")]


def test_what_opened_as_a_site_a_moment_ago_becomes_part_of_its_feeder() -> None:
    stage, placed = town()
    stage.away(placed["s5"], DOWN_S, DOWN_S + 3600)
    stage.away(under(placed, range(6, 10)), DOWN_S + 120, DOWN_S + 3600)
    changes = stage.play(DOWN_S + 6000)
    assert story(changes)[:3] == [
        ("opened", "outage", "site s5"),
        ("resolved", "outage", "site s5"),
        ("opened", "outage", "feeder f1"),
    ]
    assert changes[1].why == {"part_of": str(changes[2].incident.number)}
    assert len(changes[2].incident.devices) == 25


def test_what_fell_days_ago_has_no_vote() -> None:
    stage, _ = town(per_site=2)
    stage.away(["s3-0"], DOWN_S, 300_000.0)
    stage.away(["s3-1"], 200_000.0, 300_000.0)
    told = story(stage.play(201_000.0))
    assert told == [("opened", "outage", "device s3-0"), ("opened", "outage", "device s3-1")]


def test_a_site_that_falls_later_makes_its_feeder_s_incident_worse() -> None:
    stage, placed = town()
    stage.away(under(placed, [5, 6, 8]), DOWN_S, DOWN_S + 7200)
    stage.away(placed["s7"], DOWN_S + 1800, DOWN_S + 7200)
    changes = stage.play(DOWN_S + 3000)
    assert story(changes) == [("opened", "outage", "feeder f1"), ("worsened", "outage", "feeder f1")]
    assert changes[1].why == {"site": "s7"}


def test_stragglers_are_told_once_in_the_closing_and_stay_open_quietly() -> None:
    stage, placed = town()
    late = ["s5-0", *placed["s6"]]
    stage.away([one for one in under(placed, range(5, 10)) if one not in late], DOWN_S, DOWN_S + 3600)
    stage.away(late, DOWN_S, DOWN_S + 9000)
    changes = stage.play(DOWN_S + 6000)
    assert [each.what for each in changes] == ["opened", "cause", "resolved"]
    assert changes[-1].incident.stragglers == tuple(sorted(late))
    assert {one.scope for one in stage.watch.open.values()} == {Scope("device", "s5-0"), Scope("site", "s6")}
    assert stage.play(DOWN_S + 12_000) == []
    assert stage.watch.open == {}


def test_who_falls_again_in_the_recovery_is_part_of_the_same() -> None:
    stage, placed = town()
    stage.away(placed["s3"], DOWN_S, DOWN_S + 1000)
    stage.away(placed["s3"], DOWN_S + 1120, DOWN_S + 3000)
    changes = stage.play(DOWN_S + 6000)
    assert [each.what for each in changes if each.what != "cause"] == ["opened", "resolved"]


def test_a_device_that_comes_and_goes_is_one_unstable_incident() -> None:
    stage, _ = town()
    for number in range(6):
        stage.away(["s3-0"], DOWN_S + 600 * number, DOWN_S + 600 * number + 300, "link")
    changes = [each for each in stage.play(DOWN_S + 12_000) if each.what != "cause"]
    assert story(changes) == [
        ("opened", "outage", "device s3-0"),
        ("worsened", "unstable", "device s3-0"),
        ("resolved", "unstable", "device s3-0"),
    ]
    assert changes[-1].at_s >= DOWN_S + 3000 + 3600


@pytest.mark.parametrize("box", range(5))
@pytest.mark.parametrize("lost", [1, 2])
def test_lost_beats_do_not_tell_a_device_before_its_feeder(box: int, lost: int) -> None:
    """One device's last messages were lost: it falls silent half a minute or a whole one before its neighbours."""
    stage, placed = town()
    first = f"s5-{box}"
    stage.away([first], DOWN_S - 30 * lost - 1, DOWN_S + 3600, will=False)
    stage.away([one for one in under(placed, range(5, 10)) if one != first], DOWN_S, DOWN_S + 3600, will=False)
    assert story(stage.play(DOWN_S + 600)) == [("opened", "outage", "feeder f1")]


@pytest.mark.parametrize("scope", [Scope("device", "s3-0"), Scope("site", "s3"), Scope("feeder", "f0")])
def test_under_maintenance_nothing_is_told_until_the_window_ends(scope: Scope) -> None:
    stage, _ = town()
    stage.watch.maintain(scope, DOWN_S + 3000, 0.0)
    stage.away(["s3-0"], DOWN_S, DOWN_S + 6000)
    assert stage.play(DOWN_S + 2900) == []
    stage.away(["s3-0"], DOWN_S + 2900, DOWN_S + 6000, will=False)
    (opened,) = stage.play(DOWN_S + 3600)
    assert (opened.what, opened.at_s) == ("opened", DOWN_S + 3000)


def test_an_acknowledgement_is_told_and_kept() -> None:
    stage, placed = town()
    stage.away(placed["s3"], DOWN_S, DOWN_S + 9000)
    stage.play(DOWN_S + 600)
    stage.watch.acknowledge(1, "rina", "on my way", stage.now_s)
    stage.watch.acknowledge(77, "rina", "", stage.now_s)
    (change,) = stage.watch.due(stage.now_s)
    assert change.incident.acknowledged is not None
    assert (change.what, change.incident.acknowledged.by) == ("acknowledged", "rina")


def test_a_device_taken_out_of_service_ends_its_outage() -> None:
    stage, _ = town()
    stage.away(["s3-0"], DOWN_S, DOWN_S + 90_000)
    stage.event(DOWN_S + 600, lambda now_s: stage.watch.place("s3-0", at("s3", life="retired"), now_s))
    assert story(stage.play(DOWN_S + 3000)) == [
        ("opened", "outage", "device s3-0"),
        ("resolved", "outage", "device s3-0"),
    ]


@pytest.mark.parametrize("box", range(9))
def test_a_pause_after_one_lost_beat_is_no_outage_of_the_site(box: int) -> None:
    """Alone, the device whose message was lost would call its neighbours' pause an outage half a minute too soon."""
    stage, placed = town(per_site=9)
    lost = placed["s3"].pop(box)
    stage.away([lost], DOWN_S - 30, DOWN_S + 74, "link")
    stage.away(placed["s3"], DOWN_S, DOWN_S + 74, "link")
    assert stage.play(DOWN_S + 3000) == []


def test_a_straggler_that_was_back_and_falls_again_is_told() -> None:
    stage, placed = town()
    stage.away(placed["s5"] + placed["s6"] + placed["s7"] + placed["s8"] + placed["s9"][1:], DOWN_S, DOWN_S + 3600)
    stage.away(["s9-0"], DOWN_S, DOWN_S + 6000)
    stage.away(["s9-0"], DOWN_S + 6200, DOWN_S + 9000)
    told = [each for each in story(stage.play(DOWN_S + 12_000)) if each[0] != "cause"]
    assert told[2:] == [("opened", "outage", "device s9-0"), ("resolved", "outage", "device s9-0")]


@pytest.mark.parametrize("neighbours", [0, 1])
def test_who_belongs_to_an_older_outage_elsewhere_opens_nothing_new(neighbours: int) -> None:
    """Site s3 is out, one is back, then a person corrects the site of two of it; both fall silent again, alone or with
    who stands at their new site."""
    stage, placed = town(per_site=3)
    beside = stage.place([f"t-{box}" for box in range(neighbours)], at("t"))
    stage.away(placed["s3"], DOWN_S, DOWN_S + 400)
    stage.play(DOWN_S + 400)
    stage.away(["s3-1", "s3-2"], DOWN_S + 400, DOWN_S + 6000)
    stage.play(DOWN_S + 800)
    stage.place(["s3-0", "s3-1"], at("t"))
    stage.watch.heard("s3-1", stage.now_s)
    stage.away([*placed["s3"], *beside], stage.now_s, DOWN_S + 6000, will=False)
    told = stage.play(DOWN_S + 5000)
    assert [each for each in story(told) if each[0] == "opened"] == [("opened", "outage", "site t")] * neighbours
    assert [one.missing for one in stage.watch.open.values()] == [placed["s3"], beside][: 1 + neighbours]


def test_who_falls_again_beside_another_open_outage_is_missing_in_its_own() -> None:
    """Three of site s5 are out when its feeder fails; s5-3 is back, and falls again while both outages are open."""
    stage, placed = town()
    beside = [one for one in under(placed, range(5, 10)) if one not in (*placed["s5"][:3], "s5-3")]
    stage.away(placed["s5"][:3], DOWN_S, DOWN_S + 20_000)
    stage.away(["s5-3"], DOWN_S + 1200, DOWN_S + 2400)
    stage.away(["s5-3"], DOWN_S + 3000, DOWN_S + 20_000)
    stage.away(beside, DOWN_S + 1200, DOWN_S + 20_000)
    changes = stage.play(DOWN_S + 5000)
    assert [each for each in story(changes) if each[0] != "cause"] == [
        ("opened", "outage", "site s5"),
        ("opened", "outage", "feeder f1"),
    ]
    first, second = stage.watch.open.values()
    assert (first.missing, second.missing) == (placed["s5"][:3], sorted([*beside, "s5-3"]))


def test_a_device_that_is_born_often_decides_no_cause_and_its_last_word_counts() -> None:
    stage, placed = town()
    stage.away(placed["s3"], DOWN_S, DOWN_S + 9000)
    stage.play(DOWN_S + 600)
    for _ in range(9):
        stage.watch.born("s3-0", "watchdog", stage.now_s)
    stage.watch = Watch.restored(json.loads(json.dumps(stage.watch.kept())), WatchRules(), stage.now_s)
    stage.watch.born("s3-0", "watchdog", stage.now_s)
    stage.watch.born("s3-0", "power", stage.now_s)
    stage.watch.born("s3-1", "power", stage.now_s)
    assert stage.watch.due(stage.now_s) == []
    stage.watch.born("s3-2", "power", stage.now_s)
    (cause,) = stage.watch.due(stage.now_s)
    assert (cause.what, cause.incident.cause, cause.incident.whys["power"]) == ("cause", "power", 3)


@pytest.mark.parametrize("broker", [True, False])
def test_who_was_taken_away_while_we_did_not_run_holds_nothing_open(broker: bool) -> None:
    """No placement tells of it; but while the broker is away, nobody's placement comes at all."""
    stage, placed = town()
    stage.away([*placed["s3"], "s4-0"], DOWN_S, 9e4)
    stage.away(["s6-0"], DOWN_S + 500, 9e4)
    stage.play(DOWN_S + 600)
    assert len(stage.watch.open) == 2
    stage.watch = Watch.restored(json.loads(json.dumps(stage.watch.kept())), WatchRules(), stage.now_s)
    stage.watch.looped(stage.now_s, 1e9)
    stage.watch.broker(broker, stage.now_s)
    taken = {"s3-4", "s4-0", "s6-0"}
    stage.devices = [device for device in stage.devices if device not in taken]
    for device in stage.devices:
        stage.watch.place(device, at(device.partition("-")[0], uplink="u", feeder="f"), stage.now_s)
    stage.away(placed["s3"][:4], stage.now_s, 9e4, will=False)
    over = [each for each in story(stage.play(DOWN_S + 2400)) if each[1] == "outage"]
    assert over == ([("resolved", "outage", "device s4-0")] if broker else [])
    assert stage.watch.open[1].missing == (placed["s3"][:4] if broker else placed["s3"])


def calls_of(do: Callable[[], object]) -> int:
    """How many functions are called in it: work that no neighbour on this machine changes."""
    counted, before = itertools.count(), sys.getprofile()
    sys.setprofile(lambda _frame, event, _what: event == "call" and next(counted))
    try:
        do()
    finally:
        sys.setprofile(before)
    return next(counted)


@pytest.mark.parametrize("dark", [2, 3, 4])
def test_twice_the_devices_are_twice_the_work(dark: int) -> None:
    """All hang on one uplink, and of each four `dark` fall silent; one of them is looked at early, as a message of it
    was lost: neither it nor who falls silent beside sites that are out already may walk over everybody."""

    def calls(sites: int) -> int:
        watch = Watch(WatchRules(), 0.0)
        for n in range(4 * sites):
            watch.place(f"m{n}", at(f"s{n % sites}", uplink="u", feeder=f"f{n % sites // 10}"), 0.0)
            last_s = 1000.0 + n * 7.3 % BEAT_S - (BEAT_S if n < sites else 0.0)
            watch.heard(f"m{n}", 0.0, last_s if n < dark * sites else 9000.0)
        watch.looped(0.0, 9000.0)
        return calls_of(lambda: [watch.due(float(second)) for second in range(1000, 1200)])

    assert calls(100) < 2.5 * calls(50)
