"""Two measures of a market from the same pictures, free of persons: how busy it is, and what is left lying about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.likeness import EDGE_SOFTNESS
from edge.cameras.picture import COLUMNS, ROWS, Edges, Plane, directions, gradients, smoothed
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
    """One mode's market. `last`, `settled` (90, 160): half-size luma of the last picture, and of what stays (its
    median, followed in small steps); `clean`, `now`: directions of the edges of the accepted clean view (None without
    one), and of what stays."""

    limits: MarketLimits
    last: Plane | None = None
    settled: Plane | None = None
    clean: Edges | None = None
    now: Edges | None = None

    def accept_clean(self, half: Plane) -> None:
        """`half` shows the place as it should be."""
        self.settled = half.copy()
        self.clean, self.now = _edges(half), None

    def saw(self, half: Plane, blocked: bool) -> float | None:
        """Take a picture in; the share (0–100) of fine blocks in motion since the last one of this mode, None for the
        first. While the view is `blocked` (a truck stands before the camera) nothing is said of what stays."""
        moving = None if self.last is None else motion(half, self.last, self.limits)
        self.last = half
        if self.settled is None:
            self.settled = half.copy()
        elif not blocked:
            step = np.float32(self.limits.settle_luma)
            self.settled = self.settled + np.clip(half - self.settled, -step, step)
            self._cleaner()
        return None if moving is None else 100 * float((_fine(moving) > self.limits.motion_share).mean())

    def clutter(self, zone: NDArray[np.bool_]) -> float | None:
        """Share (0–100) of the zone's fine blocks with edges that the clean view has not; None without either."""
        if self.now is None or self.clean is None or not zone.any():
            return None
        added = added_edges(self.now, self.clean) > self.limits.added_edges
        return 100 * float((_fine(added)[zone] > self.limits.added_share).mean())

    def _cleaner(self) -> None:
        """Where the place is emptier than the view that was accepted as clean, that is the clean view."""
        if self.clean is None or self.settled is None:
            return
        self.now = _edges(self.settled)
        less = smoothed(np.abs(self.now) - np.abs(self.clean)) < -self.limits.cleaner_edges
        self.clean[less] += (self.now[less] - self.clean[less]) * np.float32(self.limits.cleaner_weight)

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What must be kept, as small arrays."""
        kept: dict[str, NDArray[np.generic]] = {}
        if self.settled is not None:
            kept[f"{prefix}settled"] = np.rint(self.settled).astype(np.uint8)
        if self.clean is not None:
            parts = np.stack([self.clean.real, self.clean.imag])
            kept[f"{prefix}clean"] = np.rint(parts * _STEPS).astype(np.int8)
        return kept

    @classmethod
    def of(cls, kept: dict[str, NDArray[np.generic]], prefix: str, limits: MarketLimits) -> "MarketView":
        """The reverse of `arrays`. Raises ValueError for arrays of another shape."""
        view = cls(limits)
        if (settled := kept.get(f"{prefix}settled")) is not None:
            view.settled = settled.astype(np.float32).reshape(_HALF)
        if (clean := kept.get(f"{prefix}clean")) is not None:
            parts = clean.astype(np.float32).reshape(2, *_HALF) / np.float32(_STEPS)
            view.clean = (parts[0] + 1j * parts[1]).astype(np.complex64)
        return view


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

    def metrics(self, half: Plane, infrared: bool, blocked: bool) -> dict[str, float]:
        """`activity_pct` and `clutter_pct`, as far as they can be told now."""
        view = self.views[infrared]
        found = {"activity_pct": view.saw(half, blocked), "clutter_pct": view.clutter(self.zone)}
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


def _edges(half: Plane) -> Edges:
    return directions(gradients(smoothed(half)), EDGE_SOFTNESS)


def _fine(pixels: NDArray[np.bool_]) -> Plane:
    """Share (0–1) of set pixels in each fine block (18, 32)."""
    rows, columns = _HALF[0] // _BLOCK, _HALF[1] // _BLOCK
    shares: Plane = pixels.reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3), dtype=np.float32)
    return shares
