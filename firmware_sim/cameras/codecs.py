"""Pictures into H.264, H.265 and JPEG, as a camera's chip does it: one slice a picture, key frames when told."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, cast

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

CLOCK_HZ: Final = 90_000
"""Ticks a second of RTP's clock for video."""

I420 = NDArray[np.uint8]
"""A picture: uint8, shape (height * 3 // 2, width): rows of luma (0 black, 255 white: the full range, and encoded so),
then Cb and Cr packed, each half as wide and high."""

_NEVER: Final = 1_000_000
_ENCODERS: Final = {"h264": "libx264", "h265": "libx265"}
_OPTIONS: Final = {
    "h264": {"sc_threshold": "0", "qp": "27"},
    "h265": {
        "qp": "29",
        "x265-params": "log-level=none:pools=none:frame-threads=1:scenecut=0:open-gop=0:repeat-headers=1:info=0",
    },
}
"""One fineness for every picture: with a rate to keep, an encoder makes those after its first ones much finer.

A camera's chip never stops; ours begins anew with whoever comes first, and a picture that stands still would move.
"""


class Codec(StrEnum):
    """How a stream is encoded."""

    H264 = "h264"
    H265 = "h265"

    @property
    def header_bytes(self) -> int:
        """Bytes in front of what a NAL unit holds."""
        return 1 if self is Codec.H264 else 2

    def is_parameters(self, nal: bytes) -> bool:
        """Whether a NAL unit holds parameters (VPS, SPS, PPS) and no picture."""
        return self.kind(nal) in ((7, 8) if self is Codec.H264 else (32, 33, 34))

    def kind(self, nal: bytes) -> int:
        """The type of a NAL unit."""
        return nal[0] & 0x1F if self is Codec.H264 else nal[0] >> 1 & 0x3F


@dataclass(frozen=True, slots=True)
class Encoded:
    """An access unit: one picture as NAL units without start codes; a key one with its parameter sets in front."""

    nals: tuple[bytes, ...]
    is_key: bool


class Encoder:
    """One stream. Blocking; every picture gives its access unit at once. Raises av.FFmpegError."""

    def __init__(self, codec: Codec, width: int, height: int, fps: float) -> None:
        self._context = cast(av.VideoCodecContext, av.CodecContext.create(_ENCODERS[codec], "w"))
        self._context.width, self._context.height, self._context.pix_fmt = width, height, "yuv420p"
        self._context.color_range = ColorRange.JPEG
        self._context.time_base = Fraction(1, CLOCK_HZ)
        self._context.framerate = Fraction(fps).limit_denominator(1000)
        self._context.gop_size, self._context.max_b_frames, self._context.thread_count = _NEVER, 0, 1
        self._context.options = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", **_OPTIONS[codec]}
        self._step = round(CLOCK_HZ / fps)
        self._count = 0

    def encode(self, picture: I420, *, key: bool) -> Encoded:
        """The access unit of `picture`; `key`: decodable by itself."""
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = self._count * self._step
        frame.color_range = ColorRange.JPEG
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self._count += 1
        packets = self._context.encode(frame)
        nals = tuple(nal for packet in packets for nal in split(bytes(packet)))
        return Encoded(nals, any(packet.is_keyframe for packet in packets))


def parameter_sets(codec: Codec, width: int, height: int, fps: float) -> tuple[bytes, ...]:
    """The parameter sets that an encoder of these settings will use."""
    grey = np.full((height * 3 // 2, width), 128, np.uint8)
    unit = Encoder(codec, width, height, fps).encode(grey, key=True)
    return tuple(nal for nal in unit.nals if codec.is_parameters(nal))


def jpeg(picture: I420, quality: int = 5) -> bytes:
    """`picture` as a JPEG file; `quality`: 2 (best) to 31, as FFmpeg counts."""
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base, context.thread_count = Fraction(1, 25), 1
    context.options = {"qscale": str(quality), "global_quality": str(quality * 118), "flags": "+qscale"}
    frame = av.VideoFrame.from_ndarray(picture, format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def split(annex_b: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream, without their start codes."""
    for part in annex_b.split(b"\0\0\1"):
        nal = part.rstrip(b"\0")
        if nal:
            yield nal
