"""A small place for tests: houses, stalls and passers-by as rectangles, and what can happen to its picture."""

import numpy as np
from numpy.typing import NDArray

from edge.cameras.picture import COLUMNS, ROWS, Picture

Luma = NDArray[np.float64]
ZONE = ((0.2, 0.5), (0.8, 0.5), (0.8, 1.0), (0.2, 1.0))
"""The ground in the middle."""


def place(seed: int = 1) -> Luma:
    """Luma of an empty place, (180, 320): rectangles of many sizes on a ground that grows darker upwards."""
    rng = np.random.default_rng(seed)
    luma = np.linspace(90, 130, ROWS)[:, None] + np.zeros((ROWS, COLUMNS))
    for _ in range(140):
        y, x = int(rng.integers(0, ROWS - 8)), int(rng.integers(0, COLUMNS - 8))
        height, width = int(rng.integers(5, 40)), int(rng.integers(5, 50))
        luma[y : y + height, x : x + width] = rng.uniform(30, 210)
    return luma


PLACE = place()


def with_persons(luma: Luma, count: int, moment: int) -> Luma:
    """`count` dark figures of 8 × 20 pixels, elsewhere at every moment."""
    rng = np.random.default_rng((7, moment))
    luma = luma.copy()
    for _ in range(count):
        y, x = int(rng.integers(20, ROWS - 42)), int(rng.integers(0, COLUMNS - 8))
        luma[y : y + 20, x : x + 8] = rng.uniform(10, 60)
    return luma


def picture(luma: Luma, moment: int, *, noise: float = 1.5, infrared: bool = False) -> Picture:
    """The luma as a camera gives it at a moment: with noise, and with red and blue places unless in infrared."""
    rng = np.random.default_rng((11, moment))
    out = np.full((ROWS * 3 // 2, COLUMNS), 128, np.uint8)
    out[:ROWS] = np.clip(luma + rng.normal(0, noise, luma.shape), 0, 255)
    if not infrared:
        out[ROWS : ROWS + 10, ::2] = 100
        out[ROWS + 45 : ROWS + 60, 1::2] = 160
    return out


def blurred(luma: Luma, times: int) -> Luma:
    """Out of focus: `times` blurs of 1-2-1 both ways; the deviation grows by 0.7 pixels with the root of `times`."""
    for _ in range(times):
        for axis in (0, 1):
            luma = (np.roll(luma, 1, axis) + 2 * luma + np.roll(luma, -1, axis)) / 4
    return luma


def covered(luma: Luma, share: float) -> Luma:
    """Grey stuff without edges over the left `share` of the picture."""
    out = luma.copy()
    out[:, : round(share * COLUMNS)] = 70.0
    return out


def truck(luma: Luma) -> Luma:
    """A vehicle with stripes and wheels over 56 % of the picture."""
    out = luma.copy()
    out[45:180, 40:280] = 150.0
    out[45:140, 40:280:24] = 60.0
    out[140:180, 60:100] = out[140:180, 200:240] = 25.0
    return out


def lamplit(luma: Luma) -> Luma:
    """By the camera's own infrared lamps: bright in the middle, dark at the rim, wherever it looks."""
    down, across = np.mgrid[0:ROWS, 0:COLUMNS]
    away = ((across - COLUMNS / 2) / COLUMNS) ** 2 * 1.7 + ((down - ROWS / 2) / COLUMNS) ** 2
    lit: Luma = (luma * 0.6 + 34) * (0.28 + 1.05 / (1 + 5 * away))
    return lit


def foggy(luma: Luma, left: float) -> Luma:
    """Of all contrast `left` (0–1) is left before a bright veil."""
    return luma * left + 170 * (1 - left)


def tinted(shown: Picture) -> Picture:
    """All colours shifted towards pink."""
    return coloured(shown, 12, 38)


def coloured(shown: Picture, cb: float, cr: float, left: float = 1.0) -> Picture:
    """A cast of so much Cb and Cr over everything, and of the colours themselves `left` (0–1)."""
    out = shown.copy()
    planes = out[ROWS:].reshape(2, -1)
    for plane, cast in zip(planes, (cb, cr), strict=True):
        plane[:] = np.clip(128 + (plane.astype(np.float64) - 128) * left + cast, 0, 255)
    return out


def card() -> Picture:
    """A blue sheet with white letters, as recorders show it without a signal."""
    out = np.full((ROWS * 3 // 2, COLUMNS), 128, np.uint8)
    out[:ROWS] = 41
    out[80:100, 100:220:6] = 235
    out[ROWS : ROWS + 45] = 230
    out[ROWS + 45 :] = 110
    return out
