"""What stands where: buildings, stalls, trees, lamps and ways of one seed, in metres."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from firmware_sim.cameras.scenes.chance import generator

from .lens import Lens

Kind: TypeAlias = Literal["market", "street"]
Colour: TypeAlias = tuple[float, float, float]

WALLS: Final[tuple[Colour, ...]] = (
    (222, 214, 196),
    (196, 206, 205),
    (214, 190, 150),
    (170, 196, 178),
    (205, 160, 140),
    (238, 236, 228),
    (150, 160, 170),
    (226, 208, 120),
    (120, 150, 165),
    (184, 120, 95),
)
CLOTHS: Final[tuple[Colour, ...]] = (
    (30, 90, 190),
    (205, 50, 45),
    (235, 160, 30),
    (30, 140, 70),
    (240, 240, 235),
    (60, 60, 70),
    (240, 210, 60),
    (90, 40, 120),
)
PRODUCE: Final[tuple[Colour, ...]] = (
    (200, 60, 40),
    (230, 180, 50),
    (80, 140, 50),
    (150, 90, 50),
    (240, 230, 200),
    (110, 60, 100),
    (220, 120, 40),
)


@dataclass(frozen=True, slots=True)
class Building:
    """A box with a face to the way; `side` -1 left, 1 right, 0 across the end."""

    x0: float
    x1: float
    z0: float
    z1: float
    top: float
    colour: Colour
    side: int
    key: int


@dataclass(frozen=True, slots=True)
class Stall:
    """A table with crates and a cloth over it; open from `opens_h` to `closes_h`, its cloth is up only then."""

    x: float
    z: float
    width: float
    depth: float
    cloth: Colour
    stripe: Colour
    opens_h: float
    closes_h: float
    folds: bool
    key: int


@dataclass(frozen=True, slots=True)
class Tree:
    x: float
    z: float
    top: float
    radius: float
    key: int


@dataclass(frozen=True, slots=True)
class Lamp:
    x: float
    y: float
    z: float
    warm: bool


@dataclass(frozen=True, slots=True)
class World:
    """All that stands in one seed's place. `half`: the way's half width, `far`: its end, `zone`: x0, x1, z0, z1."""

    kind: Kind
    seed: int
    half: float
    far: float
    buildings: tuple[Building, ...]
    stalls: tuple[Stall, ...]
    trees: tuple[Tree, ...]
    lamps: tuple[Lamp, ...]
    zone: tuple[float, float, float, float]
    ground: Colour
    roughness: float
    wires: tuple[float, ...]
    shutters: bool


@dataclass(frozen=True, slots=True)
class Character:
    """What kind of camera this seed has, as far as its picture goes."""

    contrast: float
    saturation: float
    warmth: float
    noise: float
    softness: float
    vignette: float
    colour_night: bool
    infrared_reach_m: float
    white_lamp: float
    text_corner: int
    text_scale: float
    quality: int
    texture: float


def character(seed: int) -> Character:
    """The camera of a seed: cheap or good, infrared or with a white lamp."""
    rng = generator(seed, 11)
    return Character(
        contrast=float(rng.uniform(0.8, 1.2)),
        saturation=float(rng.uniform(0.55, 1.15)),
        warmth=float(rng.uniform(-6, 6)),
        noise=float(rng.uniform(0.7, 2.2)),
        softness=float(rng.choice([0.0, 0.0, 0.5, 0.9])),
        vignette=float(rng.uniform(0.0, 0.3)),
        colour_night=bool(rng.random() < 0.25),
        infrared_reach_m=float(rng.uniform(14, 32)),
        white_lamp=float(rng.choice([0.0, 0.002, 0.006])),
        text_corner=int(rng.integers(0, 5)),
        text_scale=float(rng.uniform(0.045, 0.065)),
        quality=int(rng.integers(3, 9)),
        texture=float(rng.uniform(0.5, 1.3)),
    )


def lens(seed: int, width: int, height: int, kind: Kind) -> Lens:
    """How the camera of a seed hangs: 3.5 to 8 m high, looking along the way, some with much sky, some with none."""
    rng = generator(seed, 12)
    yaw = rng.uniform(-0.42, 0.42) if kind == "market" else rng.uniform(-0.5, 0.5)
    return Lens(
        width,
        height,
        focal=float(rng.uniform(0.6, 1.05)),
        mast_m=float(rng.uniform(3.6, 7.8)),
        yaw=float(yaw),
        pitch=float(rng.uniform(0.16, 0.48)),
        roll=float(rng.uniform(-0.03, 0.03)),
    )


def world(seed: int, kind: Kind, view: Lens) -> World:
    """The place of a seed."""
    rng = generator(seed, 13)
    half = float(rng.uniform(5.5, 9) if kind == "market" else rng.uniform(6, 10))
    far = float(rng.uniform(38, 70))
    grey = float(rng.uniform(95, 165))
    tint = rng.uniform(-8, 10)
    return World(
        kind,
        seed,
        half,
        far,
        _buildings(rng, half, far, sparse=rng.random() < 0.25),
        _stalls(rng, half, far, kind),
        _trees(rng, half, far, kind),
        _lamps(rng, half, far),
        _zone(rng, half, far, view),
        (grey + tint, grey, grey - tint),
        float(rng.uniform(0.05, 0.22)),
        tuple(float(height) for height in rng.uniform(5.5, 8, rng.integers(0, 4))),
        bool(rng.random() < 0.5),
    )


def _buildings(rng: np.random.Generator, half: float, far: float, sparse: bool) -> tuple[Building, ...]:
    made = []
    for side in (-1, 1):
        z = -6.0
        while z < far:
            length, top = float(rng.uniform(4, 12)), float(rng.uniform(3.2, 11))
            near, deep = half + float(rng.uniform(0, 0.6)), half + float(rng.uniform(7, 12))
            if not (sparse and rng.random() < 0.5):
                x0, x1 = (near, deep) if side > 0 else (-deep, -near)
                made.append(Building(x0, x1, z, z + length, top, _wall(rng), side, int(rng.integers(1 << 30))))
            z += length + float(rng.choice([0.0, 0.0, 1.5, 3.0]))
    x = -half - 14.0
    while x < half + 14:
        length = float(rng.uniform(5, 12))
        made.append(
            Building(x, x + length, far, far + 8, float(rng.uniform(4, 14)), _wall(rng), 0, int(rng.integers(1 << 30)))
        )
        x += length
    return tuple(made)


def _wall(rng: np.random.Generator) -> Colour:
    base, shade = WALLS[rng.integers(len(WALLS))], float(rng.uniform(0.6, 1.0))
    return (base[0] * shade, base[1] * shade, base[2] * shade)


def _stalls(rng: np.random.Generator, half: float, far: float, kind: Kind) -> tuple[Stall, ...]:
    made = []
    folds = bool(rng.random() < 0.6)
    chance = rng.uniform(0.55, 0.95) if kind == "market" else rng.uniform(0.05, 0.3)
    for side in (-1, 1):
        z = float(rng.uniform(4, 8))
        while z < far - 4:
            width = float(rng.uniform(1.8, 3.2))
            if rng.random() < chance:
                first, second = rng.integers(len(CLOTHS), size=2)
                made.append(
                    Stall(
                        side * (half - 1.1),
                        z,
                        width,
                        float(rng.uniform(1.3, 1.9)),
                        CLOTHS[first],
                        CLOTHS[second],
                        float(rng.uniform(5, 7.2)),
                        float(rng.uniform(15.5, 19.5)),
                        folds,
                        int(rng.integers(1 << 30)),
                    )
                )
            z += width + float(rng.uniform(0.3, 1.6))
    return tuple(made)


def _trees(rng: np.random.Generator, half: float, far: float, kind: Kind) -> tuple[Tree, ...]:
    count = int(rng.integers(0, 4) if kind == "market" else rng.integers(1, 6))
    return tuple(
        Tree(
            float(rng.choice([-1, 1]) * (half - rng.uniform(-0.3, 0.6))),
            float(rng.uniform(9, far - 5)),
            float(rng.uniform(4.5, 8)),
            float(rng.uniform(1.2, 2.6)),
            int(rng.integers(1 << 30)),
        )
        for _ in range(count)
    )


def _lamps(rng: np.random.Generator, half: float, far: float) -> tuple[Lamp, ...]:
    spacing, side, warm = float(rng.uniform(14, 26)), float(rng.choice([-1, 1])), bool(rng.random() < 0.6)
    places = np.arange(float(rng.uniform(5, 16)), far, spacing)
    return tuple(Lamp(side * (half - 0.4), float(rng.uniform(5, 7)), float(z), warm) for z in places)


def _zone(rng: np.random.Generator, half: float, far: float, view: Lens) -> tuple[float, float, float, float]:
    inner = half - 2.6
    near_x, near_z = view.ground_at(0.5, 0.94)
    middle_x, middle_z = view.ground_at(0.5, float(rng.uniform(0.45, 0.62)))
    z0 = max(2.5, near_z)
    z1 = float(np.clip(middle_z, z0 + 5, min(z0 + 16, far - 5)))
    x = float(np.clip((near_x + middle_x) / 2, -inner + 1.6, inner - 1.6))
    reach = float(rng.uniform(1.6, 3.0))
    return max(-inner, x - reach), min(inner, x + reach), z0, z1
