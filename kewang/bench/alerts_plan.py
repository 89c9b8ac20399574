"""Which cities `kewang bench alerts` simulates: sizes, and seeds nobody has tuned on."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kewang.bench.alerts_world import WorldPlan

DEFAULT_SEEDS: Final = 10
FULL_SEEDS: Final = 40
DEFAULT_DAYS: Final = 30.0
DEFAULT_LOSS: Final = 0.01
TUNING_SEED: Final = 9_001
SWEEP_SEEDS: Final = 4
SWEEP_LOSS: Final = (0.0, 0.005, 0.01, 0.02, 0.05)
SWEEP_DEVICES: Final = (100, 300, 1_000, 3_000, 10_000)
SWEEP_DEVICE_DAYS: Final = 10_000.0
"""Of one city of the sweep: every size has as many."""
SWEEP_RULES: Final[Sequence[dict[str, float]]] = (
    {"presence.wired_beats": 2, "presence.cellular_beats": 3},
    {"presence.wired_beats": 3, "presence.cellular_beats": 3},
    {"presence.wired_beats": 4, "presence.cellular_beats": 5},
    {"engine.hold_s": 5},
    {"engine.hold_s": 45},
    {"engine.wired_hold_s": 45, "engine.cellular_hold_s": 75},
    {"engine.recovery_s": 300},
)
"""What each number trades: changed alone, on the seeds for tuning."""


@dataclass(frozen=True, slots=True)
class CityPlan:
    """One city, and what is to be spoilt or set otherwise in the engine that watches it."""

    world: WorldPlan
    sabotage: str = "none"
    rules: dict[str, float] = field(default_factory=dict)
    baselines: bool = True


def rules_sha256() -> str:
    """Of everything that can be tuned: the files of rules, and the numbers of watch and budget that are in force."""
    import gateway.incidents
    from gateway.incidents.watch import WatchRules
    from gateway.notify.budget import BudgetRules

    files = sorted(Path(next(iter(gateway.incidents.__path__))).glob("*.toml"))
    numbers = (WatchRules().model_dump_json() + BudgetRules().model_dump_json()).encode()
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + numbers).hexdigest()


def held_out_seeds(sha256: str, count: int) -> list[int]:
    """Seeds nobody has seen before these rules were committed."""
    return [
        int.from_bytes(hashlib.sha256(f"{sha256}/alerts/{number}".encode()).digest()[:4]) for number in range(count)
    ]


def tuning_seeds(count: int) -> list[int]:
    """The seeds that rules may be tuned on, the same for ever."""
    return list(range(TUNING_SEED, TUNING_SEED + count))


def swept(seeds: Sequence[int]) -> Iterator[tuple[str, list[CityPlan]]]:
    """The points of the sweep: by loss, by size, by rule (on the seeds for tuning, whatever `seeds` are)."""
    for loss in SWEEP_LOSS:
        worlds = [WorldPlan(1_000, SWEEP_DEVICE_DAYS / 1_000, seed, loss) for seed in seeds]
        yield f"loss {100 * loss:g} %", [CityPlan(world) for world in worlds]
    for devices in SWEEP_DEVICES:
        days = min(3 * DEFAULT_DAYS, SWEEP_DEVICE_DAYS / devices)
        yield f"{devices} devices", [CityPlan(WorldPlan(devices, days, seed, DEFAULT_LOSS)) for seed in seeds]
    tuning = [WorldPlan(1_000, SWEEP_DEVICE_DAYS / 1_000, seed, DEFAULT_LOSS) for seed in tuning_seeds(len(seeds))]
    for rules in ({}, *SWEEP_RULES):
        name = ", ".join(f"{key} {value:g}" for key, value in rules.items()) or "as shipped"
        yield name, [CityPlan(world, rules=rules, baselines=False) for world in tuning]
