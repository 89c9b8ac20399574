"""How a camera is, judged from what its sessions delivered. Pure in time, which the caller gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.cameras.confirm import Spell
from edge.cameras.facts import Transport, Verdict
from edge.cameras.keepsake import DamagedMemory, pack, unpack
from edge.cameras.picture import Picture
from edge.cameras.reference import Reference
from edge.cameras.signs import infrared, signs, suspicion
from edge.cameras.slow import SlowTrack
from edge.cameras.stream import UNREACHED, Outage, Rate, outage_state, raw_metrics
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason, CameraState

__all__ = ["Assessment", "CameraHealth", "DamagedMemory", "NothingToAccept"]

HARD: Final = frozenset({CameraReason.BLACK, CameraReason.WASHED_OUT, CameraReason.NO_SIGNAL, CameraReason.FROZEN})
"""Nothing of the view is left: the camera is as good as down."""
SOFT: Final = frozenset(
    {CameraReason.COVERED, CameraReason.MOVED, CameraReason.BLURRED, CameraReason.NOISY, CameraReason.COLOUR}
)
"""The picture is there but worth little. It takes minutes, because trucks and gusts look the same for a while."""


class NothingToAccept(Exception):
    """There is no picture that could become the reference; the text says why and what to do next."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a look came to: the verdict, and what was measured in this look by the catalogue's names."""

    verdict: Verdict
    metrics: dict[str, float]


