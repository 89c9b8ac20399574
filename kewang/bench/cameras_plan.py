"""What a camera suffers in `kewang bench cameras`, when, and from which seeds: nothing here looks at a picture."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from firmware_sim.cameras.scenes import EXPECTED, PictureFault
from kewang.wire.cameras import CameraReason

DAY_S: Final = 86_400.0
GRACE_S: Final = 600.0
"""After a repair: so long an alarm may still end, or rise from the repair itself."""
TUNING_SEED: Final = 7_001
_SLOT_EDGE_S: Final = 1_200.0


class Weight(StrEnum):
    """How soon a fault must be told: within 2 minutes, 6 minutes, a day."""

    HARD = "hard"
    SOFT = "soft"
    SLOW = "slow"


class LinkFault(StrEnum):
    """Faults of the transport in simulated time; all the others travel over real connections in `bench probes`."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    """Answers everything, and then sends no packet."""


Fault = PictureFault | LinkFault

WEIGHTS: Final[Mapping[Fault, Weight]] = {
    LinkFault.UNREACHABLE: Weight.HARD,
    LinkFault.SILENT: Weight.HARD,
    PictureFault.FROZEN: Weight.HARD,
    PictureFault.BLACK: Weight.HARD,
    PictureFault.WHITE: Weight.HARD,
    PictureFault.NO_SIGNAL: Weight.HARD,
    PictureFault.COVER: Weight.SOFT,
    PictureFault.MOVED: Weight.SOFT,
    PictureFault.BLUR: Weight.SOFT,
    PictureFault.NOISE: Weight.SOFT,
    PictureFault.COLOUR: Weight.SOFT,
    PictureFault.DIRT: Weight.SLOW,
    PictureFault.FOG_LENS: Weight.SLOW,
    PictureFault.PARTIAL_COVER: Weight.SLOW,
    PictureFault.MILD_BLUR: Weight.SLOW,
    PictureFault.MOVED_SMALL: Weight.SLOW,
}
LIMIT_S: Final = {Weight.HARD: 120.0, Weight.SOFT: 360.0, Weight.SLOW: DAY_S}
LASTS_S: Final = {Weight.HARD: 240.0, Weight.SOFT: 540.0, Weight.SLOW: DAY_S}
"""How long a fault stays: longer than its limit, so that a late alarm is seen to be late."""

RIGHT_TYPE: Final[Mapping[Fault, frozenset[CameraReason]]] = {
    LinkFault.UNREACHABLE: frozenset({CameraReason.TIMEOUT, CameraReason.REFUSED, CameraReason.UNROUTABLE}),
    LinkFault.SILENT: frozenset({CameraReason.NO_MEDIA}),
    **{fault: EXPECTED[fault] for fault in PictureFault},
}
"""The reasons that send a technician to the right trouble."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fault of a camera from `start_s` until `end_s` (seconds since its first midnight); `seed` draws its looks."""

    fault: Fault
    start_s: float
    end_s: float
    seed: int

    @property
    def weight(self) -> Weight:
        return WEIGHTS[self.fault]

    def active(self, time_s: float) -> bool:
        return self.start_s <= time_s < self.end_s

    def excuses(self, time_s: float) -> bool:
        """Whether an alarm at `time_s` may be this event's: during it, or in the grace after its repair."""
        return self.start_s <= time_s <= self.end_s + GRACE_S


def held_out_seeds(thresholds_sha256: str, family: str, count: int) -> list[int]:
    """Seeds nobody has seen before these thresholds were committed: drawn from the digest of their file."""
    return [_seed(thresholds_sha256, family, number) for number in range(count)]


def tuning_seeds(count: int) -> list[int]:
    """The seeds that thresholds may be tuned on, the same for ever."""
    return list(range(TUNING_SEED, TUNING_SEED + count))


def _seed(*words: object) -> int:
    return int.from_bytes(hashlib.sha256("/".join(map(str, words)).encode()).digest()[:4])


def day_of_faults(seed: int, day: int, weights: Sequence[Weight]) -> list[Event]:
    """Every hard and soft fault of `weights` once in day `day`, at random times, an hour or more of calm between."""
    rng = random.Random(f"faults/{seed}/{day}")
    faults = [fault for fault, weight in WEIGHTS.items() if weight in weights and weight is not Weight.SLOW]
    rng.shuffle(faults)
    slot_s = DAY_S / max(1, len(faults))
    return [_event(fault, day * DAY_S + slot_s * place, slot_s, rng) for place, fault in enumerate(faults)]


def _event(fault: Fault, slot_start_s: float, slot_s: float, rng: random.Random) -> Event:
    lasts_s = LASTS_S[WEIGHTS[fault]]
    start_s = slot_start_s + rng.uniform(_SLOT_EDGE_S, slot_s - _SLOT_EDGE_S - lasts_s)
    return Event(fault, start_s, start_s + lasts_s, rng.getrandbits(31))


def slow_faults(seed: int, day: int, turn: int, count: int) -> list[Event]:
    """`count` slow faults, each for a day of its own from some time of day `day` on; cameras take turns by `turn`."""
    rng = random.Random(f"slow/{seed}/{day}")
    faults = [fault for fault, weight in WEIGHTS.items() if weight is Weight.SLOW]
    chosen = [faults[(turn * count + step) % len(faults)] for step in range(min(count, len(faults)))]
    starts_s = [(day + rng.random()) * DAY_S for _ in chosen]
    return [
        Event(fault, start_s, start_s + LASTS_S[Weight.SLOW], rng.getrandbits(31))
        for fault, start_s in zip(chosen, starts_s, strict=True)
    ]
