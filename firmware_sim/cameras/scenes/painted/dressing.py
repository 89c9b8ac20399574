"""What people put up, leave lying and sweep away: stalls by their hours, litter, goods, carts left at night."""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import generator, uniform
from firmware_sim.cameras.scenes.events import DAY_S, HOUR_S

from .canvas import GROUND, LEFTWARD, RIGHTWARD, THING, TOWARDS, UPWARD, Canvas
from .world import CLOTHS, PRODUCE, Building, Colour, Stall, World

RUBBISH: Final[tuple[Colour, ...]] = (
    (235, 235, 230),
    (180, 140, 95),
    (150, 115, 75),
    (90, 120, 55),
    (40, 40, 45),
    (60, 110, 180),
    (200, 60, 60),
    (215, 200, 160),
)


@dataclass(frozen=True, slots=True)
class Item:
    """Something on the zone's ground from `start_s` to `end_s`; `size` across and `tall` in metres, 0 = lies flat."""

    x: float
    z: float
    size: float
    tall: float
    colour: Colour
    start_s: float
    end_s: float
    key: int


@lru_cache(maxsize=32)
def items_of_day(seed: int, day: int, zone: tuple[float, float, float, float]) -> tuple[Item, ...]:
    """What comes to lie in the zone on a day; the night's sweeping takes most, the next night's the rest."""
    rng = generator(seed, 51, day)
    sweep = (day + float(rng.uniform(19.5, 23.6)) / 24) * DAY_S
    untidy = float(rng.uniform(0.15, 1.0))
    area = (zone[1] - zone[0]) * (zone[3] - zone[2])
    made = [_litter(rng, zone, day, sweep) for _ in range(int(area * 1.5 * untidy))]
    made += [_goods(rng, zone, day) for _ in range(int(rng.integers(1, 6)))]
    if rng.random() < 0.4:
        made += [_cart(rng, zone, day) for _ in range(int(rng.integers(1, 4)))]
    return tuple(made)


def _place(rng: np.random.Generator, zone: tuple[float, float, float, float]) -> tuple[float, float]:
    side = rng.random()
    across = rng.beta(0.7, 0.7) if side < 0.7 else rng.random()
    return float(zone[0] + across * (zone[1] - zone[0])), float(rng.uniform(zone[2], zone[3]))


def _litter(rng: np.random.Generator, zone: tuple[float, float, float, float], day: int, sweep_s: float) -> Item:
    start = day * DAY_S + float(rng.triangular(5, 11, 21)) * HOUR_S
    end = sweep_s + (DAY_S if rng.random() < 0.12 else float(rng.uniform(0, 1_200)))
    size, tall = float(np.clip(rng.lognormal(-1.0, 0.5), 0.12, 1.3)), float(rng.choice([0, 0, 0, 0.1, 0.25]))
    colour = RUBBISH[rng.integers(len(RUBBISH))]
    return Item(*_place(rng, zone), size, tall, colour, start, max(start + 600, end), int(rng.integers(1 << 30)))


def _goods(rng: np.random.Generator, zone: tuple[float, float, float, float], day: int) -> Item:
    start = day * DAY_S + float(rng.uniform(4, 19)) * HOUR_S
    size, tall = float(rng.uniform(0.5, 1.3)), float(rng.uniform(0.4, 1.1))
    length = float(rng.lognormal(8.3, 0.9))
    return Item(
        *_place(rng, zone),
        size,
        tall,
        PRODUCE[rng.integers(len(PRODUCE))],
        start,
        start + length,
        int(rng.integers(1 << 30)),
    )


def _cart(rng: np.random.Generator, zone: tuple[float, float, float, float], day: int) -> Item:
    start = day * DAY_S + float(rng.uniform(16, 19)) * HOUR_S
    size, tall = float(rng.uniform(1.3, 2.0)), float(rng.uniform(1.4, 2.0))
    return Item(
        *_place(rng, zone),
        size,
        tall,
        (90, 130, 170),
        start,
        start + float(rng.uniform(5, 12)) * HOUR_S,
        int(rng.integers(1 << 30)),
    )