class CameraHealth:
    """One camera's judgement. Two looks make a pair 10 s apart: a frozen picture shows only beside the one before.

    `zones`: polygons in shares (0–1) of width and height, where litter is looked for; `moves`: a camera that turns.
    """

    def __init__(
        self, thresholds: Thresholds, zones: Sequence[Sequence[tuple[float, float]]] = (), *, moves: bool = False
    ) -> None:
        self._limits = thresholds
        self._zones = zones
        self._moves = moves
        self._outage = Outage()
        self._rate = Rate(thresholds)
        self._references = {False: Reference.empty(), True: Reference.empty()}
        self._slow = SlowTrack(thresholds.slow)
        self._hard = Spell(HARD)
        self._soft = Spell(SOFT, allowed_misses=thresholds.confirm.soft_misses)
        self._fault = CameraReason.NONE
        self._slow_fault = CameraReason.NONE
        self._good_looks = 0
        self._last: Picture | None = None
        self._last_s: float | None = None
        self._noted: dict[str, float] = {}
        self._lossy_looks = 0

    def reached(self, transport: Transport, now_s: float) -> Assessment:
        """Judge a look that only asked whether the camera answers."""
        if transport.reason is not CameraReason.NONE:
            self._outage.failed(transport.reason)
        elif self._outage.reason in UNREACHED and not self._down():
            self._outage.over()
        return self._assessment(raw_metrics(transport), self._outage.looks > 0)

    def saw(
        self,
        transport: Transport,
        picture: Picture | None,
        now_s: float,
        *,
        fingerprint: int | None = None,
        corrupt: bool = False,
    ) -> Assessment:
        """Judge a look at the picture. `fingerprint`: CRC-32 of the key frame; `corrupt`: it decoded with errors."""
        metrics = raw_metrics(transport)
        if transport.reason is not CameraReason.NONE:
            self._outage.failed(transport.reason)
            return self._assessment(metrics, not self._down())
        self._outage.over()
        first = self._last_s is None or now_s - self._last_s > self._limits.confirm.pair_s
        if picture is None or corrupt:
            return self._assessment(metrics, False)
        metrics |= self._judge(picture, now_s)
        self._last, self._last_s = picture, now_s
        return self._assessment(metrics, first or self._undecided())

    def noted(
        self,
        *,
        clock_offset_s: float | None = None,
        recording: int | None = None,
        tamper: int | None = None,
        uptime_s: float | None = None,
        main: Transport | None = None,
    ) -> None:
        """Facts from elsewhere (ONVIF, the main stream); they go out with the next assessment."""
        facts = {
            "clock_offset_s": clock_offset_s,
            "recording": recording,
            "tamper_event": tamper,
            "camera_uptime_s": uptime_s,
            "main_stream": None if main is None else float(main.reason is CameraReason.NONE),
        }
        self._noted |= {name: float(value) for name, value in facts.items() if value is not None}

    def accept(self, clean: bool) -> str:
        """Make the last picture the reference of its mode, with `clean` also the clean view. Raises NothingToAccept."""
        if self._last is None:
            raise NothingToAccept("no picture has come from this camera yet: wait for one, then accept again")
        found = signs(self._last, None, None, self._limits)
        reference = self._references[found.infrared]
        learning = self._limits.learning
        reference.restart(found.seen, found.noise, learning.learning_pictures, self._limits.view.clear_peak)
        self._slow.forget()
        self._soft.over()
        self._fault = self._slow_fault = CameraReason.NONE
        return "accepted"

    def dump(self) -> bytes:
        """What must outlive a restart: references, slow tracks, norms."""
        return pack(self._references, self._slow)

    def restore(self, kept: bytes) -> None:
        """Take over what `dump` gave. Raises DamagedMemory and keeps nothing of it."""
        references, slow = unpack(kept, self._limits)
        self._references, self._slow = references, slow

    def _judge(self, picture: Picture, now_s: float) -> dict[str, float]:
        reference = self._references[infrared(picture, self._limits)]
        ready = reference.pictures >= self._limits.learning.learning_pictures
        found = signs(picture, self._last, reference if ready else None, self._limits)
        self.found = found
        suspect = suspicion(found, reference, self._limits, moves=self._moves)
        self._weigh(suspect, now_s)
        if suspect is CameraReason.NONE and self._fault is CameraReason.NONE:
            if found.beside is not None:
                self._slow.saw(found.beside, reference, self._limits, now_s)
                self._slow_fault = self._slow.suspect()
            if not self._soft.going and self._slow_fault is CameraReason.NONE:
                learning = self._limits.learning
                reference.learn(found.seen, found.noise, learning.slow_pictures, self._limits.view.clear_peak)
        return {}

    def _weigh(self, suspect: CameraReason, now_s: float) -> None:
        """Follow the spells of suspicion; a spell that lasts becomes the fault, good looks end it."""
        self._hard.saw(suspect, now_s)
        self._soft.saw(suspect, now_s)
        self._good_looks = 0 if suspect is not CameraReason.NONE else self._good_looks + 1
        confirm = self._limits.confirm
        if self._hard.going:
            reason = self._hard.reason()
            long_enough = confirm.frozen_s if reason is CameraReason.FROZEN else confirm.hard_s
            if len(self._hard.looks) >= confirm.hard_looks and self._hard.lasted_s() >= long_enough:
                self._fault = reason
        elif self._soft.going:
            if len(self._soft.looks) >= confirm.soft_looks and self._soft.lasted_s() >= confirm.soft_s:
                self._fault = self._soft.reason()
        elif self._good_looks >= confirm.clear_looks and self._fault is not CameraReason.MOVED:
            self._fault = CameraReason.NONE

    def _undecided(self) -> bool:
        """Whether another look soon would decide something."""
        opening = self._hard.going and self._fault not in HARD
        closing = self._fault in HARD and not self._hard.going
        return opening or closing

    def _down(self) -> bool:
        return self._outage.looks >= self._limits.confirm.transport_looks

    def _verdict(self, again: bool) -> Verdict:
        if self._down():
            return Verdict(outage_state(self._outage.reason), self._outage.reason, again)
        if self._fault in HARD:
            return Verdict(CameraState.DOWN, self._fault, again)
        if self._fault is not CameraReason.NONE:
            return Verdict(CameraState.DEGRADED, self._fault, again)
        if self._slow_fault is not CameraReason.NONE:
            return Verdict(CameraState.DEGRADED, self._slow_fault, again)
        if self._last is None:
            return Verdict(CameraState.UNKNOWN, CameraReason.NOT_MEASURED, again)
        return Verdict(CameraState.OK, CameraReason.NONE, again)

    def _assessment(self, metrics: dict[str, float], again: bool) -> Assessment:
        verdict = self._verdict(again)
        found = metrics | self._noted
        found |= {"camera_state": float(verdict.state), "camera_reason": float(verdict.reason)}
        self._noted = {}
        return Assessment(verdict, found)
