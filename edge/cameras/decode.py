"""One key frame to one small picture, by FFmpeg's decoders. Blocking: for the decoding thread.

What is declared is checked before it is decoded, so that a small file can't ask for a lot of memory or time.
"""

import struct
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation

from edge.cameras.picture import COLUMNS, ROWS, Picture
from kewang.wire.cameras import CameraReason

MAX_PIXELS: Final = 4096 * 3072
"""The largest picture that is decoded: the largest sensors of today's street cameras have 12 million pixels."""
MAX_BYTES: Final = 8 * 2**20
"""The longest key frame that is decoded."""
MAX_SCANS: Final = 64
"""A JPEG may come in scans, each of which costs the time of a whole picture; encoders make about ten."""
MAX_UNITS: Final = 4096
"""A key frame of H.264 or H.265 comes in NAL units, each of which costs the decoder up to 9 kB however short it is.
Slices cut to the size of packets make 1,500 of 2 MB."""
_PADDING: Final = bytes(64)
"""FFmpeg's readers run over the end of what they are given; what lies there must be zeros, or a picture that was cut
off is now and then continued with whatever the memory holds, and passes for whole (13 of 150 in H.265)."""
_MAX_MARKERS: Final = 1000
_DECODERS: Final = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})


class DecodeError(Exception):
    """A key frame gave no picture; `reason` is DECODE, CODEC or TOO_LARGE, the text is for people."""

    def __init__(self, reason: CameraReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Decoded:
    """`picture` scaled to the detector's size; `width` × `height` as the camera sent it. `corrupt`: the decoder had
    to make up a part of it."""

    picture: Picture
    width: int
    height: int
    corrupt: bool


def decode(codec: str, keyframe: bytes) -> Decoded:
    """The picture in `keyframe` (Annex B with parameter sets, or a JPEG file). Raises DecodeError."""
    frame, corrupt = decode_frame(codec, keyframe)
    return Decoded(shrunk(frame), frame.width, frame.height, corrupt)


def decode_frame(codec: str, keyframe: bytes) -> tuple[VideoFrame, bool]:
    """The picture in its own size, and whether it is corrupt. Raises DecodeError.

    Two of the three decoders say nothing of errors they hide; so first comes one that gives up at errors.
    """
    _check(codec, keyframe)
    try:
        return _frame(codec, keyframe, {"err_detect": "explode"}), False
    except DecodeError as error:
        if error.reason is CameraReason.TOO_LARGE:
            raise
        return _frame(codec, keyframe, {}), True


def shrunk(frame: VideoFrame) -> Picture:
    """`frame` in the detector's size, each pixel the mean of those it stands for; black is 0 and white 255, whether
    the camera says so (as JPEG does) or has them at 16 and 235."""
    small = frame.reformat(COLUMNS, ROWS, "yuv420p", interpolation=Interpolation.AREA, dst_color_range=ColorRange.JPEG)
    return np.ascontiguousarray(small.to_ndarray(), dtype=np.uint8)


def _check(codec: str, keyframe: bytes) -> None:
    if codec not in _DECODERS:
        raise DecodeError(CameraReason.CODEC, f"codec {codec[:40]}: set the camera to H.264, H.265 or MJPEG")
    if len(keyframe) > MAX_BYTES:
        raise DecodeError(CameraReason.TOO_LARGE, f"a key frame of {len(keyframe)} bytes: use the camera's sub-stream")
    if codec == "mjpeg":
        _check_size(*_jpeg_size(keyframe))
        if keyframe.count(b"\xff\xda") > MAX_SCANS:
            raise DecodeError(CameraReason.TOO_LARGE, "a JPEG of very many scans: set the camera to baseline JPEG")
    elif keyframe.count(b"\0\0\1") > MAX_UNITS:
        raise DecodeError(
            CameraReason.TOO_LARGE, f"a key frame in over {MAX_UNITS} pieces: use the camera's sub-stream"
        )


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(CameraReason.TOO_LARGE, f"a picture of {width}×{height}: use the camera's sub-stream")


def _frame(codec: str, keyframe: bytes, options: dict[str, str]) -> VideoFrame:
    context = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS), **options}
    try:
        frames = [*context.decode(av.Packet(keyframe + _PADDING)), *context.decode(None)]
    except (av.FFmpegError, MemoryError, ValueError) as error:
        # The size is known by now, even where it was what the decoder refused.
        _check_size(context.width, context.height)
        raise DecodeError(CameraReason.DECODE, f"the {codec} key frame can't be decoded ({_why(error)})") from None
    if not frames:
        raise DecodeError(CameraReason.DECODE, f"the {codec} key frame holds no picture")
    return frames[0]


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _jpeg_size(file: bytes) -> tuple[int, int]:
    """Width and height as a JPEG's frame header declares them. Raises DecodeError if it has none."""
    at = 2
    for _ in range(_MAX_MARKERS):
        if file[:2] != b"\xff\xd8" or at + 9 > len(file) or file[at] != 0xFF:
            break
        marker = file[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", file, at + 5)
            return width, height
        fill, bare = marker == 0xFF, marker in _JPEG_BARE
        at += 1 if fill else 2 if bare else 2 + max(2, struct.unpack_from(">H", file, at + 2)[0])
    raise DecodeError(CameraReason.DECODE, "what came as JPEG is none: compare the url with the camera's manual")
