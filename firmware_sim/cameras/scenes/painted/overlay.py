"""The camera's own text in its picture: name, date and a clock that ticks."""

import time
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from firmware_sim.cameras.scenes.chance import uniform
from firmware_sim.cameras.scenes.planes import Plane, Planes

EPOCH_S = 1_767_225_600
"""2026-01-01 00:00 as a camera shows it that knows no time zone."""


@lru_cache(maxsize=512)
def _mark(text: str, size: int) -> tuple[Plane, Plane]:
    font = ImageFont.load_default(size)
    box = font.getbbox(text)
    image = Image.new("L", (int(box[2]) + 4, size + 6), 0)
    edge = image.copy()
    ImageDraw.Draw(image).text((2, 1), text, fill=255, font=font)
    ImageDraw.Draw(edge).text((2, 1), text, fill=255, font=font, stroke_width=1)
    part = np.float32(1 / 255)
    return np.asarray(image, np.float32) * part, np.asarray(edge, np.float32) * part


def write(planes: Planes, text: str, size: int, right: bool, bottom: bool) -> None:
    """Writes white text with a dark edge into a corner."""
    marks = [_mark(letter, size) for letter in text]
    ink = np.concatenate([mark[0][:, : mark[0].shape[1] - 3] for mark in marks], axis=1)
    edge = np.concatenate([mark[1][:, : mark[1].shape[1] - 3] for mark in marks], axis=1)
    height, width = planes.y.shape
    rows, columns = ink.shape[0], min(ink.shape[1], width - 8)
    y = (height - rows - 4) if bottom else 4
    x = (width - columns - 6) if right else 6
    patch = planes.y[y : y + rows, x : x + columns]
    patch *= 1 - edge[:, :columns]
    patch += 235 * ink[:, :columns]
    for plane in (planes.u, planes.v):
        plane[y // 2 : (y + rows) // 2, x // 2 : (x + columns) // 2] = 128


def stamp(planes: Planes, seed: int, time_s: float, corner: int, scale: float) -> None:
    """The date and time into `corner` (bit 0 right, bit 1 bottom; 4 = no text at all), the name across from it."""
    if corner > 3:
        return
    size = max(8, round(scale * planes.y.shape[0]))
    shown = time.gmtime(EPOCH_S + int(uniform(seed, 25) * 300) * 86_400 + int(time_s))
    form = "%Y-%m-%d %H:%M:%S" if uniform(seed, 26) < 0.6 else "%d/%m/%Y %H:%M:%S"
    write(planes, time.strftime(form, shown), size, bool(corner & 1), bool(corner & 2))
    if uniform(seed, 27) < 0.7:
        write(planes, f"CAM {int(uniform(seed, 28) * 40) + 1:02d} PASAR", size, not corner & 1, not corner & 2)
