"""What others would have sent in a city where just one thing goes wrong."""

import pytest

from kewang.bench.alerts_baselines import BASELINES, Down, by_missed_beats, by_will, each_alone, grouped
from kewang.bench.alerts_city import City, Device, Site
from kewang.bench.alerts_score import Notice
from kewang.bench.alerts_truth import Outage
from kewang.bench.alerts_world import World, WorldPlan, staged

SITE = Site("pasar", "wired", "pln-1", "fo-1", on_battery=False)
BOXES = [
    Device("a", "pasar", "wired", 10.0),
    Device("b", "pasar", "wired", 20.0),
    Device("c", "pasar", "wired", 5, False),
]
CITY = City({box.name: box for box in BOXES}, {"pasar": SITE})


def world(start_s: float = 1_000.0, end_s: float = 4_000.0) -> World:
    """The site is dark from `start_s` to `end_s`, a box that is not installed too."""
    span = (start_s, end_s)
    dark = Outage(0, "site", "pasar", "power", *span, {"a": span, "b": span}, 240.0, {"c": span})
    return staged(WorldPlan(days=0.1), CITY, [dark], noisy=False)


def kinds(notices: list[Notice]) -> list[tuple[float, str]]:
    return sorted((round(notice.at_s), notice.kind) for notice in notices)


def test_wills_come_45_s_after_the_last_beat() -> None:
    downs = sorted(by_will(world()), key=lambda down: down.device)
    assert [(down.device, round(down.from_s), down.until_s) for down in downs] == [
        ("a", 1_015, 4_000.0),
        ("b", 1_025, 4_000.0),
        ("c", 1_040, 4_000.0),
    ]


def test_three_beats_and_a_half_are_missed() -> None:
    downs = {down.device: down for down in by_missed_beats(world())}
    assert downs["a"].from_s == pytest.approx(970 + 105)
    assert not [*by_missed_beats(world(end_s=1_050.0))]
    assert len([*by_missed_beats(world(end_s=1_050.0), k=1)]) == 3


def test_each_installed_device_has_a_message_and_a_closing() -> None:
    told = [*BASELINES["k3"](world()).notices]
    assert kinds(told) == [(1_075, "opened"), (1_085, "opened"), (4_000, "resolved"), (4_000, "resolved")]
    assert {part.name for notice in told for part in notice.parts} == {"a", "b"}
    assert len(each_alone(world(), by_will(world())).notices) == 4


def test_a_group_waits_and_repeats() -> None:
    told = grouped(world(end_s=20_000.0), by_missed_beats(world(end_s=20_000.0)))
    assert kinds([*told.notices]) == [(1_105, "opened"), (15_505, "worsened"), (20_005, "resolved")]


def test_a_group_tells_who_came_later_at_its_next_flush_and_nobody_who_left_before_the_first() -> None:
    late = [Down("a", 100.0, 1_000.0), Down("b", 200.0, 900.0)]
    notices = [*grouped(world(), iter(late)).notices]
    assert kinds(notices) == [(130, "opened"), (430, "worsened"), (1_030, "resolved")]
    assert notices[1].parts[0].devices == {"a", "b"}
    assert not grouped(world(), iter([Down("a", 100.0, 120.0)])).notices
