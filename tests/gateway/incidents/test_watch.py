"""Any story: never an end without a beginning, numbers once, and a restart in its middle changes nothing of it."""

import json
import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.incidents.engine import Engine
from gateway.incidents.model import Change, Scope
from gateway.incidents.polls import Poll, Polls
from gateway.incidents.rules import load_rules
from gateway.incidents.watch import Watch, WatchRules
from kewang.wire.placement import Place
from tests.gateway.incidents.stage import at

RULES = WatchRules(conditions=load_rules())
PLACES = {
    f"{site}{box}": at(
        site, uplink=f"u-{'ab'.find(site) < 0:d}", feeder=f"f-{'bcd'.find(site) < 0:d}", cellular=box == 2
    )
    for site in "abcde"
    for box in range(3)
}
Do = Callable[[Watch, float], None]

_devices = st.sampled_from(sorted(PLACES))
_sites = st.sampled_from("abcde")
_spans = st.floats(0, 4000)


def everybody(names: list[str], span_s: float) -> Do:
    """All of them are heard for so long."""

    def do(watch: Watch, now_s: float) -> None:
        for name in names:
            watch.born(name, "power", now_s, now_s + span_s)

    return do


ACTS: st.SearchStrategy[Do] = st.one_of(
    st.builds(lambda site, span: everybody([name for name in PLACES if name[0] == site], span), _sites, _spans),
    st.builds(lambda name, span: everybody([name], span), _devices, _spans),
    st.builds(lambda span: everybody(list(PLACES), span), _spans),
    _devices.map(lambda name: lambda watch, now_s: watch.left(name, now_s, deliberate=False)),
    _devices.map(lambda name: lambda watch, now_s: watch.place(name, None, now_s)),
    _devices.map(lambda name: lambda watch, now_s: watch.place(name, PLACES[name], now_s)),
    st.tuples(_devices, _devices).map(lambda two: lambda watch, now_s: watch.place(two[0], PLACES[two[1]], now_s)),
    st.booleans().map(lambda there: lambda watch, now_s: watch.broker(there, now_s)),
    _spans.map(lambda span: lambda watch, now_s: watch.looped(now_s, now_s + span)),
    st.sampled_from(["slow", None]).map(lambda word: lambda watch, now_s: watch.own("database", word, now_s)),
    _devices.map(lambda name: lambda watch, now_s: watch.two_boxes(name, now_s)),
    st.integers(1, 9).map(lambda number: lambda watch, now_s: watch.acknowledge(number, "rina", "", now_s)),
    st.builds(
        lambda site, span: lambda watch, now_s: watch.maintain(Scope("site", site), now_s + span, now_s), _sites, _spans
    ),
    st.builds(
        lambda name, value: lambda watch, now_s: watch.measured(name, "env-1", {"camera_state": value}, now_s),
        _devices,
        st.sampled_from([1.0, 3.0]),
    ),
)
STORIES = st.lists(st.tuples(st.floats(0, 900), ACTS), max_size=40)


def fresh(kind: type[Watch] = Watch) -> Watch:
    """All are placed, and our loop comes for an hour."""
    watch = kind(RULES, 0.0)
    for name, place in PLACES.items():
        watch.place(name, place, 0.0)
    watch.looped(0.0, 3600.0)
    return watch


def until(watch: Watch, from_s: float, at_s: float) -> list[Change]:
    """What is told up to then."""
    changes: list[Change] = []
    while (next_s := watch.next_s) <= at_s:
        changes += watch.due(max(from_s, next_s))
    return changes


def acted(watch: Watch, story: list[tuple[float, Do]]) -> float:
    """Play a story; when it ends."""
    now_s = 0.0
    for wait_s, do in story:
        until(watch, now_s, now_s + wait_s)
        now_s += wait_s
        do(watch, now_s)
    until(watch, now_s, now_s)
    return now_s


def told(watch: Watch, story: list[tuple[float, Do]], now_s: float = 0.0) -> list[Change]:
    """What is told in a story and in a day after it."""
    changes: list[Change] = []
    for wait_s, do in story:
        changes += until(watch, now_s, now_s + wait_s)
        now_s += wait_s
        do(watch, now_s)
    return changes + until(watch, now_s, now_s + 90_000.0)


@settings(deadline=None)
@given(STORIES)
def test_never_an_end_without_a_beginning_and_each_number_once(story: list[tuple[float, Do]]) -> None:
    open_numbers: set[int] = set()
    opened: list[int] = []
    last_s = 0.0
    for change in told(fresh(), story):
        number = change.incident.number
        assert change.at_s >= last_s - 1e-6
        last_s = change.at_s
        if change.what == "opened":
            opened.append(number)
            open_numbers.add(number)
        elif change.what == "resolved":
            open_numbers.remove(number)
            assert change.incident.ended_s == change.at_s
        else:
            assert number in opened
    assert opened == sorted(set(opened))


@settings(deadline=None)
@given(STORIES, STORIES)
def test_a_device_is_part_of_one_outage_at_most(first: list[tuple[float, Do]], then: list[tuple[float, Do]]) -> None:
    watch = fresh()
    told(watch, first + then)
    missing = [
        name for incident in watch.open.values() if incident.kind in ("outage", "unstable") for name in incident.missing
    ]
    assert len(missing) == len(set(missing))


