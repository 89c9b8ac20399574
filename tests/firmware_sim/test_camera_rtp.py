"""RTP as the simulated camera sends it, taken apart again by hand."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.cameras.codecs import Codec
from firmware_sim.cameras.rtp import MTU_BYTES, interleaved, packet, payloads, sender_report

NALS = st.lists(st.binary(min_size=3, max_size=4 * MTU_BYTES), min_size=1, max_size=4)


def h264_nals(parts: list[bytes]) -> list[bytes]:
    """What RFC 6184 says the payloads mean."""
    nals: list[bytes] = []
    for part in parts:
        if part[0] & 0x1F != 28:
            nals.append(part)
        elif part[1] & 0x80:
            nals.append(bytes([part[0] & 0xE0 | part[1] & 0x1F]) + part[2:])
        else:
            nals[-1] += part[2:]
    return nals


def h265_nals(parts: list[bytes]) -> list[bytes]:
    """What RFC 7798 says the payloads mean."""
    nals: list[bytes] = []
    for part in parts:
        if part[0] >> 1 & 0x3F != 49:
            nals.append(part)
        elif part[2] & 0x80:
            nals.append(bytes([part[0] & 0x81 | (part[2] & 0x3F) << 1, part[1]]) + part[3:])
        else:
            nals[-1] += part[3:]
    return nals


@given(NALS)
def test_h264_payloads_fit_and_give_the_same_nal_units(nals: list[bytes]) -> None:
    wanted = [bytes([0x65]) + nal for nal in nals]
    parts = payloads(Codec.H264, wanted)
    assert max(map(len, parts)) <= MTU_BYTES
    assert h264_nals(parts) == wanted


@given(NALS)
def test_h265_payloads_fit_and_give_the_same_nal_units(nals: list[bytes]) -> None:
    wanted = [bytes([19 << 1, 1]) + nal for nal in nals]
    parts = payloads(Codec.H265, wanted)
    assert max(map(len, parts)) <= MTU_BYTES
    assert h265_nals(parts) == wanted


def test_only_the_last_fragment_ends_a_nal_unit() -> None:
    parts = payloads(Codec.H264, [bytes([0x65]) + b"x" * (3 * MTU_BYTES)])
    assert [part[1] & 0xC0 for part in parts] == [0x80, 0, 0, 0x40]


def test_numbers_and_ticks_wrap() -> None:
    head = struct.unpack("!BBHII", packet(b"", number=65_536 + 7, ticks=2**32 + 9, source=3, marker=True))
    assert head == (0x80, 0x80 | 96, 7, 9, 3)


def test_a_sender_report_tells_the_camera_s_clock() -> None:
    data = sender_report(5, clock_s=1_700_000_000.25, ticks=90_000, packets=12, octets=3456)
    kind, words, source, seconds, fraction, ticks, packets, octets = struct.unpack("!xBHI5I", data[:28])
    assert (kind, words, source, ticks, packets, octets) == (200, 6, 5, 90_000, 12, 3456)
    assert seconds + fraction / 2**32 - 2_208_988_800 == 1_700_000_000.25
    assert data[29] == 202
    assert len(data) % 4 == 0


def test_frames_on_the_connection_tell_their_length() -> None:
    assert interleaved(2, b"abc") == b"$\x02\x00\x03abc"
