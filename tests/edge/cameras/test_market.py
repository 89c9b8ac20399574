"""How busy a market is and what is left lying, on a small place with known persons and litter."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge.cameras.likeness import Look, look
from edge.cameras.market import Market, mean_around, zone_blocks
from edge.cameras.picture import COLUMNS, ROWS
from edge.cameras.thresholds import load
from tests.edge.cameras import views

LIMITS = load().market
GROUND = np.full((ROWS, COLUMNS), 110.0)


def shown(luma: views.Luma, moment: int, noise: float = 1.5) -> Look:
    return look(views.picture(luma, moment, noise=noise))


def market() -> Market:
    return Market(LIMITS, [views.ZONE])


def activity(luma_of: list[views.Luma], noise: float = 1.5) -> float:
    """Mean activity over pictures one after the other."""
    seen = market()
    found = [seen.metrics(shown(luma, moment, noise), False) for moment, luma in enumerate(luma_of)]
    return float(np.mean([metrics["activity_pct"] for metrics in found[1:]]))


def littered(pieces: int) -> views.Luma:
    """So many pieces of litter of 12 × 12 pixels with a pattern, on bare ground within the zone."""
    luma = GROUND.copy()
    for number in range(pieces):
        y, x = 95 + 20 * (number % 4), 70 + 20 * (number // 4)
        luma[y : y + 12, x : x + 12] = 150.0
        luma[y + 3 : y + 9, x + 3 : x + 9] = 70.0
    return luma


def test_a_zone_is_the_blocks_whose_middle_is_inside() -> None:
    whole = zone_blocks([[(0, 0), (1, 0), (1, 1), (0, 1)]])
    assert whole.shape == (18, 32)
    assert whole.all()
    half_of_it = zone_blocks([[(0, 0), (1, 0), (0, 1)]])
    assert half_of_it.mean() == pytest.approx(0.5, abs=0.04)
    assert not zone_blocks([]).any()
    assert zone_blocks([views.ZONE]).sum() == 9 * 20


def test_the_mean_around_is_that_of_a_plain_loop() -> None:
    plane = np.random.default_rng(3).uniform(0, 255, (90, 160)).astype(np.float32)
    padded = np.pad(plane, 2, "edge")
    plain = [[padded[y : y + 5, x : x + 5].mean() for x in range(160)] for y in range(90)]
    assert np.allclose(mean_around(plane, 2), plain, atol=0.05)


def test_activity_grows_with_persons() -> None:
    found = [
        activity([views.with_persons(views.PLACE, persons, moment) for moment in range(8)])
        for persons in (0, 2, 6, 15, 30)
    ]
    assert found == sorted(found)
    assert found[0] < 0.5
    assert found[-1] > 10


def test_the_first_picture_of_a_mode_says_nothing_of_activity() -> None:
    seen = market()
    assert "activity_pct" not in seen.metrics(shown(views.PLACE, 1), False)
    assert "activity_pct" in seen.metrics(shown(views.PLACE, 2), False)
    assert "activity_pct" not in seen.metrics(shown(views.PLACE, 3), True)


CHANGES: Sequence[tuple[Callable[[views.Luma, int], views.Luma], float]] = (
    (lambda luma, moment: luma * (0.6 + 0.4 * (moment % 2)), 1.5),
    (lambda luma, moment: luma, 3.0),
    (lambda luma, moment: views.foggy(luma, 0.4 + 0.03 * moment), 1.5),
)
NAMES = ("exposure", "rain", "fog")


@pytest.mark.parametrize(("change", "noise"), CHANGES, ids=NAMES)
def test_what_is_no_activity_is_none(change: Callable[[views.Luma, int], views.Luma], noise: float) -> None:
    assert activity([change(views.PLACE, moment) for moment in range(30)], noise) < 5


@pytest.mark.parametrize(("change", "noise"), CHANGES[:2], ids=NAMES[:2])
def test_persons_count_the_same_in_rain(change: Callable[[views.Luma, int], views.Luma], noise: float) -> None:
    persons = [views.with_persons(views.PLACE, 5, moment) for moment in range(16)]
    altered = activity([change(luma, moment) for moment, luma in enumerate(persons)], noise)
    assert altered == pytest.approx(activity(persons), abs=5)


def clutter(pieces: int, seen: Market, first: int) -> float:
    moments = range(first, first + 40)
    looks = (shown(views.with_persons(littered(pieces), 3, moment), moment) for moment in moments)
    return [seen.metrics(one, False) for one in looks][-1]["clutter_pct"]


def test_clutter_grows_with_litter_and_goes_when_it_is_swept() -> None:
    seen = market()
    seen.views[False].accept_clean(shown(GROUND, 0), known=False)
    found = [clutter(pieces, seen, 1 + 50 * place) for place, pieces in enumerate((0, 4, 10, 20))]
    assert found == sorted(found)
    assert found[0] < 2
    assert found[-1] > 10
    assert clutter(0, seen, 500) < 2


def test_clutter_needs_a_clean_view_and_a_zone() -> None:
    seen, without_zone = market(), Market(LIMITS, [])
    without_zone.views[False].accept_clean(shown(GROUND, 0), known=False)
    for moment in (1, 2):
        assert "clutter_pct" not in seen.metrics(shown(GROUND, moment), False)
        assert "clutter_pct" not in without_zone.metrics(shown(GROUND, moment), False)


def test_an_accepted_view_with_litter_becomes_clean_when_it_is_swept() -> None:
    seen = market()
    seen.views[False].accept_clean(shown(littered(6), 0), known=False)
    clutter(0, seen, 1)
    for again in range(3):
        clutter(0, seen, 100 * (again + 1))
    assert clutter(6, seen, 600) > 3


def test_a_vehicle_that_comes_or_goes_is_no_activity_and_a_crowd_is() -> None:
    seen = market()
    pictures = [views.PLACE, views.truck(views.PLACE), views.truck(views.PLACE), views.PLACE]
    told = ["activity_pct" in seen.metrics(shown(luma, moment), False) for moment, luma in enumerate(pictures)]
    assert told == [False, False, True, False]
    crowds = [views.with_persons(views.PLACE, 30, moment) for moment in range(10, 20)]
    assert all("activity_pct" in seen.metrics(shown(luma, 30 + at), False) for at, luma in enumerate(crowds))


def entering(luma: views.Luma, wide_px: int, rows: slice = slice(60, ROWS)) -> views.Luma:
    """With the front of something at the right, whose stripes are now brighter and now darker than the place."""
    coming = luma.copy()
    coming[rows, -wide_px:] += np.where(np.arange(ROWS)[rows, None] // 6 % 2, 35.0, -35.0)
    return coming


def test_a_vehicle_that_begins_to_come_into_the_view_is_no_activity() -> None:
    for wide_px, rows, counts in (
        (36, slice(60, ROWS), False),
        (12, slice(60, ROWS), True),
        (36, slice(120, ROWS), True),
    ):
        seen = market()
        pictures = [views.PLACE, entering(views.PLACE, wide_px, rows)]
        told = [seen.metrics(shown(luma, moment), False) for moment, luma in enumerate(pictures)]
        assert ("activity_pct" in told[1]) is counts, (wide_px, rows)


def test_persons_in_the_picture_that_is_accepted_as_clean_leave_no_litter() -> None:
    seen, place = market(), views.PLACE
    for moment in range(30):
        seen.metrics(shown(views.with_persons(place, 3, moment), moment), False)
    crowded = shown(views.with_persons(place, 150, 50), 50)
    seen.views[False].accept_clean(crowded, known=True)
    after = [seen.metrics(shown(place, moment), False) for moment in range(60, 90)]
    assert after[-1]["clutter_pct"] < 2
    alone = market()
    alone.views[False].accept_clean(crowded, known=False)
    after = [alone.metrics(shown(place, moment), False) for moment in range(60, 90)]
    assert after[-1]["clutter_pct"] > 5


def test_light_that_fades_and_returns_changes_no_litter() -> None:
    seen = market()
    empty, full = views.PLACE, np.where(littered(12) == GROUND, views.PLACE, littered(12))
    seen.views[False].accept_clean(shown(empty, 0), known=False)
    found = []
    for spell, left in enumerate((1.0, 0.35, 1.0)):
        looks = (shown(views.foggy(full, left), moment) for moment in range(60 * spell, 60 * spell + 60))
        found.append([seen.metrics(one, False) for one in looks][-1]["clutter_pct"])
    assert found[0] > 5
    assert found == pytest.approx([found[0]] * 3, abs=4)


def test_faint_stains_are_no_litter() -> None:
    seen = market()
    seen.views[False].accept_clean(shown(GROUND, 0), known=False)
    stained = GROUND + 0.2 * (littered(20) - GROUND)
    looks = [seen.metrics(shown(stained, moment), False) for moment in range(1, 41)]
    assert looks[-1]["clutter_pct"] < 2
    assert clutter(20, seen, 50) > 10


def test_back_in_a_mode_it_tells_nothing_of_hours_ago() -> None:
    seen = market()
    seen.views[False].accept_clean(shown(GROUND, 0), known=False)
    assert clutter(20, seen, 1) > 10
    seen.metrics(shown(GROUND, 100), True)
    looks = [seen.metrics(shown(GROUND, moment), False) for moment in range(200, 200 + 2 * LIMITS.unsettled_looks)]
    assert "activity_pct" not in looks[0]
    assert "activity_pct" in looks[1]
    told = [metrics["clutter_pct"] for metrics in looks if "clutter_pct" in metrics]
    assert len(told) == LIMITS.unsettled_looks + 1
    assert max(told) < 2
