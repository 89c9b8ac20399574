"""How much of a known view is in a picture: edges, sharpness, colours and place against a reference, per block.

Everything rests on the directions of edges (see `picture.directions`), because light, exposure, fog and gain change how
strong an edge is but hardly which way it points. A cover, a vehicle or another view point elsewhere.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.cameras.picture import (
    BLOCK_COLUMNS,
    BLOCK_ROWS,
    OVERLAY_BLOCKS,
    Edges,
    Picture,
    Plane,
    block_means,
    chroma,
    directions,
    gradients,
    halved,
    luma,
    median,
    noise,
    quantile,
    smoothed,
)

EDGE_SOFTNESS: Final = 4.0
"""Luma per pixel at half size: what noise of a deviation of 16 leaves after halving and smoothing."""
_TINY: Final = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Look:
    """What of one picture is compared: half-size luma and directions of its edges (90, 160), with their magnitudes
    (`strength`, 0–1) and Fourier transform; gradients of the half-size luma, fine as they are and coarse after three
    blurs (90, 160); luma, Cb and Cr of its blocks (9, 16), 0–255; `noise`: deviation in luma; `fineness`: see there."""

    half: Plane
    edges: Edges
    strength: Plane
    spectrum: Edges
    fine: Edges
    coarse: Edges
    luma: Plane
    colours: Plane
    noise: float
    fineness: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """One look beside a reference.

    `match` -1 to 1: how far the directions of edges agree over the whole picture, at the best place; `peak` 0 to 1: how
    clear that place is; `rows`, `columns`: the place, in pixels of the full size (320 × 180), down and to the right.
    Per block (9, 16): `agreement` -1 to 1, and `fine`, `coarse`: how strongly the reference's edges show, in luma.
    """

    match: float
    peak: float
    rows: int
    columns: int
    agreement: Plane
    fine: Plane
    coarse: Plane


def look(picture: Picture) -> Look:
    """Prepare a picture for comparing."""
    half, grain = halved(luma(picture)), noise(picture)
    once = smoothed(half)
    fine, coarse = gradients(half), gradients(smoothed(smoothed(once)))
    edges = directions(gradients(once), EDGE_SOFTNESS)
    colours = np.stack([block_means(plane.astype(np.float32)) for plane in chroma(picture)])
    sharp = fineness(fine, coarse, grain)
    return Look(half, edges, np.abs(edges), spectrum_of(edges), fine, coarse, block_means(half), colours, grain, sharp)


def spectrum_of(edges: Edges) -> Edges:
    """The Fourier transform of a picture's directions (90, 160)."""
    return np.fft.fft2(edges).astype(np.complex64, copy=False)


def place(spectrum: Edges, reference: Edges) -> tuple[int, int, float]:
    """Where the reference lies in a picture: rows and columns at half size, and how clear that is (0 to 1).

    The peak of their correlation, by Fourier transform; both are given as `spectrum` (90, 160).
    """
    both = np.fft.ifft2(spectrum * np.conj(reference)).real
    row, column = np.unravel_index(int(both.argmax()), both.shape)
    height, width = both.shape
    norm = np.sqrt(_power(spectrum) * _power(reference)) / both.size
    peak = float(both[row, column] / (norm + _TINY))
    return (int(row) + height // 2) % height - height // 2, (int(column) + width // 2) % width - width // 2, peak


def compare(seen: Look, reference: Edges, spectrum: Edges, clear_peak: float) -> Likeness:
    """`seen` against a reference's directions and their `spectrum`. A place is believed from `clear_peak` on; else it
    is (0, 0)."""
    rows, columns, peak = place(seen.spectrum, spectrum)
    if peak < clear_peak:
        rows = columns = 0
    if rows or columns:
        reference = np.roll(reference, (rows, columns), (0, 1))
    back = np.conj(reference)
    along = (seen.edges * back).real
    weight = seen.strength * np.abs(reference)
    return Likeness(
        float(along.sum() / (weight.sum() + _TINY)),
        peak,
        2 * rows,
        2 * columns,
        block_means(along) / (block_means(weight) + _TINY),
        block_means((seen.fine * back).real),
        block_means((seen.coarse * back).real),
    )


def pattern(blocks: Plane, reference: Plane) -> float:
    """Correlation (-1 to 1) of two planes of blocks: is it the same picture at a glance?"""
    one, other = blocks - blocks.mean(), reference - reference.mean()
    return float((one * other).sum() / (np.sqrt((one * one).sum() * (other * other).sum()) + _TINY))


def lines(seen: Look) -> tuple[float, float]:
    """How straight edges run: in the straightest tenth of the blocks, and in the picture as a whole; 0 to 1 each.

    The coherence of the structure tensor (directions doubled, so that the two sides of a line count as one; Bigün and
    Granlund, 1987). A place has lines that run in many directions; cloth, paper and paint have none, or all one way.
    """
    doubled, strength = seen.edges * seen.edges / (seen.strength + _TINY), seen.strength
    blocks = np.hypot(block_means(doubled.real), block_means(doubled.imag))
    straight = quantile(blocks / (block_means(strength) + _TINY), 0.9)
    return straight, float(np.abs(doubled.sum()) / (strength.sum() + _TINY))


def fineness(fine: Edges, coarse: Edges, noise: float) -> float:
    """How much finer than coarse the edges of the median block are, wherever they run and whatever they belong to.

    Ratio of the energies of fine and coarse gradients, less the sensor's `noise` (deviation s of luma: halving and
    differences leave s² of energy). Something close before the lens is out of focus, another view is not.
    """
    inner, grain = slice(OVERLAY_BLOCKS, -OVERLAY_BLOCKS), np.float32(noise * noise)
    small = block_means(np.abs(fine) ** 2)[inner] - grain
    large = block_means(np.abs(coarse) ** 2)[inner]
    return median(np.maximum(small, 0) / (large + grain + 1))


def _power(edges: Edges) -> float:
    return float((edges.real**2 + edges.imag**2).sum())


def grid(value: float) -> Plane:
    """A plane of blocks (9, 16), all of one value."""
    return np.full((BLOCK_ROWS, BLOCK_COLUMNS), value, np.float32)
