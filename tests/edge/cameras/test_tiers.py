"""When a camera is looked at: a day of looks in a moment."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from edge.cameras.tiers import JITTER, QUICK_LOOKS, Tier, Tiers

Look = Callable[[Tier, float], bool]
"""Whether the look of this tier at this time ends in suspicion."""


def looks(
    tiers: Tiers, until_s: float, look: Look = lambda tier, at_s: False, took_s: float = 0.0
) -> list[tuple[float, Tier]]:
    """What is done when, if a caller comes as soon as something is due."""
    at_s, done = 0.0, []
    while at_s < until_s:
        tier = tiers.due(at_s)
        done.append((at_s, tier))
        tiers.done(tier, at_s, look(tier, at_s))
        at_s = max(at_s + took_s, at_s + took_s + tiers.next_in_s(at_s + took_s))
    return done


def gaps(done: list[tuple[float, Tier]], *tiers: Tier) -> list[float]:
    times = [at_s for at_s, tier in done if tier in tiers]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("seed", range(5))
def test_a_day_has_its_looks(seed: int) -> None:
    done = looks(Tiers(rng=random.Random(seed)), 86_400)
    counts = Counter(tier for _, tier in done)
    assert done[0] == (0.0, Tier.PICTURE)
    assert 1440 <= counts[Tier.PICTURE] <= 1440 / (1 - JITTER)
    assert 96 <= counts[Tier.SLOW] <= 96 / (1 - JITTER) + 1
    assert max(gaps(done, *Tier)) <= 20
    assert max(gaps(done, Tier.PICTURE)) <= 60
    assert max(gaps(done, Tier.SLOW)) <= 900
    assert min(gaps(done, Tier.PICTURE)) >= 60 * (1 - JITTER)


def test_a_look_that_takes_long_does_not_lengthen_the_pace() -> None:
    assert max(gaps(looks(Tiers(rng=random.Random(1)), 3600, took_s=6), Tier.PICTURE)) <= 60 + 6


def test_cameras_do_not_fall_into_step() -> None:
    first, second = (looks(Tiers(rng=random.Random(seed)), 3600) for seed in (1, 2))
    apart = [abs(one[0] - two[0]) for one, two in zip(first[100:], second[100:], strict=False)]
    assert max(apart) > 5


def test_a_second_look_soon_after_does_not_move_the_next_first_one() -> None:
    """A frozen picture shows only beside another: so every look may ask for a second."""
    first: list[float] = []

    def pairs(tier: Tier, at_s: float) -> bool:
        if tier is not Tier.PICTURE or (first and at_s - first[-1] < 15):
            return False
        first.append(at_s)
        return True

    tiers = Tiers(rng=random.Random(1))
    done = looks(tiers, 3600, pairs)
    apart = [after - before for before, after in pairwise(first)]
    assert 54 <= min(apart) <= max(apart) <= 60
    assert {round(after - before) for before, after in pairwise(at for at, tier in done if tier is Tier.PICTURE)} >= {
        10
    }
    assert sum(tier is Tier.PICTURE for _, tier in done) == pytest.approx(2 * len(first), abs=1)


def test_a_look_brought_forward_is_an_extra_one() -> None:
    tiers = Tiers(rng=random.Random(1))
    tiers.due(0.0)
    assert not tiers.is_extra(0.0)
    tiers.done(Tier.PICTURE, 0.0, True)
    assert tiers.is_extra(10.0)
    tiers.done(Tier.PICTURE, 10.0, False)
    assert not tiers.is_extra(60.0)


def test_suspicion_brings_looks_forward_but_a_lasting_one_only_every_other() -> None:
    steady = gaps(looks(Tiers(slow_s=1e9, rng=random.Random(1)), 6000, lambda tier, at_s: True), Tier.PICTURE)
    assert steady[:QUICK_LOOKS] == [10] * QUICK_LOOKS
    assert len(steady) <= 6000 / 54 * 2 + QUICK_LOOKS
    assert min(steady) >= 10
    once = gaps(looks(Tiers(slow_s=1e9, rng=random.Random(1)), 600, lambda tier, at_s: at_s == 0.0), Tier.PICTURE)
    assert once[0] == 10
    assert min(once[1:]) >= 60 * (1 - JITTER) - 10


def test_a_hard_fault_is_looked_at_three_times_within_90_seconds() -> None:
    """It begins right after a look; each look lasts 5 s."""
    for seed in range(50):
        tiers = Tiers(rng=random.Random(seed))
        done = looks(tiers, 400, lambda tier, at_s: at_s > 121 and tier is Tier.PICTURE, took_s=5)
        began_s = max(at_s for at_s, tier in done if tier is Tier.PICTURE and at_s <= 121)
        third = [at_s for at_s, tier in done if tier is Tier.PICTURE and at_s > 121][2]
        assert third + 5 - began_s <= 60 + 2 * 10 + 3 * 5


def test_a_busy_camera_is_asked_ever_more_rarely_and_reached_as_ever() -> None:
    tiers, at_s, asked, reached = Tiers(rng=random.Random(1)), 0.0, [], []
    while at_s < 7200:
        if tiers.due(at_s) is Tier.REACH:
            reached.append(at_s)
            tiers.done(Tier.REACH, at_s, False)
        else:
            asked.append(at_s)
            tiers.busy(at_s)
        tiers.hurry(at_s)
        at_s += max(0.01, tiers.next_in_s(at_s))
    waits = [after - before for before, after in pairwise(asked)]
    assert [round(wait, -1) for wait in waits[:4]] == pytest.approx([60, 120, 240, 480], rel=JITTER + 0.05)
    assert max(waits) <= 900
    assert 7200 / 20 <= len(reached) + len(asked) <= 7200 / 18 + 1


def test_after_a_session_a_busy_camera_has_its_usual_pace_again() -> None:
    tiers = Tiers(rng=random.Random(1))
    tiers.due(0.0)
    for at_s in (0.0, 60.0, 180.0):
        tiers.busy(at_s)
    tiers.done(Tier.PICTURE, 420.0, False)
    assert tiers.due(480.0) is not Tier.REACH
    tiers.busy(480.0)
    tiers.done(Tier.REACH, 480.0, False)
    assert tiers.due(539.9) in (Tier.PICTURE, Tier.SLOW)


def test_a_camera_that_is_back_is_looked_at_at_once() -> None:
    tiers = Tiers(rng=random.Random(1))
    tiers.due(0.0)
    tiers.done(Tier.PICTURE, 0.0, False)
    assert tiers.due(5.0) is Tier.REACH
    assert tiers.next_in_s(5.0) > 0
    tiers.hurry(5.0)
    assert (tiers.due(5.0), tiers.next_in_s(5.0)) == (Tier.PICTURE, 0.0)
