"""Ambon's light: where the sun stands, how clouds dim it, what the camera does about it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import drift, uniform

LATITUDE: Final = math.radians(-3.7)
SOLAR_NOON_S: Final = 12 * 3600 + (135 - 128.2) * 240
"""WIT is UTC+9, the time of 135° east; Ambon lies at 128.2°, so its noon comes 27 minutes late."""


@dataclass(frozen=True, slots=True)
class Light:
    """Light of a moment. `sun`: direction to it in the world (x, y, z); `direct`, `sky`: strengths, at noon near 1.

    `cloud` 0 clear to 1 overcast; `dusk` 1 when the sun is at the horizon; `infrared`: the camera's night mode.
    """

    sun: tuple[float, float, float]
    direct: float
    sky: float
    cloud: float
    dusk: float
    infrared: bool
    night: bool


def elevation(seed: int, time_s: float) -> tuple[float, float]:
    """Height of the sun over the horizon and its hour angle, both in radians."""
    date = (uniform(seed, 31) * 365 + time_s / 86_400) % 365
    declination = math.radians(23.44) * math.sin(2 * math.pi * (date - 80) / 365)
    hour = (time_s % 86_400 - SOLAR_NOON_S) / 86_400 * 2 * math.pi
    sine = math.sin(LATITUDE) * math.sin(declination) + math.cos(LATITUDE) * math.cos(declination) * math.cos(hour)
    return math.asin(max(-1.0, min(1.0, sine))), hour


def clouds(seed: int, time_s: float) -> float:
    """Cover before the sun, 0 to 1: slow weather, and single clouds that pass in minutes."""
    slow = drift(seed ^ 41, time_s, 9_000)
    quick = drift(seed ^ 42, time_s, 420)
    return float(np.clip(0.5 + 0.75 * slow + 0.45 * quick, 0, 1))


def light(seed: int, time_s: float, colour_night: bool, heading: float, rain: float) -> Light:
    """The light at a time. `heading`: compass direction of the world's z axis (radians); `rain` 0–1 darkens the sky."""
    high, hour = elevation(seed, time_s)
    cloud = max(clouds(seed, time_s), rain)
    day = _eased(math.degrees(high), -7, 6)
    bearing = math.pi if abs(hour) < 1e-6 else math.atan2(-math.sin(hour), 0.25)
    flat = math.cos(high)
    sun = (flat * math.sin(bearing - heading), math.sin(high), flat * math.cos(bearing - heading))
    direct = _eased(math.degrees(high), -0.5, 14) * (1 - cloud) ** 1.5
    sky = 0.0004 + 0.55 * day**3 * (1 - 0.45 * cloud) * (1 - 0.5 * rain)
    dusk = math.exp(-(((math.degrees(high) - 1) / 6) ** 2))
    dark = math.degrees(high) < (-2.2 if hour > 0 else -0.8) + 2.5 * (uniform(seed, 32) - 0.5) + 1.2 * cloud
    return Light(sun, direct, sky, cloud, dusk, dark and not colour_night, dark)


def _eased(value: float, low: float, high: float) -> float:
    part = min(1.0, max(0.0, (value - low) / (high - low)))
    return part * part * (3 - 2 * part)


def shadows(
    x: NDArray[np.float32], z: NDArray[np.float32], boxes: NDArray[np.float32], sun: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Which ground points lie in the shade, 0 to 1, of boxes (n, 5: x0, x1, z0, z1, top)."""
    shade = np.zeros(x.shape, np.float32)
    flat = math.hypot(sun[0], sun[2])
    if sun[1] <= 0.02 or flat < 1e-3:
        return shade
    climb = sun[1] / flat
    dx, dz = (part / flat if abs(part / flat) > 1e-4 else 1e-4 for part in (sun[0], sun[2]))
    for x0, x1, z0, z1, top in boxes:
        ax, bx = (x0 - x) / dx, (x1 - x) / dx
        az, bz = (z0 - z) / dz, (z1 - z) / dz
        enter = np.maximum(np.minimum(ax, bx), np.minimum(az, bz))
        leave = np.minimum(np.maximum(ax, bx), np.maximum(az, bz))
        hit = (leave > 0) & (leave > enter) & (np.maximum(enter, 0) * climb < top)
        shade[hit] = 1
    return shade
