"""What creeps in: dirt, a fogged lens, a partial cover, a little blur or shift. Judged on medians over hours.

Rain, fog, trucks and crowds pass; what is still there in most hours of watching is on the lens or before it.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.cameras.likeness import grid
from edge.cameras.picture import Plane
from edge.cameras.reference import Reference
from edge.cameras.signs import Beside
from edge.cameras.thresholds import SlowLimits, Thresholds
from kewang.wire.cameras import CameraReason

KEPT_HOURS: Final = 24
_BLOCK_MAPS: Final = 2
_NUMBERS: Final = 4
_PIECE: Final = 3


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of watching. Per block (9, 16), NaN where the reference has no edges: `kept`: share of the looks in
    which its edges were there; `visible`: how strongly they showed against the rest of the picture, 1 as usual.
    Medians: `sharpness`, `contrast` (1 as usual), `rows`, `columns` (shift in pixels); NaN where unmeasured."""

    kept: Plane
    visible: Plane
    sharpness: float
    contrast: float
    rows: float
    columns: float


@dataclass
class SlowTrack:
    """Hours of watching, counted by what passed between looks, so a box that was off loses nothing but that time."""

    limits: SlowLimits
    hours: deque[Hour] = field(default_factory=lambda: deque(maxlen=KEPT_HOURS))
    _watched_s: float = 0.0
    _last_s: float | None = None
    _maps: list[tuple[Plane, Plane]] = field(default_factory=list)
    _numbers: list[tuple[float, float, float, float]] = field(default_factory=list)
    _suspect: CameraReason = CameraReason.NONE

    def saw(self, found: Beside, reference: Reference, thresholds: Thresholds, now_s: float) -> None:
        """Take a look in that nothing else explains."""
        passed_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._watched_s += min(max(passed_s, 0.0), self.limits.longest_gap_s)
        active = reference.active(thresholds.view.active_edges)
        kept = np.where(active, found.like.agreement >= thresholds.view.kept_agreement, np.nan)
        self._maps.append((kept.astype(np.float32), visibility(found, reference, active)))
        sharpness = np.nan if found.sharpness is None else found.sharpness
        self._numbers.append((sharpness, found.contrast, float(found.like.rows), float(found.like.columns)))
        if self._watched_s >= self.limits.hour_s:
            self._close()

    def forget(self) -> None:
        """Begin anew: the view was accepted."""
        self.hours.clear()
        self._suspect = CameraReason.NONE
        self._clear()

    def _close(self) -> None:
        kept, visible = (np.stack(maps) for maps in zip(*self._maps, strict=True))
        medians = [_median(column) for column in zip(*self._numbers, strict=True)]
        with np.errstate(invalid="ignore"):
            self.hours.append(Hour(kept.mean(0), np.median(visible, 0), *medians))
        self._suspect = self._judged()
        self._clear()

    def _clear(self) -> None:
        self._watched_s = 0.0
        self._maps.clear()
        self._numbers.clear()

    def suspect(self) -> CameraReason:
        """What most of the latest hours show, the commonest of it; NONE while there are too few of them."""
        return self._suspect

    def _judged(self) -> CameraReason:
        latest = list(self.hours)[-self.limits.hours :]
        reasons = [reason for hour in latest if (reason := hour_reason(hour, self.limits)) is not CameraReason.NONE]
        if len(reasons) < self.limits.bad_hours:
            return CameraReason.NONE
        return Counter(reasons).most_common(1)[0][0]

    def dirt_share(self) -> float | None:
        """Share (0–1) of the blocks with edges that showed weakly in the last hour; None before there is one."""
        return weak_share(self.hours[-1], self.limits) if self.hours else None

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The hours as small arrays, for keeping."""
        maps = np.array([(hour.kept, hour.visible) for hour in self.hours], np.float16)
        numbers = np.array([(h.sharpness, h.contrast, h.rows, h.columns) for h in self.hours], np.float32)
        return {
            "slow_maps": maps.reshape(-1, _BLOCK_MAPS, *grid(0).shape),
            "slow_numbers": numbers.reshape(-1, _NUMBERS),
        }

    def take(self, kept: dict[str, NDArray[np.generic]]) -> None:
        """The reverse of `arrays`. Raises KeyError or ValueError for what is missing or of another shape."""
        maps = kept["slow_maps"].astype(np.float32).reshape(-1, _BLOCK_MAPS, *grid(0).shape)
        numbers = kept["slow_numbers"].astype(np.float64).reshape(-1, _NUMBERS)
        if len(maps) != len(numbers) or len(maps) > KEPT_HOURS:
            raise ValueError("hours that don't fit")
        self.forget()
        for (kept_share, visible), row in zip(maps, numbers, strict=True):
            self.hours.append(Hour(kept_share, visible, *(float(number) for number in row)))
        self._suspect = self._judged()


def visibility(found: Beside, reference: Reference, active: NDArray[np.bool_]) -> Plane:
    """How strongly the reference's edges show per block, 1 = as the median block, clipped to 0–2; NaN without edges."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(active, found.like.coarse / np.maximum(reference.coarse, 1e-6), np.nan)
        usual = max(float(np.nanmedian(ratio)), 1e-6) if active.any() else 1.0
    whole: Plane = np.clip(ratio / usual, 0, 2).astype(np.float32)
    return whole


def hour_reason(hour: Hour, limits: SlowLimits) -> CameraReason:
    """What an hour shows, the most telling first."""
    if max(abs(hour.rows), abs(hour.columns)) >= limits.moved_px:
        return CameraReason.MOVED
    if hour.sharpness <= limits.sharpness:
        return CameraReason.BLURRED
    if covered_share(hour, limits) >= limits.covered_share:
        return CameraReason.PARTLY_COVERED
    if hour.contrast <= limits.dirty_contrast and weak_share(hour, limits) >= limits.dirty_share:
        return CameraReason.DIRTY_LENS
    return CameraReason.NONE


def covered_share(hour: Hour, limits: SlowLimits) -> float:
    """Share (0–1) of the blocks with edges that are gone in one piece, at least three blocks wide and high.

    A cover is solid; dirt takes a block here and there. Blocks without edges don't speak against it.
    """
    known = np.isfinite(hour.kept)
    gone = ~known | (hour.kept < limits.kept_looks)
    squares = sliding_window_view(gone, (_PIECE, _PIECE)).all((2, 3))
    solid = sliding_window_view(np.pad(squares, _PIECE - 1), (_PIECE, _PIECE)).any((2, 3))
    return float((solid & known).sum() / max(known.sum(), 1))


def weak_share(hour: Hour, limits: SlowLimits) -> float:
    """Share (0–1) of the blocks with edges where these showed much weaker than elsewhere."""
    return _share(hour.visible, limits.dirty_visible)


def _share(blocks: NDArray[np.floating], limit: float) -> float:
    known = np.isfinite(blocks)
    return float((blocks[known] < limit).mean()) if known.any() else 0.0


def _median(values: tuple[float, ...]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")
