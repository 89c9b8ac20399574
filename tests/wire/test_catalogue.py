"""The catalogue is sane, and so are the protocol's times and the names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kewang.wire.catalogue import BY_NAME, METRICS, Metric, metric
from kewang.wire.errors import WireError
from kewang.wire.names import NO_SOURCE, STREAMS, check_device, is_device, is_run, is_source
from kewang.wire.timers import Timers
from tests.wire.shapes import devices, runs, sources

UNITS = {
    "c": "°C", "pct": "%", "hpa": "hPa", "ugm3": "µg/m³", "dba": "dB(A)", "ppm": "ppm", "cm": "cm", "mm": "mm",
    "lux": "lx", "s": "s", "v": "V", "kbps": "kbit/s", "bytes": "B",
}  # fmt: skip
ISSUE = (
    "temp_c rh_pct pressure_hpa pm1_ugm3 pm25_ugm3 pm10_ugm3 noise_dba nh3_ppm h2s_ppm co2_ppm bin_fill_pct "
    "water_level_cm light_lux rain_mm cpu_pct box_temp_c mem_pct disk_pct uptime_s supply_v clock_synced link"
)


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(METRICS)


def test_what_the_issue_asks_for_is_there() -> None:
    assert set(ISSUE.split()) <= BY_NAME.keys()
    assert {each.stream for each in METRICS} == set(STREAMS)


@pytest.mark.parametrize("each", METRICS, ids=lambda each: each.name)
def test_a_metric_is_complete(each: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,31}", each.name)
    assert each.name not in {"time", "tq", "held", "device", "source", "stream"}, "taken by the gateway's own fields"
    assert each.low < each.high
    assert 0 <= each.decimals <= 3
    assert each.meaning("id").strip()
    assert each.meaning("en").strip()
    ending = each.name.rpartition("_")[2]
    assert each.unit == UNITS.get(ending, each.unit), "the unit in the name is the unit"


@pytest.mark.parametrize("each", [each for each in METRICS if each.codes], ids=lambda each: each.name)
def test_codes_have_a_word_in_both_languages_and_lie_in_range(each: Metric) -> None:
    codes = [code for code, _, _ in each.codes]
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert each.low <= code <= each.high
        assert each.word(code, "id")
        assert each.word(code, "en")
    assert each.word(max(codes) + 1, "id") is None


def test_a_number_has_no_word() -> None:
    assert metric("temp_c").word(29.0, "id") is None


def test_an_unknown_metric_is_a_wire_error() -> None:
    with pytest.raises(WireError, match="unknown metric"):
        metric("temp_f")


@given(devices, sources, runs)
def test_names_that_fit(device: str, source: str, run: str) -> None:
    assert check_device(device) == device
    assert is_source(source)
    assert is_run(run)


@given(st.text())
def test_names_are_judged_to_their_end(text: str) -> None:
    for fits in (is_device, is_source, is_run):
        if fits(text):
            assert text.isascii()
            assert text == text.strip()


def test_the_bare_dash_is_no_source() -> None:
    assert not is_source(NO_SOURCE)


def test_faster_times_leave_what_judges_dates() -> None:
    times, quick = Timers(), Timers().faster(10)
    assert quick.resend_s == times.resend_s / 10
    assert quick.heartbeat_s == times.heartbeat_s / 10
    assert (quick.ahead_s, quick.step_back_s) == (times.ahead_s, times.step_back_s)
    assert (quick.correction_s, quick.keepalive_s) == (times.correction_s, times.keepalive_s)
    assert Timers().faster(1) == Timers()


def test_the_times_of_the_protocol() -> None:
    times = Timers()
    assert (times.heartbeat_s, times.resend_s, times.resend_max_s, times.live_s) == (30, 30, 600, 300)
    assert (times.credit_life_s, times.ack_interval_s, times.rewind_poll_s, times.anchor_fresh_s) == (120, 1, 15, 5)
