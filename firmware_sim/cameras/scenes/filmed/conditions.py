"""Day and weather laid over film: light curves, infrared look, rain, fog, lamps, occluders cut from the film itself."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import drift, uniform
from firmware_sim.cameras.scenes.events import Event
from firmware_sim.cameras.scenes.planes import Plane, Planes

_FAR: Final = 4
"""Widths of the picture from the edge of the sun's shade to where it is worth nothing any more."""
_SHADES_A_WIDTH: Final = 2_048
DARK_HOURS: Final = (5.9, 18.95)


def brightness(key: int, hour: float) -> float:
    """Daylight by the hour, 0 to 1: up within half an hour near six, down as fast near seven in the evening."""
    up, down = DARK_HOURS[0] + 0.3 * (uniform(key, 1) - 0.5), DARK_HOURS[1] + 0.3 * (uniform(key, 2) - 0.5)
    return float(1 / (1 + np.exp(-(hour - up) * 7)) * 1 / (1 + np.exp((hour - down) * 7)))


class Daylight:
    """Sun and shade that wander over the picture, and an exposure that follows them not quite."""

    def __init__(self, key: int, width: int, height: int) -> None:
        down, across = np.mgrid[0:height, 0:width].astype(np.float32)
        self._x, self._y = across / width - 0.5, down / height - 0.5
        self._key = key
        self._steep = 6 + 20 * uniform(key, 3)
        self._depth = 0.15 + 0.4 * uniform(key, 4)
        away = np.arange(2 * _FAR * _SHADES_A_WIDTH, dtype=np.float32) / _SHADES_A_WIDTH - _FAR
        self._shades = 0.5 * np.tanh(away * np.float32(self._steep)) * np.exp(-2 * np.abs(away))

    def lay(self, planes: Planes, time_s: float, bright: float, error: float) -> None:
        """Light of the moment over the picture, in place."""
        hour = time_s % 86_400 / 3_600
        clear = float(np.clip(0.5 + 0.9 * drift(self._key, time_s, 2_600), 0, 1)) * bright
        slope = 0.6 * float(np.cos((hour - 12.4) * 0.26 + 1.2))
        edge = self._x + slope * self._y - 0.13 * (hour - 12.4)
        shade = self._shades.take(
            ((edge + np.float32(_FAR)) * np.float32(_SHADES_A_WIDTH)).astype(np.int32), mode="clip"
        )
        gain = (0.55 + 0.45 * bright) * error * (1 + 0.06 * drift(self._key + 1, time_s, 500))
        planes.y *= np.float32(gain) * (1 + np.float32(clear * self._depth) * shade)
        warm = 9 * float(np.exp(-(((bright - 0.5) / 0.4) ** 2)))
        planes.u -= warm
        planes.v += warm * 0.7


def infrared(planes: Planes, hot: Plane) -> None:
    """The look of infrared lamps: no colour, bright middle, dark rim, flat dark tones."""
    planes.y = (planes.y * np.float32(0.62) + 34) * hot
    planes.u[:], planes.v[:] = 128, 128


