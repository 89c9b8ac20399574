"""The line of a camera as real processes: camera over RTSP, agent, Mosquitto, gateway, SQLite. With a password."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from kewang.bench.cameras_served import CameraRow, camera_rows, painted_cameras
from kewang.bench.guard import Guard
from kewang.bench.houses import SqliteHouse
from kewang.bench.parts import Mosquitto
from kewang.bench.process import READY_LIMIT_S, wait_for
from kewang.bench.programs import EdgeProgram, GatewayProgram

QUICK: Mapping[str, float] = {
    "reach_s": 1.0,
    "picture_s": 2.0,
    "slow_s": 3.0,
    "suspicion_s": 1.0,
    "watch_s": 1.0,
    "timeout_s": 2.0,
}
"""Tiers of seconds instead of minutes."""
USER = "pengawas"


class VerboseEdge(EdgeProgram):
    """An agent that logs all it can."""

    def command(self) -> Sequence[str]:
        return [*super().command(), "--verbose"]


class CameraTown:
    """`cameras`: given the addresses of the simulated cameras, the settings of the agent's sources."""

    def __init__(self, secret: str, *, scenes: str = "market", count: int = 1) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kewang-"))
        self.password_file = self.folder / "camera.password"
        self.password_file.touch(0o600)
        self.password_file.write_text(secret)
        self.broker = Mosquitto(self.folder / "broker")
        self.house = SqliteHouse(self.folder / "store")
        self.gateway = GatewayProgram(self.folder / "gateway", self.broker.port, self.house.url, faster=5)
        login = ["--auth", "digest", "--user", USER, "--password-file", str(self.password_file)]
        words = [*login, "--scene", scenes]
        self.cameras = painted_cameras(self.folder / "cameras", count, *words, seed=1, hour=10.0, fps=5.0)
        self.edge = VerboseEdge(
            self.folder / "edge",
            "kotak-1",
            self.broker.port,
            faster=5,
            flush_s=0.5,
            box_interval_s=1.0,
            cameras=self.sources,
        )
        self.heard: list[bytes] = []
        self._stack = ExitStack()

    def sources(self) -> list[dict[str, object]]:
        """One source; a test may want others."""
        return [self.source("cam-1", url=self.cameras.rtsp(0))]

    def source(self, name: str, **keys: object) -> dict[str, object]:
        return {"name": name, "user": USER, "password_file": str(self.password_file), **QUICK, **keys}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            guard = Guard(self.folder)
            undo.callback(guard.close)
            for part in (self.broker, self.cameras, self.gateway, self.edge):
                part.guard = guard
                undo.enter_context(part)
                if part is self.broker:
                    undo.enter_context(self._listening())
                if part is self.gateway:
                    wait_for(lambda: self.gateway.get("/ready") is not None, READY_LIMIT_S)
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear every message of the broker."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        subscribed = threading.Event()
        client.on_message = lambda _, __, message: self.heard.append(
            message.topic.encode() + _plain(bytes(message.payload))
        )
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect(self.broker.host, self.broker.port)
        client.subscribe("#")
        client.loop_start()
        try:
            assert subscribed.wait(READY_LIMIT_S)
            yield
        finally:
            client.disconnect()
            client.loop_stop()

    def readings(self, source: str = "cam-1", since_ms: int = 0) -> list[CameraRow]:
        """What the database holds of a camera, in order of time."""
        return [row for row in camera_rows(self.house.file) if row.source == source and row.date_ms >= since_ms]


def _plain(payload: bytes) -> bytes:
    """The payload, inflated if it was deflated."""
    with contextlib.suppress(zlib.error):
        return zlib.decompress(payload)
    return payload
