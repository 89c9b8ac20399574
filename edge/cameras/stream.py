"""What a session's transport says about a camera: outages, frame rate against its norm, loss, clock, recording."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from edge.cameras.facts import Transport
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason, CameraState

LIMITED: Final = frozenset({CameraReason.BUSY, CameraReason.CODEC})
"""The camera works, but we can't look at it: degraded, not down."""
UNREACHED: Final = frozenset({CameraReason.DNS, CameraReason.REFUSED, CameraReason.TIMEOUT, CameraReason.UNROUTABLE})
"""Nobody answered at all."""
_NORM_LENGTH: Final = 60
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


def raw_metrics(transport: Transport) -> dict[str, float]:
    """What this session measured, by the catalogue's names; nothing that it did not measure."""
    found = {name: getattr(transport, name) for name in _RAW}
    reachable = 0.0 if transport.reason in UNREACHED else 1.0
    return {"reachable": reachable} | {name: float(value) for name, value in found.items() if value is not None}


@dataclass
class Outage:
    """Looks in a row that ended in a transport fault, of whatever kind; the latest kind is its reason."""

    looks: int = 0
    reason: CameraReason = CameraReason.NONE

    def failed(self, reason: CameraReason) -> None:
        self.looks += 1
        self.reason = reason

    def over(self) -> None:
        self.looks, self.reason = 0, CameraReason.NONE


@dataclass
class Rate:
    """Frames per second of each mode (day, infrared: many cameras halve it at night) against their usual median."""

    thresholds: Thresholds
    norms: dict[bool, deque[float]] = field(default_factory=dict)
    low_looks: int = 0

    def ratio(self, fps: float, infrared: bool) -> float | None:
        """`fps` over its norm; None while the norm is being learned. What is too low is not learned."""
        known = self.norms.setdefault(infrared, deque(maxlen=_NORM_LENGTH))
        limits = self.thresholds.stream
        if len(known) < limits.norm_sessions:
            known.append(fps)
            return None
        ratio = fps / max(median(known), 0.1)
        low = ratio < limits.low_fps_ratio
        self.low_looks = self.low_looks + 1 if low else 0
        if not low:
            known.append(fps)
        return ratio
