"""Key frames to pictures: three codecs, damage of every kind, and files that ask for too much."""

import ctypes
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.decode import MAX_BYTES, MAX_PIXELS, MAX_UNITS, DecodeError, decode
from kewang.wire.cameras import CameraReason

CODECS = ("h264", "h265", "mjpeg")
_ENCODERS = {
    "h264": ("libx264", "yuv420p", {"preset": "ultrafast"}),
    "h265": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "mjpeg": ("mjpeg", "yuvj420p", {}),
}


@cache
def keyframe(codec: str, width: int = 640, height: int = 360, full: bool = True, flat: bool = False) -> bytes:
    """A key frame of grey blocks, brighter to the right, that no codec can squeeze into nothing; or all of one grey.

    `full`: black is 0 and white 255, and it says so.
    """
    name, pixels, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.time_base, context.thread_count, context.options = Fraction(1, 15), 1, options
    shown = np.full((height * 3 // 2, width), 128, np.uint8) if flat else scene(width, height)
    frame = av.VideoFrame.from_ndarray(shown, pixels)
    frame.color_range = context.color_range = ColorRange.JPEG if full else ColorRange.MPEG
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def scene(width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    ramp = np.linspace(60, 180, width)[None, :]
    noise = np.kron(np.random.default_rng(1).integers(-35, 36, (height // 8 + 1, width // 8 + 1)), np.ones((8, 8)))
    picture[:height] = np.clip(ramp + noise[:height, :width], 16, 235)
    return picture


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("width", "height"), [(640, 360), (704, 576), (352, 240), (1920, 1080), (96, 64)])
def test_a_key_frame_becomes_a_small_picture(codec: str, width: int, height: int) -> None:
    decoded = decode(codec, keyframe(codec, width, height))
    assert (decoded.width, decoded.height, decoded.corrupt) == (width, height, False)
    assert decoded.picture.shape == (270, 320)
    assert decoded.picture.dtype == np.uint8
    columns = decoded.picture[:180].mean(axis=0)
    assert columns[:20].mean() == pytest.approx(60, abs=8)
    assert columns[-20:].mean() == pytest.approx(180, abs=8)
    assert abs(decoded.picture[180:].mean() - 128) < 3


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_white_is_255_whatever_the_camera_s_range(codec: str) -> None:
    """What says that its white is at 235 is stretched; 16 to 235 are 219 steps."""
    full, limited = (decode(codec, keyframe(codec, full=full)).picture[:180].astype(float) for full in (True, False))
    assert limited == pytest.approx((full - 16) * 255 / 219, abs=2)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_cut_key_frame_is_corrupt(codec: str, share: float) -> None:
    whole = keyframe(codec)
    decoded = decode(codec, whole[: int(len(whole) * share)])
    assert decoded.corrupt
    assert decoded.picture.shape == (270, 320)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_a_damaged_key_frame_is_corrupt(codec: str) -> None:
    spoiled = bytearray(keyframe(codec))
    middle = len(spoiled) // 2
    spoiled[middle : middle + 200] = b"\x55" * 200
    assert decode(codec, bytes(spoiled)).corrupt


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("junk", [b"", b"\x00", b"\x00\x00\x00\x01\x67", b"\xff\xd8\xff", b"GET / HTTP/1.1\r\n" * 90])
def test_what_is_no_key_frame_is_a_decode_error(codec: str, junk: bytes) -> None:
    with pytest.raises(DecodeError, match=r"\w+") as refused:
        decode(codec, junk)
    assert refused.value.reason is CameraReason.DECODE


@pytest.mark.parametrize("codec", ["vp8", "jpeg2000", "", "x" * 10_000])
def test_a_codec_we_lack_is_named(codec: str) -> None:
    with pytest.raises(DecodeError, match="set the camera to") as refused:
        decode(codec, b"\x00" * 100)
    assert refused.value.reason is CameraReason.CODEC
    assert codec[:10] in str(refused.value)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("codec", CODECS)
def test_a_key_frame_of_8k_is_refused_before_it_is_decoded(codec: str) -> None:
    large = keyframe(codec, 7680, 4320, flat=True)[:MAX_BYTES]
    ctypes.CDLL(None).malloc_trim(0)  # what is free is given back, so that it is asked for again
    Path("/proc/self/clear_refs").write_text("5")  # the greatest memory so far is what it is now
    before_kib = peak_kib()
    with pytest.raises(DecodeError, match="7680×4320") as refused:
        decode(codec, large)
    assert refused.value.reason is CameraReason.TOO_LARGE
    assert peak_kib() - before_kib < 40_000, "the picture itself would be 48 MB"


def peak_kib() -> int:
    """The most memory that this process has had."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def test_a_jpeg_bomb_is_refused() -> None:
    """A few kilobytes that declare 4.3 thousand million pixels; and a small picture in a thousand scans."""
    bomb = bytearray(keyframe("mjpeg"))
    at = bomb.index(b"\xff\xc0")
    bomb[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(DecodeError, match="65535×65535") as refused:
        decode("mjpeg", bytes(bomb))
    assert refused.value.reason is CameraReason.TOO_LARGE
    whole = keyframe("mjpeg")
    scan = whole[whole.index(b"\xff\xda") : -2]
    with pytest.raises(DecodeError, match="scans"):
        decode("mjpeg", whole[:-2] + scan * 70 + whole[-2:])


def test_a_key_frame_that_is_too_long_is_refused() -> None:
    with pytest.raises(DecodeError, match="sub-stream") as refused:
        decode("h264", b"\x00" * (MAX_BYTES + 1))
    assert refused.value.reason is CameraReason.TOO_LARGE


@pytest.mark.parametrize(("codec", "unit"), [("h264", b"\x06\x80"), ("h265", b"\x4e\x01\x80")])
def test_a_key_frame_in_a_million_pieces_is_refused(codec: str, unit: bytes) -> None:
    """Each piece costs the decoder kilobytes, however short it is: these 8 MB would take 6 to 13 GB."""
    pieces = (MAX_BYTES - 100_000) // (3 + len(unit))
    with pytest.raises(DecodeError, match=f"over {MAX_UNITS} pieces") as refused:
        decode(codec, keyframe(codec) + (b"\0\0\1" + unit) * pieces)
    assert refused.value.reason is CameraReason.TOO_LARGE
    assert not decode("h264", keyframe("h264") + b"\0\0\1\x06\x80" * (MAX_UNITS // 2)).corrupt


def test_only_so_many_markers_of_a_jpeg_are_looked_at() -> None:
    """Each step through them holds up the whole program: what has nothing else is no JPEG."""
    whole = keyframe("mjpeg")
    with pytest.raises(DecodeError, match="is none") as refused:
        decode("mjpeg", whole[:2] + b"\xff" * 2000 + whole[2:])
    assert refused.value.reason is CameraReason.DECODE
    assert decode("mjpeg", whole[:2] + b"\xff" * 20 + whole[2:]).width == 640


def test_the_largest_picture_is_that_of_today_s_cameras() -> None:
    assert 4000 * 3000 <= MAX_PIXELS < 7680 * 4320


@given(data=st.data(), codec=st.sampled_from(CODECS))
def test_whatever_comes_is_a_picture_or_a_decode_error(data: st.DataObject, codec: str) -> None:
    spoiled = bytearray(keyframe(codec, 96, 64))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(spoiled) - 1))
        if data.draw(st.booleans()):
            spoiled[at] = data.draw(st.integers(0, 255))
        else:
            del spoiled[at : at + data.draw(st.integers(1, 40))]
        if not spoiled:
            break
    with suppress(DecodeError):
        assert decode(codec, bytes(spoiled)).picture.shape == (270, 320)
