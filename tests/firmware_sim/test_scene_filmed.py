"""Filmed scenes: real frames, the same at any time in any order, and drawn by nothing that the painted ones use."""

import ast
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.cameras import scenes
from firmware_sim.cameras.scenes import filmed, find_film
from firmware_sim.cameras.scenes.events import HOUR_S, of_day
from firmware_sim.cameras.scenes.filmed.reel import _counts, _strange

NOON_S = 12 * HOUR_S
SHARED = {"chance", "events", "planes", "seen"}


@pytest.fixture(scope="module")
def film() -> Path:
    return find_film()


def test_a_missing_film_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make parts"):
        find_film((tmp_path,))


def test_a_moment_is_the_same_in_any_order(film: Path) -> None:
    times = [9 * HOUR_S, 22 * HOUR_S, 33 * HOUR_S]
    there = [filmed(2, film).at(time_s) for time_s in times]
    back = [filmed(2, film).at(time_s) for time_s in reversed(times)][::-1]
    for one, other in zip(there, back, strict=True):
        assert np.array_equal(one.i420, other.i420)
        assert one.truth == other.truth


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360)])
def test_a_view_is_i420_of_the_size_asked_for(film: Path, width: int, height: int) -> None:
    view = filmed(1, film, width, height).at(NOON_S)
    assert view.i420.shape == (height * 3 // 2, width)
    assert view.i420.dtype == np.uint8


def test_a_size_that_does_not_fit_is_refused(film: Path) -> None:
    with pytest.raises(ValueError, match="320 x 180"):
        filmed(1, film, 300, 200)


def test_seeds_are_different_cameras(film: Path) -> None:
    one, other = (filmed(seed, film, benign=False).at(NOON_S).i420[:180].astype(float) for seed in (1, 2))
    assert np.abs(one - other).mean() > 10


def test_nights_have_no_colour_unless_the_camera_sees_colour_then(film: Path) -> None:
    for seed in range(5):
        view = filmed(seed, film).at(23 * HOUR_S)
        assert view.truth.infrared == bool((view.i420[180:] == 128).all())


def test_who_walks_there_is_counted_by_patches() -> None:
    cells = np.zeros((1, 45, 80), np.bool_)
    cells[0, 10:16, 10:13] = True
    cells[0, 30:36, 50:53] = True
    cells[0, 5, 70] = True
    assert _counts(cells, 18.0)[0] == 2
    cells[0, 30:36, 50:56] = True
    assert _counts(cells, 18.0)[0] == 3


def test_what_differs_from_the_empty_place_is_strange() -> None:
    empty = np.full((180, 320), 90, np.uint8)
    frame = empty.copy()
    frame[40:60, 100:110] = 160
    cells = _strange(frame, empty)
    assert cells[10:15, 25:27].all()
    assert not cells[:, 40:].any()


def test_more_people_change_more_of_the_picture(film: Path) -> None:
    scene = filmed(3, film, benign=False)
    views = [scene.at(6 * HOUR_S + number * 300) for number in range(60)]
    empty = scene._reel.empty_luma.astype(float)
    moved = [
        float((np.abs(scene._people(6 * HOUR_S + number * 300, 0.0)[0].y - empty) > 18).mean()) for number in range(60)
    ]
    persons = [view.truth.persons or 0 for view in views]
    assert len(set(persons)) > 4
    assert np.corrcoef(persons, moved)[0, 1] > 0.7


def test_events_are_in_the_truth_and_in_the_picture(film: Path) -> None:
    with_events, without = filmed(6, film), filmed(6, film, benign=False)
    for name in ("rain", "fog", "truck"):
        event = next(one for one in of_day(6, 0) if one.name == name)
        time_s = (event.start_s + event.end_s) / 2
        seen, calm = with_events.at(time_s), without.at(time_s)
        assert name in seen.truth.benign
        assert np.abs(seen.i420[:180].astype(int) - calm.i420[:180]).mean() > 3


def imports_of(family: str) -> dict[str, set[str]]:
    """For each module of a family's folder, the names of the modules it imports."""
    found = {}
    for path in (Path(scenes.__file__).parent / family).glob("*.py"):
        named = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                named.add(node.module or "")
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
        found[path.name] = named
    assert len(found) > 4
    return found


@pytest.mark.parametrize("family", ["filmed", "painted"])
def test_the_two_families_share_no_drawing(family: str) -> None:
    ours = "firmware_sim.cameras.scenes."
    for name, imports in imports_of(family).items():
        shared = {one.removeprefix(ours) for one in imports if one.startswith(ours)}
        assert shared <= SHARED, (name, shared)


def test_filmed_pictures_need_no_painter() -> None:
    for name, imports in imports_of("filmed").items():
        assert not any(one.split(".")[0] == "PIL" for one in imports), name
