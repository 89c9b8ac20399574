"""The words of presence: how well a device is heard, what changed, and the numbers it rests on."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from pydantic import Field

from gateway.incidents.model import Word
from kewang.runtime.settings import Settings


class Hearing(IntEnum):
    """How long nothing came, in steps: what the votes count, finer than the word people read."""

    HEARD = 0
    LATE = 1
    """A message and half an interval are missing: no witness that its neighbours' cause is small."""
    SILENT = 2
    """Two messages are missing, or its will came: counts in a vote, never alone."""
    GONE = 3
    """The limit is over."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A device or source changed.

    `heard_s`: when its last message came; `base_s`: from when its silence counts (later, when we could not hear).
    `hinted`: a will or a bye says that it left. `proving`: it was gone and is not trusted yet.
    `downs`: how often it was gone in the last `flap_s`.
    """

    device: str
    source: str | None
    word: Word
    before: Word
    at_s: float
    heard_s: float
    base_s: float
    hearing: Hearing
    hinted: bool = False
    proving: bool = False
    downs: int = 0


class PresenceRules(Settings):
    """When a device counts as silent.

    A larger `wired_beats` or `cellular_beats` means fewer false alarms on lossy links and one heartbeat more until
    every alarm; `proof_s` and `flap_downs` trade notices about devices that come and go for how soon they are known.
    """

    heartbeat_s: float = Field(30.0, gt=0, le=3600, description="Longest time between two messages of a device (s).")
    wired_beats: int = Field(3, ge=2, le=20, description="Heartbeats a wired device may miss.")
    cellular_beats: int = Field(4, ge=2, le=20, description="Heartbeats a device on a cellular link may miss.")
    proof_s: float = Field(60.0, ge=0, le=3600, description="Without a gap for so long it is up again (s).")
    grace_beats: float = Field(2.0, ge=0, le=20, description="Heartbeats of patience after our own start or reconnect.")
    flap_downs: int = Field(4, ge=2, le=100, description="So many times down in flap_s is unstable.")
    flap_s: float = Field(3600.0, gt=0, le=86_400, description="... and so long without is stable again (s).")
    worst_loss: float = Field(
        1e-7,
        gt=0,
        le=1,
        description="Odds of a false alarm per heartbeat that are taken on a lossy link.",
    )
    more_beats: int = Field(3, ge=0, le=20, description="Heartbeats more that it may miss for that, at most.")
    source_intervals: float = Field(3.0, ge=2, le=100, description="A source may miss so many of its intervals, ...")
    source_min_s: float = Field(180.0, gt=0, le=86_400, description="... and at least so long (s).")

    def limit_s(self, link: Literal["wired", "cellular"], more: int = 0) -> float:
        """Silence after which a device is gone: its beats, and half a one."""
        return ((self.wired_beats if link == "wired" else self.cellular_beats) + more + 0.5) * self.heartbeat_s
