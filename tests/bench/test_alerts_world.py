"""The simulated city of `kewang bench alerts`: the same by seed, and its events keep to its truth."""

import itertools
from collections import Counter, defaultdict

import pytest

from kewang.bench.alerts_city import City, Device, Site, city_of
from kewang.bench.alerts_truth import LEAST_S, Outage, Silence, outages_of
from kewang.bench.alerts_world import Event, World, WorldPlan, merged, staged, united, world_of

DAY_S = 86_400.0
PLAN = WorldPlan(devices=120, days=3, seed=5, loss=0.02)


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(PLAN)


def two_boxes() -> City:
    site = Site("pasar", "wired", "pln-1", "fo-1", on_battery=False)
    boxes = [Device("a", "pasar", "wired", 10.0), Device("b", "pasar", "wired", 20.0)]
    return City({box.name: box for box in boxes}, {"pasar": site})


def dark(start_s: float, end_s: float, *devices: str, why: str = "power") -> Outage:
    return Outage(0, "device", devices[0], why, start_s, end_s, dict.fromkeys(devices, (start_s, end_s)), 240.0)


def quiet(*outages: Outage, restarts: tuple[tuple[float, float], ...] = ()) -> list[Event]:
    """The events of the box `a` when only these go wrong."""
    world = staged(WorldPlan(days=0.1), two_boxes(), outages, restarts, noisy=False)
    return [event for event in world.events if event.device == "a"]


def test_the_same_seed_is_the_same_world_and_another_is_another(world: World) -> None:
    assert world_of(PLAN) == world
    other = world_of(WorldPlan(devices=120, days=3, seed=6, loss=0.02))
    assert [each.start_s for each in other.outages] != [each.start_s for each in world.outages]


def test_events_are_in_order_and_nobody_speaks_twice_at_once(world: World) -> None:
    assert all(one.at_s <= next_.at_s for one, next_ in itertools.pairwise(world.events))
    until_s: defaultdict[str, float] = defaultdict(float)
    for event in world.events:
        if event.what == "heard":
            assert until_s[event.device] <= event.at_s <= event.value
            until_s[event.device] = event.value
    assert set(until_s.values()) == {world.end_s}


def test_nobody_is_heard_while_an_outage_keeps_it_silent(world: World) -> None:
    heard: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for event in world.events:
        if event.what == "heard":
            heard[event.device].append((event.at_s, event.value))
    faults = [each for each in world.outages if each.why in ("power", "link", "watchdog")]
    assert len(faults) > 10
    for outage in faults:
        for device, (from_s, back_s) in (outage.silent | outage.others).items():
            assert not [span for span in heard[device] if span[0] < back_s and span[1] > from_s]


def test_every_kind_of_trouble_comes_about_as_often_as_it_should() -> None:
    city = city_of(1_000, 3)
    outages = outages_of(city, 30, 3)
    true = Counter(outage.level for outage in outages if outage.true)
    assert 800 < true["device"] < 1_200
    assert 130 < true["site"] < 240
    assert 20 < true["feeder"] < 70
    assert true["city"] >= 1
    assert all(outage.start_s >= 3_600 for outage in outages)
    cellular = [each for each in outages if {city.devices[device].link for device in each.silent} == {"cellular"}]
    assert {each.least_s for each in cellular if each.why != "flapping"} == {LEAST_S["cellular"]}


def test_as_many_places_as_a_city_has() -> None:
    city = city_of(1_000, 1)
    assert len(city.devices) == 1_000
    assert Counter(site.link for site in city.sites.values()) == {"cellular": 36, "wired": 24}
    assert sum(len(city.devices_of("feeder", name, installed=False)) for name in city.feeders) == 1_000
    assert sum(len(city.devices_of("uplink", name, installed=False)) for name in city.uplinks) == 1_000
    assert len(city.devices_of("city", "")) < 1_000
    assert city.devices_of("device", "box-1") == ["box-1"]


def test_a_device_that_loses_its_power_leaves_a_will_and_says_why_it_was_away() -> None:
    events = quiet(dark(1_000.0, 2_000.0, "a"))
    assert [event.what for event in events] == ["heard", "left", "born", "heard"]
    assert events[0].value == pytest.approx(970.0)  # beats at 10, 40, ... 970; the one at 1,000 s is too late
    assert events[1].at_s == pytest.approx(1_015.0)
    assert (events[2].at_s, events[2].why) == (2_000.0, "power")


def test_wills_are_lost_while_the_broker_is_started_again_and_everybody_is_born_again() -> None:
    events = quiet(dark(1_000.0, 2_000.0, "a"), restarts=((1_005.0, 1_010.0),))
    assert [event.what for event in events] == ["heard", "born", "heard"]
    alone = quiet(restarts=((1_005.0, 1_010.0),))
    assert [event.what for event in alone] == ["heard", "born", "heard"]
    assert 1_011 <= alone[1].at_s <= 1_070
    assert alone[1].why == "link"


def test_deaf_for_a_while_is_no_new_session() -> None:
    deaf = Outage(0, "gateway", "", "deaf", 1_000.0, 1_100.0, {}, 240.0)
    assert [event.what for event in quiet(deaf)] == ["heard", "heard"]
    world = staged(WorldPlan(days=0.1), two_boxes(), [deaf], noisy=False)
    assert [(event.at_s, event.value) for event in world.events if event.what == "deaf"] == [(1_000, 1), (1_100, 0)]
    assert world.cut == [(1_000.0, 1_100.0)]


def test_silences_that_touch_are_one_and_lost_power_is_told_first() -> None:
    found = merged([Silence(20, 40, "link"), Silence(10, 30, "power"), Silence(50, 60, None, will=False)])
    assert [*found] == [Silence(10, 40, "power"), Silence(50, 60, None, will=False)]
    assert united([(5, 6), (1, 3), (2, 4)]) == [(1, 4), (5, 6)]


def test_more_loss_leaves_more_gaps() -> None:
    def gaps(loss: float) -> int:
        found = world_of(WorldPlan(devices=50, days=1, seed=2, loss=loss))
        return sum(event.what == "heard" for event in found.events)

    assert gaps(0.05) > 3 * gaps(0.01) > gaps(0.0)
