"""Draws what never changes in a place: sky, ground, buildings with doors, windows, signs; trees, lamps, wires."""

import itertools

import numpy as np
from PIL import Image

from .canvas import GROUND, LEAF, LEFTWARD, RIGHTWARD, THING, TOWARDS, UPWARD, Canvas
from .lens import Corner, Lens
from .world import CLOTHS, Building, Colour, Lamp, Tree, World


def town(lens: Lens, world: World) -> Canvas:
    """The empty place, before anybody puts up a stall."""
    canvas = Canvas(lens)
    _ground(canvas, world)
    for building in sorted(world.buildings, key=lambda one: -one.z0):
        _building(canvas, building)
    for tree in sorted(world.trees, key=lambda one: -one.z):
        _tree(canvas, tree)
    for lamp in sorted(world.lamps, key=lambda one: -one.z):
        _lamp(canvas, lamp)
    for height in world.wires:
        _wire(canvas, world, height)
    return canvas


def _ground(canvas: Canvas, world: World) -> None:
    x, z, ahead = canvas.lens.ground
    below = ahead < 9_000
    canvas.kind.paste(GROUND, mask=Image.fromarray((below * 255).astype(np.uint8)))
    canvas.depth.paste(
        Image.fromarray(np.minimum(ahead, 400).astype(np.float32)), mask=Image.fromarray((below * 255).astype(np.uint8))
    )
    colour = np.empty((*x.shape, 3), np.float32)
    colour[:] = (205, 215, 225)
    colour[below] = world.ground
    if world.kind == "street":
        road = below & (np.abs(x) < world.half - 2.2)
        colour[road] = np.array([0.62, 0.63, 0.66]) * np.array(world.ground)
        dash = below & (np.abs(x) < 0.09) & (z % 5 < 2.4) | below & (np.abs(np.abs(x) - world.half + 2.4) < 0.07)
        colour[dash] = (215, 213, 205)
    else:
        joints = below & ((x % 2.5 < 0.05) | (z % 2.5 < 0.08)) & (ahead < 26)
        colour[joints] *= 0.72
    image = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
    canvas.colour.paste(image.resize(canvas.colour.size, Image.Resampling.BILINEAR))


def _building(canvas: Canvas, one: Building) -> None:
    rng = np.random.default_rng(one.key)
    front = [(one.x0, 0.0, one.z0), (one.x1, 0.0, one.z0), (one.x1, one.top, one.z0), (one.x0, one.top, one.z0)]
    shade: Colour = (one.colour[0] * 0.92, one.colour[1] * 0.92, one.colour[2] * 0.92)
    canvas.wall(front, one.colour if one.side == 0 else shade, TOWARDS)
    if one.side == 0:
        _facade(canvas, rng, one, lambda a, b: (one.x0 + a, b, one.z0 - 0.02), one.x1 - one.x0, TOWARDS)
        return
    x = one.x0 if one.side > 0 else one.x1
    kind = LEFTWARD if one.side > 0 else RIGHTWARD
    canvas.wall([(x, 0, one.z0), (x, 0, one.z1), (x, one.top, one.z1), (x, one.top, one.z0)], one.colour, kind)
    _facade(canvas, rng, one, lambda a, b: (x, b, one.z0 + a), one.z1 - one.z0, kind)
    if rng.random() < 0.6:
        _awning(canvas, rng, one, x)


def _awning(canvas: Canvas, rng: np.random.Generator, one: Building, x: float) -> None:
    out, high = x - one.side * float(rng.uniform(0.5, 1.1)), float(rng.uniform(2.5, 3))
    colour = CLOTHS[rng.integers(len(CLOTHS))]
    canvas.shape(
        [(x, high + 0.4, one.z0), (x, high + 0.4, one.z1), (out, high, one.z1), (out, high, one.z0)], colour, UPWARD
    )


