"""Two measures of a market from the same pictures, free of persons: how busy it is, and what is left lying about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.likeness import Look
from edge.cameras.picture import COLUMNS, ROWS, Edges, Plane, median, smoothed
from edge.cameras.thresholds import MarketLimits

Zones = Sequence[Sequence[tuple[float, float]]]
"""Polygons of (x, y) in shares (0–1) of width and height."""
_HALF: Final = (ROWS // 2, COLUMNS // 2)
_BLOCK: Final = 5
"""Pixels of half size: fine blocks of 10 × 10 pixels, about a person's width in the middle of a market."""
_AROUND: Final = 5
"""Pixels of half size around each one whose mean is taken off: shadows and clouds go, persons stay."""
_VEHICLE: Final = (11, 4)
"""Fine blocks, high and wide: of a vehicle that comes or goes."""
_ENTERING: Final = (11, 3)
"""Fine blocks, high and wide: what of it is in the picture when it begins to come into the view."""
_STEPS: Final = 127.0
_LEAST_EDGES: Final = 25
"""Fewer edges in sight (of 30 × 54) say nothing of the light."""
_TINY: Final = np.float32(1e-6)
_ALMOST: Final = np.float32(0.999)
"""Of full strength: at 1 a gradient would have no end."""


@dataclass
class MarketView:
    """One mode's market. `last` (90, 160): half-size luma of the last picture. Directions of edges (90, 160): `settled`
    of what stays, followed in small steps, which leave out what passes; `clean` of the accepted clean view, None
    without one. Directions, because the light of the hour leaves them as they are. `unsettled`: looks until `settled`
    is up to date, and can be told from."""

    limits: MarketLimits
    last: Plane | None = None
    settled: Edges | None = None
    clean: Edges | None = None
    unsettled: int = field(init=False)

    def __post_init__(self) -> None:
        self.unsettled = self.limits.unsettled_looks

    def resume(self) -> None:
        """The camera is back in this mode: what it saw hours ago is no neighbour of what it sees now."""
        self.last, self.unsettled = None, self.limits.unsettled_looks

    def accept_clean(self, seen: Look, known: bool) -> None:
        """The place is as it should be. `seen` shows it, maybe with persons in it: what stays is the better witness, as
        long as it is of this view (`known`)."""
        if self.settled is None or self.unsettled or not known:
            self.settled, self.unsettled = seen.edges.copy(), 0
        self.clean = self.settled.copy()

    def saw(self, seen: Look) -> float | None:
        """Take a picture in; the share (0–100) of fine blocks in motion since the last one of this mode, None for the
        first, and where a vehicle came or went: it would count as a crowd."""
        change = None if self.last is None else changed(seen.half, self.last)
        self.last = seen.half
        edges = seen.edges if self.clean is None else in_light_of(seen.edges, self.clean, self.limits)
        self._settle(edges)
        if change is None:
            return None
        moving = _fine(motion(change, self.limits)) > self.limits.motion_share
        return None if vehicle(change, moving, self.limits) else 100 * float(moving.mean())

    def _settle(self, edges: Edges) -> None:
        step = self.limits.unsettled_step if self.unsettled else self.limits.settle_step
        self.unsettled = max(0, self.unsettled - 1)
        if self.settled is None:
            self.settled = edges.copy()
            return
        change = edges - self.settled
        self.settled = self.settled + change * np.minimum(np.float32(step) / (np.abs(change) + _TINY), 1)
        self._cleaner()

    def clutter(self, zone: NDArray[np.bool_]) -> float | None:
        """Share (0–100) of the zone's fine blocks with edges that the clean view has not; None without a zone or a
        clean view, and until what stays is known. Faint edges come and go with the light and count for little."""
        if self.settled is None or self.clean is None or self.unsettled or not zone.any():
            return None
        now, clean = (evened(edges, self.limits.faint_times) for edges in (self.settled, self.clean))
        added = added_edges(now, clean) > self.limits.added_edges
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
    _infrared: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.views = {mode: MarketView(self.limits) for mode in (False, True)}
        self.zone = zone_blocks(self.zones)

    def metrics(self, seen: Look, infrared: bool) -> dict[str, float]:
        """`activity_pct` and `clutter_pct`, as far as they can be told. Only of pictures in which nothing stands before
        the view: half a market says nothing of the whole, and a truck that leaves is no activity."""
        view = self.views[infrared]
        if infrared != self._infrared:
            self._infrared = infrared
            view.resume()
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


def changed(half: Plane, last: Plane) -> Plane:
    """Change of luma (90, 160) since the last picture; the exposure is taken out by the best gain."""
    gain = float((half * last).sum()) / max(float((last * last).sum()), 1.0)
    change: Plane = half - last * np.float32(gain)
    return change


