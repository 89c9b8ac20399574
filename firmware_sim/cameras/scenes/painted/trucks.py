"""A truck that stops before the camera and hides half the place for some minutes."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from ..chance import generator
from ..events import Event
from ..planes import Plane, Planes
from .light import Light
from .world import CLOTHS, WALLS


def truck_before(planes: Planes, event: Event, time_s: float, now: Light, persons: int) -> int:
    """Draws the truck of an event into the finished light; how many persons are left in view, by its share of the picture."""
    height, width = planes.y.shape
    cover, y, u, v = _truck(event.key, width, height)
    come = 1 - event.ramp(time_s, 8)
    x = round(come * width * (1 if event.key % 2 else -1) / 2) * 2
    if abs(x) >= width:
        return persons
    to, of = slice(max(0, x), width + min(0, x)), slice(max(0, -x), width - max(0, x))
    bright = 1.0 if not now.night else 0.35
    planes.y[:, to] += cover[:, of] * (y[:, of] * bright - planes.y[:, to])
    halves = (slice(to.start // 2, to.stop // 2), slice(of.start // 2, of.stop // 2))
    for plane, tone in ((planes.u, u), (planes.v, v)):
        flat = tone[:, halves[1]] if not now.infrared else np.float32(128)
        plane[:, halves[0]] += cover[::2, ::2][:, halves[1]] * (flat - plane[:, halves[0]])
    return round(persons * (1 - float(cover[:, of].mean()) * (of.stop - of.start) / width))


@lru_cache(maxsize=8)
def _truck(key: int, width: int, height: int) -> tuple[Plane, Plane, Plane, Plane]:
    rng = generator(key, 81)
    long, tall = float(rng.uniform(0.66, 0.84)), float(rng.uniform(0.66, 0.84))
    x0 = float(rng.uniform(0.0, 1 - long)) * width
    x1, y0, y1 = x0 + long * width, (1 - tall) * height * float(rng.uniform(0.5, 1)), height
    colour, cover = Image.new("RGB", (width, height)), Image.new("L", (width, height), 0)
    brush, mask = ImageDraw.Draw(colour), ImageDraw.Draw(cover)
    bed = y0 + 0.72 * (y1 - y0)
    cab = x0 + 0.22 * (x1 - x0)
    paint = (CLOTHS, WALLS)[int(rng.integers(2))][int(rng.integers(8))]
    base = tuple(int(part * 0.75) for part in paint)
    brush.rectangle((cab, y0, x1, bed), fill=base)
    step = (x1 - cab) / float(rng.integers(7, 16))
    for x in np.arange(cab, x1, step):
        brush.line((x, y0, x, bed), fill=tuple(int(part * 0.6) for part in base), width=max(1, width // 160))
        brush.line((x + step / 4, y0, x + step / 4, bed), fill=tuple(min(255, int(part * 1.1)) for part in base), width=1)
    brush.rectangle((cab + step, y0 + (bed - y0) * 0.3, cab + step * 4, y0 + (bed - y0) * 0.55), fill=(225, 220, 210))
    other = CLOTHS[int(rng.integers(len(CLOTHS)))]
    brush.rounded_rectangle((x0, y0 + (bed - y0) * 0.25, cab, bed + (y1 - bed) * 0.5), width // 40, fill=tuple(int(part) for part in other))
    brush.polygon([(x0 + 4, bed * 0.9), (x0 + 8, y0 + (bed - y0) * 0.35), (cab - 4, y0 + (bed - y0) * 0.35), (cab - 4, bed * 0.9)], fill=(40, 48, 55))
    brush.rectangle((x0, bed, x1, bed + (y1 - bed) * 0.4), fill=(45, 43, 42))
    mask.rectangle((cab, y0, x1, bed + (y1 - bed) * 0.4), fill=255)
    mask.rounded_rectangle((x0, y0 + (bed - y0) * 0.25, cab, bed + (y1 - bed) * 0.5), width // 40, fill=255)
    wheel = (y1 - bed) * 0.55
    for x in (x0 + 0.12 * (x1 - x0), x0 + 0.66 * (x1 - x0), x0 + 0.84 * (x1 - x0)):
        ring = (x - wheel, bed + wheel * 0.1, x + wheel, bed + wheel * 2.1)
        brush.ellipse(ring, fill=(30, 30, 32))
        mask.ellipse(ring, fill=255)
        brush.ellipse((x - wheel / 2, bed + wheel * 0.6, x + wheel / 2, bed + wheel * 1.6), fill=(120, 120, 118))
    luma, blue, red = colour.convert("YCbCr").split()
    half = (width // 2, height // 2)
    return (
        np.asarray(cover, np.float32) / 255, np.asarray(luma, np.float32),
        np.asarray(blue.resize(half), np.float32), np.asarray(red.resize(half), np.float32),
    )
