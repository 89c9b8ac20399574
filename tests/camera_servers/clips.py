"""Clips for the servers: a moving test picture, encoded with PyAV when a test needs it, never committed."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np

ENCODERS: Final = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}
_OPTIONS: Final = {
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:annexb=1:repeat-headers=1"},
    "h265": {"preset": "ultrafast", "x265-params": "scenecut=0:bframes=0:repeat-headers=1:log-level=none:pools=1"},
    "mjpeg": {"huffman": "default"},  # RFC 2435 knows no other tables
}


def access_units(
    codec: str, fps: int, frames: int, gop: int, *, size: tuple[int, int] = (320, 180), kbps: int = 400, seed: int = 1
) -> list[bytes]:
    """`frames` encoded frames (Annex B with parameter sets, or JPEG files), a key frame every `gop`."""
    width, height = size
    context = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.gop_size = width, height, gop
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.bit_rate = kbps * 1000
    context.thread_count = 1
    context.options = {**_OPTIONS[codec], **({} if codec == "mjpeg" else {"keyint_min": str(gop)})}
    units: list[bytes] = []
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(picture(number, width, height, seed), format="yuv420p")
        frame = frame.reformat(format=context.pix_fmt)
        frame.pts = number
        units += (bytes(packet) for packet in context.encode(frame))
    return [*units, *(bytes(packet) for packet in context.encode(None))]


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
