"""How a camera is, judged from what its sessions delivered. Pure in time, which the caller gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.cameras import picture as measure
from edge.cameras.facts import Transport, Verdict
from edge.cameras.picture import Picture
from edge.cameras.stream import Outage, Rate, outage_state, raw_metrics
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason, CameraState


class NothingToAccept(Exception):
    """There is no picture that could become the reference; the text says why and what to do next."""


class DamagedMemory(Exception):
    """Kept references can't be read (damaged, or of another version); go on, the camera is learned anew."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a look came to: the verdict, and what was measured in this look by the catalogue's names."""

    verdict: Verdict
    metrics: dict[str, float]


class CameraHealth:
    """One camera's judgement. Two looks make a pair 10 s apart: a frozen picture shows only beside the one before."""

    def __init__(
        self, thresholds: Thresholds, zones: Sequence[Sequence[tuple[float, float]]] = (), *, moves: bool = False
    ) -> None:
        self._thresholds = thresholds
        self._zones = zones
        self._moves = moves
        self._outage = Outage()
        self._rate = Rate(thresholds)
        self._state = CameraState.UNKNOWN
        self._reason = CameraReason.NOT_MEASURED
        self._last: Picture | None = None
        self._suspect = CameraReason.NONE
        self._suspect_looks = 0
        self._again = False
        self._noted: dict[str, float] = {}

    def reached(self, transport: Transport, now_s: float) -> Assessment:
        """Judge a look that only asked whether the camera answers."""
        if transport.reason is not CameraReason.NONE:
            self._failed(transport.reason)
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
            self._failed(transport.reason)
            return self._assessment(metrics, self._outage.looks <= self._thresholds.confirm.transport_looks)
        self._outage.over()
        if picture is None or corrupt:
            return self._assessment(metrics, False)
        suspect = self._suspicion(picture)
        self._suspect_looks = self._suspect_looks + 1 if suspect is self._suspect else 1
        self._suspect = suspect
        self._last = picture
        if suspect is CameraReason.NONE:
            self._state, self._reason = CameraState.OK, CameraReason.NONE
        elif self._suspect_looks >= self._thresholds.confirm.hard_looks:
            self._state, self._reason = CameraState.DOWN, suspect
        self._again = not self._again
        return self._assessment(metrics, self._again)

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
        return "accepted"

    def dump(self) -> bytes:
        """What must outlive a restart: references, slow tracks, norms."""
        return b""

    def restore(self, kept: bytes) -> None:
        """Take over what `dump` gave. Raises DamagedMemory and keeps nothing of it."""

    def _suspicion(self, picture: Picture) -> CameraReason:
        limits = self._thresholds.picture
        light = measure.light(picture, limits.clipped_luma)
        if light.p99 < limits.black_p99_luma:
            return CameraReason.BLACK
        if light.clipped_share > limits.clipped_share:
            return CameraReason.WASHED_OUT
        if self._last is not None:
            still = measure.block_change(picture, self._last)[1:-1] < limits.still_luma
            if still.mean() >= limits.still_share:
                return CameraReason.FROZEN
        return CameraReason.NONE

    def _failed(self, reason: CameraReason) -> None:
        self._outage.failed(reason)
        if self._outage.looks >= self._thresholds.confirm.transport_looks:
            self._state, self._reason = outage_state(reason), reason

    def _assessment(self, metrics: dict[str, float], again: bool) -> Assessment:
        found = metrics | self._noted | {"camera_state": float(self._state), "camera_reason": float(self._reason)}
        self._noted = {}
        return Assessment(Verdict(self._state, self._reason, again), found)
