"""`kewang bench alerts` at a tiny size: production tells each cause once, and a spoilt engine is found out."""

import json

import pytest

from kewang.bench.alerts import OURS, AlertsPlan, lived, measure, plan_of
from kewang.bench.alerts_baselines import BASELINES
from kewang.bench.alerts_city import City, city_of
from kewang.bench.alerts_drive import SABOTAGES, driven, place_of, rules_of, spoilt
from kewang.bench.alerts_figures import figures_of, shortfalls, tally_of
from kewang.bench.alerts_memory import memory_of, memory_shortfalls
from kewang.bench.alerts_plan import CityPlan, held_out_seeds, rules_sha256, swept, tuning_seeds
from kewang.bench.alerts_score import Score, score
from kewang.bench.alerts_table import show
from kewang.bench.alerts_truth import Outage
from kewang.bench.alerts_world import World, WorldPlan, staged

KEYS = {
    *("devices", "days", "seeds", "incidents", "missed", "masked", "false_share", "notices_per_incident"),
    *("closings_per_incident", "ttd_s", "worst_10min", "cause_accuracy", "compression", "baselines"),
}
HOUR_S = 3_600.0


def dark(number: int, city: City, level: str, name: str, hour: float, lasts_s: float = 1_800.0) -> Outage:
    """An outage, half an hour long."""
    start_s = hour * HOUR_S
    span = (start_s, start_s + lasts_s)
    return Outage(number, level, name, "power", *span, dict.fromkeys(city.devices_of(level, name), span), 300.0)


def three_troubles(loss: float = 0.0) -> World:
    """60 devices: a device, a site, and the whole city are dark, hours apart; nothing else unless `loss`."""
    city = city_of(60, 4)
    crowded = max(city.sites, key=lambda site: len(city.devices_of("site", site)))
    device = next(name for name in city.devices_of("city", "") if city.devices[name].site != crowded)
    troubles = [("device", device), ("site", crowded), ("city", "")]
    outages = [dark(n, city, *trouble, hour=2 + 3 * n) for n, trouble in enumerate(troubles)]
    return staged(WorldPlan(60, 0.5, 4, loss), city, outages, noisy=loss > 0)


def judged(world: World, sabotage: str = "none") -> Score:
    return score(world.city, world.outages, driven(world, sabotage))


def test_production_tells_each_cause_once_in_time_and_closes_it() -> None:
    world = three_troubles()
    found = judged(world)
    assert [verdict.fate for verdict in found.verdicts] == ["direct"] * 3
    assert all(verdict.right_place and verdict.right_why and verdict.notices == 1 for verdict in found.verdicts)
    figures = figures_of([tally_of(world.city, found)])
    assert (figures["notices"], figures["closings_per_incident"], figures["compression"]) == (
        3,
        1,
        59,
    )  # one is not installed
    assert [text for text in shortfalls(figures, 60) if "None" not in text] == []


def test_without_votes_there_is_a_message_for_each_device_and_more_than_a_digest_holds() -> None:
    found = judged(three_troubles(), "no-votes")
    assert len(found.notices) > 6
    assert not all(verdict.right_place for verdict in found.verdicts)


def test_forgotten_closings_are_found_out() -> None:
    assert judged(three_troubles(), "no-closings").unclosed == 3


def test_a_loop_back_that_never_comes_is_found_out() -> None:
    fates = [verdict.fate for verdict in judged(three_troubles(), "deaf").verdicts]
    assert fates[-1] == "missed"


def fifty_open() -> World:
    """50 devices of as many sites fall silent, then the gateway is started again, then they return."""
    city = city_of(1_000, 4)
    first = {city.devices[name].site: name for name in city.devices_of("city", "")}
    outages = [dark(n, city, "device", name, hour=2 + n / 60, lasts_s=9_000) for n, name in enumerate(first.values())]
    upgrade = (3.6 * HOUR_S, 3.6 * HOUR_S + 20)
    return staged(WorldPlan(1_000, 0.3, 4), city, outages[:50], upgrades=[upgrade], noisy=False)


def test_a_restart_in_the_middle_of_50_open_incidents_tells_nothing_again_and_forgets_nothing() -> None:
    world = fifty_open()
    assert [event.at_s for event in world.events if event.what == "restart"] == [3.6 * HOUR_S]
    found = judged(world)
    assert [verdict.fate for verdict in found.verdicts] == ["direct"] * 50
    assert {verdict.notices for verdict in found.verdicts} == {1}
    assert (found.told, found.closed, found.unclosed, found.closed_unopened) == (50, 50, 0, 0)


