"""Packets, what is missing of a row of them, and what a sender report's clock shows."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.rtsp.rtp import Reception, Timeline, control, is_control, parse
from tests.edge.rtsp.packets import packet, sender_report


def _loss(numbers: list[int], source: int = 1) -> float | None:
    reception = Reception()
    for number in numbers:
        reception.take(source, number % 65_536)
    return reception.loss_pct


def test_a_packet_with_everything() -> None:
    """Two contributing sources, an extension of one word, three bytes of padding."""
    data = struct.pack("!BBHII", 0xB2, 0xE0, 5, 6, 7) + bytes(8) + b"\xbe\xde\0\1abcd" + b"payload" + b"\0\0\3"
    found = parse(data)
    assert found is not None
    assert (found.marker, found.sequence, found.timestamp, found.source) == (True, 5, 6, 7)
    assert data[found.start : found.end] == b"payload"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    found = parse(data)
    assert found is None or 12 <= found.start <= found.end <= len(data)
    control(data)


@pytest.mark.parametrize("data", [b"", packet(1, 1, b"")[:11], b"\x40" + packet(1, 1, b"x")[1:], b"\x9f" + bytes(12)])
def test_no_packet(data: bytes) -> None:
    assert parse(data) is None


@pytest.mark.parametrize(
    ("numbers", "loss_pct"),
    [
        ([], None),
        ([7], 0),
        (list(range(65_500, 65_700)), 0),
        ([n for n in range(65_500, 65_700) if n % 10 != 3], 10),
        ([1, 2, 4, 3, 5, 6], 0),
        ([1, 2, 2, 2, 3], 0),
        ([1, 2, 40_000, 3, 4], 0),
        ([10, 11, 12, 40_000, 40_001, 40_002], 0),
    ],
    ids=["none", "one", "wrap", "a tenth", "order", "doubles", "stray", "restart"],
)
def test_loss(numbers: list[int], loss_pct: float | None) -> None:
    assert _loss(numbers) == (None if loss_pct is None else pytest.approx(loss_pct))


@given(st.integers(0, 65_535), st.integers(2, 5000), st.data())
def test_loss_is_what_was_left_out(first: int, count: int, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(1, count - 2), max_size=20)) if count > 2 else set()
    numbers = [first + n for n in range(count) if n not in lost]
    assert _loss(numbers) == pytest.approx(100 * len(lost) / count)


def test_what_follows() -> None:
    reception = Reception()
    assert [reception.take(1, n) for n in (65_534, 65_535, 0, 2, 3)] == [False, True, True, False, True]
    assert reception.take(2, 4) is False
    assert reception.expected == 7


def test_ticks_go_on_when_timestamps_wrap_or_go_back() -> None:
    timeline = Timeline(90_000)
    assert [timeline.take(n % 2**32) for n in (2**32 - 3000, 2**32, 2**32 + 6000, 2**32 + 3000)] == [
        0,
        3000,
        9000,
        6000,
    ]


def test_jitter_is_the_smoothed_difference() -> None:
    timeline = Timeline(90_000)
    for number in range(200):
        timeline.take(number * 3600)
        timeline.arrived(number * 0.04 + (0.01 if number % 2 else 0))
    assert timeline.jitter_s == pytest.approx(0.01, rel=0.01)


def test_a_sender_report() -> None:
    assert control(sender_report(1_800_000_000.25)).utc_s == pytest.approx(1_800_000_000.25)
    assert control(sender_report(1_800_000_000) + b"\x81\xcb\0\1\0\0\0\1").goodbye
    assert control(sender_report(946_684_800 + 3600)).utc_s == 946_688_400


@pytest.mark.parametrize("ntp_s", [0, 13_000, 2_208_988_800 + 5000])
def test_time_since_power_on_is_no_clock(ntp_s: float) -> None:
    """Whether a camera counts from 1900 or from 1970."""
    assert control(sender_report(0, ntp_s=ntp_s)).utc_s is None


def test_reports_among_the_packets() -> None:
    assert is_control(sender_report(0))
    assert not is_control(packet(1, 1, b"x", marker=True))


@pytest.mark.parametrize("leap", [2**31 - 1, 2**31, 2**31 + 1, 100 * 90_000, -100 * 90_000])
def test_timestamps_that_begin_anew_are_no_time_and_no_jitter(leap: int) -> None:
    """A leap counted as time makes a jitter of hours, which nobody believes."""
    timeline = Timeline(90_000)
    for frame in range(20):
        timeline.take((frame * 9000 + (leap if frame >= 10 else 0)) % 2**32)
        timeline.arrived(frame * 0.1)
    assert timeline.ticks == 18 * 9000 + 1
    assert timeline.jitter_s < 0.001
