"""A picture while it is being made: luma and half-size chroma in floating point."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]


@dataclass(slots=True)
class Planes:
    """Luma `y` (height, width) and chroma `u`, `v` (height / 2, width / 2), 0 to 255 each, 128 = no colour."""

    y: Plane
    u: Plane
    v: Plane

    def copy(self) -> "Planes":
        """The same picture in memory of its own."""
        return Planes(self.y.copy(), self.u.copy(), self.v.copy())

    def packed(self) -> NDArray[np.uint8]:
        """As I420: uint8, shape (height * 3 // 2, width)."""
        height, width = self.y.shape
        out = np.empty((height * 3 // 2, width), np.uint8)
        out[:height] = np.clip(self.y, 0, 255)
        quarter = height // 4
        np.clip(self.u, 0, 255, out=self.u)
        np.clip(self.v, 0, 255, out=self.v)
        out[height:] = np.concatenate((self.u.ravel(), self.v.ravel())).reshape(2 * quarter, width)
        return out


def unpacked(i420: NDArray[np.uint8]) -> Planes:
    """The planes of an I420 picture, in floating point."""
    height, width = i420.shape[0] * 2 // 3, i420.shape[1]
    luma = i420[:height].astype(np.float32)
    chroma = i420[height:].astype(np.float32).reshape(2, height // 2, width // 2)
    return Planes(luma, chroma[0].copy(), chroma[1].copy())
