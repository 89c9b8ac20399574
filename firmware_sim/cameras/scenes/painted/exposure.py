"""Light on the dressed place, and the camera's answer to it: exposure, tone, colour or infrared."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.planes import Plane, Planes

from .canvas import GROUND, KINDS, LEAF, LEFTWARD, RIGHTWARD, SKY, THING, TOWARDS, UPWARD, Canvas
from .lens import Lens
from .light import Light, shadows
from .world import Character, World

TARGET: Final = 0.17
MOST_GAIN: Final = 900.0
OPENNESS: Final = np.array([0, 0.85, 0.55, 0.55, 0.55, 1.0, 0.7, 0.6], np.float32)
"""How much of the sky each kind of surface sees."""
SHADED: Final = np.isin(np.arange(KINDS), (GROUND, THING, UPWARD)).astype(np.float32)
"""Kinds of surface on which the shade of houses falls."""
KEPT_SHADES: Final = 400
"""More than a day has of sun positions a degree apart; 23 MB."""
FACING: Final = np.array([1, 0.85, 0.8, 0.8, 1.0, 0.75, 0.95, 1.0], np.float32)
"""How much of the light of lamps beside the lens each kind of surface gives back."""


class Stage:
    """The place as dressed for a while, with all that can be worked out before anybody walks in."""

    def __init__(
        self, canvas: Canvas, shades: "Shades", lamps: "Lamps", texture: Plane, zone: NDArray[np.bool_]
    ) -> None:
        y, self._u, self._v = canvas.reflectance()
        self._y = np.clip(y * texture, 0.02, 1)
        self.kind = np.asarray(canvas.kind)
        self._y_infrared = (0.16 + 0.74 * self._y) * FACING[self.kind]
        self._y_infrared[self.kind == LEAF] += 0.12
        self.depth = np.asarray(canvas.depth, np.float32)
        self.glow = np.asarray(canvas.glow, np.float32) / 255
        self.sky = np.asarray(self.kind == SKY, np.float32)
        self._shades = shades
        self._shade: tuple[object, Plane, Plane] | None = None
        self._clear: tuple[float, Plane] | None = None
        foreign = np.asarray(canvas.foreign) > 0
        self.litter_pct = 100 * float((foreign & zone).sum()) / max(1, int(zone.sum()))
        self.lamps, self.lamp_share, self.infrared, self.rim = lamps

    def planes(self, infrared: bool) -> Planes:
        """Reflectance to draw into: luma 0–1, colour differences around 0."""
        return Planes((self._y_infrared if infrared else self._y).copy(), self._u.copy(), self._v.copy())

    def sunlight(self, sun: tuple[float, float, float]) -> tuple[Plane, Plane]:
        """Share of direct light and of sky light per pixel; worked out anew when the sun has moved by a degree."""
        key = (round(sun[0] * 50), round(sun[1] * 50), round(sun[2] * 50))
        sun = (key[0] / 50, key[1] / 50, key[2] / 50)
        if self._shade is None or self._shade[0] != key:
            facing = np.zeros(KINDS, np.float32)
            facing[[GROUND, UPWARD]] = max(0.0, sun[1])
            facing[RIGHTWARD], facing[LEFTWARD], facing[TOWARDS] = (
                max(0.0, part) for part in (sun[0], -sun[0], -sun[2])
            )
            facing[[THING, LEAF]] = 0.25 + 0.4 * max(0.0, sun[1])
            shade = self._shades.of(sun) * SHADED[self.kind]
            self._shade = (key, facing[self.kind] * (1 - shade), OPENNESS[self.kind])
        return self._shade[1], self._shade[2]

    def clear(self, thickness: float) -> Plane:
        """What a fog of this thickness (per metre) lets through, 0 to 1 per pixel."""
        if self._clear is None or self._clear[0] != thickness:
            self._clear = (thickness, np.exp(-np.minimum(self.depth, 120) * np.float32(thickness)))
        return self._clear[1]


class Shades:
    """The shade that houses and trees throw on the ground, kept: the sun stands there again tomorrow."""

    def __init__(self, lens: Lens, world: World) -> None:
        x, z, _ = lens.ground
        self._x, self._z = x[::2, ::2], z[::2, ::2]
        boxes = [(one.x0, one.x1, one.z0, one.z1, one.top) for one in world.buildings if one.side]
        boxes += [
            (t.x - t.radius * 0.7, t.x + t.radius * 0.7, t.z - t.radius * 0.7, t.z + t.radius * 0.7, t.top)
            for t in world.trees
        ]
        self._boxes = np.array(boxes, np.float32)
        self._kept: dict[tuple[float, float, float], Plane] = {}

    def of(self, sun: tuple[float, float, float]) -> Plane:
        """How much of the ground under each pixel is in the shade, 0 to 1."""
        if sun not in self._kept:
            if len(self._kept) >= KEPT_SHADES:
                self._kept.pop(next(iter(self._kept)))
            half = shadows(self._x, self._z, self._boxes, sun)
            soft = (half + np.roll(half, 1, 0) + np.roll(half, 1, 1) + np.roll(half, (1, 1), (0, 1))) / 4
            self._kept[sun] = np.asarray(soft, np.float32)
        return self._kept[sun].repeat(2, 0).repeat(2, 1)


class Lamps(NamedTuple):
    """What lamps give to each pixel of the empty place: street lamps, their warm share (half size), infrared, rim."""

    street: Plane
    warm: Plane
    infrared: Plane
    rim: Plane


def lamps_of(canvas: Canvas, world: World, camera: Character) -> Lamps:
    """Worked out once: stalls and people hardly change it."""
    depth = np.asarray(canvas.depth, np.float32)
    street, warm = _lamp_light(canvas, world, depth, np.asarray(canvas.kind))
    return Lamps(street, warm, _infrared_light(canvas, camera, depth), _vignette(canvas, camera.vignette))


def _lamp_light(canvas: Canvas, world: World, depth: Plane, kind: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    place = canvas.lens.rays * depth[..., None] + np.array([0, canvas.lens.mast_m, 0], np.float32)
    total = np.full(depth.shape, 0.0012, np.float32)
    for lamp in world.lamps:
        away = ((place - np.array([lamp.x * 0.8, lamp.y, lamp.z], np.float32)) ** 2).sum(-1)
        total += 0.9 / (away + 4)
    total[kind == SKY] = 0.0006
    warm = np.float32(1.0 if world.lamps and world.lamps[0].warm else 0.1)
    return total, np.asarray(warm * np.clip(total * 30, 0, 1)[::2, ::2], np.float32)


def _infrared_light(canvas: Canvas, camera: Character, depth: Plane) -> Plane:
    rays = canvas.lens.rays
    length = np.linalg.norm(rays, axis=-1)
    y, x = np.mgrid[0 : canvas.lens.height, 0 : canvas.lens.width]
    away = np.hypot((x / canvas.lens.width - 0.5) * 1.6, y / canvas.lens.height - 0.55)
    beam = 0.12 + np.exp(-((away / 0.55) ** 2))
    reach = camera.infrared_reach_m
    return np.asarray(
        beam * reach**2 / (reach**2 * 0.25 + (depth * length) ** 2) * np.exp(-depth / (reach * 3)), np.float32
    )


def _vignette(canvas: Canvas, strength: float) -> Plane:
    y, x = np.mgrid[0 : canvas.lens.height, 0 : canvas.lens.width]
    away = ((x / canvas.lens.width - 0.5) ** 2 + (y / canvas.lens.height - 0.5) ** 2) * 2
    return np.asarray(1 - strength * away, np.float32)


def exposed(planes: Planes, stage: Stage, now: Light, camera: Character, error: float) -> float:
    """Turns reflectance into the picture (0–255) in place; `error` of the exposure, 1 = none. The mean luma."""
    reflected = planes.y * planes.y
    direct, sky = stage.sunlight(now.sun)
    if now.infrared:
        reflected *= stage.infrared * 0.02 + stage.lamps * 0.02
    else:
        lamps = (0.02 * stage.lamps + camera.white_lamp * stage.infrared) if now.night else np.float32(0)
        reflected *= (1.5 * now.direct) * direct + (now.sky * sky + lamps)
    reflected += stage.sky * np.float32(now.sky * (0.9 - 0.35 * now.cloud))
    if now.night:
        reflected += stage.glow * np.float32(0.006)
    gain = min(TARGET / max(1e-6, float(reflected[::4, ::4].mean())), MOST_GAIN * (1.0 if now.night else 2.0)) * error
    reflected *= gain * stage.rim
    _toned(planes, np.sqrt(reflected, out=reflected), camera, now, stage)
    return float(planes.y[::4, ::4].mean())


def _toned(planes: Planes, bright: Plane, camera: Character, now: Light, stage: Stage) -> None:
    before = np.maximum(planes.y[::2, ::2], 0.04)
    knee = bright / (1 + 0.28 * bright * bright)
    planes.y = np.clip((knee - 0.38) * (255 * 1.12 * camera.contrast) + 112, 0, 255)
    if now.infrared:
        planes.u[:], planes.v[:] = 128, 128
        return
    ratio = planes.y[::2, ::2] / before * np.float32(camera.saturation * (0.7 if now.night else 1.0))
    planes.u *= ratio
    planes.v *= ratio
    planes.u += 128 - camera.warmth - 8 * now.dusk
    planes.v += 128 + camera.warmth + 6 * now.dusk
    if now.night:
        planes.u -= 14 * stage.lamp_share
        planes.v += 9 * stage.lamp_share
