"""Who walks, waits and trades in the place: many small lives, each the same for the same seed and time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import generator, uniform, uniforms, uniforms_of
from firmware_sim.cameras.scenes.events import DAY_S, HOUR_S

from .dressing import is_open
from .world import Kind, World

SLOTS: Final = 200
CELL_S: Final = 200.0
HOURS: Final = (0, 3, 4.5, 6, 7, 9, 11, 13, 15, 17, 18.5, 20, 22, 24)
CROWDS: Final[dict[Kind, tuple[float, ...]]] = {
    "market": (0.01, 0.02, 0.12, 0.5, 0.85, 0.9, 0.65, 0.4, 0.36, 0.45, 0.28, 0.14, 0.05, 0.01),
    "street": (0.02, 0.01, 0.03, 0.14, 0.3, 0.22, 0.24, 0.28, 0.22, 0.34, 0.3, 0.2, 0.08, 0.02),
}


@dataclass(frozen=True, slots=True)
class People:
    """Everybody near the place now; arrays of one length. `size`: height in metres, `stride` 0 to 1 or -1 standing."""

    x: NDArray[np.float64]
    z: NDArray[np.float64]
    size: NDArray[np.float64]
    stride: NDArray[np.float64]
    key: NDArray[np.int64]


def crowd(seed: int, kind: Kind, time_s: float, extra: float) -> float:
    """How busy the place is, 0 to about 1.3; `extra` 0 to 1 for a gathering."""
    day = int(time_s // DAY_S)
    usual = float(np.interp(time_s % DAY_S / HOUR_S, HOURS, CROWDS[kind]))
    busy = 0.45 + 0.9 * uniform(seed, 61)
    return usual * busy * (0.7 + 0.5 * uniform(seed, 62, day)) * (1 + 1.2 * extra)


def people(world: World, time_s: float, extra: float, near_z: float) -> People:
    """Passers-by and traders. `near_z`: where the picture begins on the ground."""
    walkers, traders = _walkers(world, time_s, extra, near_z), _traders(world, time_s)
    return People(*(np.concatenate([one, other]) for one, other in zip(walkers, traders, strict=True)))


def _walkers(world: World, time_s: float, extra: float, near_z: float) -> tuple[NDArray[np.generic], ...]:
    slots = np.arange(SLOTS, dtype=np.int64)
    seed = world.seed
    ahead = uniforms(seed, slots, 71) * CELL_S
    cell = np.floor((time_s + ahead) / CELL_S).astype(np.int64)
    trip = cell * 1_009 + slots
    begins = cell * CELL_S - ahead
    hourly = crowd(seed, world.kind, time_s // 300 * 300, extra)
    there = uniforms(seed, trip, 72) < hourly
    slots, trip, into = slots[there], trip[there], (time_s - begins)[there]
    way, chance = _ways(world, trip, near_z), uniforms_of(seed, trip, range(73, 78))
    walking = np.hypot(np.diff(way[0], axis=0), np.diff(way[1], axis=0)) / (0.7 + 0.8 * chance[0])
    pause = chance[1] ** 2 * 130
    late = chance[2] * np.maximum(CELL_S - walking.sum(axis=0) - pause, 0)
    clock = into - late
    ends = np.cumsum(np.stack([walking[0], pause, walking[1]]), axis=0)
    first = np.clip(clock / np.maximum(walking[0], 0.1), 0, 1)
    second = np.clip((clock - ends[1]) / np.maximum(walking[1], 0.1), 0, 1)
    x = way[0][0] + (way[0][1] - way[0][0]) * first + (way[0][2] - way[0][1]) * second
    z = way[1][0] + (way[1][1] - way[1][0]) * first + (way[1][2] - way[1][1]) * second
    waits = (first >= 1) & (second <= 0)
    sway = np.where(waits, 0.12, 0.04) * np.sin(time_s / (2.5 + 4 * chance[3]) + trip % 7)
    stride = np.where(waits, -1.0, (clock * 0.95) % 1)
    now = (clock >= 0) & (clock < ends[2])
    size = 1.45 + 0.33 * chance[4]
    return x[now] + sway[now], z[now], size[now], stride[now], trip[now]


def _ways(world: World, trip: NDArray[np.int64], near_z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Three points of each trip: where it enters, where it pauses, where it leaves; x and z, each (3, n)."""
    seed, half = world.seed, world.half
    chance = uniforms_of(seed, trip, range(80, 87))
    inner = half - 2.3
    lane = np.where(
        chance[0] < 0.3, (chance[1] * 2 - 1) * inner, np.sign(chance[1] - 0.5) * inner * (0.75 + 0.25 * chance[0])
    )
    if world.kind == "street":
        lane = np.sign(chance[1] - 0.5) * (half - 0.4 - 1.6 * chance[0])
    back = chance[2] < 0.5
    begin_z = np.where(back, near_z - 2.0, world.far - 0.5)
    turn_back = chance[3] < 0.25
    end_z = np.where(back ^ turn_back, world.far - 0.5, near_z - 2.0)
    pause_z = near_z + 1 + (min(world.far, near_z + 34) - near_z - 2) * chance[4] ** 1.3
    crosses = chance[5] < 0.3
    end_x = np.where(crosses, -lane, lane + (chance[6] - 0.5))
    side = np.sign(lane) * np.minimum(np.abs(lane) + 0.6, inner + 0.3) if world.kind == "market" else lane
    return np.stack([lane, side, end_x]), np.stack([begin_z, pause_z, end_z])


def _traders(world: World, time_s: float) -> tuple[NDArray[np.generic], ...]:
    here = [
        stall
        for stall in world.stalls
        if is_open(world, stall, time_s) and uniform(stall.key, int(time_s // 1_200), 5) < 0.8
    ]
    keys = np.array([stall.key for stall in here], dtype=np.int64)
    wander = uniforms(world.seed, keys + int(time_s // 40), 91)
    x = np.array([stall.x + np.sign(stall.x) * 1.1 for stall in here], dtype=float)
    z = np.array([stall.z for stall in here], dtype=float) + wander * np.array(
        [stall.width for stall in here], dtype=float
    )
    fidget = 0.07 * np.sin(time_s / 3.1 + keys % 11)
    return x + fidget, z, 1.45 + 0.25 * uniforms(world.seed, keys, 92), np.full(len(here), -1.0), keys


def crowd_key(seed: int) -> np.random.Generator:
    """Chance for the looks of a seed's people."""
    return generator(seed, 60)
