"""Activity and clutter against what the simulator knows: do they rank alike, and what else moves them?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kewang.bench.cameras_plan import DAY_S, Event

if TYPE_CHECKING:
    from kewang.bench.cameras_drive import Sample

Numbers = NDArray[np.float64]

WINDOW_S: Final = 900.0
"""Both are read as means of a quarter of an hour: persons come and go between two pictures."""
LEAST: Final = 20
"""Fewer values rank nothing."""
NEIGHBOURS: Final = 40
MEASURES: Final = {"activity_pct": "persons", "clutter_pct": "litter_pct"}
MOVERS: Final = ("rain", "dusk", "truck")
"""What must not move a measure: two harmless events, and the hour in which Ambon's sun sets."""
DUSK_H: Final = (18.0, 19.25)


@dataclass(slots=True)
class Market:
    """Of one camera. `ranks`: measure -> Spearman's rank correlation with the truth; `moved`: measure -> event ->
    points that each such event moved it, against calm moments with the same truth."""

    ranks: dict[str, float] = field(default_factory=dict)
    moved: dict[str, dict[str, list[float]]] = field(default_factory=dict)


def market(samples: Sequence["Sample"], events: Sequence[Event]) -> Market:
    """Both measures over the looks that no fault excuses."""
    told = Market()
    fair = [each for each in samples if not any(event.excuses(each.time_s) for event in events)]
    for measure, truth in MEASURES.items():
        looks = list(_looks(fair, measure, truth))
        if len(looks) >= LEAST:
            told.ranks[measure] = _rank(looks)
            told.moved[measure] = {mover: _moved(looks, mover) for mover in MOVERS}
    return told


@dataclass(frozen=True, slots=True)
class _Look:
    time_s: float
    measured: float
    truth: float
    benign: frozenset[str]

    def within(self, mover: str) -> bool:
        """Whether it was taken while `mover` happened."""
        if mover == "dusk":
            return DUSK_H[0] <= self.time_s % DAY_S / 3600 < DUSK_H[1]
        return mover in self.benign


def _looks(samples: Sequence["Sample"], measure: str, truth: str) -> Iterator[_Look]:
    for sample in samples:
        true = getattr(sample.truth, truth, None)
        if sample.truth and true is not None and measure in sample.metrics:
            yield _Look(sample.time_s, sample.metrics[measure], float(true), sample.truth.benign)


def _rank(looks: Sequence[_Look]) -> float:
    windows = [list(group) for _, group in groupby(looks, lambda look: look.time_s // WINDOW_S)]
    measured = [float(np.mean([look.measured for look in group])) for group in windows]
    true = [float(np.mean([look.truth for look in group])) for group in windows]
    return spearman(measured, true)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Rank correlation, -1 to 1; ties share their mean rank; 0 where one of the two never changes."""
    if min(len(set(one)), len(set(other))) < 2:
        return 0.0
    return float(np.corrcoef(_ranks(np.asarray(one, float)), _ranks(np.asarray(other, float)))[0, 1])


def _ranks(values: Numbers) -> Numbers:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.take(np.cumsum(counts) - (counts - 1) / 2, places).astype(np.float64)


def _moved(looks: Sequence[_Look], mover: str) -> list[float]:
    """Points by which `mover` moved the measure each time it came, on its mean."""
    calm = [look for look in looks if not look.benign and not look.within("dusk")]
    if len(calm) < LEAST:
        return []
    truth, measured = np.array([look.truth for look in calm]), np.array([look.measured for look in calm])
    spells = [list(group) for within, group in groupby(looks, lambda look: look.within(mover)) if within]
    return [
        float(np.mean([look.measured - _expected(truth, measured, look.truth) for look in spell])) for spell in spells
    ]


def _expected(truth: Numbers, measured: Numbers, true: float) -> float:
    """The measure in calm moments whose truth is nearest to `true`."""
    distance = np.abs(truth - true)
    reach = np.partition(distance, min(NEIGHBOURS, len(distance)) - 1)[min(NEIGHBOURS, len(distance)) - 1]
    return float(np.mean(measured[distance <= reach]))


def figures(markets: Sequence[Market]) -> dict[str, Any]:
    """The mean rank over the cameras, and the points that rain, dusk and trucks move a measure."""
    return {
        "activity_rank": _mean_rank(markets, "activity_pct"),
        "clutter_rank": _mean_rank(markets, "clutter_pct"),
        "moved_by": {mover: _worst(markets, mover) for mover in MOVERS},
        "by_measure": {measure: {mover: _median(markets, measure, mover) for mover in MOVERS} for measure in MEASURES},
    }


def _mean_rank(markets: Sequence[Market], measure: str) -> float | None:
    ranks = [told.ranks[measure] for told in markets if measure in told.ranks]
    return round(float(np.mean(ranks)), 3) if ranks else None


def _worst(markets: Sequence[Market], mover: str) -> float | None:
    """Points that `mover` moves a measure, either way; of the measure it moves more."""
    medians = [_median(markets, measure, mover) for measure in MEASURES]
    return max((abs(median) for median in medians if median is not None), default=None)


def _median(markets: Sequence[Market], measure: str, mover: str) -> float | None:
    """Points, by the median over the times it came."""
    moved = [points for told in markets for points in told.moved.get(measure, {}).get(mover, [])]
    return round(float(np.median(moved)), 1) if moved else None
