"""What chaos does to a city, and when: drawn from a seed before anything starts, so that a seed is one story."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kewang.bench.link import Line


class Kind(StrEnum):
    """One kind of harm."""

    BROKER_KILL = "broker-kill"
    BROKER_STOP = "broker-stop"
    BROKER_FREEZE = "broker-freeze"
    BROKER_WIPE = "broker-wipe"
    GATEWAY_KILL = "gateway-kill"
    GATEWAY_STOP = "gateway-stop"
    GATEWAY_FREEZE = "gateway-freeze"
    GATEWAY_WIPE = "gateway-wipe"
    INGEST_KILL = "ingest-kill"
    """One of the gateway's several processes."""
    EDGE_KILL = "edge-kill"
    EDGE_STOP = "edge-stop"
    EDGE_FREEZE = "edge-freeze"
    EDGE_WIPE = "edge-wipe"
    EDGE_CLOCK = "edge-clock"
    """Killed or stopped, and started again with another wall clock."""
    STORE_KILL = "store-kill"
    STORE_STALL = "store-stall"
    STORE_WIPE = "store-wipe"
    """A new, empty database; the gateway runs on."""
    STORE_RESTORE = "store-restore"
    """Lost, brought back from an earlier backup, with a rewind."""
    LINK_CUT = "link-cut"
    LINK_HALF_OPEN = "link-half-open"
    LINK_SLOW = "link-slow"
    DISK_FULL = "disk-full"


@dataclass(frozen=True, slots=True)
class Trait:
    """How a kind behaves. `kills`: what it counts as, empty if it is no kill -9 or wipe."""

    target: str
    shortest_s: float
    longest_s: float
    weight: float
    kills: str = ""


TRAITS: Final = {
    Kind.BROKER_KILL: Trait("broker", 0.1, 4, 3, "broker"),
    Kind.BROKER_STOP: Trait("broker", 0.1, 2, 1),
    Kind.BROKER_FREEZE: Trait("broker", 0.5, 3, 1),
    Kind.BROKER_WIPE: Trait("broker", 0.1, 2, 1, "broker"),
    Kind.GATEWAY_KILL: Trait("gateway", 0, 3, 4, "gateway"),
    Kind.GATEWAY_STOP: Trait("gateway", 0, 2, 1),
    Kind.GATEWAY_FREEZE: Trait("gateway", 0.5, 4, 1),
    Kind.GATEWAY_WIPE: Trait("gateway", 0, 2, 1, "gateway"),
    Kind.INGEST_KILL: Trait("gateway", 0.5, 2, 8, "gateway"),
    Kind.EDGE_KILL: Trait("edge", 0.5, 3, 5, "edge"),
    Kind.EDGE_STOP: Trait("edge", 0.5, 2, 1),
    Kind.EDGE_FREEZE: Trait("edge", 0.5, 2, 1),
    Kind.EDGE_WIPE: Trait("edge", 0.5, 2, 0.5, "edge"),
    Kind.EDGE_CLOCK: Trait("edge", 0.5, 2, 2),
    Kind.STORE_KILL: Trait("store", 0.2, 4, 3, "store"),
    Kind.STORE_STALL: Trait("store", 0.5, 3, 1),
    Kind.STORE_WIPE: Trait("store", 0.5, 1, 2, "store"),
    Kind.STORE_RESTORE: Trait("store", 1, 3, 2, "store"),
    Kind.LINK_CUT: Trait("edge", 0.5, 5, 2),
    Kind.LINK_HALF_OPEN: Trait("edge", 0.5, 5, 2),
    Kind.LINK_SLOW: Trait("edge", 1, 5, 1),
    Kind.DISK_FULL: Trait("edge", 1, 4, 6),
}
LINES: Final = {Kind.LINK_CUT: Line.CUT, Kind.LINK_HALF_OPEN: Line.HALF_OPEN, Kind.LINK_SLOW: Line.SLOW}
REBUILDS: Final = frozenset({Kind.STORE_WIPE, Kind.STORE_RESTORE})
OFFSETS_MS: Final = (-20 * 86_400_000, -3_600_000, -90_000, -8_000, 0, 4_000, 100_000, 600_000)
"""Wrong wall clocks: older than retention, a large and small steps back, steps ahead, ahead of what is believed."""
_REST_S: Final = 1.5
"""A target is left alone for so long after each act."""
_BETWEEN_S: Final = 0.7
_RESTORE_FROM_S: Final = 6.0
"""A backup needs something to hold."""


