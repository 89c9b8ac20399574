"""Cameras in a store as their agents leave them there: a look at the picture, then looks that only reach them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.ports import Sink, Table, Value
from kewang.wire.cameras import CameraReason, CameraState

PICTURE = {"fps": 11.9, "loss_pct": 0.12, "activity_pct": 31.0, "clutter_pct": 4.0, "bitrate_kbps": 480.0}


@dataclass(frozen=True)
class Camera:
    """One camera of a device, how it is, and what the last look at its picture gave, `picture_age_s` ago."""

    device: str
    source: str
    state: CameraState | None
    reason: CameraReason = CameraReason.NONE
    picture: Mapping[str, float] = field(default_factory=lambda: PICTURE)
    picture_age_s: float = 40.0
    age_s: float = 2.0


CAMERAS = (
    Camera("mardika-01", "cam-1", CameraState.OK),
    Camera("mardika-02", "cam-1", CameraState.DOWN, CameraReason.BLACK),
    Camera("batu-merah-01", "cam-1", CameraState.DEGRADED, CameraReason.LOW_FPS),
    Camera("passo-02", "cam-1", CameraState.UNKNOWN, CameraReason.LEARNING),
    Camera("trikora-01", "cam-1", CameraState.OK),
    Camera("trikora-01", "cam-2", CameraState.DEGRADED, CameraReason.PARTLY_COVERED),
    Camera("galala-01", "cam-1", CameraState.OK, picture_age_s=430.0, age_s=400.0),
)


async def settle(sink: Sink, now_ms: int, cameras: tuple[Camera, ...] = CAMERAS) -> None:
    """Write their newest rows: one of the picture, the newest that the camera was only reached."""
    for camera in cameras:
        state = () if camera.state is None else (("camera_state", camera.state), ("camera_reason", camera.reason))
        told = {name: float(code) for name, code in state}
        rows = {camera.picture_age_s: {**camera.picture, **told}, camera.age_s: {"tcp_ms": 1.5, **told}}
        for age_s, values in rows.items():
            row: tuple[Value, ...] = (now_ms - int(age_s * 1000), *values.values())
            tags = (("device", camera.device), ("source", camera.source))
            await sink.write([Table("cam", tags, tuple(values), [row])])
