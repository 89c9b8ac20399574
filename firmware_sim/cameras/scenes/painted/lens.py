"""Where things of the world fall in the picture: a pinhole camera on its mast.

World: x to the right, y up, z ahead, in metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Corner: TypeAlias = tuple[float, float, float]
Pixel: TypeAlias = tuple[float, float]
NEAR_M: Final = 0.4
KEPT_OUTLINES: Final = 4_096


@dataclass(frozen=True)
class Lens:
    """A camera's pose, in radians: `yaw` to the right, `pitch` down, `roll` clockwise; `focal` in picture widths."""

    width: int
    height: int
    focal: float
    mast_m: float
    yaw: float
    pitch: float
    roll: float

    @cached_property
    def turn(self) -> NDArray[np.float64]:
        """Rotation from world to camera axes (right, down, ahead), shape (3, 3)."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        yawed = np.array([[cy, 0, -sy], [0, -1, 0], [sy, 0, cy]])
        pitched = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        rolled = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.asarray(rolled @ pitched @ yawed)

    @cached_property
    def _mast(self) -> NDArray[np.float64]:
        return np.array([0.0, self.mast_m, 0.0])

    @cached_property
    def _outlines(self) -> dict[tuple[Corner, ...], tuple[list[Pixel], float]]:
        return {}

    @cached_property
    def _middle(self) -> NDArray[np.float64]:
        return np.array([self.width / 2, self.height / 2])

    @property
    def focal_px(self) -> float:
        return self.focal * self.width

    def seen_from(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (n, 3) in camera axes (n, 3); the third is the distance ahead."""
        return np.asarray((points - self._mast) @ self.turn.T)

    def pixels(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel places (n, 2) of points ahead of the camera."""
        return np.asarray(seen[:, :2] / seen[:, 2:3] * self.focal_px + self._middle)

    def outline(self, corners: Sequence[Corner]) -> tuple[list[Pixel], float]:
        """A flat shape as pixels, cut at the lens, and its mean distance; no pixels when it is behind."""
        seen = _cut_near(self.seen_from(np.asarray(corners, float)))
        if len(seen) < 3:
            return [], 0.0
        return [(x, y) for x, y in self.pixels(seen).tolist()], float(seen[:, 2].mean())

    def kept_outline(self, corners: Sequence[Corner]) -> tuple[list[Pixel], float]:
        """`outline` of something that stands still: it is drawn again and again."""
        key = tuple(corners)
        if key not in self._outlines:
            if len(self._outlines) >= KEPT_OUTLINES:
                self._outlines.clear()
            self._outlines[key] = self.outline(corners)
        return self._outlines[key]

    @cached_property
    def rays(self) -> NDArray[np.float32]:
        """The direction of each pixel in the world, (height, width, 3), one metre ahead along the axis."""
        y, x = np.mgrid[0 : self.height, 0 : self.width]
        ahead = np.stack(
            [(x + 0.5 - self.width / 2) / self.focal_px, (y + 0.5 - self.height / 2) / self.focal_px, np.ones(x.shape)],
            -1,
        )
        return np.asarray(ahead @ self.turn, np.float32)

    @cached_property
    def ground(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Where each pixel's ray meets the ground: x, z and distance ahead, all 1e4 above the horizon."""
        down = -self.rays[..., 1]
        ahead = np.where(down > 1e-4, self.mast_m / np.maximum(down, 1e-4), 1e4).astype(np.float32)
        far = ahead > 400
        x, z = self.rays[..., 0] * ahead, self.rays[..., 2] * ahead
        return np.where(far, 1e4, x), np.where(far, 1e4, z), np.where(far, 1e4, ahead)

    def ground_at(self, x: float, y: float) -> tuple[float, float]:
        """The ground under a picture point (0 to 1 each), x and z in metres; far away for points above the horizon."""
        ahead = np.array([(x - 0.5) / self.focal, (y - 0.5) * self.height / self.focal_px, 1.0]) @ self.turn
        reach = self.mast_m / max(1e-3, -float(ahead[1]))
        return float(ahead[0]) * reach, float(ahead[2]) * reach


def _cut_near(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    if (seen[:, 2] >= NEAR_M).all():
        return seen
    kept = []
    for one, other in zip(seen, np.roll(seen, -1, axis=0), strict=True):
        if one[2] >= NEAR_M:
            kept.append(one)
        if (one[2] >= NEAR_M) != (other[2] >= NEAR_M):
            kept.append(one + (other - one) * ((NEAR_M - one[2]) / (other[2] - one[2])))
    return np.array(kept)