def lying(world: World, time_s: float) -> tuple[Item, ...]:
    """What lies in the zone now."""
    day = int(time_s // DAY_S)
    days = [item for one in (day - 2, day - 1, day) for item in items_of_day(world.seed, one, world.zone)]
    return tuple(item for item in days if item.start_s <= time_s < item.end_s)


def is_open(world: World, stall: Stall, time_s: float) -> bool:
    """Whether a stall trades now; a few stay shut for a day."""
    day, hour = int(time_s // DAY_S), time_s % DAY_S / HOUR_S
    return uniform(stall.key, day) > 0.12 and stall.opens_h <= hour < stall.closes_h


def cloth_up(world: World, stall: Stall, time_s: float) -> bool:
    """Whether its cloth is up: always, or with the trade; now and then it is left up overnight."""
    if not stall.folds or is_open(world, stall, time_s):
        return True
    day, hour = int(time_s // DAY_S), time_s % DAY_S / HOUR_S
    evening = day if hour > 12 else day - 1
    return uniform(stall.key, evening, 3) < 0.15 and not (stall.opens_h - 0.5 < hour < stall.closes_h)


def shops_open(world: World, time_s: float) -> tuple[bool, ...]:
    """Which houses have their shutters rolled up; in some places nobody has any."""
    day, hour = int(time_s // DAY_S), time_s % DAY_S / HOUR_S
    return tuple(
        world.shutters
        and uniform(house.key, day) > 0.2
        and 6.5 + 2 * uniform(house.key, 1) <= hour < 16.5 + 4 * uniform(house.key, 2)
        for house in world.buildings
    )


def _shop(canvas: Canvas, house: Building) -> None:
    """The dark inside of an open shop, its goods and a lamp."""
    rng = np.random.default_rng(house.key)
    if house.side == 0:
        return
    x = house.x0 if house.side > 0 else house.x1
    length = house.z1 - house.z0
    start, stop = house.z0 + 0.15 * length, house.z0 + float(rng.uniform(0.5, 0.9)) * length

    def patch(a: float, b: float, low: float, high: float, colour: Colour, glow: int) -> None:
        corners = [(x, low, a), (x, low, b), (x, high, b), (x, high, a)]
        canvas.shape(corners, colour, LEFTWARD if house.side > 0 else RIGHTWARD, glow=glow, detail=True)

    patch(start, stop, 0.1, 2.4, (38, 34, 32), 60)
    for a in np.arange(start + 0.1, stop - 0.3, 0.45):
        patch(a, a + 0.35, 0.2, float(rng.uniform(0.6, 1.7)), PRODUCE[rng.integers(len(PRODUCE))], 60)
    patch(start + 0.3, start + 0.9, 2.1, 2.2, (240, 240, 230), 220)


def with_stalls(town: Canvas, world: World, shops: tuple[bool, ...], stalls: tuple[tuple[bool, bool], ...]) -> Canvas:
    """The place with its open shops and its stalls (open, cloth up), far ones first."""
    canvas = town.copy()
    for house, opened in zip(world.buildings, shops, strict=True):
        if opened:
            _shop(canvas, house)
    for stall, (opened, cloth) in sorted(zip(world.stalls, stalls, strict=True), key=lambda pair: -pair[0].z):
        _stall(canvas, stall, opened, cloth)
    return canvas


def with_items(place: Canvas, items: tuple[Item, ...]) -> Canvas:
    """The place with what lies about, behind the stalls that stand before it."""
    canvas = place.copy()
    for item in sorted(items, key=lambda one: -one.z):
        _item(canvas, item)
    canvas.keep_before(place)
    return canvas


def _box(
    canvas: Canvas,
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    colour: Colour,
    foreign: bool,
) -> None:
    side = x[0] if x[0] > 0 else x[1]
    darker: Colour = (colour[0] * 0.75, colour[1] * 0.75, colour[2] * 0.75)
    flank = [(side, y[0], z[0]), (side, y[0], z[1]), (side, y[1], z[1]), (side, y[1], z[0])]
    canvas.shape(flank, darker, THING, foreign=foreign)
    top = [(x[0], y[1], z[0]), (x[1], y[1], z[0]), (x[1], y[1], z[1]), (x[0], y[1], z[1])]
    canvas.shape(top, colour, UPWARD, foreign=foreign)
    front = [(x[0], y[0], z[0]), (x[1], y[0], z[0]), (x[1], y[1], z[0]), (x[0], y[1], z[0])]
    canvas.shape(front, darker, TOWARDS, foreign=foreign)


def _stall(canvas: Canvas, stall: Stall, opened: bool, cloth: bool) -> None:
    rng = np.random.default_rng(stall.key)
    x0, x1 = stall.x - stall.depth / 2, stall.x + stall.depth / 2
    z0, z1 = stall.z, stall.z + stall.width
    _box(canvas, (x0, x1), (0, 0.8), (z0, z1), (125, 95, 65), False)
    if opened:
        for z in np.arange(z0 + 0.05, z1 - 0.4, 0.48):
            for x in (x0 + 0.05, (x0 + x1) / 2):
                colour = PRODUCE[rng.integers(len(PRODUCE))]
                _box(
                    canvas,
                    (x, x + (x1 - x0) / 2 - 0.1),
                    (0.8, 0.8 + float(rng.uniform(0.08, 0.3))),
                    (z, z + 0.4),
                    colour,
                    stall.folds,
                )
    if cloth:
        _cloth(canvas, stall, x0 - 0.3, x1 + 0.3)


def _cloth(canvas: Canvas, stall: Stall, x0: float, x1: float) -> None:
    z0, z1 = stall.z - 0.2, stall.z + stall.width + 0.2
    slope = 0.35 if stall.x > 0 else -0.35
    for x, z in ((x0, z1), (x1, z1), (x0, z0), (x1, z0)):
        post = [(x - 0.03, 0.0, z), (x + 0.03, 0.0, z), (x + 0.03, 2.3, z), (x - 0.03, 2.3, z)]
        canvas.shape(post, (150, 150, 150), THING, foreign=stall.folds)
    edges = np.linspace(z0, z1, 7)
    for number, (a, b) in enumerate(itertools.pairwise(edges)):
        colour = stall.cloth if number % 2 else stall.stripe
        top = [
            (x0, 2.35 - slope / 2, a),
            (x1, 2.35 + slope / 2, a),
            (x1, 2.35 + slope / 2, b),
            (x0, 2.35 - slope / 2, b),
        ]
        canvas.shape(top, colour, UPWARD, foreign=stall.folds)
        edge, y = (x0, 2.35 - slope / 2) if stall.x > 0 else (x1, 2.35 + slope / 2)
        canvas.shape(
            [(edge, y, a), (edge, y, b), (edge, y - 0.25, b), (edge, y - 0.25, a)], colour, THING, foreign=stall.folds
        )


def _item(canvas: Canvas, item: Item) -> None:
    rng = np.random.default_rng(item.key)
    if item.tall > 1.2:
        _draw_cart(canvas, rng, item)
        return
    if item.tall > 0.3:
        _draw_goods(canvas, rng, item)
        return
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    reach = item.size / 2 * rng.uniform(0.6, 1.3, 7)
    outline = [
        (item.x + float(r * np.cos(a)), 0.01, item.z + float(r * np.sin(a))) for a, r in zip(angles, reach, strict=True)
    ]
    canvas.shape(outline, item.colour, GROUND, foreign=True)
    if item.tall:
        smaller = [(item.x + (x - item.x) * 0.7, item.tall, item.z + (z - item.z) * 0.7) for x, _, z in outline]
        lighter: Colour = (item.colour[0] * 1.2, item.colour[1] * 1.2, item.colour[2] * 1.2)
        canvas.shape(smaller, lighter, UPWARD, foreign=True)


def _draw_cart(canvas: Canvas, rng: np.random.Generator, item: Item) -> None:
    """A food cart: legs, a painted counter, a pane, a roof."""
    x, z = (item.x - item.size * 0.5, item.x + item.size * 0.5), (item.z - 0.45, item.z + 0.45)
    paint = CLOTHS[rng.integers(len(CLOTHS))]
    for leg in x:
        _box(canvas, (leg - 0.05, leg + 0.05), (0, 0.35), (item.z - 0.05, item.z + 0.05), (40, 40, 42), True)
    _box(canvas, x, (0.35, 1.0), z, paint, True)
    _box(canvas, (x[0] + 0.1, x[1] - 0.1), (1.0, 1.55), z, (165, 180, 185), True)
    _box(
        canvas,
        (x[0] - 0.15, x[1] + 0.15),
        (1.7, 1.82),
        (z[0] - 0.15, z[1] + 0.15),
        CLOTHS[rng.integers(len(CLOTHS))],
        True,
    )


def _draw_goods(canvas: Canvas, rng: np.random.Generator, item: Item) -> None:
    """Crates and sacks in a heap."""
    side = item.size / 2
    for row in (1, 0):
        for column in (0, 1):
            tall = item.tall * float(rng.uniform(0.4, 1.0))
            x, z = item.x - side + column * side, item.z - side + row * side
            colour = PRODUCE[rng.integers(len(PRODUCE))] if rng.random() < 0.5 else item.colour
            _box(canvas, (x, x + side * 0.94), (0, tall), (z, z + side * 0.94), colour, True)


def zone_mask(canvas: Canvas, world: World) -> NDArray[np.bool_]:
    """The zone's pixels, (height, width), whatever stands in front."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", canvas.kind.size, 0)
    outline, _ = canvas.lens.outline(zone_corners(world))
    if outline:
        ImageDraw.Draw(mask).polygon(outline, fill=1)
    return np.asarray(mask, np.bool_)


def zone_corners(world: World) -> list[tuple[float, float, float]]:
    """The zone on the ground, in metres."""
    x0, x1, z0, z1 = world.zone
    return [(x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)]
