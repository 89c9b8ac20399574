"""What a camera usually shows, per mode (day, infrared): learned slowly from good pictures, kept over restarts."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.likeness import Likeness, Look, compare, grid, spectrum_of
from edge.cameras.picture import COLUMNS, ROWS, Edges, Plane, block_means, median

_HALF: Final = (ROWS // 2, COLUMNS // 2)
_STEPS: Final = 127.0
"""Directions have magnitudes up to 1; a signed byte is fine enough to keep them."""
_WEAK_BLOCK: Final = 0.2
"""Of the median block's edges: weaker ones are not blown up to the weight of a whole block."""
_LEAST_SHARP: Final = 0.05
"""A view that never had anything fine can't lose it."""
_FIRST_FAST: Final = 0.2
"""Weight of a new picture in what must follow the light of the hour."""


@dataclass
class Reference:
    """One mode's usual view.

    `pictures`: how many were learned. `edges` (90, 160): mean directions; what moves averages out, what stays remains;
    `spectrum`: their Fourier transform, which can be averaged likewise. Per block (9, 16): `fine`, `coarse`: how
    strongly these edges show, as shares of the whole picture's coarse ones; `colours` (2, 9, 16): Cb, Cr; `luma`: of
    the last good pictures only, for it follows the light. `noise`, `contrast` (of the coarse edges): luma;
    `fineness`: see `likeness.fineness`.
    """

    pictures: int
    edges: Edges
    spectrum: Edges
    fine: Plane
    coarse: Plane
    colours: Plane
    luma: Plane
    noise: float
    contrast: float
    fineness: float

    @classmethod
    def empty(cls) -> "Reference":
        """A reference that has seen nothing."""
        nothing = np.zeros(_HALF, np.complex64)
        return cls(0, nothing, nothing, grid(0), grid(0), np.stack([grid(0), grid(0)]), grid(0), 0.0, 0.0, 0.0)

    def learn(self, seen: Look, slow_pictures: int, clear_peak: float, like: Likeness | None = None) -> None:
        """Take a good picture in: the plain mean of the first `slow_pictures`, from then on a slow drift.

        `like`: how it compares with this reference, if that is known already.
        """
        self.pictures += 1
        weight = np.float32(1 / min(self.pictures, slow_pictures))
        self.edges = self.edges + (seen.edges - self.edges) * weight
        self.spectrum = self.spectrum + (seen.spectrum - self.spectrum) * weight
        like = like or compare(seen, self.edges, self.spectrum, clear_peak)
        total = max(float(like.coarse.sum()), 1.0)
        self.fine = self.fine + (like.fine / total - self.fine) * weight
        self.coarse = self.coarse + (like.coarse / total - self.coarse) * weight
        self.colours = self.colours + (seen.colours - self.colours) * weight
        self.noise += (seen.noise - self.noise) * float(weight)
        self.contrast += (float(like.coarse.mean()) - self.contrast) * float(weight)
        self.fineness += (seen.fineness - self.fineness) * float(weight)
        self.luma = self.luma + (seen.luma - self.luma) * max(weight, np.float32(_FIRST_FAST))

    def restart(self, seen: Look, pictures: int, clear_peak: float) -> None:
        """Forget everything and take this picture for the whole view, as if it had been learned `pictures` times."""
        fresh = Reference.empty()
        fresh.learn(seen, pictures, clear_peak)
        fresh.pictures = pictures
        self.__dict__.update(fresh.__dict__)

    def active(self, edges_share: float) -> NDArray[np.bool_]:
        """Blocks (9, 16) with edges of their own, so that losing them shows: `edges_share` of full strength or more."""
        return block_means(np.abs(self.edges)) >= edges_share

    def sharpness(self, like: Likeness, where: NDArray[np.bool_]) -> float | None:
        """Fine against coarse edges in the blocks `where`, 1 = as usual, 0 = nothing fine left; None = unknown.

        Both are measured along the reference's edges, so noise and rain cancel out and contrast falls out of the
        ratio. Every block weighs the same, or one lamp would speak for a whole night. Without anything fine, three
        blurs more or less make no difference: fine and coarse are then alike.
        """
        weight = where / np.maximum(self.coarse, median(self.coarse) * np.float32(_WEAK_BLOCK))
        usual = float((self.fine * weight).sum()) / max(float((self.coarse * weight).sum()), 1e-6) - 1
        coarse = float((like.coarse * weight).sum())
        if not where.any() or coarse <= 0 or usual <= _LEAST_SHARP:
            return None
        return (float((like.fine * weight).sum()) / coarse - 1) / usual

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Everything as small arrays, for keeping."""
        parts = np.stack([self.edges.real, self.edges.imag])
        blocks = np.stack([self.fine, self.coarse, *self.colours, self.luma]).astype(np.float32)
        return {
            f"{prefix}edges": np.rint(parts * _STEPS).astype(np.int8),
            f"{prefix}blocks": blocks,
            f"{prefix}numbers": np.array([self.pictures, self.noise, self.contrast, self.fineness], np.float64),
        }

    @classmethod
    def of(cls, kept: dict[str, NDArray[np.generic]], prefix: str) -> "Reference":
        """The reverse of `arrays`. Raises KeyError or ValueError for what is missing or of another shape."""
        edges = kept[f"{prefix}edges"].astype(np.float32).reshape(2, *_HALF) / np.float32(_STEPS)
        blocks = kept[f"{prefix}blocks"].astype(np.float32).reshape(5, *grid(0).shape)
        pictures, *levels = (float(number) for number in kept[f"{prefix}numbers"].astype(np.float64).reshape(4))
        if not (np.isfinite(blocks).all() and np.isfinite(levels).all() and 0 <= pictures < 2**53):
            raise ValueError("numbers that can't be")
        whole = (edges[0] + 1j * edges[1]).astype(np.complex64)
        return cls(
            int(pictures),
            whole,
            spectrum_of(whole),
            blocks[0],
            blocks[1],
            blocks[2:4],
            blocks[4],
            *levels,
        )
