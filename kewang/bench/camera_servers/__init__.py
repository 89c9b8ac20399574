"""Cameras that others wrote, with clips whose truth we know: GStreamer's RTSP server, and aio-rtsp-toolkit's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from kewang.bench.camera_servers import clips
from kewang.bench.process import MissingPart, Part, free_port

USER: Final = "admin"
PASSWORD: Final = "gst-secret-2026"
_PYTHON: Final = "/usr/bin/python3"
_BINDINGS: Final = 'import gi; gi.require_version("GstRtspServer", "1.0")'
_TOOLKIT: Final = Path(__file__).resolve().parents[3] / ".parts" / "cameras" / "bin" / "rtsp-server"
_CLIP_S: Final = 12


@dataclass(frozen=True, slots=True)
class Mount:
    """A stream and its truth. `lost_of`: one packet of so many is lost; `stalls_after` so many frames.

    `uptime_clock`: its sender reports count from power-on. `clip`: filled in by the server.
    """

    codec: str = "h264"
    fps: int = 15
    gop: int = 15
    kbps: int = 400
    lost_of: int = 0
    stalls_after: int | None = None
    only_udp: bool = False
    uptime_clock: bool = False
    clip: str = ""


class CameraServer(Part):
    """A part that speaks RTSP on `127.0.0.1:port`."""

    def __init__(self, folder: Path, mounts: Mapping[str, Mount]) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.mounts = mounts

    def url(self, mount: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{mount}"

    def is_ready(self) -> bool:
        with socket.socket() as asking:
            asking.settimeout(1)
            return asking.connect_ex(("127.0.0.1", self.port)) == 0


class GstServer(CameraServer):
    """GStreamer's RTSP server, an implementation of its own. `auth`: basic, digest or None (open)."""

    name: ClassVar[str] = "gst-rtsp-server"

    def __init__(self, folder: Path, mounts: Mapping[str, Mount], *, auth: str | None = None) -> None:
        super().__init__(folder, mounts)
        self.auth = auth

    def command(self) -> Sequence[str]:
        if not _has_bindings():
            raise MissingPart("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0)")
        told = {name: asdict(replace(mount, clip=self._clip(mount))) for name, mount in self.mounts.items()}
        path = self.data_folder / "mounts.json"
        path.write_text(json.dumps({"mounts": told, "login": [USER, PASSWORD]}))
        script = Path(__file__).with_name("gst_server.py")
        login = ["--auth", self.auth] if self.auth else []
        return [_PYTHON, str(script), str(self.port), str(path), *login]

    def _clip(self, mount: Mount) -> str:
        path = self.data_folder / f"{mount.codec}-{mount.gop}-{mount.kbps}.units"
        if not path.exists():
            # As long as one interval of key frames, or two: a loop is then as good as an endless clip.
            frames = max(mount.gop, mount.gop * (30 // mount.gop))
            clips.write(path, clips.access_units(mount.codec, mount.fps, frames, mount.gop, kbps=mount.kbps))
        return str(path)


def _has_bindings() -> bool:
    asked = [_PYTHON, "-c", _BINDINGS]
    return Path(_PYTHON).exists() and subprocess.run(asked, capture_output=True, check=False).returncode == 0


class ToolkitServer(CameraServer):
    """aio-rtsp-toolkit's server, which sends MP4 files over TCP, each from its beginning."""

    name: ClassVar[str] = "aio-rtsp-toolkit"

    def __init__(self, folder: Path, mounts: Mapping[str, Mount]) -> None:
        super().__init__(folder, {f"{name}.mp4": mount for name, mount in mounts.items()})
        self._control_port = free_port()

    def command(self) -> Sequence[str]:
        if not os.access(_TOOLKIT, os.X_OK):
            raise MissingPart("aio-rtsp-toolkit's rtsp-server")
        for name, mount in self.mounts.items():
            clips.movie(self.data_folder / name, mount.codec, mount.fps, mount.fps * _CLIP_S, mount.gop)
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--control-port", str(self._control_port)]
        return [str(_TOOLKIT), "--dir", str(self.data_folder), *place]
