"""Two measures of a market from the same pictures, free of persons: how busy it is, and what is left lying about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.likeness import Look
from edge.cameras.picture import COLUMNS, ROWS, Edges, Plane, smoothed
from edge.cameras.thresholds import MarketLimits

Zones = Sequence[Sequence[tuple[float, float]]]
"""Polygons of (x, y) in shares (0–1) of width and height."""
_HALF: Final = (ROWS // 2, COLUMNS // 2)
_BLOCK: Final = 5
"""Pixels of half size: fine blocks of 10 × 10 pixels, about a person's width in the middle of a market."""
_AROUND: Final = 5
"""Pixels of half size around each one whose mean is taken off: shadows and clouds go, persons stay."""
_STEPS: Final = 127.0


@dataclass
class MarketView:
    """One mode's market. `last` (90, 160): half-size luma of the last picture. Directions of edges (90, 160): `settled`
    of what stays, followed in small steps, which leave out what passes; `clean` of the accepted clean view, None
    without one. Directions, because the light of the hour leaves them as they are."""

    limits: MarketLimits
    last: Plane | None = None
    settled: Edges | None = None
    clean: Edges | None = None

    def accept_clean(self, seen: Look) -> None:
        """`seen` shows the place as it should be."""
        self.settled, self.clean = seen.edges.copy(), seen.edges.copy()

    def saw(self, seen: Look) -> float | None:
        """Take a picture in; the share (0–100) of fine blocks in motion since the last one of this mode, None for the
        first."""
        moving = None if self.last is None else motion(seen.half, self.last, self.limits)
        self.last = seen.half
        if self.settled is None:
            self.settled = seen.edges.copy()
        else:
            change = seen.edges - self.settled
            far = np.maximum(np.abs(change) / np.float32(self.limits.settle_step), 1)
            self.settled = self.settled + change / far
            self._cleaner()
        return None if moving is None else 100 * float((_fine(moving) > self.limits.motion_share).mean())

    def clutter(self, zone: NDArray[np.bool_]) -> float | None:
        """Share (0–100) of the zone's fine blocks with edges that the clean view has not; None without either."""
        if self.settled is None or self.clean is None or not zone.any():
            return None
        added = added_edges(self.settled, self.clean) > self.limits.added_edges
        return 100 * float((_fine(added)[zone] > self.limits.added_share).mean())

    def _cleaner(self) -> None:
        """Where the place is emptier than the view that was accepted as clean, that is the clean view."""
        if self.clean is None or self.settled is None:
            return
        less = smoothed(np.abs(self.settled) - np.abs(self.clean)) < -self.limits.cleaner_edges
        self.clean[less] += (self.settled[less] - self.clean[less]) * np.float32(self.limits.cleaner_weight)

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What must be kept, as small arrays."""
        parts = {"settled": self.settled, "clean": self.clean}
        return {
            f"{prefix}{name}": np.rint(np.stack([edges.real, edges.imag]) * _STEPS).astype(np.int8)
            for name, edges in parts.items()
            if edges is not None
        }

    @classmethod
    def of(cls, kept: dict[str, NDArray[np.generic]], prefix: str, limits: MarketLimits) -> "MarketView":
        """The reverse of `arrays`. Raises ValueError for arrays of another shape."""
        found = [kept.get(f"{prefix}{name}") for name in ("settled", "clean")]
        settled, clean = (None if parts is None else _edges_of(parts) for parts in found)
        return cls(limits, None, settled, clean)


@dataclass
class Market:
    """Both modes of one camera's market, and its zones as fine blocks."""

    limits: MarketLimits
    zones: Zones
    views: dict[bool, MarketView] = field(init=False)
    zone: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.views = {mode: MarketView(self.limits) for mode in (False, True)}
        self.zone = zone_blocks(self.zones)

    def metrics(self, seen: Look, infrared: bool) -> dict[str, float]:
        """`activity_pct` and `clutter_pct`, as far as they can be told. Only of pictures in which nothing stands before
        the view: half a market says nothing of the whole, and a truck that leaves is no activity."""
        view = self.views[infrared]
        found = {"activity_pct": view.saw(seen), "clutter_pct": view.clutter(self.zone)}
        return {name: value for name, value in found.items() if value is not None}


def zone_blocks(zones: Zones) -> NDArray[np.bool_]:
    """Fine blocks (18, 32) whose middle lies in one of the polygons (even-odd rule)."""
    rows, columns = _HALF[0] // _BLOCK, _HALF[1] // _BLOCK
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    found = np.zeros((rows, columns), np.bool_)
    for zone in zones:
        within = np.zeros_like(found)
        for (x0, y0), (x1, y1) in zip(zone, [*zone[1:], zone[0]], strict=True):
            if y0 != y1:
                within ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
        found |= within
    return found


def motion(half: Plane, last: Plane, limits: MarketLimits) -> NDArray[np.bool_]:
    """Pixels (90, 160) that differ from the last picture more than noise and light explain.

    The exposure is taken out by the best gain, shadows and clouds by the mean around, rain and noise by their spread
    (1.48 median = deviation).
    """
    gain = float((half * last).sum()) / max(float((last * last).sum()), 1.0)
    change = half - last * np.float32(gain)
    away = np.abs(change - mean_around(change, _AROUND))
    spread = 1.48 * float(np.median(away))
    moving: NDArray[np.bool_] = away > max(limits.motion_luma, limits.motion_spreads * spread)
    return moving


def mean_around(plane: Plane, reach: int) -> Plane:
    """Mean of the square of 2 · reach + 1 pixels around each pixel; the border repeats."""
    size = 2 * reach + 1
    rows = np.cumsum(np.pad(plane, ((reach + 1, reach), (reach, reach)), "edge"), axis=0)
    columns = np.cumsum(np.pad(rows[size:] - rows[:-size], ((0, 0), (1, 0))), axis=1)
    mean: Plane = (columns[:, size:] - columns[:, :-size]) * np.float32(1 / (size * size))
    return mean


def added_edges(now: Edges, clean: Edges) -> Plane:
    """How much of the edges (90, 160; 0–1) the clean view's edges don't explain: where there are more, or others."""
    strength = np.abs(clean)
    along = (now * np.conj(clean)).real / (strength + np.float32(1e-6))
    added: Plane = np.abs(now) - np.clip(along, 0, strength)
    return added


def _edges_of(parts: NDArray[np.generic]) -> Edges:
    steps = parts.astype(np.float32).reshape(2, *_HALF) / np.float32(_STEPS)
    edges: Edges = (steps[0] + 1j * steps[1]).astype(np.complex64)
    return edges


def _fine(pixels: NDArray[np.bool_]) -> Plane:
    """Share (0–1) of set pixels in each fine block (18, 32)."""
    rows, columns = _HALF[0] // _BLOCK, _HALF[1] // _BLOCK
    shares: Plane = pixels.reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3), dtype=np.float32)
    return shares
