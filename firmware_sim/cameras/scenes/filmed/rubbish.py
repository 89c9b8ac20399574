"""What comes to lie in the filmed place over a day: pieces of the film itself, pasted on its paving, swept at night."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import generator
from firmware_sim.cameras.scenes.planes import Planes

DAY_S: Final = 86_400.0
_WIDEST: Final = 1.3
"""Of its radius: no piece reaches further from its middle."""


@lru_cache(maxsize=16)
def pieces(key: int, day: int) -> tuple[tuple[float, ...], ...]:
    """What comes on a day: place in the zone (0–1 twice), size in zone widths, from and until (h), where it is cut."""
    rng = generator(key, 901, day)
    swept = rng.uniform(20, 23.5)
    made = []
    for _ in range(int(rng.integers(4, 40))):
        start, size = rng.triangular(5, 10, 20), rng.lognormal(-3.0, 0.5)
        end = swept + (rng.uniform(0, 0.3) if rng.random() < 0.85 else 24)
        made.append((*rng.random(2), size, start, end, *rng.random(2)))
    for _ in range(int(rng.integers(0, 4))):
        start = rng.uniform(5, 18)
        made.append((*rng.random(2), rng.uniform(0.08, 0.2), start, start + rng.lognormal(0.8, 0.8), *rng.random(2)))
    return tuple(tuple(float(part) for part in one) for one in made)


class Rubbish:
    """Keeps the place as it lies at the moment: the picture's pasted parts and how much of the zone they hide."""

    def __init__(self, key: int, luma: NDArray[np.uint8], chroma: NDArray[np.uint8], zone: NDArray[np.float64]) -> None:
        self._key, self._luma, self._chroma = key, luma.astype(np.float32), chroma.astype(np.float32)
        self._inside = _within(zone, *luma.shape)
        self._spots = np.argwhere(self._inside)
        self._width = float(np.sqrt(max(1, len(self._spots))))
        self._kept: tuple[object, NDArray[np.bool_], NDArray[np.float32]] | None = None
        self.litter_pct = 0.0

    def lay(self, planes: Planes, people: NDArray[np.bool_], time_s: float) -> None:
        """Pastes what lies there now, behind who is moving (`people`, (height, width)); sets `litter_pct`."""
        day = int(time_s // DAY_S)
        now = tuple(
            one
            for which in (day - 1, day)
            for one in pieces(self._key, which)
            if one[3] <= (time_s - which * DAY_S) / 3_600 < one[4]
        )
        if self._kept is None or self._kept[0] != now:
            self._kept = (now, *self._pasted(now))
            self.litter_pct = 100 * float(self._kept[1][self._inside].mean()) if len(self._spots) else 0.0
        mask = self._kept[1] & ~people
        np.copyto(planes.y, self._kept[2], where=mask)

    def _pasted(self, now: tuple[tuple[float, ...], ...]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        height, width = self._luma.shape
        mask, paint = np.zeros((height, width), np.bool_), np.zeros((height, width), np.float32)
        for a, b, size, _, _, cut_y, cut_x in now:
            y, x = self._spots[int((a * 0.97 + 0.03 * b) * len(self._spots))] if len(self._spots) else (0, 0)
            radius = max(1.5, size * self._width / 2)
            reach = int(_WIDEST * radius) + 1
            down = np.arange(max(0, y - reach), min(height, y + reach + 1))[:, None]
            across = np.arange(max(0, x - reach), min(width, x + reach + 1))
            dx, dy = (across - x) / radius, (down - y) / radius * 1.4
            shape = np.hypot(dx, dy) + 0.3 * np.sin(3 * np.arctan2(dy, dx) + a * 20) < 1
            cut = self._luma[(down - int(cut_y * height)) % height, (across - int(cut_x * width)) % width]
            paint[down, across] = np.where(shape, cut * (0.55 + 0.9 * a) + 70 * (b - 0.4), paint[down, across])
            mask[down, across] |= shape & self._inside[down, across]
        return mask, paint.clip(0, 250)


def _within(zone: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels inside a polygon of (x, y), 0 to 1 each: an odd number of its edges lies to their right."""
    down, across = (np.mgrid[0:height, 0:width] + 0.5) / np.array([height, width])[:, None, None]
    inside = np.zeros((height, width), np.bool_)
    for (x0, y0), (x1, y1) in zip(zone, np.roll(zone, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (down < y0) != (down < y1)
        inside ^= crosses & (across < x0 + (down - y0) / (y1 - y0) * (x1 - x0))
    return inside
