"""What sensor and encoder add: noise by gain, and blocks of a lossy codec."""

from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import generator, uniform
from firmware_sim.cameras.scenes.planes import Plane, Planes

MARGIN: Final = 64
TILES: Final = 4


class Grain:
    """Noise that is new at every moment, out of a few tiles made once."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        rng = generator(seed, 21)
        white = rng.standard_normal((TILES, height + MARGIN, width + MARGIN)).astype(np.float32)
        blotch = (white + np.roll(white, 1, 1) + np.roll(white, 1, 2) + np.roll(white, (1, 1), (1, 2))) / 2
        self._tiles = np.asarray(0.55 * white + 0.75 * np.roll(blotch, 7, 0), np.float32)
        self._tiles /= self._tiles.std()
        self._seed = seed

    def tile(self, time_s: float, salt: int, rows: int, columns: int) -> Plane:
        """Noise of deviation 1, (rows, columns), for a moment."""
        place = uniform(self._seed, salt, int(time_s * 1_000))
        which = int(place * TILES)
        part = int(place * TILES * MARGIN * MARGIN) % (MARGIN * MARGIN)
        y, x = divmod(part, MARGIN)
        return self._tiles[which, y : y + rows, x : x + columns]

    def add(self, planes: Planes, time_s: float, luma: float, chroma: float) -> None:
        """Adds noise of these deviations (0–255 scale)."""
        planes.y += luma * self.tile(time_s, 1, *planes.y.shape)
        if chroma > 0.3:
            planes.u += chroma * self.tile(time_s, 2, *planes.u.shape)
            planes.v += chroma * self.tile(time_s, 3, *planes.v.shape)


class Codec:
    """A round trip through JPEG of a fixed quality: what a cheap encoder does to one key frame."""

    def __init__(self, width: int, height: int, quality: int) -> None:
        self._encoder = av.CodecContext.create("mjpeg", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = width, height, "yuvj420p"
        self._encoder.time_base, self._encoder.thread_count = Fraction(1, 25), 1
        self._encoder.options = {"qmin": str(quality), "qmax": str(quality), "huffman": "default"}
        self._decoder = av.CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1

    def through(self, i420: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as it comes out again, the same shape."""
        (packet,) = self._encoder.encode(av.VideoFrame.from_ndarray(i420, format="yuvj420p"))
        (frame,) = self._decoder.decode(packet)
        return np.asarray(frame.to_ndarray(), np.uint8)
