"""Boxes with cameras as parts: simulated cameras on real ports, and agents that watch them."""

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kewang.bench.process import Part
from kewang.bench.programs import EdgeProgram

KINDS: Final = ("market", "street")
FLUSH_S: Final = 2.0


class CamerasProgram(Part):
    """`firmware_sim camera`: `count` painted cameras in one process, markets and streets in turn.

    They start `hour` hours after local midnight, with the seeds `seed`, `seed` + 1 and so on.
    """

    name = "cameras"

    def __init__(self, folder: Path, count: int, *, seed: int, hour: float, fps: float) -> None:
        super().__init__(folder)
        self.count, self.seed, self.hour, self.fps = count, seed, hour, fps
        self._control = folder / "control.json"

    def command(self) -> Sequence[str]:
        looks = ["--scene", ",".join(KINDS), "--seed", str(self.seed), "--hour", str(self.hour), "--fps", str(self.fps)]
        files = ["--control", str(self._control), "--statistics", str(self.folder / "statistics.json")]
        return [sys.executable, "-m", "firmware_sim", "camera", "--cameras", str(self.count), *looks, *files]

    def is_ready(self) -> bool:
        return bool(self._told())

    def urls(self) -> list[str]:
        """The RTSP address of each camera; none while it starts."""
        return [camera["rtsp"] for camera in self._told()]

    def _told(self) -> list[dict[str, str]]:
        """What it says of each camera when it is ready."""
        for line in self.log_path.read_text().splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                return list(json.loads(line)["cameras"])
        return []

    def switch(self, index: int, fault: str | None) -> None:
        """Let camera `index` show `fault` from now on; None: none. The file is replaced, never half written."""
        control = Path(self._told()[index]["control"])
        fresh = control.with_name(control.name + ".new")
        fresh.write_text(json.dumps({"fault": fault}))
        fresh.replace(control)


@dataclass(frozen=True, slots=True)
class Watched:
    """A camera as a source of a box."""

    name: str
    url: str
    picture_s: float


class CameraBox(EdgeProgram):
    """`kewang edge run` of a box with cameras."""

    def __init__(self, folder: Path, device: str, broker_port: int, watched: Sequence[Watched]) -> None:
        super().__init__(folder, device, broker_port, flush_s=FLUSH_S)
        self.watched = tuple(watched)

    def write_config(self) -> Path:
        """The settings file, written anew."""
        config = super().write_config()
        with config.open("a") as file:
            for camera in self.watched:
                keys = {"driver": "camera", "name": camera.name, "url": camera.url, "picture_s": camera.picture_s}
                file.write("\n[[sources]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
        return config
