"""A truck that stops before the camera and hides half the place for some minutes."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from firmware_sim.cameras.scenes.chance import generator
from firmware_sim.cameras.scenes.events import Event
from firmware_sim.cameras.scenes.planes import Plane, Planes

from .canvas import pink_noise
from .light import Light
from .world import CLOTHS, WALLS, Colour

Box: TypeAlias = tuple[float, float, float, float]


def truck_before(planes: Planes, event: Event, time_s: float, now: Light, persons: int) -> int:
    """Draws the truck of an event into the finished light; how many persons are left in view, by the share it hides."""
    height, width = planes.y.shape
    cover, y, u, v = _truck(event.key, width, height)
    come = 1 - event.ramp(time_s, 8)
    x = round(come * width * (1 if event.key % 2 else -1) / 2) * 2
    if abs(x) >= width:
        return persons
    to, of = slice(max(0, x), width + min(0, x)), slice(max(0, -x), width - max(0, x))
    bright = np.float32((0.75 if now.cloud > 0.5 else 1.0) if not now.night else 0.4 + event.strength)
    planes.y[:, to] += cover[:, of] * (np.minimum(y[:, of] * bright, 240) - planes.y[:, to])
    half, half_of = slice(to.start // 2, to.stop // 2), slice(of.start // 2, of.stop // 2)
    for plane, tone in ((planes.u, u), (planes.v, v)):
        flat = np.float32(128) if now.infrared else tone[:, half_of]
        plane[:, half] += cover[::2, ::2][:, half_of] * (flat - plane[:, half])
    return round(persons * (1 - float(cover[:, of].sum()) / planes.y.size))


@lru_cache(maxsize=8)
def _truck(key: int, width: int, height: int) -> tuple[Plane, Plane, Plane, Plane]:
    """Cover (0–1), luma, and half-size chroma of a truck where it stands."""
    rng = generator(key, 81)
    long, tall = float(rng.uniform(0.66, 0.84)), float(rng.uniform(0.68, 0.86))
    x0, y0 = float(rng.uniform(-0.02, 1 - long)) * width, (1 - tall) * height * float(rng.uniform(0.5, 1))
    body = (x0, y0, x0 + long * width, float(height))
    colour, cover = Image.new("RGB", (width, height)), Image.new("L", (width, height), 0)
    brush, mask = ImageDraw.Draw(colour), ImageDraw.Draw(cover)
    bed = y0 + 0.72 * (body[3] - y0)
    cab = x0 + 0.22 * (body[2] - x0)
    _load(brush, mask, rng, (cab, y0, body[2], bed))
    _cab(brush, mask, rng, (x0, y0 + (bed - y0) * 0.25, cab, bed + (body[3] - bed) * 0.5))
    under = (x0, bed, body[2], bed + (body[3] - bed) * 0.4)
    brush.rectangle(under, fill=(45, 43, 42))
    mask.rectangle(under, fill=255)
    _wheels(brush, mask, body, bed)
    return _worn(rng, colour, cover)


def _paint(rng: np.random.Generator) -> Colour:
    paints = CLOTHS if rng.random() < 0.5 else WALLS
    return paints[int(rng.integers(len(paints)))]


def _whole(colour: Colour, part: float) -> tuple[int, int, int]:
    red, green, blue = (int(min(255, tone * part)) for tone in colour)
    return red, green, blue


def _load(brush: ImageDraw.ImageDraw, mask: ImageDraw.ImageDraw, rng: np.random.Generator, box: Box) -> None:
    """The box or tarpaulin behind the cab, with ribs and some lettering."""
    x0, y0, x1, y1 = box
    paint = _paint(rng)
    brush.rectangle(box, fill=_whole(paint, 0.75))
    mask.rectangle(box, fill=255)
    step = (x1 - x0) / float(rng.integers(7, 16))
    for x in np.arange(x0, x1, step):
        brush.line((x, y0, x, y1), fill=_whole(paint, 0.55), width=max(1, int(step / 8)))
        brush.line((x + step / 4, y0, x + step / 4, y1), fill=_whole(paint, 0.85), width=1)
    brush.rectangle((x0, y0, x1, y0 + (y1 - y0) * 0.05), fill=_whole(paint, 0.5))
    place = x0 + step * float(rng.uniform(0.5, 3))
    for _ in range(int(rng.integers(4, 12))):
        wide = step * float(rng.uniform(0.2, 0.6))
        brush.rectangle((place, y0 + (y1 - y0) * 0.35, place + wide, y0 + (y1 - y0) * 0.52), fill=(222, 218, 205))
        place += wide + step * 0.15


def _cab(brush: ImageDraw.ImageDraw, mask: ImageDraw.ImageDraw, rng: np.random.Generator, box: Box) -> None:
    x0, y0, x1, y1 = box
    brush.rounded_rectangle(box, (x1 - x0) / 9, fill=_whole(_paint(rng), 0.9))
    mask.rounded_rectangle(box, (x1 - x0) / 9, fill=255)
    window = [(x0 + 4, y0 + (y1 - y0) * 0.5), (x0 + 9, y0 + (y1 - y0) * 0.1)]
    brush.polygon([*window, (x1 - 5, window[1][1]), (x1 - 5, window[0][1])], fill=(40, 48, 55))
    brush.line((x0 + (x1 - x0) * 0.85, y0 + (y1 - y0) * 0.5, x0 + (x1 - x0) * 0.85, y1), fill=(30, 30, 30))


def _wheels(brush: ImageDraw.ImageDraw, mask: ImageDraw.ImageDraw, body: Box, bed: float) -> None:
    size = (body[3] - bed) * 0.55
    for part in (0.12, 0.66, 0.84):
        x = body[0] + part * (body[2] - body[0])
        ring = (x - size, bed + size * 0.1, x + size, bed + size * 2.1)
        brush.ellipse(ring, fill=(30, 30, 32))
        mask.ellipse(ring, fill=255)
        brush.ellipse((x - size / 2, bed + size * 0.6, x + size / 2, bed + size * 1.6), fill=(110, 108, 105))


def _worn(rng: np.random.Generator, colour: Image.Image, cover: Image.Image) -> tuple[Plane, Plane, Plane, Plane]:
    """The drawn truck with dirt, and darker towards the ground."""
    luma, blue, red = colour.convert("YCbCr").split()
    width, height = colour.size
    half = (width // 2, height // 2)
    rows, columns = np.mgrid[0:height, 0:width] * 320 // width
    dirt = 1 + 0.07 * pink_noise(256, int(rng.integers(1 << 30)))[rows % 256, columns % 256]
    shade = np.linspace(1.08, 0.7, height, dtype=np.float32)[:, None]
    y = np.asarray(np.asarray(luma, np.float32) * dirt * shade, np.float32)
    mask = np.asarray(cover, np.float32) * np.float32(1 / 255)
    return mask, y, np.asarray(blue.resize(half), np.float32), np.asarray(red.resize(half), np.float32)
