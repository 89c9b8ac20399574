"""Sources that fall silent while their device is well: one incident a cause, and its end."""

import json
from collections.abc import Iterable

import pytest

from gateway.incidents.model import Change, Scope
from gateway.incidents.rules import load_rules
from gateway.incidents.watch import Watch, WatchRules
from kewang.wire.placement import Place
from tests.gateway.incidents.stage import at, story

RULES = WatchRules(conditions=load_rules())
Rows = Iterable[tuple[float, str]]


def well(place: Place | None = None) -> Watch:
    """A watch with one device that is heard for ever."""
    watch = Watch(RULES, 0.0)
    watch.place("m1", place or at("mardika"), 0.0)
    watch.heard("m1", 0.0, 1e9)
    return watch


def spread(count: int, interval_s: float, until_s: float, from_s: float = 0.0) -> list[tuple[float, str]]:
    """Rows of so many sources, evenly over their interval."""
    steps = round((until_s - from_s) / interval_s)
    return [(from_s + (n + k / count) * interval_s, f"cam-{k}") for n in range(steps) for k in range(count)]


def played(watch: Watch, rows: Rows, from_s: float, until_s: float) -> list[Change]:
    """What is told, with deadlines looked at each 10 s."""
    waiting, changes = sorted(rows, reverse=True), list[Change]()
    for now_s in range(round(from_s), round(until_s), 10):
        while waiting and waiting[-1][0] <= now_s:
            at_s, source = waiting.pop()
            watch.source_heard("m1", source, at_s)
        changes += watch.due(float(now_s))
    return changes


@pytest.mark.parametrize(("count", "interval_s"), [(64, 10.0), (64, 60.0), (64, 600.0), (5, 600.0), (2, 300.0)])
def test_sources_that_fall_silent_together_are_one_incident(count: int, interval_s: float) -> None:
    """A bus is torn off: sources that send seldom are missed one after the other, long after the first was told."""
    watch = well()
    changes = played(watch, spread(count, interval_s, 6000.0), 0.0, 12_000.0)
    assert {each.incident.number for each in changes} == {1}
    (incident,) = watch.open.values()
    assert (incident.kind, incident.scope.name, len(incident.missing)) == ("sources", "m1", count)
    back = played(watch, spread(count, interval_s, 18_000.0, from_s=12_000.0), 12_000.0, 18_000.0)
    assert story(back) == [("resolved", "sources", "device m1")]
    assert not watch.open


def test_sources_that_fall_silent_hours_apart_are_told_apart() -> None:
    watch = well()
    rows = [row for row in spread(3, 60.0, 20_000.0) if row[0] < {"cam-0": 5000, "cam-1": 12_000}.get(row[1], 20_000)]
    assert story(played(watch, rows, 0.0, 19_000.0)) == [
        ("opened", "outage", "source m1/cam-0"),
        ("opened", "outage", "source m1/cam-1"),
    ]


def test_one_that_became_several_is_the_same_over_a_restart() -> None:
    watch = well()
    played(watch, spread(2, 300.0, 6000.0), 0.0, 9000.0)
    again = Watch.restored(json.loads(json.dumps(watch.kept())), RULES, 9000.0)
    again.place("m1", at("mardika"), 9000.0)
    again.heard("m1", 9000.0, 1e9)
    assert again.open == watch.open
    told = played(again, spread(2, 300.0, 15_000.0, from_s=9000.0), 9000.0, 15_000.0)
    assert story(told) == [("resolved", "sources", "device m1")]


def test_a_device_whose_rows_wait_is_waited_for() -> None:
    """Its profile was changed while we knew it: ten rows of each source come every five minutes now."""
    watch = well()
    played(watch, spread(2, 10.0, 2000.0), 0.0, 2000.0)
    watch.paced("m1", 300.0, 1.0)
    assert not played(watch, spread(2, 300.0, 8000.0, from_s=2100.0), 2000.0, 8000.0)
    (told,) = [each for each in played(watch, [], 8000.0, 10_000.0) if each.what == "opened"]
    assert told.incident.since_s + 900 <= told.at_s


def test_without_its_word_the_same_rows_would_alert() -> None:
    watch = well()
    played(watch, spread(2, 10.0, 2000.0), 0.0, 2000.0)
    assert played(watch, spread(2, 300.0, 8000.0, from_s=2100.0), 2000.0, 8000.0)


def test_a_device_that_spares_its_battery_is_given_longer_and_taken_at_its_old_word_afterwards() -> None:
    watch = well()
    played(watch, spread(2, 60.0, 2000.0), 0.0, 2000.0)
    watch.paced("m1", 0.0, 10.0)
    assert not played(watch, spread(2, 600.0, 20_000.0, from_s=2000.0), 2000.0, 20_000.0)
    watch.paced("m1", 0.0, 1.0)
    assert not played(watch, spread(2, 60.0, 22_000.0, from_s=20_000.0), 20_000.0, 22_000.0)
    (told,) = [each for each in played(watch, [], 22_000.0, 22_500.0) if each.what == "opened"]
    assert told.at_s <= 22_000 + 180 + 90


@pytest.mark.parametrize(("count", "stretch"), [(2, 10.0), (1, 4.0)])
def test_a_device_that_spares_its_battery_from_the_first_word_on_is_well(count: int, stretch: float) -> None:
    """Nothing is known of its sources: the gateway, or the box, has just started."""
    watch = well()
    watch.paced("m1", 0.0, stretch)
    assert played(watch, spread(count, 60 * stretch, 20_000.0), 0.0, 20_000.0) == []


def listing(*sources: str) -> Place:
    """A place with these sources."""
    return at("mardika").model_copy(update={"sources": sources})


@pytest.mark.parametrize("taken", [("cam-0",), ("cam-0", "cam-1"), ("cam-0", "cam-1", "cam-2")])
def test_a_source_that_was_taken_away_ends_its_incident(taken: tuple[str, ...]) -> None:
    staying = tuple(source for source in ("cam-0", "cam-1", "cam-2") if source not in taken)
    watch = well(listing(*taken, *staying))
    rows = [row for row in spread(3, 60.0, 20_000.0) if row[1] in staying or row[0] < 5000]
    assert [each.what for each in played(watch, rows, 0.0, 9000.0)] == ["opened"]
    watch.place("m1", listing(*staying), 9000.0)
    assert [each.what for each in played(watch, [row for row in rows if row[0] > 9000], 9000.0, 12_000.0)] == [
        "resolved"
    ]
    assert watch.word("m1", "cam-0") == "unknown"


def test_a_placement_that_lists_no_source_takes_none_away() -> None:
    watch = well()
    played(watch, spread(1, 60.0, 5000.0), 0.0, 9000.0)
    watch.place("m1", at("elsewhere"), 9000.0)
    assert played(watch, [], 9000.0, 12_000.0) == []
    assert watch.word("m1", "cam-0") == "down"


def test_what_fell_silent_where_somebody_works_is_told_once_the_device_stands_elsewhere() -> None:
    watch = well()
    watch.maintain(Scope("site", "mardika"), 1e6, 0.0)
    assert played(watch, spread(1, 60.0, 3000.0), 0.0, 6000.0) == []
    watch.place("m1", at("passo"), 6000.0)
    assert story(played(watch, [], 6000.0, 6200.0)) == [("opened", "outage", "source m1/cam-0")]
