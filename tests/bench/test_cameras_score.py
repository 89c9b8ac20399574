"""What an alarm is worth, and when faults come: the bench's own arithmetic, without a picture."""

import itertools

import pytest

from firmware_sim.cameras.scenes import PictureFault
from kewang.bench.cameras_market import spearman
from kewang.bench.cameras_naive import confirmed
from kewang.bench.cameras_plan import (
    DAY_S,
    GRACE_S,
    LIMIT_S,
    RIGHT_TYPE,
    WEIGHTS,
    Event,
    LinkFault,
    Weight,
    day_of_faults,
    held_out_seeds,
    slow_faults,
    tuning_seeds,
)
from kewang.bench.cameras_score import calm_days, false_alarms, found
from kewang.wire.cameras import CameraReason

BLACK, FROZEN = CameraReason.BLACK, CameraReason.FROZEN
EVENT = Event(PictureFault.BLACK, 1000.0, 1240.0, seed=1)


def test_a_fresh_alarm_in_time_is_a_detection() -> None:
    one = found([(900.0, None), (1075.0, BLACK), (1300.0, None)], EVENT)
    assert (one.latency_s, one.in_time, one.typed, one.masked) == (75.0, True, True, False)


@pytest.mark.parametrize("after", [BLACK, CameraReason.NOISY])
def test_an_alarm_that_stood_before_is_none(after: CameraReason) -> None:
    one = found([(900.0, BLACK), (1075.0, after), (1300.0, None)], EVENT)
    assert (one.latency_s, one.in_time, one.masked) == (None, False, True)


def test_a_false_alarm_that_gives_way_to_the_right_one_is_one() -> None:
    one = found([(900.0, FROZEN), (1075.0, BLACK), (1300.0, None)], EVENT)
    assert (one.latency_s, one.typed, one.masked) == (75.0, True, True)


def test_an_alarm_that_ended_and_rose_again_is_one() -> None:
    assert found([(900.0, FROZEN), (1010.0, None), (1075.0, BLACK)], EVENT).in_time


def test_late_and_mistyped_are_told_apart() -> None:
    late = found([(900.0, None), (1000.0 + LIMIT_S[Weight.HARD] + 1, BLACK)], EVENT)
    assert (late.in_time, late.typed, late.latency_s) == (False, False, 121.0)
    mistyped = found([(900.0, None), (1050.0, FROZEN)], EVENT)
    assert (mistyped.in_time, mistyped.typed) == (True, False)


def test_an_alarm_after_the_repair_is_no_detection() -> None:
    assert found([(900.0, None), (1241.0, BLACK)], EVENT).latency_s is None


def test_false_alarms_are_those_no_fault_excuses() -> None:
    over_s = EVENT.end_s + GRACE_S
    track = [(0.0, None), (500.0, FROZEN), (560.0, None), (1050.0, BLACK), (1300.0, None), (over_s - 1, BLACK)]
    clearing = [(over_s - 0.5, None), (over_s + 1, FROZEN), (over_s + 60, None), (over_s + 90, FROZEN)]
    alarms = false_alarms([*track, *clearing], [EVENT])
    assert [(alarm.time_s, alarm.stuck) for alarm in alarms] == [
        (500.0, False),
        (over_s + 1, False),
        (over_s + 90, False),
    ]


def test_an_alarm_that_stays_after_the_repair_is_false_once() -> None:
    alarms = false_alarms([(900.0, None), (1050.0, BLACK), (5000.0, None), (9000.0, None)], [EVENT])
    assert [(alarm.time_s, alarm.stuck) for alarm in alarms] == [(EVENT.end_s + GRACE_S, True)]


def test_an_alarm_that_stands_through_an_event_is_false_once() -> None:
    alarms = false_alarms([(500.0, FROZEN), (1050.0, BLACK), (1300.0, FROZEN), (9000.0, None)], [EVENT])
    assert [(alarm.time_s, alarm.stuck) for alarm in alarms] == [(500.0, False)]


def test_calm_is_what_no_event_excuses() -> None:
    assert calm_days(0.0, DAY_S, [EVENT]) == pytest.approx(1 - (240 + GRACE_S) / DAY_S)


def test_every_fault_has_a_weight_and_a_right_type() -> None:
    faults = {*PictureFault, *LinkFault}
    assert set(WEIGHTS) == faults == set(RIGHT_TYPE)
    assert all(RIGHT_TYPE.values())


@pytest.mark.parametrize("seed", range(20))
def test_a_day_has_every_quick_fault_once_with_calm_between(seed: int) -> None:
    events = sorted(day_of_faults(seed, 2, tuple(Weight)), key=lambda event: event.start_s)
    assert {event.fault for event in events} == {fault for fault, weight in WEIGHTS.items() if weight != Weight.SLOW}
    assert len(events) == len({event.fault for event in events})
    assert all(event.end_s - event.start_s > LIMIT_S[event.weight] for event in events)
    assert all(after.start_s - before.end_s > GRACE_S + 600 for before, after in itertools.pairwise(events))
    assert events[0].start_s >= 2 * DAY_S
    assert events[-1].end_s + GRACE_S <= 3 * DAY_S


def test_cameras_take_turns_among_the_slow_faults() -> None:
    chosen = [event.fault for turn in range(5) for event in slow_faults(1, 2, turn, 3)]
    assert {chosen.count(fault) for fault in chosen} == {3}
    assert all(event.end_s - event.start_s == pytest.approx(DAY_S) for event in slow_faults(1, 2, 0, 5))


def test_each_thresholds_file_meets_seeds_of_its_own() -> None:
    one, other = held_out_seeds("aa", "painted", 50), held_out_seeds("ab", "painted", 50)
    assert one == held_out_seeds("aa", "painted", 50)
    assert not {*one, *tuning_seeds(50)} & {*other, *held_out_seeds("aa", "filmed", 50)}


def test_the_naive_alarm_stands_after_so_many_bad_pictures() -> None:
    bad = [None, BLACK, BLACK, BLACK, BLACK, None, BLACK]
    assert list(confirmed(bad, 1)) == bad
    assert list(confirmed(bad, 3)) == [None, None, None, BLACK, BLACK, None, None]


def test_rank_correlation() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [1, 1, 5, 5]) == pytest.approx(1)
    assert spearman([1, 2, 3], [5, 5, 5]) == 0
    assert spearman([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]) == pytest.approx(0.8)
