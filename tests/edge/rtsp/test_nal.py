"""Key frames out of H.264 and H.265 packets: whole ones only, decodable by themselves, in bounded memory."""

from __future__ import annotations

import struct
from contextlib import suppress

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.errors import CameraError
from edge.rtsp.nal import H264, H265, KEYFRAME_LIMIT_BYTES, Assembler, Syntax
from kewang.bench.camera_servers.clips import access_units
from tests.edge.rtsp.packets import IDR, PPS, SLICE, SPS, fragments

_START = b"\0\0\0\1"
_WHOLE = b"".join(_START + unit for unit in (SPS, PPS, IDR))


def _together(units: list[bytes], head: bytes = b"\x78") -> bytes:
    return head + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)


def _feed(assembler: Assembler, payloads: list[bytes], timestamp: int = 0, lost: int | None = None) -> list[bool]:
    """One frame; the packet number `lost` does not arrive."""
    shown, follows = [], True
    for number, payload in enumerate(payloads):
        if number == lost:
            follows = False
            continue
        shown.append(assembler.take(payload, timestamp, number == len(payloads) - 1, follows))
        follows = True
    return shown


@pytest.mark.parametrize(
    "payloads",
    [[SPS, PPS, IDR], [_together([SPS, PPS]), IDR], [_together([SPS, PPS, IDR])], [SPS, PPS, *fragments(IDR, 100)]],
    ids=["single", "STAP-A", "all in one", "FU-A"],
)
def test_every_way_to_pack_it(payloads: list[bytes]) -> None:
    assembler = Assembler(H264)
    assert any(_feed(assembler, payloads))
    assert assembler.keyframe == _WHOLE


def test_parameter_sets_of_the_description_and_of_frames_before() -> None:
    assembler = Assembler(H264, (SPS, PPS, b"\x09\xf0", b""))
    _feed(assembler, [IDR])
    assert assembler.keyframe == _WHOLE
    assembler = Assembler(H264)
    _feed(assembler, [SPS, PPS, SLICE])
    _feed(assembler, [IDR], 3600)
    assert assembler.keyframe == _WHOLE


def test_newer_sets_go_behind_older_ones() -> None:
    """So that a decoder takes the stream's own, should the description be outdated."""
    assembler = Assembler(H264, (SPS + b"old", PPS))
    _feed(assembler, [SPS, SLICE])
    _feed(assembler, [IDR], 3600)
    assert assembler.keyframe == b"".join(_START + unit for unit in (SPS + b"old", SPS, PPS, IDR))


@pytest.mark.parametrize("lost", range(2, 2 + len(fragments(IDR, 300))))
def test_a_frame_with_a_lost_packet_is_none(lost: int) -> None:
    payloads = [SPS, PPS, *fragments(IDR, 300)]
    assembler = Assembler(H264, (SPS, PPS))
    _feed(assembler, payloads, 0, lost)
    assert assembler.keyframe is None
    _feed(assembler, [SLICE], 3600)
    _feed(assembler, payloads, 7200)
    assert assembler.keyframe == _WHOLE


def test_slices_of_one_picture_belong_together() -> None:
    second = b"\x65\x12" + bytes(50)
    assembler = Assembler(H264)
    _feed(assembler, [SPS, PPS, IDR, second])
    assert assembler.keyframe == _WHOLE + _START + second


def test_the_rest_of_a_picture_is_no_picture() -> None:
    """Joined in the middle: its first slice never came."""
    assembler = Assembler(H264, (SPS, PPS))
    _feed(assembler, [b"\x65\x12" + bytes(50)])
    assert (assembler.keyframe, assembler.broken_keyframes) == (None, 1)


def test_a_camera_that_sets_no_marker() -> None:
    assembler = Assembler(H264)
    for timestamp, payload in ((0, SPS), (0, PPS), (0, IDR), (3600, SLICE)):
        assembler.take(payload, timestamp, marker=False, follows=True)
    assert assembler.keyframe == _WHOLE


def test_key_frames_are_seen_after_the_first_too() -> None:
    assembler = Assembler(H264)
    _feed(assembler, [SPS, PPS, IDR])
    for payload, key in ((IDR, True), (SLICE, False), (_together([SPS, IDR]), True), (_together([SPS, PPS]), False)):
        assert assembler.take(payload, 9, marker=True, follows=True) is key
    assert any(assembler.take(each, 9, marker=False, follows=True) for each in fragments(IDR))
    assert not assembler.take(b"\x7c", 9, marker=False, follows=True)


def test_without_parameter_sets_no_key_frame() -> None:
    assembler = Assembler(H264, (SPS,))
    _feed(assembler, [IDR])
    assert (assembler.keyframe, assembler.lacks_sets) == (None, True)


def test_a_frame_without_end_is_refused() -> None:
    assembler = Assembler(H264, (SPS, PPS))
    assembler.take(b"\x7c\x85\x88", 0, marker=False, follows=True)
    with pytest.raises(CameraError, match="8 MiB"):
        for _ in range(KEYFRAME_LIMIT_BYTES // 60_000 + 1):
            assembler.take(b"\x7c\x05" + bytes(60_000), 0, marker=False, follows=True)


@pytest.mark.parametrize("syntax", [H264, H265], ids=["h264", "h265"])
@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 3), st.booleans(), st.booleans()), max_size=40))
def test_units_cut_anywhere(syntax: Syntax, packets: list[tuple[bytes, int, bool, bool]]) -> None:
    assembler = Assembler(syntax)
    with suppress(CameraError):
        for payload, timestamp, marker, follows in packets:
            assembler.take(payload, timestamp, marker, follows)
    assert assembler.keyframe is None or assembler.keyframe.startswith(_START)


def _h265_payloads(units: list[bytes], size: int) -> list[bytes]:
    """An aggregation packet of the small units, and fragments of the others."""
    small, payloads = [unit for unit in units if len(unit) < size], []
    for unit in units:
        if len(unit) >= size:
            pieces = [unit[at : at + size] for at in range(2, len(unit), size)]
            for number, piece in enumerate(pieces):
                flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
                payloads.append(bytes((unit[0] & 0x81 | 49 << 1, unit[1], flags | unit[0] >> 1 & 0x3F)) + piece)
    return [_together(small, b"\x60\x01"), *payloads]


def test_h265_from_a_real_encoder() -> None:
    """Taken apart and put together again it decodes, to the picture it was."""
    unit = access_units("h265", 25, 1, 25)[0]
    units = [each.strip(b"\0") for each in unit.split(b"\0\0\1") if each.strip(b"\0")]
    assembler = Assembler(H265)
    assert any(_feed(assembler, _h265_payloads(units, 400)))
    assert assembler.keyframe is not None
    assert _decoded(assembler.keyframe) == _decoded(unit)


def _decoded(data: bytes) -> bytes:
    context = av.CodecContext.create("hevc", "r")
    assert isinstance(context, av.VideoCodecContext)
    (frame,) = [*context.decode(av.Packet(data)), *context.decode(None)]
    assert not frame.is_corrupt
    return frame.to_ndarray(format="yuv420p").tobytes()
