"""Cars and motorbikes that pass, and their headlights at night."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from firmware_sim.cameras.scenes.chance import uniform
from firmware_sim.cameras.scenes.events import HOUR_S
from firmware_sim.cameras.scenes.planes import Plane, Planes

from .lens import Lens
from .light import Light
from .weather import spot
from .world import World

LANES: Final = 4
HOURS: Final = (0, 4, 6, 7.5, 12, 17, 19, 22, 24)
BUSY: Final = (0.4, 0.35, 0.5, 0.7, 0.5, 0.7, 0.65, 0.55, 0.4)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A box that moves: place of its middle, size in metres, reflectance, and whether its lamps look at the camera."""

    x: float
    z: float
    wide: float
    tall: float
    long: float
    shade: float
    tint: tuple[float, float]
    towards: bool


class Traffic:
    """The vehicles of a place."""

    def __init__(self, world: World, lens: Lens) -> None:
        self._world, self._lens = world, lens

    def vehicles(self, time_s: float) -> list[Vehicle]:
        """Who is passing now."""
        found = [self._vehicle(lane, time_s) for lane in range(LANES)]
        return sorted((one for one in found if one), key=lambda one: -one.z)

    def _vehicle(self, lane: int, time_s: float) -> Vehicle | None:
        seed, street = self._world.seed, self._world.kind == "street"
        cell = 13.0 if street else 200.0
        turn = int(time_s // cell)
        key = seed * 31 + lane
        busy = float(np.interp(time_s % 86_400 / HOUR_S, HOURS, BUSY)) * (1.0 if street else 0.6)
        if uniform(key, turn, 1) > busy:
            return None
        speed = (6 + 6 * uniform(key, turn, 2)) if street else 2.2
        length = self._world.far + 10
        into = time_s % cell - uniform(key, turn, 3) * max(0.0, cell - length / speed)
        if not 0 <= into * speed <= length:
            return None
        left = lane % 2 == 0
        z = into * speed - 4 if left else self._world.far - into * speed
        bike = uniform(key, turn, 4) < (0.6 if street else 1.0)
        wide, tall, long = (0.42, 1.5, 1.6) if bike else (1.7, 1.5 + 0.5 * uniform(key, turn, 5), 4.2)
        x = (-1 if left else 1) * (self._world.half - 2.6) * (0.25 + 0.5 * uniform(key, turn, 6))
        gaudy = 0.02 if uniform(key, turn, 10) < 0.6 else 0.3
        tint = (gaudy * (uniform(key, turn, 8) - 0.5), gaudy * (uniform(key, turn, 9) - 0.5))
        return Vehicle(x, z, wide, tall, long, 0.1 + 0.75 * uniform(key, turn, 7), tint, not left)

    def draw(
        self, planes: Planes, depth: Plane, time_s: float, now: Light
    ) -> tuple[list[tuple[float, float, float]], bool]:
        """Draws them into reflectance; where lamps glare (x, y, strength), and whether any shines into the lens."""
        glare = []
        for one in self.vehicles(time_s):
            self._body(planes, depth, one)
            if now.night:
                glare += self._lamps(one)
        return glare, any(strength > 60 for _, _, strength in glare)

    def _body(self, planes: Planes, depth: Plane, one: Vehicle) -> None:
        w, z0, z1 = one.wide / 2, one.z, one.z + one.long
        flank = one.x - w if one.x > 0 else one.x + w
        cabin = one.tall * 0.55
        inner = (z0 + 0.2 * one.long, z1 - 0.15 * one.long)
        self._face(
            planes, depth, [(flank, 0.2, z0), (flank, 0.2, z1), (flank, cabin, z1), (flank, cabin, z0)], one, 0.75
        )
        self._face(
            planes,
            depth,
            [(one.x - w, 0.2, z0), (one.x + w, 0.2, z0), (one.x + w, cabin, z0), (one.x - w, cabin, z0)],
            one,
            0.85,
        )
        self._face(
            planes,
            depth,
            [(one.x - w, cabin, z0), (one.x + w, cabin, z0), (one.x + w, cabin, z1), (one.x - w, cabin, z1)],
            one,
            1.0,
        )
        self._face(
            planes,
            depth,
            [
                (flank, cabin, inner[0]),
                (flank, cabin, inner[1]),
                (flank, one.tall, inner[1]),
                (flank, one.tall, inner[0]),
            ],
            one,
            0.3,
        )
        self._face(
            planes,
            depth,
            [
                (one.x - w, cabin, inner[0]),
                (one.x + w, cabin, inner[0]),
                (one.x + w, one.tall, inner[0]),
                (one.x - w, one.tall, inner[0]),
            ],
            one,
            0.35,
        )
        self._face(
            planes,
            depth,
            [
                (one.x - w, one.tall, inner[0]),
                (one.x + w, one.tall, inner[0]),
                (one.x + w, one.tall, inner[1]),
                (one.x - w, one.tall, inner[1]),
            ],
            one,
            1.0,
        )

    def _face(
        self, planes: Planes, depth: Plane, corners: list[tuple[float, float, float]], one: Vehicle, shade: float
    ) -> None:
        outline, ahead = self._lens.outline(corners)
        if not outline:
            return
        height, width = planes.y.shape
        xs, ys = [x for x, _ in outline], [y for _, y in outline]
        x0, x1 = max(0, int(min(xs)) // 2 * 2), min(width, int(max(xs)) // 2 * 2 + 2)
        y0, y1 = max(0, int(min(ys)) // 2 * 2), min(height, int(max(ys)) // 2 * 2 + 2)
        if x1 <= x0 or y1 <= y0:
            return
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        ImageDraw.Draw(mask).polygon([(x - x0, y - y0) for x, y in outline], fill=1)
        here = np.asarray(mask, np.bool_) & (depth[y0:y1, x0:x1] > ahead - 2)
        planes.y[y0:y1, x0:x1][here] = one.shade * shade + 0.03
        half = here[::2, ::2]
        planes.u[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2][half] = one.tint[0] * one.shade
        planes.v[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2][half] = one.tint[1] * one.shade

    def _lamps(self, one: Vehicle) -> list[tuple[float, float, float]]:
        sides = (0.0,) if one.wide < 1 else (-one.wide / 2 + 0.2, one.wide / 2 - 0.2)
        seen = self._lens.seen_from(np.array([[one.x + side, 0.7, one.z] for side in sides]))
        strength = 190.0 if one.towards else 45.0
        return [
            (float(x), float(y), strength * min(1.0, 14 / float(ahead)))
            for (x, y), ahead in zip(self._lens.pixels(seen), seen[:, 2], strict=True)
            if ahead > 1.5
        ]

    def dazzle(self, planes: Planes, glare: list[tuple[float, float, float]]) -> None:
        """Adds the lamps' glare to the finished light."""
        size = planes.y.shape[1] / 320
        for x, y, strength in glare:
            spot(planes, x, y, 3.5 * size, strength * 1.2)
            spot(planes, x, y, 20 * size, strength * 0.5, 1.3)
