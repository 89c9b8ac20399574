"""Measures of one picture, or of one against another: pure functions on arrays, with shapes and units."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

ROWS: Final = 180
COLUMNS: Final = 320
BLOCK_ROWS: Final = 9
BLOCK_COLUMNS: Final = 16
OVERLAY_BLOCKS: Final = 1
"""So many rows of blocks at the top and at the bottom may hold the name and the clock that a camera writes."""
OVERLAY_ROWS: Final = OVERLAY_BLOCKS * ROWS // BLOCK_ROWS

Picture: TypeAlias = NDArray[np.uint8]
"""A picture as I420: uint8, shape (270, 320): 180 rows of luma (0–255) of 320 pixels, then Cb and Cr, 90 rows of 160
pixels each, packed (the shape FFmpeg's `yuv420p` has as an array)."""
Plane: TypeAlias = NDArray[np.float32]
"""One quantity per pixel: (180, 320), at half size (90, 160), or per block (9, 16)."""
Edges: TypeAlias = NDArray[np.complex64]
"""Gradients as complex numbers, x + iy, at half size (90, 160)."""


@dataclass(frozen=True, slots=True)
class Light:
    """How bright a picture is. Luma 0–255; `p99` of means of 2×2 pixels, of which a gain's noise leaves half;
    `clipped_share` 0–1: pixels at `clipped_luma` or brighter."""

    mean: float
    std: float
    median: float
    p99: float
    brightest: float
    clipped_share: float


def luma(picture: Picture) -> NDArray[np.uint8]:
    """The picture's luma, (180, 320). A view, not a copy."""
    return picture[:ROWS]


def chroma(picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture's Cb and Cr, (90, 160) each; 128 is grey. Views, not copies."""
    planes = picture[ROWS:].reshape(2, ROWS // 2, COLUMNS // 2)
    return planes[0], planes[1]


def light(picture: Picture, clipped_luma: int) -> Light:
    """Brightness of a picture, by its histogram of luma, without the rows where cameras write name and time."""
    plain = luma(picture)[OVERLAY_ROWS:-OVERLAY_ROWS]
    shares, smooth_shares = _histogram(plain), _histogram(halved(plain).astype(np.uint8))
    levels = np.arange(256)
    mean = float(shares @ levels)
    half, nearly = np.searchsorted(np.cumsum(shares), [0.5, 0.999])
    most = np.searchsorted(np.cumsum(smooth_shares), 0.99)
    std = float(np.sqrt(shares @ (levels - mean) ** 2))
    return Light(mean, std, float(half), float(most), float(nearly), float(shares[clipped_luma:].sum()))


def _histogram(plane: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share (0–1) of each luma."""
    return np.bincount(plane.ravel(), minlength=256) / plane.size


def median(values: NDArray[np.floating]) -> float:
    """The median of all values. For as few as ours numpy's own takes ten times as long."""
    ordered = np.sort(values, axis=None)
    last = len(ordered) - 1
    return float((ordered[last // 2] + ordered[(last + 1) // 2]) / 2)


def quantile(values: NDArray[np.floating], share: float) -> float:
    """The value below which `share` (0–1) of all values lie, between two of them in proportion; as `np.quantile`."""
    ordered = np.sort(values, axis=None)
    place = share * (len(ordered) - 1)
    below, part = int(place), place % 1
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def halved(plane: NDArray[np.uint8]) -> Plane:
    """Means of 2×2 pixels: (180, 320) to (90, 160)."""
    rows = plane[::2].astype(np.float32) + plane[1::2]
    half: Plane = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return half


def block_means(plane: Plane) -> Plane:
    """Mean of each of 9×16 blocks of a plane of any size that divides so."""
    rows, columns = plane.shape[0] // BLOCK_ROWS, plane.shape[1] // BLOCK_COLUMNS
    sums = plane.reshape(BLOCK_ROWS, rows, -1).sum(1).reshape(BLOCK_ROWS, BLOCK_COLUMNS, columns).sum(2)
    means: Plane = sums * np.float32(1 / (rows * columns))
    return means


def colourfulness(picture: Picture) -> float:
    """How far the most colourful 1 % of Cb and Cr are from grey, 0–128: in infrared next to nothing, however grey the
    scene may be by day."""
    counts = np.bincount(picture[ROWS:].ravel(), minlength=256)
    away = counts[128::-1].copy()
    away[1:128] += counts[129:]
    return float(np.searchsorted(np.cumsum(away), 0.99 * away.sum()))


def block_change(picture: Picture, previous: Picture) -> Plane:
    """Mean absolute difference of luma between two pictures, per block (9, 16)."""
    return block_means(np.abs(luma(picture).astype(np.float32) - luma(previous)))


def noise(picture: Picture) -> float:
    """Standard deviation of the sensor's noise, in luma.

    J. Immerkær, Fast noise variance estimation (1996): the difference of two Laplacians, whose answer to white noise
    has 6 times its deviation; the median instead of the mean, so that edges and rain don't count (MAD = 0.6745 sigma).
    """
    plane = luma(picture).astype(np.int16)
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    answer = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    counts = np.cumsum(np.bincount(answer.ravel()))
    half = counts[-1] / 2
    level = int(np.searchsorted(counts, half))
    below = counts[level - 1] if level else 0
    median = level - 0.5 + (half - below) / (counts[level] - below)
    return float(max(0.0, median) / (6 * 0.6745))


def gradients(half: Plane) -> Edges:
    """Central differences of a half-size plane (90, 160), in luma per pixel; 0 along the border."""
    edges = np.zeros(half.shape, np.complex64)
    edges.real[:, 1:-1] = half[:, 2:] - half[:, :-2]
    edges.imag[1:-1] = half[2:] - half[:-2]
    return edges


def directions(edges: Edges, softness: float) -> Edges:
    """Which way edges point, with magnitudes 0 to 1 whatever the light: edges much weaker than `softness` fade out.

    A. J. Fitch et al., Orientation correlation (2002), with a soft instead of a hard zero.
    """
    found: Edges = edges / (np.abs(edges) + np.float32(softness))
    return found


def smoothed(half: Plane) -> Plane:
    """A 1-2-1 binomial blur both ways; the border is left as it is."""
    rows = half.copy()
    rows[1:-1] = (half[:-2] + half[2:] + 2 * half[1:-1]) * np.float32(0.25)
    out = rows.copy()
    out[:, 1:-1] = (rows[:, :-2] + rows[:, 2:] + 2 * rows[:, 1:-1]) * np.float32(0.25)
    return out


def flat_share(picture: Picture) -> float:
    """Share of pixels (0–1) that equal their right and lower neighbours within 1: drawn, not seen by a sensor."""
    plane = luma(picture).astype(np.int16)
    flat = (np.abs(plane[:-1, 1:] - plane[:-1, :-1]) <= 1) & (np.abs(plane[1:, :-1] - plane[:-1, :-1]) <= 1)
    return float(flat.mean())


def main_colours_share(picture: Picture, colours: int) -> float:
    """Share of the pixels (0–1, at half size) that the `colours` commonest of 16 × 16 × 16 colours make up."""
    cb, cr = chroma(picture)
    key = (luma(picture)[::2, ::2] >> 4).astype(np.int16) << 8 | (cb >> 4).astype(np.int16) << 4 | cr >> 4
    counts = np.sort(np.bincount(key.ravel()))[::-1]
    return float(counts[:colours].sum() / key.size)
