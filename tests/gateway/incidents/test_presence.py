"""Presence: how long a silence makes which word, what a will changes, and what we ourselves could not hear."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.incidents.hearing import Hearing, PresenceRules, Transition
from gateway.incidents.model import Word
from gateway.incidents.presence import Presence
from tests.gateway.incidents.stage import at

RULES = PresenceRules()


def played(presence: Presence, until_s: float) -> list[Transition]:
    """All transitions up to then, each at its own time."""
    found: list[Transition] = []
    while presence.next_s <= until_s:
        found += presence.due(max(presence.next_s, 0.0))
    return found


def words(transitions: list[Transition]) -> list[tuple[Word, float]]:
    """(word, time) whenever the word changed."""
    return [(each.word, each.at_s) for each in transitions if each.word != each.before]


def up(device: str = "m1", *, cellular: bool = False, until_s: float = 1000.0) -> Presence:
    """A presence with one device that was heard up to 1000."""
    presence = Presence(RULES, 0.0)
    presence.place(device, at("mardika", cellular=cellular), 0.0)
    presence.heard(device, 1.0, until_s)
    presence.due(1.0)
    return presence


@pytest.mark.parametrize(("cellular", "limit_s"), [(False, 105.0), (True, 135.0)])
def test_a_silent_device_is_down_after_its_link_s_limit(cellular: bool, limit_s: float) -> None:
    found = played(up(cellular=cellular), 5000.0)
    assert words(found) == [("degraded", 1075.0), ("down", 1000.0 + limit_s)]
    assert [each.hearing for each in found] == [Hearing.LATE, Hearing.SILENT, Hearing.GONE]
    assert found[-1].heard_s == 1000.0


def test_a_will_only_spares_the_last_half_beat() -> None:
    presence = up()
    presence.left("m1", 1045.0, deliberate=False)
    assert words(played(presence, 5000.0)) == [("degraded", 1045.0), ("down", 1090.0)]


def test_a_will_of_a_device_that_is_heard_again_is_forgotten() -> None:
    presence = up()
    presence.left("m1", 1001.0, deliberate=True)
    presence.due(1001.0)
    presence.heard("m1", 1020.0, 2000.0)
    assert words(played(presence, 2100.0)) == [("up", 1020.0), ("degraded", 2075.0)]


def test_who_was_down_is_up_after_two_messages_and_a_minute_without_a_gap() -> None:
    presence = up()
    played(presence, 1500.0)
    for beat_s in (1500.0, 1560.0, 1590.0, 1620.0):
        played(presence, beat_s - 0.1)
        presence.heard("m1", beat_s)
    assert words(played(presence, 1640.0)) == [("up", 1620.0)]


def test_one_message_a_minute_proves_nothing() -> None:
    presence = up()
    played(presence, 1500.0)
    found: list[Transition] = []
    for beat_s in range(1500, 3000, 60):
        presence.heard("m1", float(beat_s))
        found += played(presence, beat_s + 59.0)
    assert {each.word for each in found} == {"degraded"}


def test_nobody_is_down_before_the_grace_of_the_start_is_over() -> None:
    presence = Presence(RULES, 500.0)
    presence.place("m1", at("mardika"), 500.0)
    assert words(played(presence, 5000.0)) == [("unknown", 500.0), ("down", 500.0 + 60 + 105)]


def test_what_we_could_not_hear_counts_for_nobody() -> None:
    presence = up()
    presence.deaf()
    assert presence.next_s == math.inf
    assert presence.due(5000.0) == []
    presence.hears(5000.0)
    presence.hears(5100.0)
    assert words(played(presence, 9000.0))[-1] == ("down", 5000.0 + 60 + 105)


def test_four_times_down_in_an_hour_is_unstable_until_an_hour_of_quiet() -> None:
    presence = up()
    found: list[Transition] = []
    for number in range(4):
        back_s = 1400.0 + number * 700
        found += played(presence, back_s)
        presence.heard("m1", back_s, 90_000.0 if number == 3 else back_s + 300)
    found += played(presence, 20_000.0)
    down = [at_s for word, at_s in words(found) if word in ("down", "unstable")]
    assert len(down) == 4
    assert words(found)[-2:] == [("unstable", down[-1]), ("up", down[-1] + 3600)]


@pytest.mark.parametrize("life", ["approved", "maintenance", "quarantined", "retired"])
def test_who_is_not_installed_never_alerts(life: str) -> None:
    presence = Presence(RULES, 0.0)
    presence.place("m1", at("mardika", life=life), 0.0)  # type: ignore[arg-type]
    presence.heard("m2", 0.0)
    found = played(presence, 10_000.0)
    assert {each.device: each.word for each in found} == {"m1": "maintenance", "m2": "unplaced"}


def test_the_same_time_again_changes_nothing() -> None:
    presence = up()
    found = played(presence, 1080.0)
    assert found
    assert [presence.due(1080.0) for _ in range(3)] == [[], [], []]


def test_a_source_is_down_after_its_own_usual_interval_while_its_device_is_up() -> None:
    presence = up(until_s=90_000.0)
    for row_s in range(0, 3000, 300):
        presence.source_heard("m1", "cam-1", float(row_s))
    for row_s in range(0, 3000, 10):
        presence.source_heard("m1", "env-1", float(row_s))
    found = played(presence, 8000.0)
    assert [(each.source, each.word) for each in found if each.source] == [
        ("env-1", "up"),
        ("cam-1", "up"),
        ("env-1", "down"),
        ("cam-1", "down"),
    ]
    by_source = {each.source: each.at_s for each in found}
    assert by_source["env-1"] == pytest.approx(2990 + 180)
    assert by_source["cam-1"] == pytest.approx(2700 + 900, abs=5)


def test_sources_of_a_silent_device_say_nothing() -> None:
    presence = up()
    for row_s in range(0, 1000, 10):
        presence.source_heard("m1", "env-1", float(row_s))
    assert [each.word for each in played(presence, 9000.0) if each.source] == ["up"]
    assert presence.word("m1", "env-1") == "up"


def test_a_restart_remembers_who_was_down() -> None:
    presence = up()
    played(presence, 1500.0)
    again = Presence.restored(presence.kept(), RULES, 2000.0)
    again.place("m1", at("mardika"), 2000.0)
    assert words(played(again, 2000.0)) == [("down", 2000.0)]
    again.heard("m1", 2030.0, 9000.0)
    assert words(played(again, 3000.0)) == [("degraded", 2030.0), ("up", 2090.0)]


@given(st.lists(st.floats(0.1, 200), min_size=1, max_size=60))
def test_down_means_that_nothing_came_for_the_limit_and_up_that_something_did(gaps: list[float]) -> None:
    presence, now_s, beats = Presence(RULES, 0.0), 1.0, []
    presence.place("m1", at("mardika"), 0.0)
    found: list[Transition] = []
    for gap_s in gaps:
        found += played(presence, now_s - 1e-6)
        presence.heard("m1", now_s)
        beats.append(now_s)
        now_s += gap_s
    found += played(presence, now_s)
    for each in found:
        silence_s = each.at_s - max((beat_s for beat_s in beats if beat_s <= each.at_s), default=0.0)
        assert each.word != "down" or each.hearing is not Hearing.GONE or silence_s >= 105 - 1e-6
        assert each.word != "up" or silence_s < 75
    assert [each.before for each in found[1:]] == [each.word for each in found[:-1]]