@dataclass(frozen=True, slots=True)
class Act:
    """One harm: what, to whom (the device's name for an edge), from when, for how long (s)."""

    at_s: float
    kind: Kind
    target: str
    length_s: float
    kill: bool = True
    """Where there is a choice: kill -9 rather than SIGTERM."""
    offset_ms: int = 0
    exact: bool = False
    """A rewind from the very moment of the backup on, without the hour that the command takes off."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom it can happen to. `stepping`: devices whose clocks step; `small_disk`: the one whose disk can fill up."""

    devices: Sequence[str]
    stepping: Sequence[str]
    small_disk: str | None
    rebuilds: bool
    """Whether the database may be lost. Not together with full disks: what leaves a ring then is gone for good."""
    processes: int = 1
    """Of the gateway, that store."""


def schedule(seed: int, seconds: float, cast: Cast) -> list[Act]:
    """The acts of one story, in order; each of the four parts is killed at least once."""
    rng = random.Random(f"chaos-{seed}")
    store = rng.choice(sorted(REBUILDS)) if cast.rebuilds else Kind.STORE_KILL
    wanted: list[Kind] = [Kind.EDGE_KILL, Kind.GATEWAY_KILL, Kind.BROKER_KILL, store]
    if cast.processes > 1:
        wanted.append(Kind.INGEST_KILL)
    if cast.small_disk:
        wanted.append(Kind.DISK_FULL)
    rng.shuffle(wanted)
    kinds = [kind for kind in Kind if (cast.rebuilds or kind not in REBUILDS) and _has_whom(kind, cast)]
    free_s: dict[str, float] = {}
    acts: list[Act] = []
    at_s = 0.0
    while at_s < seconds:
        kind = wanted.pop() if wanted else rng.choices(kinds, [TRAITS[kind].weight for kind in kinds])[0]
        act = _act(rng, at_s, kind, cast)
        earliest_s = _RESTORE_FROM_S if kind is Kind.STORE_RESTORE else at_s
        begin_s = max(at_s, earliest_s, *(free_s.get(each, 0) for each in _busy(act)))
        if begin_s < seconds:
            acts.append(Act(begin_s, act.kind, act.target, act.length_s, act.kill, act.offset_ms, act.exact))
            free_s |= dict.fromkeys(_busy(act), begin_s + act.length_s + _REST_S)
        at_s += rng.expovariate(1 / _BETWEEN_S)
    return sorted(acts, key=lambda act: act.at_s)


def _has_whom(kind: Kind, cast: Cast) -> bool:
    if kind is Kind.DISK_FULL:
        return cast.small_disk is not None
    if kind is Kind.INGEST_KILL:
        return cast.processes > 1
    return kind is not Kind.EDGE_CLOCK or bool(cast.stepping)


def _act(rng: random.Random, at_s: float, kind: Kind, cast: Cast) -> Act:
    trait = TRAITS[kind]
    length_s = rng.uniform(trait.shortest_s, trait.longest_s)
    kill, offset_ms, exact = rng.random() < 0.6, rng.choice(OFFSETS_MS), rng.random() < 0.5
    target = trait.target
    if target == "edge":
        names = cast.stepping if kind is Kind.EDGE_CLOCK else cast.devices
        target = cast.small_disk if kind is Kind.DISK_FULL and cast.small_disk else rng.choice(names)
    return Act(at_s, kind, target, length_s, kill, offset_ms, exact)


def _busy(act: Act) -> tuple[str, ...]:
    """Who can't suffer anything else meanwhile."""
    return ("store", "gateway") if act.kind is Kind.STORE_RESTORE else (act.target,)
