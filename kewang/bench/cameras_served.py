"""Simulated cameras as a part, and what the database holds of them: what the benches of cameras run and read."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firmware_sim.faults import switch
from kewang.bench.process import Part, free_ports
from kewang.bench.programs import HOST
from kewang.bench.stored import SqliteDatabase
from kewang.wire.cameras import CameraReason, CameraState

KINDS: Final = ("market", "street")


class CamerasProgram(Part):
    """`firmware_sim camera`: all in one process, each behind its own ports, with its control file.

    `words`: further words of the command line, such as `--loop-s 4`.
    """

    name = "cameras"

    def __init__(self, folder: Path, count: int, *words: str) -> None:
        super().__init__(folder)
        self.count, self.words = count, words
        self.first_port = free_ports(2 * count)

    def command(self) -> Sequence[str]:
        ports = ["--port", str(self.first_port), "--http-port", str(self.first_port + self.count)]
        files = ["--control", str(self.folder / "control.json"), "--statistics", str(self.folder / "statistics.json")]
        counted = ["--cameras", str(self.count)]
        return [sys.executable, "-m", "firmware_sim", "camera", *counted, *ports, *files, *self.words]

    def is_ready(self) -> bool:
        """Whether it has told where its cameras are; nobody connects, for connections are counted."""
        return self.log_path.exists() and '"ready": true' in self.log_path.read_text(errors="replace")

    def rtsp(self, index: int) -> str:
        """The stream of camera `index`."""
        return f"rtsp://{HOST}:{self.first_port + index}/stream"

    def http(self, index: int, path: str = "/stream.mjpeg") -> str:
        """A path on the HTTP port of camera `index`."""
        return f"http://{HOST}:{self.first_port + self.count + index}{path}"

    def switch(self, index: int, fault: str | None) -> None:
        """Let camera `index` show `fault` from now on; None: as planned."""
        name = "control.json" if self.count == 1 else f"control-{index}.json"
        switch(self.folder / name, fault)

    def statistics(self) -> list[dict[str, Any]]:
        """What each camera says it did; a second old at most."""
        found: list[dict[str, Any]] = json.loads((self.folder / "statistics.json").read_text())["cameras"]
        return found


def painted_cameras(folder: Path, count: int, *words: str, seed: int, hour: float, fps: float) -> CamerasProgram:
    """Markets and streets in turn, `hour` hours after local midnight, with the seeds `seed`, `seed` + 1 and so on."""
    looks = ["--scene", ",".join(KINDS), "--seed", str(seed), "--hour", str(hour), "--fps", str(fps)]
    return CamerasProgram(folder, count, *looks, *words)


@dataclass(frozen=True, slots=True)
class CameraRow:
    """A look as the database has it: the name of its camera, Unix ms, and what was measured."""

    source: str
    date_ms: int
    values: Mapping[str, float]

    @property
    def state(self) -> CameraState:
        return CameraState(int(self.values["camera_state"]))

    @property
    def reason(self) -> CameraReason:
        return CameraReason(int(self.values["camera_reason"]))


def camera_rows(database: Path) -> list[CameraRow]:
    """All looks that an SQLite database holds now, in order of time."""
    found = (
        CameraRow(tags["source"], date_ms, {name: float(value) for name, value in values.items() if value is not None})
        for tags, date_ms, values in SqliteDatabase(database).rows("cam")
    )
    return sorted((row for row in found if "camera_state" in row.values), key=lambda row: row.date_ms)