def _facade(canvas: Canvas, rng: np.random.Generator, one: Building, at: "object", length: float, kind: int) -> None:
    place = at
    assert callable(place)

    def patch(a0: float, a1: float, b0: float, b1: float, colour: Colour, glow: int = 0) -> None:
        corners: list[Corner] = [place(a0, b0), place(a1, b0), place(a1, b1), place(a0, b1)]
        canvas.shape(corners, colour, kind, glow=glow, detail=True)

    dark: Colour = tuple(part * 0.45 for part in one.colour)  # type: ignore[assignment]
    patch(0, length, 0, 0.5, dark)
    a = 0.4
    while a + 1.2 < length:
        wide = float(rng.uniform(1.0, 2.8))
        colour = (70.0, 75.0, 80.0) if rng.random() < 0.5 else CLOTHS[rng.integers(len(CLOTHS))]
        patch(a, min(a + wide, length - 0.2), 0, 2.3, colour, glow=int(rng.random() < 0.12) * 150)
        for bar in np.arange(0.3, 2.3, 0.4):
            patch(a, min(a + wide, length - 0.2), bar, bar + 0.07, tuple(part * 0.7 for part in colour))  # type: ignore[arg-type]
        a += wide + float(rng.uniform(0.3, 1.0))
    if rng.random() < 0.7:
        _sign(patch, rng, length)
    for floor in np.arange(3.8, one.top - 1, 2.9):
        lit = rng.random(12) < 0.1
        for number, a in enumerate(np.arange(0.8, length - 1.2, 2.0)):
            patch(a, a + 1.1, floor, floor + 1.3, (58, 66, 76), glow=int(lit[number % 12]) * 200)
            patch(a, a + 1.1, floor - 0.12, floor, (225, 225, 220))
    patch(0, length, one.top - 0.25, one.top, dark)


def _sign(patch: "object", rng: np.random.Generator, length: float) -> None:
    draw = patch
    assert callable(draw)
    colour, ink = (CLOTHS[i] for i in rng.choice(len(CLOTHS), 2, replace=False))
    start, stop = 0.3, length - 0.3
    draw(start, stop, 2.55, 3.35, colour, int(rng.random() < 0.25) * 170)
    a = start + 0.3
    while a < stop - 0.5:
        wide = float(rng.uniform(0.1, 0.35))
        draw(a, a + wide, 2.75, 2.75 + float(rng.choice([0.3, 0.42])), ink)
        a += wide + float(rng.choice([0.08, 0.08, 0.3]))


def _tree(canvas: Canvas, tree: Tree) -> None:
    rng = np.random.default_rng(tree.key)
    trunk = 0.16
    canvas.shape(
        [
            (tree.x - trunk, 0, tree.z),
            (tree.x + trunk, 0, tree.z),
            (tree.x + trunk, tree.top, tree.z),
            (tree.x - trunk, tree.top, tree.z),
        ],
        (95, 75, 55),
        THING,
    )
    for _ in range(320):
        x, y, z = rng.normal(0, 0.42, 3) * tree.radius
        shade = float(np.clip(0.75 + 0.3 * y / tree.radius + rng.uniform(-0.25, 0.25), 0.3, 1.2))
        canvas.blob(
            tree.x + x,
            tree.top + y,
            tree.z + z,
            float(rng.uniform(0.06, 0.26)),
            (70 * shade, 105 * shade, 45 * shade),
            LEAF,
        )


def _lamp(canvas: Canvas, lamp: Lamp) -> None:
    thick = 0.07
    canvas.shape(
        [
            (lamp.x - thick, 0, lamp.z),
            (lamp.x + thick, 0, lamp.z),
            (lamp.x + thick, lamp.y, lamp.z),
            (lamp.x - thick, lamp.y, lamp.z),
        ],
        (120, 122, 125),
        THING,
    )
    inward = -np.sign(lamp.x)
    arm: list[Corner] = [(lamp.x, lamp.y, lamp.z), (lamp.x + inward * 1.3, lamp.y + 0.15, lamp.z)]
    canvas.shape([*arm, (arm[1][0], arm[1][1] - 0.1, lamp.z), (lamp.x, lamp.y - 0.1, lamp.z)], (110, 112, 115), THING)
    canvas.shape(
        [
            (arm[1][0] - 0.3, lamp.y, lamp.z),
            (arm[1][0] + 0.3, lamp.y, lamp.z),
            (arm[1][0] + 0.3, lamp.y + 0.2, lamp.z),
            (arm[1][0] - 0.3, lamp.y + 0.2, lamp.z),
        ],
        (200, 200, 200),
        THING,
        glow=255,
    )


def _wire(canvas: Canvas, world: World, height: float) -> None:
    z = 6 + height * 3 % 17
    places = np.linspace(-world.half, world.half, 12)
    for a, b in itertools.pairwise(places):
        sag_a, sag_b = (0.6 * ((p / world.half) ** 2 - 1) for p in (a, b))
        canvas.shape(
            [
                (a, height + sag_a, z),
                (b, height + sag_b, z),
                (b, height + sag_b + 0.035, z),
                (a, height + sag_a + 0.035, z),
            ],
            (35, 35, 38),
            THING,
        )
