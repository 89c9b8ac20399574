"""How a camera is, judged from what its sessions delivered. Pure in time, which the caller gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.cameras.facts import Transport, Verdict
from edge.cameras.keepsake import DamagedMemory, pack, unpack
from edge.cameras.picture import Picture
from edge.cameras.sight import HARD, NothingToAccept, Sight
from edge.cameras.stream import UNREACHED, Outage, Stream, believed, outage_state, raw_metrics
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason, CameraState

__all__ = ["Assessment", "CameraHealth", "DamagedMemory", "NothingToAccept"]

_NOTHING: Final = CameraReason.NONE


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a look came to: the verdict, and what was measured in this look by the catalogue's names."""

    verdict: Verdict
    metrics: dict[str, float]


class CameraHealth:
    """One camera's judgement. Two looks make a pair 10 s apart: a frozen picture shows only beside the one before.

    `zones`: polygons in shares (0–1) of width and height, where litter is looked for; `moves`: a camera that turns.
    Of several faults the gravest is told: the outage, the picture that is lost, the picture that is worth little, then
    what creeps in, the stream, the clock, the recording.
    """

    def __init__(
        self, thresholds: Thresholds, zones: Sequence[Sequence[tuple[float, float]]] = (), *, moves: bool = False
    ) -> None:
        self._limits = thresholds
        self._sight = Sight(thresholds, zones, moves=moves)
        self._stream = Stream(thresholds)
        self._outage = Outage(thresholds.confirm.transport_looks)
        self._noted: dict[str, float] = {}
        self._now_s = 0.0

    def reached(self, transport: Transport, now_s: float) -> Assessment:
        """Judge a look that only asked whether the camera answers. An outage ends only with what `saw` sees."""
        self._now_s = now_s
        if transport.reason is not _NOTHING:
            self._outage.failed(transport.reason)
        elif self._outage.reason in UNREACHED and not self._outage.confirmed:
            self._outage.over()
        return self._assessment(raw_metrics(transport), self._outage.looks > 0 and not self._outage.confirmed)

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
        self._now_s = now_s
        transport = believed(transport, self._limits.stream)
        metrics = raw_metrics(transport)
        if transport.reason is not _NOTHING:
            self._outage.failed(transport.reason)
            return self._assessment(metrics, not self._outage.confirmed)
        self._outage.over()
        last_s = self._sight.last_s
        first_of_pair = last_s is None or now_s - last_s > self._limits.confirm.pair_s
        if picture is not None and not corrupt:
            metrics |= self._sight.saw(picture, fingerprint, now_s)
        metrics |= self._stream.watched(transport, self._sight.infrared, None if picture is None else corrupt)
        return self._assessment(metrics, (first_of_pair or self._sight.undecided) and picture is not None)

    @property
    def undecided(self) -> bool:
        """Whether looks in the next half minute would decide something: an outage or a hard fault begins or ends."""
        return not self._outage.confirmed and (self._outage.looks > 0 or self._sight.undecided)

    @property
    def suspected(self) -> CameraReason:
        """What the last looks make suspect but no verdict tells yet; NONE if nothing is. It may be a passing truck."""
        if self._outage.looks:
            return _NOTHING if self._outage.confirmed else self._outage.reason
        return self._sight.suspected

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
            "main_stream": None if main is None else float(main.reason is _NOTHING),
        }
        known = {name: float(value) for name, value in facts.items() if value is not None}
        self._noted |= known
        self._stream.noted(known)

    def accept(self, clean: bool) -> str:
        """Make the last picture the reference of its mode, with `clean` also the clean view. Raises NothingToAccept."""
        return self._sight.accept(clean)

    def dump(self) -> bytes:
        """What must outlive a restart: references, slow tracks, the market's views, norms; up to about 150 kB."""
        return pack(self._sight, self._stream)

    def restore(self, kept: bytes) -> None:
        """Take over what `dump` gave. Raises DamagedMemory and keeps nothing of it."""
        unpack(kept, self._sight, self._stream, self._limits)

    def _verdict(self, again: bool) -> Verdict:
        sight, outage = self._sight, self._outage
        if outage.confirmed:
            return Verdict(outage_state(outage.reason), outage.reason, again)
        if sight.fault is not _NOTHING:
            return Verdict(CameraState.DOWN if sight.fault in HARD else CameraState.DEGRADED, sight.fault, again)
        if (fault := self._stream.fault()) is not _NOTHING:
            return Verdict(CameraState.DOWN if fault is CameraReason.DECODE else CameraState.DEGRADED, fault, again)
        if sight.last_s is None or self._now_s - sight.last_s > self._limits.confirm.stale_s:
            return Verdict(CameraState.UNKNOWN, CameraReason.NOT_MEASURED, again)
        if sight.learning:
            return Verdict(CameraState.UNKNOWN, CameraReason.LEARNING, again)
        return Verdict(CameraState.OK, _NOTHING, again)

    def _assessment(self, metrics: dict[str, float], again: bool) -> Assessment:
        verdict = self._verdict(again)
        found = metrics | self._noted
        found |= {"camera_state": float(verdict.state), "camera_reason": float(verdict.reason)}
        self._noted = {}
        return Assessment(verdict, found)
