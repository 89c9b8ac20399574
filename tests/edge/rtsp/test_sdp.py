"""Descriptions as cameras write them, and the addresses that follow from them."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.errors import CameraError
from edge.rtsp.sdp import base_url, control_url, video
from kewang.wire.cameras import CameraReason

_HEAD = (
    "v=0\r\no=- 0 0 IN IP4 0\r\ns=Media\r\na=control:rtsp://cam/all/\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=9\r\n"
)
_SETS = b64encode(b"\x67abc").decode() + "," + b64encode(b"\x68x").decode()


def test_h264_with_its_parameter_sets() -> None:
    body = (
        f"{_HEAD}m=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=framerate:12.5\r\na=control:trackID=1\r\n"
        f"a=fmtp:97 packetization-mode=1; profile-level-id=64001f; sprop-parameter-sets={_SETS}\r\n"
    )
    found = video(body.encode())
    assert (found.codec, found.clock_hz, found.frame_rate) == ("h264", 90_000, 12.5)
    assert (found.control, found.aggregate) == ("trackID=1", "rtsp://cam/all/")
    assert found.parameter_sets == (b"\x67abc", b"\x68x")


def test_h265_with_its_parameter_sets() -> None:
    sets = ";".join(f"sprop-{name}={b64encode(name.encode()).decode().rstrip('=')}" for name in ("vps", "sps", "pps"))
    found = video(f"{_HEAD}m=video 0 RTP/AVP 98\na=rtpmap:98 hevc/90000\na=fmtp:98 {sets}\n".encode())
    assert (found.codec, found.parameter_sets) == ("h265", (b"vps", b"sps", b"pps"))


def test_jpeg_needs_no_explanation() -> None:
    found = video(b"m=video 0 RTP/AVP 26\r\n")
    assert (found.codec, found.clock_hz, found.control) == ("mjpeg", 90_000, "")


def test_the_first_video_whose_codec_we_know() -> None:
    body = (
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\nm=video 0 RTP/AVP 100 101\r\n"
        "a=rtpmap:100 rtx/90000\r\na=rtpmap:101 H264/90000\r\na=control:second\r\n"
    )
    assert video(body.encode()).control == "second"


@pytest.mark.parametrize(
    ("body", "reason", "said"),
    [
        (b"", CameraReason.PROTOCOL, "description"),
        (b"\xff\xfe" * 40, CameraReason.PROTOCOL, "description"),
        (b"<html>m=video</html>", CameraReason.PROTOCOL, "description"),
        (b"m=audio 0 RTP/AVP 0\n", CameraReason.NO_MEDIA, "no video"),
        (b"m=\n", CameraReason.NO_MEDIA, "no video"),
        (b"m=video 0 RTP/AVP 96\na=rtpmap:96 VP9/90000\n", CameraReason.CODEC, "VP9"),
        (b"m=video 0 RTP/AVP 33\n", CameraReason.CODEC, "MP2T"),
        (b"m=video 0 RTP/AVP 99\n", CameraReason.CODEC, "payload type 99"),
        (b"m=video 0 RTP/AVP 96\na=rtpmap:96 <script>/1\n", CameraReason.CODEC, "unreadable"),
    ],
)
def test_what_we_cannot_watch(body: bytes, reason: CameraReason, said: str) -> None:
    with pytest.raises(CameraError, match=said) as raised:
        video(body)
    assert raised.value.reason is reason


def test_odd_numbers_are_passed_over() -> None:
    body = b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\na=framerate:0\na=fmtp:96 sprop-parameter-sets=!!!,=,Z0I\n"
    found = video(body)
    assert (found.clock_hz, found.frame_rate, found.parameter_sets) == (90_000, None, (b"\x67\x42",))


@given(st.one_of(st.binary(max_size=400), st.text("vma=:/ 0969HJPEG24;,\r\n", max_size=400).map(str.encode)))
def test_any_description_is_read_or_refused(body: bytes) -> None:
    with suppress(CameraError):
        assert video(body).clock_hz > 0


@pytest.mark.parametrize(
    ("content_base", "content_location", "control", "wanted"),
    [
        (None, None, "trackID=1", "rtsp://cam/a?x=1/trackID=1"),
        ("rtsp://cam/b/", "rtsp://cam/c", "trackID=1", "rtsp://cam/b/trackID=1"),
        (None, "rtsp://cam/c", "trackID=1", "rtsp://cam/c/trackID=1"),
        ("rtsp://cam/b", None, "/trackID=1", "rtsp://cam/b/trackID=1"),
        ("/b/", None, "t", "rtsp://cam/b/t"),
        ("rtsp://cam/b/", None, "*", "rtsp://cam/b/"),
        ("rtsp://cam/b/", None, "", "rtsp://cam/b/"),
        ("rtsp://cam/b/", None, "RTSP://10.0.0.1/own", "RTSP://10.0.0.1/own"),
        ("rtsp://[broken", None, "t", "rtsp://cam/a?x=1/t"),
    ],
)
def test_where_to_ask(content_base: str | None, content_location: str | None, control: str, wanted: str) -> None:
    assert control_url(base_url("rtsp://cam/a?x=1", content_base, content_location), control) == wanted