def hot_middle(key: int, width: int, height: int) -> Plane:
    """How strong the lamps are per pixel."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = across / width - (0.4 + 0.2 * uniform(key, 5)), down / height - (0.45 + 0.2 * uniform(key, 6))
    return np.asarray(0.28 + 1.05 / (1 + (4.2 + 3 * uniform(key, 7)) * (x * x * 1.7 + y * y)), np.float32)


def veiled(planes: Planes, amount: float, light: float) -> None:
    """Fog: the picture goes over into a blurred copy of itself that is near one brightness."""
    side = planes.y.shape[0] // 45
    coarse = planes.y.reshape(45, side, -1, side).mean((1, 3))
    smooth = widened(coarse, *planes.y.shape)
    planes.y += np.float32(amount) * (0.35 * smooth + np.float32(0.65 * light) - planes.y)
    planes.u -= (planes.u - 128) * np.float32(amount)
    planes.v -= (planes.v - 128) * np.float32(amount)


def widened(coarse: Plane, height: int, width: int) -> Plane:
    """A coarse field, smoothly between its points, as (height, width)."""
    down = np.linspace(0, coarse.shape[0] - 1.001, height)
    across = np.linspace(0, coarse.shape[1] - 1.001, width)
    y, x = down.astype(int), across.astype(int)
    dy, dx = (down - y)[:, None].astype(np.float32), (across - x)[None, :].astype(np.float32)
    rows = coarse[y] + (coarse[y + 1] - coarse[y]) * dy
    return np.asarray(rows[:, x] + (rows[:, x + 1] - rows[:, x]) * dx, np.float32)


def rained(planes: Planes, key: int, time_s: float, amount: float) -> None:
    """Rain as grain that falls: the brightest specks of noise drawn out downwards, over a flatter picture."""
    rng = np.random.default_rng([key, int(time_s * 1_000)])
    height, width = planes.y.shape
    specks = (rng.random((height // 6 + 1, width), np.float32) > 0.955).astype(np.float32)
    drawn = specks.repeat(6, 0)[:height]
    drawn[:-3] += 0.6 * drawn[3:]
    planes.y += np.float32(-0.22 * amount) * (planes.y - 110)
    planes.y += np.float32(26 * amount) * drawn
    planes.u -= (planes.u - 128) * np.float32(0.3 * amount)
    planes.v -= (planes.v - 128) * np.float32(0.3 * amount)


def lamps(planes: Planes, key: int, time_s: float) -> bool:
    """Headlights at night, in two of five moments: two cores with a halo that falls off with the distance."""
    moment = int(time_s // 4)
    if uniform(key, 8, moment) > 0.4:
        return False
    height, width = planes.y.shape
    x, y = (0.1 + 0.8 * uniform(key, 9, moment)) * width, (0.25 + 0.4 * uniform(key, 10, moment)) * height
    size = (0.012 + 0.04 * uniform(key, 11, moment)) * width
    across = np.arange(width, dtype=np.float32)[None, :]
    down = (np.arange(height, dtype=np.float32)[:, None] - np.float32(y)) ** 2
    for side in (-0.7, 0.7):
        away = (across - np.float32(x + side * size)) ** 2 + down
        planes.y += np.float32(size * size * 30) / (away + np.float32(size * size * 0.12))
    return True


class Occluder:
    """A lorry's side out of the film's own walls and hedges: a piece of it, drawn large, that slides in and stands."""

    def __init__(self, luma: NDArray[np.uint8], chroma: NDArray[np.uint8], event: Event) -> None:
        height, width = luma.shape
        rng = np.random.default_rng(event.key)
        self._wide, self._tall = (
            round(width * float(rng.uniform(0.68, 0.82)) / 4) * 4,
            round(height * float(rng.uniform(0.7, 0.8)) / 4) * 4,
        )
        y, x = int(rng.integers(0, height * 3 // 4)) // 2 * 2, int(rng.integers(0, width * 3 // 4)) // 2 * 2
        rows, columns = self._tall // 4, self._wide // 4
        y, x = min(y, height - rows - 2), min(x, width - columns - 2)
        self._y = widened(luma[y : y + rows, x : x + columns].astype(np.float32), self._tall, self._wide)
        self._y *= np.float32(rng.uniform(0.6, 1.1))
        self._y[-self._tall // 7 :] *= 0.35
        self._y[:, :: max(8, self._wide // int(rng.integers(5, 14)))] *= 0.7
        half_y, half_x = slice(y // 2, (y + rows) // 2), slice(x // 2, (x + columns) // 2)
        self._u, self._v = (
            widened(part[half_y, half_x].astype(np.float32), self._tall // 2, self._wide // 2) for part in chroma
        )
        self._left, self._top = int(rng.integers(0, width - self._wide)) // 2 * 2, (height - self._tall) // 4 * 2 + 2
        self._event, self._from_left = event, bool(event.key % 2)

    def lay(self, planes: Planes, time_s: float) -> float:
        """Lays it over the picture; the share of it that is hidden then."""
        width = planes.y.shape[1]
        away = round((1 - self._event.ramp(time_s, 6)) * width / 2) * 2
        left = self._left - away if self._from_left else self._left + away
        x0, x1 = max(0, left), min(width, left + self._wide)
        if x1 <= x0:
            return 0.0
        rows, of = slice(self._top, self._top + self._tall), slice(x0 - left, x1 - left)
        planes.y[rows, x0:x1] = self._y[:, of]
        half, of_half = slice(self._top // 2, (self._top + self._tall) // 2), slice((x0 - left) // 2, (x1 - left) // 2)
        planes.u[half, x0 // 2 : x1 // 2], planes.v[half, x0 // 2 : x1 // 2] = self._u[:, of_half], self._v[:, of_half]
        return float((x1 - x0) * self._tall / planes.y.size)


def shaken(plane: Plane, x: float, y: float) -> Plane:
    """The plane a little aside, as a mast bends: between whole pixels it is the mean of its neighbours."""
    wide, tall = int(np.ceil(abs(x))) + 1, int(np.ceil(abs(y))) + 1
    padded = np.pad(plane, ((tall, tall), (wide, wide)), mode="edge")
    height, width = plane.shape
    y0, x0 = int(np.floor(tall - y)), int(np.floor(wide - x))
    part_y, part_x = np.float32(tall - y - y0), np.float32(wide - x - x0)
    rows = padded[y0 : y0 + height] * (1 - part_y) + padded[y0 + 1 : y0 + 1 + height] * part_y
    return np.asarray(rows[:, x0 : x0 + width] * (1 - part_x) + rows[:, x0 + 1 : x0 + 1 + width] * part_x, np.float32)


_TRANSFORM: Final = np.array([[1, 1, 1, 1], [2, 1, -1, -2], [1, -1, -1, 1], [1, -2, 2, -1]], np.float32)
_TRANSFORM_UNIT: Final = (_TRANSFORM / np.linalg.norm(_TRANSFORM, axis=1, keepdims=True)).astype(np.float32)


def coded(plane: Plane, step: float) -> Plane:
    """Through the transform of H.264 in blocks of four, its coefficients rounded to steps: what a low bit rate does.

    All blocks at once: one product for their columns and one for their rows take a sixth of the time of small ones.
    """
    height, width = plane.shape
    columns = plane.reshape(height // 4, 4, width).swapaxes(0, 1).reshape(4, -1)
    spectrum = (_TRANSFORM_UNIT @ columns).reshape(-1, 4) @ _TRANSFORM_UNIT.T
    spectrum = np.rint(spectrum / np.float32(step)) * np.float32(step)
    back = (_TRANSFORM_UNIT.T @ spectrum.reshape(4, -1)).reshape(-1, 4) @ _TRANSFORM_UNIT
    return np.asarray(back.reshape(4, height // 4, width).swapaxes(0, 1).reshape(height, width), np.float32)
