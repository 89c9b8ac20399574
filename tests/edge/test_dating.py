"""Dates of a source always increase, or fall into a free place."""

from hypothesis import given
from hypothesis import strategies as st

from edge.dating import SourceDates, apart_ms, by_hour, next_date
from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS
from kewang.wire.tally import HOUR_MS, MAX_TALLIES
from kewang.wire.timers import Timers

NOW_MS = 1_785_000_000_000
TIMERS = Timers()


def free(taken: set[int], ms: int) -> int:
    while ms in taken:
        ms += 1
    return ms


def after(last_ms: int, wanted_ms: int, *, fresh: bool = False, top_ms: int | None = None) -> int:
    dates = SourceDates(last_ms, last_ms if top_ms is None else top_ms, fresh)
    return next_date(dates, wanted_ms, lambda ms: ms, TIMERS)


def test_a_later_date_is_taken_as_it_is() -> None:
    assert after(NOW_MS, NOW_MS + 1) == NOW_MS + 1


def test_a_tie_or_small_step_back_goes_on_by_a_millisecond() -> None:
    assert after(NOW_MS, NOW_MS) == NOW_MS + 1
    assert after(NOW_MS, NOW_MS - 300_000) == NOW_MS + 1


def test_the_first_of_a_run_goes_on_by_a_second() -> None:
    assert after(NOW_MS, NOW_MS, fresh=True) == NOW_MS + 1000
    assert after(NOW_MS, NOW_MS + 5, fresh=True) == NOW_MS + 5


def test_a_larger_step_back_is_believed() -> None:
    assert after(NOW_MS, NOW_MS - 300_001) == NOW_MS - 300_001


def test_only_dates_below_the_highest_ask_what_is_free() -> None:
    dates = SourceDates(NOW_MS - 10, NOW_MS, False)
    asked: list[int] = []

    def ask(ms: int) -> int:
        asked.append(ms)
        return ms + 7

    assert next_date(dates, NOW_MS - 5, ask, TIMERS) == NOW_MS + 2
    assert next_date(dates, NOW_MS + 3, ask, TIMERS) == NOW_MS + 3
    assert asked == [NOW_MS - 5]
    assert dates == SourceDates(NOW_MS + 3, NOW_MS + 3, False)


def test_dates_stay_between_the_years_a_gateway_reads() -> None:
    assert after(0, -5) == MIN_DATE_MS
    assert after(0, MAX_DATE_MS * 2) == MAX_DATE_MS


@given(st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=60))
def test_no_date_is_given_twice_whatever_the_clock_does(steps: list[int]) -> None:
    dates, taken, wanted_ms = SourceDates(0, 0, True), set[int](), NOW_MS
    for step in steps:
        wanted_ms += step
        given_ms = next_date(dates, wanted_ms, lambda ms: free(taken, ms), TIMERS)
        assert given_ms not in taken
        taken.add(given_ms)


def test_rows_by_hour() -> None:
    assert by_hour([HOUR_MS * 5, HOUR_MS * 5 - 1, HOUR_MS * 5 + 9]) == [(4, 1), (5, 2)]


def test_heartbeats_leave_room_for_their_tallies() -> None:
    apart = apart_ms("box")
    assert (apart, apart_ms("env-1")) == (MAX_TALLIES, 1)
    dates = SourceDates(NOW_MS, NOW_MS, fresh=False)
    given = [next_date(dates, NOW_MS + wanted_ms, lambda ms: ms, TIMERS, apart) for wanted_ms in (-9000, 0, 120, 200)]
    assert given == [NOW_MS + 50, NOW_MS + 100, NOW_MS + 150, NOW_MS + 200]
