"""Signals look like Ambon: the right range, the right time of day, the same again for the same seed."""

from datetime import UTC, datetime
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.faults import Fault, Spell, parse_plan
from firmware_sim.signals import DAY_S, HOUR_S, WIT_S, Signals
from firmware_sim.truth import Truth
from kewang.wire.catalogue import BY_NAME, METRICS

MIDNIGHT_S = datetime(2026, 2, 1, tzinfo=UTC).timestamp() - WIT_S
TEN_DAYS = [MIDNIGHT_S + day * DAY_S for day in range(10)]


def at(signals: Signals, metric: str, hour: float) -> float:
    """The mean over ten days at an hour of Ambon."""
    return mean(signals.value(metric, midnight + hour * HOUR_S) for midnight in TEN_DAYS)


@given(st.sampled_from([metric.name for metric in METRICS]), st.floats(0, 4e9), st.integers(0, 2**31))
def test_a_signal_is_believable_and_the_same_again(name: str, unix_s: float, seed: int) -> None:
    value = Signals(seed).value(name, unix_s)
    assert BY_NAME[name].low <= value <= BY_NAME[name].high
    assert value == Signals(seed).value(name, unix_s)


@pytest.mark.parametrize(
    ("metric", "high_hour", "low_hour"),
    [
        ("temp_c", 13, 4),
        ("rh_pct", 4, 11),
        ("noise_dba", 7.5, 2),
        ("pm25_ugm3", 6.3, 3),
        ("light_lux", 11, 0),
        ("rain_mm", 15.5, 8),
        ("bin_fill_pct", 11, 5.5),
        ("nh3_ppm", 11.5, 5.5),
    ],
)
def test_each_signal_has_its_hours(metric: str, high_hour: float, low_hour: float) -> None:
    signals = Signals(11)
    assert at(signals, metric, high_hour) > at(signals, metric, low_hour)


def test_a_market_is_tropical_day_and_night() -> None:
    signals = Signals(3)
    temperatures = [signals.value("temp_c", midnight + hour * HOUR_S) for midnight in TEN_DAYS for hour in range(24)]
    assert 21 < min(temperatures) < 25
    assert 29 < max(temperatures) < 33


def test_the_tide_comes_about_twice_a_day() -> None:
    levels = [Signals(1).value("water_level_cm", MIDNIGHT_S + minutes * 600) for minutes in range(6 * 24 * 14)]
    smooth = [mean(levels[i : i + 12]) for i in range(len(levels) - 12)]
    highs = [i for i in range(12, len(smooth) - 12) if smooth[i] == max(smooth[i - 12 : i + 13])]
    assert 14 <= len(highs) <= 32


def test_neighbours_differ() -> None:
    assert Signals(1).value("temp_c", MIDNIGHT_S) != Signals(2).value("temp_c", MIDNIGHT_S)


@given(st.integers(0, 99), st.sampled_from(["fleet-00001", "fleet-00002"]), st.integers(1, 2**40))
def test_a_row_of_a_fleet_is_believable_and_can_be_computed_again(seed: int, device: str, number: int) -> None:
    metrics = ("sim_n", "temp_c", "rh_pct", "co2_ppm")
    row = Truth(seed, metrics).row(device, number)
    assert row == Truth(seed, metrics).row(device, number)
    assert row[0] == number
    assert all(BY_NAME[name].low <= value <= BY_NAME[name].high for name, value in zip(metrics, row, strict=True))


def test_rows_of_a_fleet_differ_by_device_number_and_seed() -> None:
    rows = {Truth(seed).row(device, n)[1:] for seed in (1, 2) for device in ("a", "b") for n in range(1, 51)}
    assert len(rows) > 150


def test_a_plan_is_read_and_drawn_again_alike() -> None:
    assert parse_plan("none", 1) == ()
    assert parse_plan("stuck@30+10,nan@1.5+2", 1) == (Spell(Fault.STUCK, 30, 10), Spell(Fault.NAN, 1.5, 2))
    assert parse_plan("random", 1) == parse_plan("random", 1) != parse_plan("random", 2)
    assert {spell.fault for spell in parse_plan("random", 1)} == set(Fault) - {Fault.NONE}


@pytest.mark.parametrize("text", ["stuck", "stuck@1", "bored@1+2", "stuck@x+2"])
def test_a_bad_plan_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not fault@start\+length"):
        parse_plan(text, 1)