class Noted(Watch):
    """A watch that notes where devices are and until when our loop comes: neither is kept, they come again."""

    def place(self, device: str, place: Place | None, now_s: float) -> None:
        self.__dict__.setdefault("places", {})[device] = place
        super().place(device, place, now_s)

    def looped(self, now_s: float, until_s: float | None = None) -> None:
        self.loops_s = max(self.__dict__.get("loops_s", now_s), now_s if until_s is None else until_s)
        super().looped(now_s, until_s)


@settings(deadline=None)
@given(STORIES)
def test_an_engine_kept_and_restored_has_the_same_future(story: list[tuple[float, Do]]) -> None:
    """Told the same transitions: presence begins anew with a grace, on purpose."""
    watch = fresh(Noted)
    now_s = acted(watch, story)
    kept = json.loads(json.dumps(watch.engine.kept()))
    twin = Engine.restored(kept, RULES.engine, now_s, RULES.conditions)
    for name, place in watch.__dict__["places"].items():
        twin.place(name, place, now_s)
    twin.looped(watch.__dict__["loops_s"])
    assert twin.open == watch.engine.open
    first, second = [], []
    while (next_s := min(watch.presence.next_s, watch.engine.next_s, twin.next_s)) <= now_s + 20_000:
        at_s = max(now_s, next_s)
        for transition in watch.presence.due(at_s):
            first += watch.engine.told(transition)
            second += twin.told(transition)
        first += watch.engine.due(at_s)
        second += twin.due(at_s)
    assert [*map(_brief, first)] == [*map(_brief, second)]


def _brief(change: Change) -> tuple[str, int, float]:
    return change.what, change.incident.number, round(change.at_s)


@settings(deadline=None)
@given(STORIES)
def test_a_restart_tells_nothing_again(story: list[tuple[float, Do]]) -> None:
    watch = fresh()
    now_s = acted(watch, story)
    before = dict(watch.open)
    again = Watch.restored(json.loads(json.dumps(watch.kept())), RULES, now_s)
    assert again.open == before
    for name, place in PLACES.items():
        again.place(name, place, now_s)
    numbers = {change.incident.number for change in told(again, [], now_s) if change.what == "opened"}
    assert not numbers & before.keys()


class Forgetful(Polls):
    """Counts anew for each silence."""

    def about(self, base_s: float) -> Poll:
        self.begin(self._now_s)
        return super().about(base_s)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_one_count_for_all_who_ask_judges_as_a_count_for_each(dice: random.Random) -> None:
    """Devices come and go in a small city; deadlines are looked at each four minutes, so that many are over at once."""
    heard = [(dice.choice(sorted(PLACES)), dice.randrange(25) * 240, dice.randrange(60, 900)) for _ in range(60)]
    told_by: list[list[Change]] = []
    for kind in (Polls, Forgetful):
        watch, changes = fresh(), list[Change]()
        watch.engine._outages._polls.__class__ = kind
        for now_s in range(0, 7200, 240):
            for name, from_s, span_s in heard:
                if from_s == now_s:
                    watch.heard(name, float(now_s), float(now_s + span_s))
            changes += watch.due(now_s + 240.0)
        told_by.append(changes)
    assert told_by[0] == told_by[1]


def test_a_clock_that_stands_still_changes_nothing() -> None:
    watch = fresh()
    changes = until(watch, 0.0, 2000.0)
    kept = watch.kept()
    assert changes
    assert [watch.due(2000.0) for _ in range(5)] == [[]] * 5
    assert watch.kept() == kept


def test_ten_thousand_events_in_one_second() -> None:
    watch = Watch(RULES, 0.0)
    devices = [f"m{number}" for number in range(10_000)]
    for number, device in enumerate(devices):
        watch.place(device, at(f"s{number // 10}", feeder=f"f{number // 1000}"), 0.0)
        watch.heard(device, 0.0, 1000.0)
    watch.looped(0.0, 1e9)
    until(watch, 0.0, 1000.0)
    for number, device in enumerate(devices):
        watch.left(device, 1000.0 + number / 10_000, deliberate=False)
    changes = until(watch, 1001.0, 2000.0)
    for device in devices:
        watch.born(device, "power", 2000.0, 9000.0)
    changes += until(watch, 2000.0, 8000.0)
    assert [(each.what, each.incident.scope.level, len(each.incident.devices)) for each in changes] == [
        ("opened", "city", 10_000),
        ("cause", "city", 10_000),
        ("resolved", "city", 10_000),
    ]


@settings(deadline=None)
@given(STORIES)
def test_who_is_down_for_long_is_missing_in_one_open_outage(story: list[tuple[float, Do]]) -> None:
    watch = fresh()
    now_s = acted(watch, story)
    watch.broker(True, now_s)
    watch.looped(now_s, now_s + 90_000.0)
    until(watch, now_s, now_s + 5000.0)
    down = sorted(name for name in PLACES if watch.word(name) == "down")
    outages = [one for one in watch.open.values() if one.kind in ("outage", "unstable")]
    assert down == sorted(name for one in outages for name in one.missing)
