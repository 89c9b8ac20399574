"""Bytes of a connection taken apart: the same however they are cut, and never more held than the limits."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.errors import CameraError
from edge.rtsp.messages import (
    BODY_LIMIT_BYTES,
    HEADER_LIMIT_BYTES,
    Event,
    Framer,
    Response,
    ServerRequest,
    answer,
    request,
)
from kewang.wire.cameras import CameraReason
from tests.edge.rtsp.packets import interleaved

_EVENTS: list[tuple[bytes, Event]] = [
    (interleaved(0, b""), (0, b"")),
    (interleaved(1, b"$\r\n\r\nRTSP/1.0 200 OK"), (1, b"$\r\n\r\nRTSP/1.0 200 OK")),
    (interleaved(255, bytes(65_535)), (255, bytes(65_535))),
    (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", Response(200, {"cseq": ["1"]})),
    (b"RTSP/1.0 404\n\n", Response(404)),
    (b"\r\n\r\nRTSP/1.0 401 No\r\nA: x\r\nB: 1\r\na:y\r\n z\r\n\r\n", Response(401, {"a": ["x", "y z"], "b": ["1"]})),
    (b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n$\0\r\n\r", Response(200, {"content-length": ["5"]}, b"$\0\r\n\r")),
    (b"OPTIONS rtsp://us RTSP/1.0\r\nCSeq: 7\r\n\r\n", ServerRequest("OPTIONS", "7")),
]


@given(
    st.lists(st.sampled_from(_EVENTS), max_size=5), st.lists(st.integers(1, 70_000), max_size=30), st.integers(1, 999)
)
def test_however_it_is_cut(wanted: list[tuple[bytes, Event]], sizes: list[int], rest: int) -> None:
    data = b"".join(raw for raw, _ in wanted)
    framer, events, position = Framer(), [], 0
    for size in [*sizes, *([rest] * (len(data) // rest + 1))]:
        events += framer.feed(data[position : position + size])
        position += size
    assert events == [event for _, event in wanted]
    assert framer.held_bytes == 0


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_noise_is_refused_or_held_within_limits(pieces: list[bytes]) -> None:
    framer = Framer()
    with suppress(CameraError):
        for piece in pieces:
            framer.feed(piece)
            assert framer.held_bytes <= HEADER_LIMIT_BYTES + BODY_LIMIT_BYTES + 65_540


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\n", CameraReason.PROTOCOL),
        (b"HTTP/", CameraReason.PROTOCOL),
        (b"220 ftp ready\r\n", CameraReason.PROTOCOL),
        (b"HELLO\r\n", CameraReason.PROTOCOL),
        (b"RTSP/1.0 what\r\n\r\n", CameraReason.PROTOCOL),
        (b"\x00", CameraReason.PROTOCOL),
        (b"RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n", CameraReason.PROTOCOL),
        (b"RTSP/1.0 200 OK\r\nContent-Length: \xd9\xa3\r\n\r\n", CameraReason.PROTOCOL),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\n", CameraReason.TOO_LARGE),
        (b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", CameraReason.TOO_LARGE),
        (b"RTSP/1.0 200 OK\r\n" + b"a:b\r\n" * HEADER_LIMIT_BYTES, CameraReason.TOO_LARGE),
    ],
)
@pytest.mark.parametrize("size", [1, 10**6])
def test_what_is_no_rtsp(data: bytes, reason: CameraReason, size: int) -> None:
    framer = Framer()
    with pytest.raises(CameraError) as raised:
        for at in range(0, len(data), size):
            framer.feed(data[at : at + size])
    assert raised.value.reason is reason


def test_a_request() -> None:
    told = request("SETUP", "rtsp://cam/ü", 3, {"Session": "1"})
    assert told == "SETUP rtsp://cam/ü RTSP/1.0\r\nCSeq: 3\r\nUser-Agent: kewang\r\nSession: 1\r\n\r\n".encode()


@pytest.mark.parametrize(("url", "value"), [("rtsp://a b", "x"), ("rtsp://a\r\nX: y", "x"), ("rtsp://a", "x\nEvil: 1")])
def test_nothing_slips_into_a_request(url: str, value: str) -> None:
    with pytest.raises(CameraError):
        request("PLAY", url, 1, {"Session": value})


def test_a_header_comes_back_as_it_was() -> None:
    (event,) = Framer().feed(b"RTSP/1.0 200 OK\r\nSession: \xff\xe9\r\n\r\n")
    assert isinstance(event, Response)
    assert b"Session: \xff\xe9\r\n" in request("PLAY", "rtsp://a", 1, {"Session": event.header("session") or ""})
    assert answer(ServerRequest("OPTIONS", "4")) == b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"