def test_a_gateway_that_remembers_nothing_is_found_out() -> None:
    assert judged(fifty_open(), "forgets").unclosed == 50


def test_impatience_is_found_out() -> None:
    patient, hasty = (judged(three_troubles(loss=0.05), sabotage) for sabotage in ("none", "impatient"))
    assert len(hasty.false) > len(patient.false)


def test_a_whole_city_is_lived_the_same_twice() -> None:
    plan = CityPlan(WorldPlan(devices=60, days=1, seed=9_001))
    first, second = lived(plan), lived(plan)
    assert first == second
    assert {*first} == {OURS, *BASELINES}
    figures = {name: figures_of([tally]) for name, tally in first.items()}
    assert figures["will"]["notices"] > figures["k3"]["notices"] > figures["k3 grouped"]["notices"]
    assert figures["k3 grouped"]["notices"] > figures[OURS]["notices"]


def test_the_command_says_what_it_must_and_that_so_small_a_run_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    result = measure(AlertsPlan(devices=60, days=0.5, seeds=1, jobs=1, tune=True), said.append)
    assert {*result} >= KEYS
    assert not result["ok"]
    assert {"seeds: 1, must be at least 10", "devices: 60, must be at least 1000"} <= {*result["failed"]}
    assert said[0].startswith("city 1 of 1 (seed 9001): ")
    json.dumps(result)
    show(result)
    assert "right place and reason" in capsys.readouterr().out


def test_rules_can_be_changed_and_spoilt() -> None:
    assert rules_of({"presence.wired_beats": 5}).presence.wired_beats == 5
    with pytest.raises(ValueError, match="wired_beats"):
        rules_of({"presence.wired_beats": -1})
    assert spoilt("impatient", rules_of({})).presence.wired_beats == 1
    assert spoilt("no-votes", rules_of({})).engine.site_share == 2
    for sabotage in ("none", "no-closings", "deaf"):
        assert spoilt(sabotage, rules_of({})) == rules_of({})
    assert {"none", "impatient", "no-votes", "no-closings", "deaf", "forgets"} == {*SABOTAGES}


def test_what_is_not_installed_is_placed_so() -> None:
    city = city_of(300, 1)
    lives = {place_of(city, device).life for device in city.devices.values()}
    assert lives == {"installed", "maintenance"}


def test_every_tuning_meets_new_seeds() -> None:
    assert held_out_seeds("a", 3) != held_out_seeds("b", 3)
    assert held_out_seeds("a", 3) == held_out_seeds("a", 3)
    assert not {*held_out_seeds(rules_sha256(), 10)} & {*tuning_seeds(10)}
    assert AlertsPlan(tune=True).chosen(2) == tuning_seeds(2)
    assert AlertsPlan(seed=7).chosen(2) == [7, 8]


def test_as_much_as_promised() -> None:
    plan = plan_of()
    assert (plan.devices, plan.days, plan.seeds >= 10, plan.main) == (1_000, 30.0, True, True)
    assert not plan_of(sweep=True).main
    assert plan_of(full=True).sweep
    assert plan_of(full=True).memory
    assert plan_of(full=True).preview
    assert (plan_of(preview=True).main, plan_of(preview=True).memory) == (False, False)
    points = dict(swept([1, 2]))
    assert {"loss 0 %", "loss 5 %", "100 devices", "10000 devices", "as shipped"} <= {*points}
    assert all(len(cities) == 2 for cities in points.values())


def test_memory_is_measured_in_a_fresh_process_and_can_be_too_much() -> None:
    said: list[str] = []
    row = memory_of(500, said.append)
    assert row["devices"] == 500
    assert 10 < row["steady_rss_mb"] <= row["rss_mb"] < 400
    assert row["core_share"] > 0
    assert row["changes"] == 3
    assert row.keys() >= {"dark_s", "kept_s", "back_s", "storm_s", "slowest_s"}
    assert not memory_shortfalls([row])
    heavy = row | {"devices": 100_000, "rss_mb": 501.0, "core_share": 0.51}
    assert memory_shortfalls([heavy]) == [
        "rss_mb of 100000 devices: 501.0, must be at most 500",
        "core_share of 100000 devices: 0.51, must be at most 0.5",
    ]
