"""What one look at a camera found out: the currency between transport, picture and judgement."""

from dataclasses import dataclass

from kewang.wire.cameras import CameraReason, CameraState


@dataclass(frozen=True, slots=True)
class Transport:
    """What a session delivered. None = not measured. `detail` is for people and never holds a secret.

    Times in ms from the request (`first_*`: from PLAY). `keyframe`: the first whole key frame, decodable by itself
    (Annex B with its parameter sets, or a JPEG file), `codec` one of h264, h265, mjpeg.
    """

    reason: CameraReason
    detail: str = ""
    tcp_ms: float | None = None
    options_ms: float | None = None
    describe_ms: float | None = None
    setup_ms: float | None = None
    play_ms: float | None = None
    first_packet_ms: float | None = None
    first_keyframe_ms: float | None = None
    frames: int | None = None
    fps: float | None = None
    stalls: int | None = None
    stall_max_s: float | None = None
    bitrate_kbps: float | None = None
    keyframe_interval_s: float | None = None
    loss_pct: float | None = None
    jitter_ms: float | None = None
    clock_offset_s: float | None = None
    codec: str | None = None
    keyframe: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """State and its reason, confirmed; `suspicious`: look again soon, references are not updated meanwhile."""

    state: CameraState
    reason: CameraReason
    suspicious: bool