def motion(change: Plane, limits: MarketLimits) -> NDArray[np.bool_]:
    """Pixels (90, 160) that changed more than noise and light explain.

    Shadows and clouds are taken out by the mean around, rain and noise by their spread (1.48 median = deviation).
    """
    away = np.abs(change - mean_around(change, _AROUND))
    spread = 1.48 * median(away[::2, ::2])
    moving: NDArray[np.bool_] = away > max(limits.motion_luma, limits.motion_spreads * spread)
    return moving


def vehicle(change: Plane, moving: NDArray[np.bool_], limits: MarketLimits) -> bool:
    """Whether something changed in one piece, higher and wider than any person; a crowd leaves gaps.

    What only begins to come into the view at a side is narrower, and may be as bright as what it hides: there it is
    enough that it moves.
    """
    strong = _fine(np.abs(change)) > limits.vehicle_luma
    sides = moving[:, : _ENTERING[1]], moving[:, -_ENTERING[1] :]
    entering = any(_fullest(side, *_ENTERING) >= limits.entering_share for side in sides)
    return entering or _fullest(strong, *_VEHICLE) >= limits.vehicle_share


def _fullest(blocks: NDArray[np.bool_], high: int, wide: int) -> float:
    """The share (0–1) that is set of the fullest piece of `high` × `wide` blocks."""
    sums = np.zeros((blocks.shape[0] + 1, blocks.shape[1] + 1), np.int64)
    sums[1:, 1:] = blocks.cumsum(0).cumsum(1)
    within = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    return float(within.max()) / (high * wide)


def mean_around(plane: Plane, reach: int) -> Plane:
    """Mean of the square of 2 · reach + 1 pixels around each pixel; the border repeats."""
    size, (height, width) = 2 * reach + 1, plane.shape
    down, across = (
        np.clip(np.arange(before, length + reach), 0, length - 1)
        for before, length in ((-reach - 1, height), (-reach, width))
    )
    rows = np.cumsum(plane.take(down, 0).take(across, 1), axis=0)
    columns = np.zeros((height, len(across) + 1), np.float32)
    np.cumsum(rows[size:] - rows[:-size], axis=1, out=columns[:, 1:])
    mean: Plane = (columns[:, size:] - columns[:, :-size]) * np.float32(1 / (size * size))
    return mean


def in_light_of(edges: Edges, clean: Edges, limits: MarketLimits) -> Edges:
    """The edges (90, 160) as strong as in the light of the clean view: dusk, fog and a flat sky fade them all alike.

    How much, the clean view's own edges tell, at the median of those that are in sight: what stands before them points
    elsewhere.
    """
    now, before = edges[::3, ::3].copy(), clean[::3, ::3].copy()
    strong, known = np.abs(now), np.abs(before)
    same = (known > limits.light_edges) & ((now * np.conj(before)).real > limits.light_agreement * strong * known)
    if same.sum() < _LEAST_EDGES:
        return edges
    strong, known = np.minimum(strong[same], _ALMOST), np.minimum(known[same], _ALMOST)
    fading = median(strong * (1 - known) / ((1 - strong) * known))
    return evened(edges, min(max(fading, 1 / limits.light_times), limits.light_times))


def evened(edges: Edges, fading: float) -> Edges:
    """The edges (90, 160) of a picture whose gradients are `fading` times as strong as they should be, without that.
    With gradients g and softness s edges are g / (g + s), so that the gradient is found back."""
    even: Edges = edges * (1 / (np.float32(fading) + np.float32(1 - fading) * np.abs(edges)))
    return even


def added_edges(now: Edges, clean: Edges) -> Plane:
    """How much of the edges (90, 160; 0–1) the clean view's edges don't explain: where there are more, or others."""
    strength = np.abs(clean)
    along = (now * np.conj(clean)).real / (strength + _TINY)
    added: Plane = np.abs(now) - np.clip(along, 0, strength)
    return added


def _edges_of(parts: NDArray[np.generic]) -> Edges:
    steps = parts.astype(np.float32).reshape(2, *_HALF) / np.float32(_STEPS)
    edges: Edges = (steps[0] + 1j * steps[1]).astype(np.complex64)
    return edges


def _fine(pixels: NDArray[np.bool_] | Plane) -> Plane:
    """Mean of each fine block (18, 32); of set pixels it is their share (0–1)."""
    rows, columns = _HALF[0] // _BLOCK, _HALF[1] // _BLOCK
    sums = pixels.reshape(rows, _BLOCK, -1).sum(1, np.float32).reshape(rows, columns, _BLOCK).sum(2)
    means: Plane = sums * np.float32(1 / _BLOCK**2)
    return means
