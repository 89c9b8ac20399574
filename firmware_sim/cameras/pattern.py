"""A moving test pattern: for what looks at the wire and not at the picture; it costs nearly nothing to paint."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_sim.cameras.codecs import I420
from firmware_sim.cameras.scenes import PictureFault

_FLAT = {PictureFault.BLACK: 0, PictureFault.WHITE: 255}


@dataclass(frozen=True, slots=True)
class PatternView:
    """One picture of the pattern."""

    i420: I420


class Pattern:
    """Colour bars over which a bright square walks, once across in ten seconds."""

    def __init__(self, width: int = 640, height: int = 360) -> None:
        self._width, self._height = width, height
        columns = np.arange(width)
        luma = np.broadcast_to((columns * 7 // width * 32 + 24).astype(np.uint8), (height, width))
        chroma = [
            np.broadcast_to(
                (128 + sign * (columns[::2] * 7 // width - 3) * 18).astype(np.uint8), (height // 2, width // 2)
            )
            for sign in (1, -1)
        ]
        parts = [luma.reshape(-1), *(plane.reshape(-1) for plane in chroma)]
        self._still = np.concatenate(parts).reshape(height * 3 // 2, width)

    def at(self, time_s: float) -> PatternView:
        """The picture at `time_s`."""
        picture = self._still.copy()
        side = self._height // 4
        left = int(time_s % 10 / 10 * (self._width - side))
        picture[side : 2 * side, left : left + side] = 235
        return PatternView(picture)

    def spoil(self, fault: PictureFault, start_s: float, seed: int) -> Callable[[float], PatternView]:
        """Frozen, black or white; every other fault makes it grey, for there is nothing in it to look at."""
        if fault is PictureFault.FROZEN:
            return lambda _: self.at(start_s)
        flat = np.full_like(self._still, 128)
        flat[: self._height] = _FLAT.get(fault, 128)
        return lambda _: PatternView(flat)
