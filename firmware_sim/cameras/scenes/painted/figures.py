"""Draws people into a picture in the making: sized by perspective, behind what stands in front of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from firmware_sim.cameras.scenes.chance import uniforms_of
from firmware_sim.cameras.scenes.planes import Plane, Planes

from .lens import Lens
from .people import People

TALL: Final = 192
WIDE: Final = 96
PHASES: Final = 4
SMALLEST_PX: Final = 4
COUNTED: Final = 25
"""Who is smaller than this part of the picture's height is a speck, not a person in view."""
BUILDS: Final = 6
"""Kinds of figures; as many again under umbrellas."""


@lru_cache(maxsize=256)
def _drawn(phase: int, build: int) -> Image.Image:
    """A person, large: how much of skin, top and legs is where, in the three channels."""
    images = [Image.new("L", (WIDE, TALL), 0) for _ in range(3)]
    skin, top, legs = (ImageDraw.Draw(image) for image in images)
    swing = 0 if phase < 0 else int(16 * np.sin((phase + 0.5) / PHASES * 2 * np.pi))
    if build % 3 == 0:
        legs.polygon([(36, 100), (60, 100), (66, 182), (30, 182)], fill=255)
    for foot in (-swing, swing):
        legs.polygon([(40, 100), (56, 100), (54 + foot, 188), (42 + foot, 188)], fill=255)
    top.rounded_rectangle((33, 32, 63, 108), 12, fill=255)
    for arm, side in ((swing * 0.7, 1), (-swing * 0.7, -1)):
        top.line([(48 + side * 15, 42), (48 + side * 17 + arm, 92)], fill=255, width=9)
    skin.ellipse((38, 4, 58, 32), fill=255)
    skin.ellipse((36, 0, 60, 17), fill=0)
    (top if build % 2 else legs).ellipse((37, 2, 59, 18), fill=255)
    if build in (1, 4):
        legs.ellipse((60, 84, 84, 116), fill=255)
    if build >= BUILDS and build % 3:
        top.pieslice((2, -6, 94, 66), 180, 360, fill=255)
    return Image.merge("RGB", images)


@lru_cache(maxsize=4_096)
def figure(rows: int, phase: int, build: int) -> Plane:
    """Cover of skin, top and legs (0–1), (rows, columns, 3), of a person `rows` high; phase -1 stands, 0–3 walks."""
    columns = max(2, round(rows * WIDE / TALL / 2) * 2)
    parts = np.asarray(_drawn(phase, build).resize((columns, rows), Image.Resampling.BOX), np.float32) * np.float32(
        1 / 255
    )
    parts[..., 1] *= 1 - parts[..., 0]
    parts[..., 2] *= 1 - np.maximum(parts[..., 0], parts[..., 1])
    return parts


@dataclass(frozen=True, slots=True)
class Looks:
    """Per person: skin, top and legs in luma, blue and red difference and cover (= 1), (n, 3, 4), and the figure."""

    tones: Plane
    build: NDArray[np.int64]


def looks(seed: int, keys: NDArray[np.int64], infrared: bool, rain: bool) -> Looks:
    """Clothes of everybody; in infrared light dark cloth is often bright."""
    chance = uniforms_of(seed, keys, range(100, 107))
    top, legs = 0.1 + 0.75 * chance[0], 0.06 + 0.42 * chance[1] ** 2
    skin = 0.28 + 0.15 * chance[2]
    if infrared:
        top, legs, skin = 0.35 + 0.5 * chance[3], 0.3 + 0.5 * chance[4], np.full(len(keys), 0.62)
    y = np.stack([skin, top, legs], axis=1)
    hue = chance[5] * 2 * np.pi
    strength = 0.22 * chance[6] * np.minimum(top, 1 - top) * 2
    u = np.stack([np.full(len(keys), -0.04), strength * np.cos(hue), 0.04 * chance[1]], axis=1)
    v = np.stack([np.full(len(keys), 0.06), strength * np.sin(hue), np.zeros(len(keys))], axis=1)
    build = (chance[4] * BUILDS).astype(np.int64) + (BUILDS if rain else 0)
    return Looks(np.stack([y, u, v, np.ones_like(y)], axis=2).astype(np.float32), build)


def draw_people(planes: Planes, depth: Plane, lens: Lens, group: People, how: Looks) -> int:
    """Draws everybody, far ones first; how many are in view, at least a third of each visible."""
    seen = lens.seen_from(np.stack([group.x, np.zeros_like(group.x), group.z], axis=1))
    near = np.flatnonzero(seen[:, 2] > 1)
    feet, ahead = lens.pixels(seen[near]), seen[near, 2]
    rows = np.rint(group.size[near] * lens.focal_px / ahead * np.cos(lens.pitch)).astype(int)
    inside = (
        (rows >= SMALLEST_PX)
        & (rows < 2 * lens.height)
        & (np.abs(feet[:, 0] / lens.width - 0.5) < 0.5 + rows / lens.width)
    )
    inside &= (feet[:, 1] > 0) & (feet[:, 1] - rows < lens.height)
    phases = np.where(group.stride[near] < 0, -1, (group.stride[near] * PHASES).astype(int) % PHASES)
    order = np.flatnonzero(inside)
    count = 0
    for number in order[np.argsort(-ahead[order])]:
        who = near[number]
        size = int(rows[number]) if rows[number] < 40 else int(rows[number]) // 3 * 3
        shape = figure(size, int(phases[number]), int(how.build[who]))
        count += _draw(
            planes, depth, shape, (float(feet[number, 0]), float(feet[number, 1])), float(ahead[number]), how.tones[who]
        )
    return count


def _draw(planes: Planes, depth: Plane, shape: Plane, foot: tuple[float, float], ahead: float, tones: Plane) -> bool:
    rows, columns, _ = shape.shape
    top, left = round((foot[1] - rows) / 2) * 2, round((foot[0] - columns / 2) / 2) * 2
    height, width = planes.y.shape
    y0, y1, x0, x1 = max(0, top), min(height, top + rows // 2 * 2), max(0, left), min(width, left + columns)
    if y1 <= y0 or x1 <= x0:
        return False
    here = (slice(y0, y1), slice(x0, x1))
    clear = depth[here] > ahead
    if not clear.any():
        return False
    part = shape[y0 - top : y1 - top, x0 - left : x1 - left]
    paint = (part.reshape(-1, 3) @ tones).reshape(*clear.shape, 4)  # one product: a row at a time takes longer
    paint *= clear[..., None]
    cover = paint[..., 3]
    if y1 - y0 > 9:
        quarter = (x1 - x0) // 4
        planes.y[y1 - 2 : min(height, y1 + 1), x0 + quarter : x1 - quarter] *= 0.72
    patch = planes.y[here]
    patch += paint[..., 0] - cover * patch
    half = (slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2))
    thin = cover[::2, ::2]
    for number, plane in ((1, planes.u), (2, planes.v)):
        patch = plane[half]
        patch += paint[::2, ::2, number] - thin * patch
    return rows * COUNTED >= height and float(cover.sum()) > 0.34 * float(shape.sum())
