"""Measures of pictures on small known arrays."""

import numpy as np
import pytest

from edge.cameras import picture as measure
from edge.cameras.likeness import compare, lines, look, pattern
from edge.cameras.picture import COLUMNS, ROWS
from edge.cameras.reference import Reference
from edge.cameras.signs import off_colour
from tests.edge.cameras import views

CLEAR = 0.3


def reference_of(luma: views.Luma) -> Reference:
    reference = Reference.empty()
    for moment in range(40):
        shown = views.picture(luma, moment)
        reference.learn(look(shown), 6000, CLEAR)
    return reference


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(views.PLACE)


def test_light_of_a_half_white_picture() -> None:
    shown = np.full((ROWS * 3 // 2, COLUMNS), 128, np.uint8)
    shown[:ROWS, :160], shown[:ROWS, 160:] = 20, 250
    light = measure.light(shown, 235)
    assert light.mean == pytest.approx(135)
    assert light.clipped_share == pytest.approx(0.5)
    assert (light.p99, light.brightest) == (250, 250)


def test_light_leaves_the_rows_of_the_overlay_out() -> None:
    shown = np.full((ROWS * 3 // 2, COLUMNS), 16, np.uint8)
    shown[:18], shown[165:ROWS] = 250, 250
    assert measure.light(shown, 235).p99 == 16


@pytest.mark.parametrize("sigma", [0.0, 3.0, 7.0, 12.0])
def test_a_black_picture_is_black_however_high_the_gain(sigma: float) -> None:
    assert measure.light(views.picture(np.full((ROWS, COLUMNS), 16.0), 3, noise=sigma), 235).p99 < 32


@pytest.mark.parametrize("sigma", [1.0, 4.0, 12.0, 30.0])
def test_noise_is_its_deviation_whatever_the_edges(sigma: float) -> None:
    shown = views.picture(views.PLACE * 0.4 + 80, 3, noise=sigma)
    assert measure.noise(shown) == pytest.approx(sigma, rel=0.15, abs=0.1)


def test_block_means_of_every_size() -> None:
    blocks = np.arange(144, dtype=np.float32).reshape(9, 16)
    for size in (5, 10, 20):
        assert np.allclose(measure.block_means(np.kron(blocks, np.ones((size, size), np.float32))), blocks)


def test_block_change_shows_where_a_picture_changed() -> None:
    before = views.picture(views.PLACE, 1)
    after = before.copy()
    after[40:60, 100:120] ^= 64
    changed = measure.block_change(after, before) > 0
    assert changed.sum() == 1
    assert changed[2, 5]


def test_grey_by_day_is_not_infrared() -> None:
    assert measure.colourfulness(views.picture(views.PLACE, 1)) > 20
    assert measure.colourfulness(views.picture(views.PLACE, 1, infrared=True)) == 0


def test_a_card_is_flat_and_of_few_colours() -> None:
    assert measure.flat_share(views.card()) > 0.9
    assert measure.main_colours_share(views.card(), 8) > 0.95
    assert measure.flat_share(views.picture(views.PLACE, 1)) < 0.5


@pytest.mark.parametrize("left", [1.0, 0.5, 0.25])
def test_fog_leaves_the_directions_of_edges(reference: Reference, left: float) -> None:
    like = compare(look(views.picture(views.foggy(views.PLACE, left), 77)), reference.edges, reference.spectrum, CLEAR)
    assert like.match > 0.85
    assert np.mean(like.agreement > 0.6) > 0.95


def test_a_cover_takes_its_blocks_and_no_others(reference: Reference) -> None:
    like = compare(look(views.picture(views.covered(views.PLACE, 0.5), 77)), reference.edges, reference.spectrum, CLEAR)
    assert np.mean(like.agreement[:, :7] < 0.6) > 0.95
    assert np.mean(like.agreement[:, 9:] > 0.6) > 0.95


@pytest.mark.parametrize(("rows", "columns"), [(6, -14), (-20, 30), (0, 4)])
def test_the_place_of_a_moved_view(reference: Reference, rows: int, columns: int) -> None:
    moved = views.picture(np.roll(views.PLACE, (rows, columns), (0, 1)), 77)
    like = compare(look(moved), reference.edges, reference.spectrum, CLEAR)
    assert (like.rows, like.columns) == (rows, columns)
    assert like.match > 0.9


def test_another_place_has_no_place(reference: Reference) -> None:
    like = compare(look(views.picture(views.place(2), 77)), reference.edges, reference.spectrum, CLEAR)
    assert like.peak < CLEAR
    assert like.match < 0.2


def test_sharpness_falls_with_blur_and_not_with_noise_or_fog(reference: Reference) -> None:
    everywhere = np.ones((9, 16), np.bool_)

    def sharpness(luma: views.Luma, noise: float = 1.5) -> float:
        like = compare(look(views.picture(luma, 5, noise=noise)), reference.edges, reference.spectrum, CLEAR)
        found = reference.sharpness(like, everywhere)
        assert found is not None
        return found

    assert sharpness(views.PLACE) == pytest.approx(1, abs=0.03)
    assert sharpness(views.PLACE, noise=12) == pytest.approx(1, abs=0.08)
    assert sharpness(views.foggy(views.PLACE, 0.3)) == pytest.approx(1, abs=0.05)
    mild, heavy = sharpness(views.blurred(views.PLACE, 10)), sharpness(views.blurred(views.PLACE, 60))
    assert heavy < 0.4 < 0.7 < mild < 0.9


def test_colour_that_fades_is_not_off_and_colour_that_turns_is() -> None:
    usual = np.full((2, 9, 16), 128, np.float32) + np.array([[[-20.0]], [[-10.0]]], np.float32)
    faded, grey, richer, turned = (128 + (usual - 128) * np.float32(left) for left in (0.4, 0, 1.5, -0.5))
    assert off_colour(faded, usual) == pytest.approx(np.zeros((9, 16)), abs=1e-4)
    assert off_colour(grey, usual) == pytest.approx(np.zeros((9, 16)), abs=1e-4)
    assert off_colour(richer, usual) == pytest.approx(np.full((9, 16), 0.5 * np.hypot(20, 10)), rel=1e-4)
    assert off_colour(turned, usual) == pytest.approx(np.full((9, 16), 0.5 * np.hypot(20, 10)), rel=1e-4)
    assert off_colour(usual, np.full_like(usual, 128)) == pytest.approx(np.full((9, 16), np.hypot(20, 10)), rel=1e-4)


def test_fineness_is_about_focus_not_about_the_view() -> None:
    here, blurred, elsewhere = (
        look(views.picture(luma, 5)).fineness for luma in (views.PLACE, views.blurred(views.PLACE, 30), views.place(2))
    )
    assert blurred < 0.5 * here
    assert elsewhere == pytest.approx(here, rel=0.35)


def test_lines_run_one_way_on_striped_cloth_only() -> None:
    stripes = 100 + 60 * np.sign(np.sin(np.arange(COLUMNS) * 0.4)) + np.zeros((ROWS, 1))
    cloth, houses = look(views.picture(stripes, 1)), look(views.picture(views.PLACE, 1))
    assert lines(cloth)[1] > 0.5
    assert lines(houses)[0] > 0.46
    assert lines(houses)[1] < 0.25


def test_pattern_is_a_correlation() -> None:
    blocks = look(views.picture(views.PLACE, 1)).luma
    assert pattern(blocks, blocks * 0.5 + 20) == pytest.approx(1)
    assert pattern(blocks, -blocks) == pytest.approx(-1)
