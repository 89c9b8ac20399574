"""What our client measures of servers that others wrote, beside the truth: rows for a table, and for the tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from edge.cameras.facts import Transport
from edge.net.address import parse
from edge.rtsp import watch
from kewang.bench.camera_servers import PASSWORD, USER, CameraServer, GstServer, Mount, ToolkitServer
from kewang.wire.cameras import CameraReason

TOLERANCES: Final = {"fps": 0.2, "loss_pct": 0.5, "keyframe_interval_s": 0.1, "clock_offset_s": 1.0}
GST_MOUNTS: Final = {
    "h264": Mount(),
    "h265": Mount("h265", fps=25, gop=25),
    "mjpeg": Mount("mjpeg", fps=10, gop=1),
    "slow": Mount(fps=5, gop=5),
    # Frames of many packets: none is lost as a whole, so that the truth of the frame rate stays what it is.
    "lossy": Mount(lost_of=50, kbps=1000),
    "udp": Mount(only_udp=True, lost_of=40, kbps=1000),
    "stall": Mount(stalls_after=30),
    "uptime": Mount(uptime_clock=True),
}
GST_AUTH_MOUNTS: Final = {"h264": Mount()}
TOOLKIT_MOUNTS: Final = {"h264": Mount(fps=12, gop=12), "h265": Mount("h265", fps=20, gop=20)}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its truth; `ok`: within the tolerance."""

    server: str
    stream: str
    metric: str
    measured: float | str | None
    truth: float | str | None
    tolerance: float
    ok: bool


def rows() -> list[dict[str, Any]]:
    """Every stream of every server, watched once. Blocking, about half a minute. Raises MissingPart, PartFailed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found = [
            *served(GstServer(place / "gst", GST_MOUNTS)),
            *served(GstServer(place / "digest", GST_AUTH_MOUNTS, auth="digest"), USER, PASSWORD),
            *served(ToolkitServer(place / "toolkit", TOOLKIT_MOUNTS)),
        ]
    return [asdict(row) for row in found]


def served(server: CameraServer, user: str | None = None, password: str | None = None) -> list[Row]:
    """The rows of one server, which runs meanwhile; its streams are watched at the same time."""
    with server:
        seen = asyncio.run(_watched(server, user, password))
    return [row for name, transport in seen.items() for row in beside_truth(server, name, transport)]


async def _watched(server: CameraServer, user: str | None, password: str | None) -> Mapping[str, Transport]:
    watches = [watch(parse(server.url(name), user, password)) for name in server.mounts]
    return dict(zip(server.mounts, await asyncio.gather(*watches), strict=True))


def beside_truth(server: CameraServer, name: str, seen: Transport) -> list[Row]:
    """What was measured of a stream, beside what its mount sends."""
    mount = server.mounts[name]
    reason = CameraReason.NONE if mount.stalls_after is None else CameraReason.STALLED
    told = [Row(server.name, name, "reason", seen.reason.name, reason.name, 0, seen.reason is reason)]
    truth: dict[str, float | None] = {
        "fps": mount.fps,
        "loss_pct": 100 / mount.lost_of if mount.lost_of else 0.0,
        "keyframe_interval_s": None if mount.codec == "mjpeg" else mount.gop / mount.fps,
        "clock_offset_s": None if mount.uptime_clock else 0.0,
    }
    for metric, true in truth.items():
        measured, tolerance = getattr(seen, metric), TOLERANCES[metric]
        ok = measured is None if true is None else measured is not None and abs(measured - true) <= tolerance
        told.append(Row(server.name, name, metric, measured, true, tolerance, ok))
    told.append(Row(server.name, name, "codec", seen.codec, mount.codec, 0, seen.codec == mount.codec))
    return told
