"""Dates of a source always increase, or fall into a free place."""

from hypothesis import given
from hypothesis import strategies as st

from edge.dating import DIGITS, Grid, SourceDates, apart_ms, by_hour, grid, next_date, with_digit
from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS
from kewang.wire.tally import HOUR_MS, MAX_TALLIES
from kewang.wire.timers import Timers

NOW_MS = 1_785_000_000_000
TIMERS = Timers()


def free(taken: set[int], ms: int) -> int:
    while ms in taken:
        ms += 1
    return ms


def after(last_ms: int, wanted_ms: int, digit: int = 0) -> int:
    return next_date(SourceDates(last_ms, last_ms), wanted_ms, Grid(digit, 1), lambda ms: ms, TIMERS)


def test_a_later_date_is_rounded_down_to_the_boots_digit() -> None:
    assert after(NOW_MS, NOW_MS + 10) == NOW_MS + 10
    assert after(NOW_MS, NOW_MS + 19) == NOW_MS + 10
    assert after(NOW_MS, NOW_MS + 19, digit=7) == NOW_MS + 17
    assert after(NOW_MS, NOW_MS + 16, digit=7) == NOW_MS + 7


def test_a_tie_or_small_step_back_goes_on_at_the_next_date_of_the_boot() -> None:
    assert after(NOW_MS, NOW_MS) == NOW_MS + 10
    assert after(NOW_MS, NOW_MS - 300_000) == NOW_MS + 10
    assert after(NOW_MS, NOW_MS + 2, digit=3) == NOW_MS + 3


def test_a_larger_step_back_is_believed() -> None:
    assert after(NOW_MS, NOW_MS - 300_001) == NOW_MS - 300_010


def test_only_dates_below_the_highest_ask_what_is_free() -> None:
    dates = SourceDates(NOW_MS - 100, NOW_MS)
    asked: list[int] = []

    def ask(ms: int) -> int:
        asked.append(ms)
        return max(ms, NOW_MS - 43)

    on = Grid(0, 1)
    assert next_date(dates, NOW_MS - 50, on, ask, TIMERS) == NOW_MS - 40
    assert next_date(dates, NOW_MS + 13, on, ask, TIMERS) == NOW_MS + 10
    assert asked == [NOW_MS - 50, NOW_MS - 40]
    assert dates == SourceDates(NOW_MS + 10, NOW_MS + 10)


def test_an_anchor_carries_the_digit_of_its_boot() -> None:
    assert [with_digit(NOW_MS + 5, number) for number in (0, 5, 6, 15)] == [NOW_MS + ms for ms in (0, 5, -4, 5)]
    assert grid(NOW_MS + 6, "env-1") == Grid(6, 1)
    assert grid(NOW_MS + 6, "box") == Grid(6, MAX_TALLIES)


digits, offsets_ms = st.integers(0, DIGITS - 1), st.integers(-500_000, 500_000)


@given(digits, digits, offsets_ms, offsets_ms)
def test_boots_of_two_digits_never_share_a_date(one: int, other: int, first_ms: int, second_ms: int) -> None:
    if one != other:
        assert after(NOW_MS, NOW_MS + first_ms, one) != after(NOW_MS, NOW_MS + second_ms, other)


def test_dates_stay_between_the_years_a_gateway_reads() -> None:
    assert after(0, -5) == MIN_DATE_MS
    assert after(0, MAX_DATE_MS * 2) == MAX_DATE_MS


@given(st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=60))
def test_no_date_is_given_twice_whatever_the_clock_does(steps: list[int]) -> None:
    dates, taken, wanted_ms = SourceDates(0, 0), set[int](), NOW_MS
    for step in steps:
        wanted_ms += step
        given_ms = next_date(dates, wanted_ms, Grid(step % DIGITS, 1), lambda ms: free(taken, ms), TIMERS)
        assert given_ms not in taken
        taken.add(given_ms)


def test_rows_by_hour() -> None:
    assert by_hour([HOUR_MS * 5, HOUR_MS * 5 - 1, HOUR_MS * 5 + 9]) == [(4, 1), (5, 2)]


def test_heartbeats_leave_room_for_their_tallies() -> None:
    assert (apart_ms("box"), apart_ms("env-1")) == (MAX_TALLIES, 1)
    dates, wanted = SourceDates(NOW_MS, NOW_MS), (-9000, 0, 1200, 2499)
    given = [next_date(dates, NOW_MS + ms, grid(NOW_MS + 3, "box"), lambda ms: ms, TIMERS) for ms in wanted]
    assert given == [NOW_MS + 150, NOW_MS + 650, NOW_MS + 1150, NOW_MS + 2150]
    other = next_date(dates, NOW_MS + 2400, grid(NOW_MS + 4, "box"), lambda ms: ms, TIMERS)
    assert other == NOW_MS + 2200
