"""Cameras that listen: their ports, their connections, and the file that tells what they did."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.faults import TransportFault
from firmware_sim.cameras.rtsp import Connection
from firmware_sim.cameras.tally import write
from firmware_sim.cameras.web import CameraWeb

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.1
_WRITE_EVERY_S: Final = 1.0
_THREADS: Final = 4


class Listener:
    """The ports of one camera. They may close and open again; their numbers stay the same."""

    def __init__(self, camera: Camera, host: str) -> None:
        self.camera = camera
        self._host = host
        self._web = CameraWeb(camera)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, port: int, http_port: int) -> None:
        """Listen; `rtsp_port` and `http_port` of the camera are set. Raises OSError if a port is taken."""
        if not self._web.is_open:
            await self._web.open(self._host, http_port)
        self._server = await asyncio.start_server(self._connected, self._host, port)
        self.camera.rtsp_port = self._server.sockets[0].getsockname()[1]
        self.camera.is_listening = True

    async def close(self) -> None:
        """Close the ports and every connection."""
        await self._web.close()
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self.camera.is_listening = False

    async def follow(self) -> None:
        """Close or open as the fault `refused` asks."""
        refused = TransportFault.REFUSED in self.camera.faults()
        if refused and self._server is not None:
            await self.close()
        elif not refused and self._server is None:
            await self.open(self.camera.rtsp_port, self.camera.http_port)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.camera.tally.connections += 1
        task = asyncio.create_task(Connection(self.camera, reader, writer).run(), name="camera connection")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)


@asynccontextmanager
async def serving(
    cameras: Sequence[Camera],
    host: str = "127.0.0.1",
    port: int = 0,
    http_port: int = 0,
    *,
    statistics: Path | None = None,
) -> AsyncIterator[None]:
    """Serve `cameras`, each on ports of its own, from `port` and `http_port` on (0 = free ones); stops at the end.

    `statistics` is written every second, and once more at the end. Raises OSError if a port is taken.
    """
    listeners = [Listener(camera, host) for camera in cameras]
    for film, camera in {camera.film: camera for camera in cameras}.items():
        await asyncio.get_running_loop().run_in_executor(camera.executor, film.prepare)
    try:
        for index, listener in enumerate(listeners):
            await listener.open(port and port + index, http_port and http_port + index)
        async with _looked_after(listeners, statistics):
            yield
    finally:
        for listener in listeners:
            await listener.camera.stop()
            await listener.close()
        _tell(cameras, statistics)


@asynccontextmanager
async def _looked_after(listeners: Sequence[Listener], statistics: Path | None) -> AsyncIterator[None]:
    _tell([listener.camera for listener in listeners], statistics)
    looking = asyncio.create_task(_look_after(listeners, statistics), name="camera keeper")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look_after(listeners: Sequence[Listener], statistics: Path | None) -> None:
    write_s = 0.0
    while True:
        for listener in listeners:
            listener.camera.expire()
            # The port may be taken by somebody while it is closed: then the camera stays away a little longer.
            with contextlib.suppress(OSError):
                await listener.follow()
        if time.monotonic() >= write_s:
            write_s = time.monotonic() + _WRITE_EVERY_S
            try:
                _tell([listener.camera for listener in listeners], statistics)
            except OSError as error:
                log.warning("%s: %s: make room or choose another file", statistics, error.strerror)
        await asyncio.sleep(_LOOK_EVERY_S)


def _tell(cameras: Sequence[Camera], statistics: Path | None) -> None:
    if statistics is not None:
        write(statistics, {"cameras": [camera.statistics() for camera in cameras]})


def workers() -> ThreadPoolExecutor:
    """Threads in which cameras paint and encode; a context manager."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="camera")
