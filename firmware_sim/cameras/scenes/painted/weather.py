"""Rain, fog, insects and lightning between lens and place."""

import numpy as np

from firmware_sim.cameras.scenes.chance import drift, generator, uniform
from firmware_sim.cameras.scenes.planes import Plane, Planes


class Rain:
    """Falling streaks, a veil and a darker, wetter picture."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        rng = generator(seed, 22)
        self._tiles = np.stack([_streaks(rng, width, height + 40) for _ in range(3)])
        self._seed = seed

    def fall(self, planes: Planes, time_s: float, strength: float, level: float) -> None:
        """Rain of `strength` 0 to 1 into a picture of mean luma `level`."""
        moment = int(time_s * 1_000)
        tile = self._tiles[int(uniform(self._seed, 1, moment) * 3)]
        start = int(uniform(self._seed, 2, moment) * 40)
        planes.y *= 1 - 0.3 * strength
        planes.y += 0.3 * strength * level
        planes.y += (10 + 0.16 * level) * strength * tile[start : start + planes.y.shape[0]]
        planes.u -= (planes.u - 128) * np.float32(0.35 * strength)
        planes.v -= (planes.v - 128) * np.float32(0.35 * strength)


def _streaks(rng: np.random.Generator, width: int, height: int) -> Plane:
    tile = np.zeros((height, width), np.float32)
    for _ in range(width * height // 420):
        x, y, length = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(3, max(5, height // 14)))
        tile[y : y + length, x] += rng.uniform(0.3, 1.0)
    return np.minimum(tile, 1.5)


def fog(planes: Planes, clear: Plane, light: float) -> None:
    """Fog that lets `clear` (0–1, by distance) through before a bright veil of luma `light`."""
    planes.y *= clear
    planes.y += light * (1 - clear)
    half = clear[::2, ::2]
    planes.u -= (planes.u - 128) * (1 - half)
    planes.v -= (planes.v - 128) * (1 - half)


def insects(planes: Planes, time_s: float, key: int) -> None:
    """A few glowing smears near the infrared lamps, elsewhere at every moment."""
    height, width = planes.y.shape
    for number in range(1 + int(uniform(key, 5) * 4)):
        moment = int(time_s * 10)
        if uniform(key, number, moment) < 0.4:
            continue
        x, y = uniform(key, number, moment, 1) * width, uniform(key, number, moment, 2) * height
        spot(
            planes,
            x,
            y,
            height * (0.02 + 0.06 * uniform(key, number, moment, 3)),
            120.0,
            1 + 2 * uniform(key, number, moment, 4),
        )


def spot(planes: Planes, x: float, y: float, radius: float, strength: float, stretch: float = 1.0) -> None:
    """Adds a soft bright spot."""
    height, width = planes.y.shape
    reach = radius * 3
    y0, y1 = max(0, int(y - reach)), min(height, int(y + reach) + 1)
    x0, x1 = max(0, int(x - reach * stretch)), min(width, int(x + reach * stretch) + 1)
    if y1 <= y0 or x1 <= x0:
        return
    down = np.exp(-(((np.arange(y0, y1, dtype=np.float32) - y) / radius) ** 2))
    across = np.exp(-(((np.arange(x0, x1, dtype=np.float32) - x) / (radius * stretch)) ** 2))
    planes.y[y0:y1, x0:x1] += strength * down[:, None] * across[None, :]


def sway(seed: int, time_s: float, strength: float, width: int) -> tuple[float, float]:
    """How far the mast has bent, in pixels: always a little, up to about 2 of 320 in strong wind."""
    reach = (0.06 + 1.6 * strength) * width / 320
    gust = 0.5 + 0.5 * drift(seed ^ 95, time_s, 20)
    x = np.sin(time_s * 2.9 + 3 * drift(seed ^ 96, time_s, 5)) * gust
    y = np.sin(time_s * 4.3 + 3 * drift(seed ^ 97, time_s, 5)) * gust * 0.5
    return float(x * reach), float(y * reach)


def shifted(plane: Plane, x: float, y: float) -> Plane:
    """The plane moved by less than a few pixels, in between pixels too; its border repeats."""
    out = _along(plane, y, 0)
    return _along(out, x, 1)


def _along(plane: Plane, by: float, axis: int) -> Plane:
    whole = int(np.floor(by))
    part = np.float32(by - whole)
    near = _moved(plane, whole, axis)
    if part < 0.02:
        return near
    return near + (_moved(plane, whole + 1, axis) - near) * part


def _moved(plane: Plane, by: int, axis: int) -> Plane:
    if by == 0:
        return plane
    index = np.clip(np.arange(plane.shape[axis]) - by, 0, plane.shape[axis] - 1)
    return np.take(plane, index, axis=axis)
