"""Draws people into a picture in the making: head, body and legs by perspective, behind what stands in front of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..chance import uniforms
from ..planes import Plane, Planes
from .lens import Lens
from .people import People

TALL: Final = 192
WIDE: Final = 96
PHASES: Final = 4
SMALLEST_PX: Final = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """Cover of each part (skin, top, legs), 0 to 1, shape (3, rows, columns), and of all together."""

    parts: Plane
    whole: Plane
    half_parts: Plane
    half_whole: Plane


@lru_cache(maxsize=2_048)
def figure(rows: int, phase: int, build: int) -> Figure:
    """A person `rows` pixels high; phase -1 stands, 0 to 3 walks; `build` picks clothes and what is carried."""
    images = [Image.new("L", (WIDE, TALL), 0) for _ in range(3)]
    skin, top, legs = (ImageDraw.Draw(image) for image in images)
    skirt, bag, umbrella, hat = build % 3 == 0, build // 3 % 4 == 0, build // 12 % 3 == 1, build // 36 % 2
    swing = 0 if phase < 0 else int(16 * np.sin((phase + 0.5) / PHASES * 2 * np.pi))
    if skirt:
        legs.polygon([(36, 100), (60, 100), (66, 182), (30, 182)], fill=255)
    for foot in (-swing, swing):
        legs.polygon([(40, 100), (56, 100), (54 + foot, 188), (42 + foot, 188)], fill=255)
    top.rounded_rectangle((33, 32, 63, 108), 12, fill=255)
    for arm, side in ((swing * 0.7, 1), (-swing * 0.7, -1)):
        top.line([(48 + side * 15, 42), (48 + side * 17 + arm, 92)], fill=255, width=9)
    skin.ellipse((38, 4, 58, 32), fill=255)
    (top if hat else skin).ellipse((37, 2, 59, 18), fill=255)
    if bag:
        legs.ellipse((60, 84, 84, 116), fill=255)
    if umbrella and build >= 72:
        top.pieslice((0, 0, 96, 60), 180, 360, fill=255)
    columns = max(2, round(rows * WIDE / TALL / 2) * 2)
    even = max(2, rows // 2)
    return Figure(*_cover(images, columns, rows), *_cover(images, columns // 2, even))


def _cover(images: list[Image.Image], columns: int, rows: int) -> tuple[Plane, Plane]:
    parts = np.stack([np.asarray(image.resize((columns, rows), Image.Resampling.BOX), np.float32) for image in images]) / 255
    parts[1] *= 1 - parts[0]
    parts[2] *= 1 - np.maximum(parts[0], parts[1])
    whole = np.minimum(parts.sum(axis=0), 1)
    return parts, np.asarray(whole, np.float32)


@dataclass(frozen=True, slots=True)
class Looks:
    """Reflectance of skin, top and legs per person: luma, blue and red difference, each (n, 3)."""

    y: Plane
    u: Plane
    v: Plane
    build: NDArray[np.int64]


def looks(seed: int, keys: NDArray[np.int64], infrared: bool, rain: bool) -> Looks:
    """Clothes of everybody; in infrared light dark cloth is often bright."""
    chance = [uniforms(seed, keys, 100 + number) for number in range(7)]
    top, legs = 0.1 + 0.75 * chance[0], 0.08 + 0.5 * chance[1] ** 1.5
    skin = 0.28 + 0.15 * chance[2]
    if infrared:
        top, legs, skin = 0.35 + 0.5 * chance[3], 0.3 + 0.5 * chance[4], np.full(len(keys), 0.62)
    y = np.stack([skin, top, legs], axis=1)
    hue = chance[5] * 2 * np.pi
    strength = 0.22 * chance[6] * np.minimum(top, 1 - top) * 2
    u = np.stack([np.full(len(keys), -0.04), strength * np.cos(hue), 0.04 * chance[1]], axis=1)
    v = np.stack([np.full(len(keys), 0.06), strength * np.sin(hue), np.zeros(len(keys))], axis=1)
    build = (chance[4] * 72).astype(np.int64) + (72 if rain else 0)
    return Looks(*(np.asarray(part, np.float32) for part in (y, u, v)), build)


def draw_people(planes: Planes, depth: Plane, lens: Lens, group: People, how: Looks) -> int:
    """Draws everybody, far ones first; how many are in view, at least a third of each visible."""
    if not len(group.x):
        return 0
    feet = lens.seen_from(np.stack([group.x, np.zeros_like(group.x), group.z], axis=1))
    count = 0
    for number in np.argsort(-feet[:, 2]):
        ahead = float(feet[number, 2])
        if ahead < 1.0:
            continue
        x, y = lens.pixels(feet[number : number + 1])[0]
        rows = round(float(group.size[number]) * lens.focal_px / ahead * float(np.cos(lens.pitch)))
        if rows < SMALLEST_PX or rows > 2 * lens.height:
            continue
        stride = float(group.stride[number])
        shape = figure(rows, -1 if stride < 0 else int(stride * PHASES) % PHASES, int(how.build[number]))
        count += _draw(planes, depth, shape, (float(x), float(y)), ahead, (how.y[number], how.u[number], how.v[number]))
    return count


def _draw(
    planes: Planes, depth: Plane, shape: Figure, foot: tuple[float, float], ahead: float, colour: tuple[Plane, Plane, Plane]
) -> bool:
    rows, columns = shape.whole.shape
    top, left = round((foot[1] - rows) / 2) * 2, round((foot[0] - columns / 2) / 2) * 2
    height, width = planes.y.shape
    y0, y1, x0, x1 = max(0, top), min(height, top + rows), max(0, left), min(width, left + columns)
    if y1 <= y0 or x1 <= x0:
        return False
    here = (slice(y0, y1), slice(x0, x1))
    cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    clear = depth[here] > ahead
    cover = shape.whole[cut] * clear
    shown = float(cover.sum())
    if shown <= 0:
        return False
    paint = np.tensordot(colour[0], shape.parts[(slice(None), *cut)], 1)
    patch = planes.y[here]
    patch += paint * clear - cover * patch
    _tint(planes, shape, (y0, y1, x0, x1), (top, left), clear, colour)
    return bool(shown > 0.34 * float(shape.whole.sum()))


def _tint(
    planes: Planes, shape: Figure, box: tuple[int, int, int, int], corner: tuple[int, int], clear: NDArray[np.bool_],
    colour: tuple[Plane, Plane, Plane],
) -> None:
    y0, y1, x0, x1 = box
    top, left = corner[0] // 2, corner[1] // 2
    rows, columns = shape.half_whole.shape
    b0, b1 = y0 // 2, min(y1 // 2, top + rows)
    a0, a1 = x0 // 2, min(x1 // 2, left + columns)
    if b1 <= b0 or a1 <= a0:
        return
    cut = (slice(b0 - top, b1 - top), slice(a0 - left, a1 - left))
    seen = clear[::2, ::2][: b1 - b0, : a1 - a0]
    cover = shape.half_whole[cut] * seen
    for plane, tone in ((planes.u, colour[1]), (planes.v, colour[2])):
        patch = plane[b0:b1, a0:a1]
        patch += np.tensordot(tone, shape.half_parts[(slice(None), *cut)], 1) * seen - cover * patch
