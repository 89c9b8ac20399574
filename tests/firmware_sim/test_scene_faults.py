"""Each fault does to the picture what its name says, in both families, from its start on and not before."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sim.cameras.scenes import EXPECTED, PictureFault, filmed, find_film, painted, spoiled
from firmware_sim.cameras.scenes.events import HOUR_S
from firmware_sim.cameras.scenes.planes import Plane, unpacked
from firmware_sim.cameras.scenes.spoiled import Spoilable

START_S = 10.0 * HOUR_S
LATER_S = 11.5 * HOUR_S
SEEDS = (1, 2, 3)
FAMILIES = ("painted", "filmed")


@lru_cache(maxsize=8)
def scene_of(family: str, seed: int) -> Spoilable:
    return painted(seed, benign=False, codec=False) if family == "painted" else filmed(seed, find_film(), benign=False)


def pictures(family: str, seed: int, fault: PictureFault, time_s: float = LATER_S) -> tuple[Plane, Plane]:
    """Luma of the healthy and of the spoilt picture, without the rows where text may stand."""
    scene = scene_of(family, seed)
    healthy, spoilt = scene.at(time_s), spoiled(scene, fault, START_S, seed + 50).at(time_s)
    return unpacked(healthy.i420).y[20:160], unpacked(spoilt.i420).y[20:160]


def edges(luma: Plane) -> float:
    smooth = (luma[:-1, :-1] + luma[1:, :-1] + luma[:-1, 1:] + luma[1:, 1:]) / 4
    return float(np.abs(np.diff(smooth, axis=1)).mean() + np.abs(np.diff(smooth, axis=0)).mean())


def shift(one: Plane, other: Plane) -> float:
    """How far one picture lies from the other, by phase correlation, in pixels."""
    window = np.hanning(one.shape[0])[:, None] * np.hanning(one.shape[1])[None, :]
    product = np.fft.rfft2((one - one.mean()) * window) * np.conj(np.fft.rfft2((other - other.mean()) * window))
    peak = np.fft.irfft2(product / (np.abs(product) + 1e-3), one.shape)
    y, x = np.unravel_index(int(peak.argmax()), peak.shape)
    return float(np.hypot((y + 70) % 140 - 70, (x + 160) % 320 - 160))


def grain(luma: Plane) -> float:
    fine = luma[1:-1, 1:-1] * 4 - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    return float(np.median(np.abs(fine)))


each_family = pytest.mark.parametrize("family", FAMILIES)
each_seed = pytest.mark.parametrize("seed", SEEDS)


@each_family
@pytest.mark.parametrize("fault", PictureFault)
def test_before_its_start_and_after_its_end_a_fault_changes_nothing(family: str, fault: PictureFault) -> None:
    scene = scene_of(family, 1)
    faulty = spoiled(scene, fault, START_S, 4, START_S + 600)
    for time_s in (START_S - 1, START_S + 600):
        assert np.array_equal(faulty.at(time_s).i420, scene.at(time_s).i420)
    assert faulty.zone == scene.zone


@each_family
@pytest.mark.parametrize("fault", PictureFault)
def test_a_fault_is_the_same_for_the_same_seed(family: str, fault: PictureFault) -> None:
    scene = scene_of(family, 2)
    first, again = (spoiled(scene, fault, START_S, 9).at(LATER_S).i420 for _ in range(2))
    assert np.array_equal(first, again)


def test_every_fault_has_its_reasons() -> None:
    assert set(EXPECTED) == set(PictureFault)
    assert all(EXPECTED.values())


@each_family
def test_a_frozen_picture_stands_still_and_its_clock_may_tick(family: str) -> None:
    ticking = set()
    for seed in range(8):
        faulty = spoiled(scene_of(family, 1), PictureFault.FROZEN, START_S, seed)
        one, other = (faulty.at(START_S + later).i420[:180].astype(int) for later in (60, 301))
        assert np.array_equal(one[30:150], other[30:150])
        ticking.add(bool((one != other).any()))
    assert ticking == {True, False}


@each_family
@each_seed
def test_black_white_and_card_have_lost_the_view(family: str, seed: int) -> None:
    _, black = pictures(family, seed, PictureFault.BLACK)
    assert black.mean() < 32
    _, white = pictures(family, seed, PictureFault.WHITE)
    assert (white >= 235).mean() > 0.6
    healthy, card = pictures(family, seed, PictureFault.NO_SIGNAL)
    _, later = pictures(family, seed, PictureFault.NO_SIGNAL, LATER_S + 3_600)
    assert np.array_equal(np.median(card, axis=0).round(-1), np.median(later, axis=0).round(-1))
    assert (
        abs(
            float(
                np.corrcoef(healthy.ravel(), (card + np.random.default_rng(1).normal(0, 0.1, card.shape)).ravel())[0, 1]
            )
        )
        < 0.6
    )


def kept_blocks(healthy: NDArray[np.float32], spoilt: NDArray[np.float32]) -> float:
    """Share of blocks with edges in the healthy picture whose pattern the spoilt one still shows."""
    kept = []
    for y in range(0, 140, 20):
        for x in range(0, 320, 20):
            one, other = (np.diff(part[y : y + 20, x : x + 20], axis=1).ravel() for part in (healthy, spoilt))
            if one.std() > 6:
                kept.append(other.std() > 0.5 and float(np.corrcoef(one, other)[0, 1]) > 0.5)
    return float(np.mean(kept))


@each_family
@each_seed
def test_covers_hide_the_blocks_they_promise(family: str, seed: int) -> None:
    assert kept_blocks(*pictures(family, seed, PictureFault.COVER)) < 0.2
    healthy, spoilt = pictures(family, seed, PictureFault.PARTIAL_COVER)
    assert 0.2 < (np.abs(healthy - spoilt) > 12).mean() < 0.8
    assert 0.25 < kept_blocks(healthy, spoilt) < 0.9


@each_family
@each_seed
def test_a_turned_camera_sees_the_place_elsewhere(family: str, seed: int) -> None:
    assert 8 <= shift(*pictures(family, seed, PictureFault.MOVED_SMALL)) <= 32
    assert kept_blocks(*pictures(family, seed, PictureFault.MOVED)) < 0.15


@each_family
@each_seed
def test_blur_takes_edges_and_noise_adds_grain(family: str, seed: int) -> None:
    healthy, heavy = pictures(family, seed, PictureFault.BLUR)
    _, mild = pictures(family, seed, PictureFault.MILD_BLUR)
    assert edges(heavy) < edges(mild) < edges(healthy)
    assert edges(heavy) < 0.65 * edges(healthy)
    _, noisy = pictures(family, seed, PictureFault.NOISE)
    assert grain(noisy) > 2 * grain(healthy)


@each_family
@each_seed
def test_wrong_colours_leave_luma_nearly_alone(family: str, seed: int) -> None:
    scene = scene_of(family, seed)
    for time_s in (LATER_S, 23 * HOUR_S):
        healthy, spoilt = scene.at(time_s), spoiled(scene, PictureFault.COLOUR, START_S, seed).at(time_s)
        one, other = unpacked(healthy.i420), unpacked(spoilt.i420)
        assert np.hypot(one.u.mean() - other.u.mean(), one.v.mean() - other.v.mean()) > 10
        assert np.abs(one.y - other.y).mean() < 35


@each_family
@each_seed
@pytest.mark.parametrize("fault", [PictureFault.DIRT, PictureFault.FOG_LENS])
def test_dirt_and_mist_come_slowly(family: str, seed: int, fault: PictureFault) -> None:
    shares = []
    for hours in (0.0, 1.0, 8.0):
        scene = scene_of(family, seed)
        healthy = scene.at(START_S + hours * HOUR_S)
        spoilt = spoiled(scene, fault, START_S, seed).at(START_S + hours * HOUR_S)
        shares.append(edges(unpacked(spoilt.i420).y[20:160]) / edges(unpacked(healthy.i420).y[20:160]))
    assert shares[0] > 0.97
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.8
