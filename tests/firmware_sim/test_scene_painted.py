"""Painted scenes: the same for the same seed and time, with truth that agrees with the pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sim.cameras.scenes import Scene, painted
from firmware_sim.cameras.scenes.events import DAY_S, HOUR_S, now, of_day
from firmware_sim.cameras.scenes.painted.dressing import Item, with_items, zone_mask
from firmware_sim.cameras.scenes.painted.figures import draw_people, looks
from firmware_sim.cameras.scenes.painted.light import elevation, light
from firmware_sim.cameras.scenes.painted.people import People
from firmware_sim.cameras.scenes.painted.world import Kind
from firmware_sim.cameras.scenes.planes import Planes, unpacked

NOON_S = 12 * HOUR_S
NIGHT_S = 23 * HOUR_S


def chroma(scene: Scene, time_s: float) -> NDArray[np.uint8]:
    return scene.at(time_s).i420[scene.height :]


@pytest.mark.parametrize("kind", ["market", "street"])
def test_a_moment_is_the_same_in_any_order(kind: Kind) -> None:
    times = [9 * HOUR_S, NIGHT_S, 31.5 * HOUR_S, 9 * HOUR_S + 1]
    forwards, backwards = (painted(5, kind=kind) for _ in range(2))
    there = [forwards.at(time_s) for time_s in times]
    back = [backwards.at(time_s) for time_s in reversed(times)][::-1]
    for one, other in zip(there, back, strict=True):
        assert np.array_equal(one.i420, other.i420)
        assert one.truth == other.truth
    assert not np.array_equal(there[0].i420, there[3].i420)


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360)])
def test_a_view_is_i420_of_the_size_asked_for(width: int, height: int) -> None:
    view = painted(2, width, height).at(NOON_S)
    assert view.i420.shape == (height * 3 // 2, width)
    assert view.i420.dtype == np.uint8


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        painted(1, 322, 180)


def test_seeds_differ_in_place_and_camera() -> None:
    pictures = [painted(seed, benign=False).at(NOON_S).i420[:180].astype(float) for seed in range(6)]
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(one - other).mean() > 10


def test_night_is_infrared_without_colour_or_a_colour_camera() -> None:
    found = set()
    for seed in range(12):
        scene = painted(seed, codec=False)
        truth = scene.at(NIGHT_S).truth
        found.add(truth.infrared)
        corner = chroma(scene, NIGHT_S)
        assert truth.infrared == bool((corner == 128).all())
        assert not scene.at(NOON_S).truth.infrared
    assert found == {True, False}


def test_the_sun_of_ambon_is_highest_late_and_sets_fast() -> None:
    highest = max(range(0, 86_400, 60), key=lambda time_s: elevation(3, time_s)[0])
    assert abs(highest - (12 * 3_600 + 27 * 60)) <= 60
    dusk = [light(3, time_s, False, 0.0, 0.0) for time_s in range(17 * 3_600, 20 * 3_600, 60)]
    brightness = [one.direct + one.sky for one in dusk]
    assert brightness[0] > 50 * brightness[-1]
    assert dusk[-1].infrared
    assert not dusk[0].infrared


def test_the_market_is_full_in_the_morning_and_empty_at_night() -> None:
    scene = painted(4, codec=False)
    morning = np.mean([scene.at(8 * HOUR_S + minute * 60).truth.persons or 0 for minute in range(0, 60, 6)])
    night = np.mean([scene.at(2 * HOUR_S + minute * 60).truth.persons or 0 for minute in range(0, 60, 6)])
    assert morning > 8
    assert night < 3


def group(places: list[tuple[float, float]]) -> People:
    count = len(places)
    x, z = np.array([place[0] for place in places]), np.array([place[1] for place in places])
    return People(x, z, np.full(count, 1.7), np.full(count, -1.0), np.arange(count))


def test_persons_are_counted_when_they_are_seen() -> None:
    scene = painted(3)
    view = scene.lens
    stage = scene.stage(3 * HOUR_S)
    open_ground = [view.ground_at(x, 0.8) for x in (0.35, 0.5, 0.62)]
    behind_the_end = (0.0, scene.world.far + 12)
    behind_the_camera = (0.0, -5.0)
    beside_the_picture = view.ground_at(2.5, 0.8)
    everybody = group([*open_ground, behind_the_end, behind_the_camera, beside_the_picture])
    planes = stage.planes(False)
    assert draw_people(planes, stage.depth, view, everybody, looks(3, everybody.key, False, False)) == 3
    changed = np.abs(planes.y - stage.planes(False).y) > 0.02
    for x in (0.35, 0.5, 0.62):
        column = int(x * view.width)
        assert changed[70:150, column - 6 : column + 6].any()
    assert not changed[:, :60].any()


def test_a_person_is_larger_the_nearer() -> None:
    scene = painted(3)
    stage = scene.stage(3 * HOUR_S)
    areas = []
    for y in (0.5, 0.7, 0.85):
        one = group([scene.lens.ground_at(0.5, y)])
        planes = Planes(
            *(np.zeros_like(part) for part in (stage.planes(False).y, stage.planes(False).u, stage.planes(False).v))
        )
        draw_people(planes, np.full_like(stage.depth, 500), scene.lens, one, looks(3, one.key, False, False))
        areas.append(int((planes.y > 0.01).sum()))
    assert areas[0] < areas[1] < areas[2]


def test_litter_is_the_share_of_the_zone_that_looks_different() -> None:
    scene = painted(3, benign=False)
    zone = zone_mask(scene._town, scene.world)
    x0, x1, z0, z1 = scene.world.zone
    items = tuple(
        Item(x0 + (x1 - x0) * part, z0 + (z1 - z0) * part, 1.2, 0.0, (250, 20, 20), 0, 1, 7) for part in (0.3, 0.5, 0.7)
    )
    clean, dirty = with_items(scene._town, ()), with_items(scene._town, items)
    differs = np.any(np.asarray(clean.colour.reduce(2)) != np.asarray(dirty.colour.reduce(2)), axis=2)
    foreign = np.asarray(dirty.foreign) > 0
    assert foreign.any()
    assert not np.asarray(clean.foreign).any()
    assert abs((differs & zone).sum() - (foreign & zone).sum()) < 0.35 * (foreign & zone).sum()


def test_litter_gathers_over_the_day_and_is_swept_at_night() -> None:
    rises, falls = [], []
    for seed in range(8):
        scene = painted(seed, codec=False, benign=False)
        litter = [scene.stage(DAY_S + hour * HOUR_S).litter_pct for hour in (6, 18, 28)]
        rises.append(litter[1] - litter[0])
        falls.append(litter[1] - litter[2])
    assert np.median(rises) > 1
    assert np.median(falls) > 1


def test_the_zone_lies_in_the_picture() -> None:
    for seed in range(20):
        scene = painted(seed)
        x, y = (np.array(part) for part in zip(*scene.zone, strict=True))
        area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
        assert 0.03 < area < 0.9, seed
        assert ((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)).all()


def test_every_day_has_its_harmless_events_and_they_end() -> None:
    names = [event.name for event in of_day(6, 2)]
    assert names.count("truck") == 8
    assert {"rain", "fog", "wind", "crowd"} <= set(names)
    for event in of_day(6, 2):
        assert event in now(6, (event.start_s + event.end_s) / 2)
        assert event not in now(6, event.end_s)
    assert of_day(6, 2) == of_day(6, 2)
    assert of_day(6, 2) != of_day(6, 3)


def test_events_are_in_the_truth_and_in_the_picture_and_only_when_asked_for() -> None:
    with_events, without = painted(6, codec=False), painted(6, codec=False, benign=False)
    for name in ("rain", "fog", "truck"):
        event = next(one for one in of_day(6, 0) if one.name == name)
        time_s = (event.start_s + event.end_s) / 2
        seen, calm = with_events.at(time_s), without.at(time_s)
        assert name in seen.truth.benign
        assert not calm.truth.benign
        assert np.abs(seen.i420[:180].astype(int) - calm.i420[:180]).mean() > 4


def test_a_truck_hides_about_half_the_view() -> None:
    with_truck, without = painted(6, codec=False), painted(6, codec=False, benign=False)
    for event in (one for one in of_day(6, 0) if one.name == "truck"):
        time_s = (event.start_s + event.end_s) / 2
        seen, calm = (unpacked(scene.at(time_s).i420).y for scene in (with_truck, without))
        assert 0.35 < (np.abs(seen - calm) > 6).mean()
        assert 120 <= event.end_s - event.start_s <= 480


def test_the_clock_in_the_picture_ticks() -> None:
    scene = painted(next(seed for seed in range(20) if painted(seed).character.text_corner == 0), codec=False)
    one, other = (scene.render(NOON_S, clock_s=clock_s).i420[:180].astype(int) for clock_s in (NOON_S, NOON_S + 5))
    rows, columns = np.nonzero(one - other)
    assert len(rows)
    assert rows.max() < 24
    assert columns.max() < 200
