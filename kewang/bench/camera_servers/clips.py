"""Clips for the servers: a moving test picture, encoded with PyAV when a test needs it, never committed."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np

ENCODERS: Final = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}
_SIZE: Final = (320, 176)
"""Multiples of 8, which is all that RTP can tell of a JPEG."""
_OPTIONS: Final = {
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:repeat-headers=1"},
    "h265": {"preset": "ultrafast", "x265-params": "scenecut=0:bframes=0:repeat-headers=1:log-level=none:pools=1"},
    "mjpeg": {"huffman": "default"},  # RFC 2435 knows no other tables
}


def access_units(
    codec: str, fps: int, frames: int, gop: int, *, size: tuple[int, int] = _SIZE, kbps: int = 400, seed: int = 1
) -> list[bytes]:
    """`frames` encoded frames (Annex B with parameter sets, or JPEG files), a key frame every `gop`."""
    context = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(context, av.VideoCodecContext)
    _configure(context, codec, fps, gop, size, kbps)
    units: list[bytes] = []
    for number in range(frames):
        units += (bytes(packet) for packet in context.encode(_frame(number, context, seed)))
    return [*units, *(bytes(packet) for packet in context.encode(None))]


def movie(path: Path, codec: str, fps: int, frames: int, gop: int, *, kbps: int = 400, seed: int = 1) -> Path:
    """The same as an MP4 file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(ENCODERS[codec], rate=fps)
        assert isinstance(stream, av.VideoStream)
        _configure(stream.codec_context, codec, fps, gop, _SIZE, kbps)
        for number in range(frames):
            container.mux(stream.encode(_frame(number, stream.codec_context, seed)))
        container.mux(stream.encode(None))
    return path


def _configure(context: av.VideoCodecContext, codec: str, fps: int, gop: int, size: tuple[int, int], kbps: int) -> None:
    context.width, context.height = size
    context.gop_size = gop
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.bit_rate = kbps * 1000
    context.thread_count = 1
    context.options = {**_OPTIONS[codec], **({} if codec == "mjpeg" else {"keyint_min": str(gop)})}


def _frame(number: int, context: av.VideoCodecContext, seed: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(number, context.width, context.height, seed), format="yuv420p")
    frame = frame.reformat(format=context.pix_fmt)
    frame.pts = number
    return frame


def picture(number: int, width: int, height: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An I420 picture (height * 3 // 2, width): a gradient, a square that moves, and a little noise."""
    noise = np.random.default_rng([seed, number]).integers(0, 24, (height, width), dtype=np.uint8)
    rows, columns = np.mgrid[0:height, 0:width]
    luma = (40 + 120 * columns // width + 30 * (rows // 16 % 2)).astype(np.uint8) + noise
    left = number * 7 % (width - 40)
    luma[40:80, left : left + 40] = 230
    chroma = np.full((height // 2, width), 128, np.uint8)
    return np.concatenate((luma, chroma))


def write(path: Path, units: list[bytes]) -> Path:
    """Keep the units in a file, each behind its length in 4 bytes."""
    path.write_bytes(b"".join(struct.pack("!I", len(unit)) + unit for unit in units))
    return path
