"""JPEG pictures out of RTP: the file that comes out shows the picture that went in."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.net.errors import CameraError
from edge.rtsp.jpeg import JpegAssembler

_WIDTH, _HEIGHT = 160, 120


def _picture(quality: int, subsampling: int) -> bytes:
    image = Image.linear_gradient("L").resize((_WIDTH, _HEIGHT))
    colours = Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image))
    file = io.BytesIO()
    colours.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def _payloads(file: bytes, kind: int, quality: int, size: int = 500) -> list[bytes]:
    """As RFC 2435 packs it: headers left out, the tables in the first packet for a quality of 128 and more."""
    scan_head = file.index(b"\xff\xda")
    scan = file[scan_head + 2 + struct.unpack_from("!H", file, scan_head + 2)[0] : -2]
    tables = b"".join(file[at + 5 : at + 69] for at in range(len(file)) if file[at : at + 2] == b"\xff\xdb")
    payloads = []
    for at in range(0, len(scan), size):
        head = struct.pack("!IBBBB", at, kind, quality, _WIDTH // 8, _HEIGHT // 8)
        head += struct.pack("!BBH", 0, 0, len(tables)) + tables if at == 0 and quality >= 128 else b""
        payloads.append(head + scan[at : at + size])
    return payloads


def _taken(payloads: list[bytes], assembler: JpegAssembler | None = None) -> JpegAssembler:
    assembler = assembler or JpegAssembler()
    for number, payload in enumerate(payloads):
        assembler.take(payload, 0, number == len(payloads) - 1, follows=True)
    return assembler


@pytest.mark.parametrize(("kind", "subsampling"), [(0, 1), (1, 2)], ids=["4:2:2", "4:2:0"])
@pytest.mark.parametrize(("encoded", "told"), [(30, 30), (80, 80), (65, 255)], ids=["Q30", "Q80", "own tables"])
def test_the_same_picture(kind: int, subsampling: int, encoded: int, told: int) -> None:
    file = _picture(encoded, subsampling)
    made = _taken(_payloads(file, kind, told)).keyframe
    assert made is not None
    with Image.open(io.BytesIO(made)) as ours, Image.open(io.BytesIO(file)) as theirs:
        assert ours.convert("RGB").tobytes() == theirs.convert("RGB").tobytes()


def test_a_picture_with_a_lost_piece_is_none() -> None:
    payloads = _payloads(_picture(80, 2), 1, 80, 200)
    assembler = _taken([each for number, each in enumerate(payloads) if number != 1])
    assert (assembler.keyframe, assembler.broken_keyframes) == (None, 1)
    assert _taken(payloads, assembler).keyframe is not None


def test_tables_may_be_told_once() -> None:
    file = _picture(65, 2)
    assembler = _taken(_payloads(file, 1, 200)[:-1])
    again = _payloads(file, 1, 200)
    again[0] = again[0][:8] + b"\0\0\0\0" + again[0][12 + 128 :]
    assert _taken(again, assembler).keyframe is not None


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=30))
def test_any_payload(packets: list[tuple[bytes, bool]]) -> None:
    assembler = JpegAssembler()
    for payload, marker in packets:
        assembler.take(payload, 0, marker, follows=True)
    assert assembler.keyframe is None or assembler.keyframe.startswith(b"\xff\xd8")


def test_a_picture_without_end_is_refused() -> None:
    with pytest.raises(CameraError, match="8 MiB"):
        _taken([struct.pack("!IBBBB", at, 1, 80, 20, 15) + bytes(60_000) for at in range(0, 9 * 1024 * 1024, 60_000)])
