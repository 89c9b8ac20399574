"""What a session's transport says about a camera: outages, frame rate against its norm, loss, clock, recording."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from edge.cameras.facts import Transport
from edge.cameras.thresholds import StreamLimits, Thresholds
from edge.onvif import Recording
from kewang.wire.cameras import CameraReason, CameraState

LIMITED: Final = frozenset({CameraReason.BUSY, CameraReason.CODEC})
"""The camera works, but we can't look at it: degraded, not down."""
UNREACHED: Final = frozenset({CameraReason.DNS, CameraReason.REFUSED, CameraReason.TIMEOUT, CameraReason.UNROUTABLE})
"""Nobody answered at all."""
NORM_LENGTH: Final = 60
"""Sessions whose median is the norm: about an hour."""
_CORRUPT_LENGTH: Final = 20
_RAW: Final = (
    "tcp_ms",
    "options_ms",
    "describe_ms",
    "setup_ms",
    "play_ms",
    "first_packet_ms",
    "first_keyframe_ms",
    "fps",
    "stalls",
    "stall_max_s",
    "bitrate_kbps",
    "keyframe_interval_s",
    "loss_pct",
    "jitter_ms",
    "clock_offset_s",
)
"""Facts of a session that are metrics of the catalogue, by the same name."""


def outage_state(reason: CameraReason) -> CameraState:
    """The state that a confirmed transport fault means."""
    return CameraState.DEGRADED if reason in LIMITED else CameraState.DOWN


def believed(transport: Transport, limits: StreamLimits) -> Transport:
    """Without a clock that is none: many cameras report the time since power-on, counted from 1900."""
    offset_s = transport.clock_offset_s
    if offset_s is None or abs(offset_s) < limits.clock_believed_s:
        return transport
    return replace(transport, clock_offset_s=None)


def raw_metrics(transport: Transport) -> dict[str, float]:
    """What this session measured, by the catalogue's names; nothing that it did not measure."""
    found = {name: getattr(transport, name) for name in _RAW}
    reachable = 0.0 if transport.reason in UNREACHED else 1.0
    return {"reachable": reachable} | {name: float(value) for name, value in found.items() if value is not None}


@dataclass
class Outage:
    """Looks in a row that ended in a transport fault, of whatever kind; the latest kind is its reason."""

    enough_looks: int
    looks: int = 0
    reason: CameraReason = CameraReason.NONE

    def failed(self, reason: CameraReason) -> None:
        """A look failed."""
        self.looks += 1
        self.reason = reason

    def over(self) -> None:
        """A look succeeded."""
        self.looks, self.reason = 0, CameraReason.NONE

    @property
    def confirmed(self) -> bool:
        """Whether it is an outage by now."""
        return self.looks >= self.enough_looks


@dataclass
class Stream:
    """Streams that come, but not as they should. Norms are per mode (day, infrared), for many cameras halve their
    frame rate at night."""

    thresholds: Thresholds
    norms: dict[bool, deque[float]] = field(
        default_factory=lambda: {mode: deque(maxlen=NORM_LENGTH) for mode in (False, True)}
    )
    low_looks: int = 0
    lossy_looks: int = 0
    corrupt_looks: int = 0
    facts: dict[str, float] = field(default_factory=dict)
    _corrupt: deque[bool] = field(default_factory=lambda: deque(maxlen=_CORRUPT_LENGTH))

    def watched(self, transport: Transport, infrared: bool, corrupt: bool | None) -> dict[str, float]:
        """Take a session in. `corrupt`: its picture decoded with errors; None without one. What follows from it."""
        found: dict[str, float] = {}
        if transport.fps is not None and (ratio := self._ratio(transport.fps, infrared)) is not None:
            found["fps_ratio"] = ratio
        if transport.loss_pct is not None:
            lossy = transport.loss_pct >= self.thresholds.stream.loss_pct
            self.lossy_looks = self.lossy_looks + 1 if lossy else 0
        if corrupt is not None:
            self.corrupt_looks = self.corrupt_looks + 1 if corrupt else 0
            self._corrupt.append(corrupt)
            found["decode_errors_pct"] = 100 * sum(self._corrupt) / len(self._corrupt)
        if transport.clock_offset_s is not None:
            self.facts["clock_offset_s"] = transport.clock_offset_s
        return found

    def noted(self, facts: Mapping[str, float]) -> None:
        """Facts from elsewhere."""
        self.facts |= facts

    def fault(self) -> CameraReason:
        """What is wrong with the stream, the gravest first; NONE if nothing is."""
        looks, limits = self.thresholds.confirm.stream_looks, self.thresholds.stream
        if self.lossy_looks >= looks:
            return CameraReason.LOSS
        if self.corrupt_looks >= looks:
            return CameraReason.DECODE
        if self.low_looks >= looks:
            return CameraReason.LOW_FPS
        if abs(self.facts.get("clock_offset_s", 0.0)) >= limits.clock_offset_s:
            return CameraReason.CLOCK
        if self.facts.get("recording") == Recording.NO:
            return CameraReason.NOT_RECORDING
        return CameraReason.NONE

    def _ratio(self, fps: float, infrared: bool) -> float | None:
        """`fps` over its norm; None while the norm is being learned. What is too low is not learned."""
        known, limits = self.norms[infrared], self.thresholds.stream
        if len(known) < limits.norm_sessions:
            known.append(fps)
            return None
        ratio = fps / max(median(known), 0.1)
        low = ratio < limits.low_fps_ratio
        self.low_looks = self.low_looks + 1 if low else 0
        if not low:
            known.append(fps)
        return ratio
