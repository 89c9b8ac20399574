"""Simulated cameras as a part, and an agent that looks at them: what the benches of cameras run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware_sim.faults import switch
from kewang.bench.process import Part, free_ports
from kewang.bench.programs import HOST, Attached, EdgeProgram


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


class CameraEdge(EdgeProgram):
    """An agent with boards and with cameras, `urls` by name; each is a source of its own."""

    def __init__(
        self, folder: Path, device: str, broker_port: int, attached: Sequence[Attached], urls: dict[str, str]
    ) -> None:
        super().__init__(folder, device, broker_port, attached)
        self.urls = urls

    def write_config(self) -> Path:
        config = super().write_config()
        cameras = "".join(
            f'\n[[sources]]\ndriver = "camera"\nname = {json.dumps(name)}\nurl = {json.dumps(url)}\n'
            for name, url in self.urls.items()
        )
        config.write_text(config.read_text() + cameras)
        return config
