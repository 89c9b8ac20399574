"""A camera's HTTP port: MJPEG, a snapshot, ONVIF where it is there; with the faults that make sense over HTTP."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from firmware_sim.cameras import services
from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.codecs import jpeg
from firmware_sim.cameras.faults import Switched, TransportFault

SNAPSHOT: Final = "/snapshot.jpg"
MJPEG: Final = "/stream.mjpeg"
_BOUNDARY: Final = "frame"
_ELSEWHERE: Final = "http://192.0.2.1/"
_CODES: Final = {
    TransportFault.NOT_FOUND: 404,
    TransportFault.SERVER_ERROR: 500,
    TransportFault.UNAVAILABLE: 503,
    TransportFault.BUSY: 503,
}
_POURED: Final = {
    TransportFault.ENDLESS_HEADER: b"HTTP/1.1 200 OK\r\nX-Fill: ",
    TransportFault.HUGE_LENGTH: b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 4294967296\r\n\r\n",
    TransportFault.NOT_RTSP: b"SSH-2.0-dropbear\r\n",
}
_BOMB_SIZE: Final = 65_500
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CameraWeb:
    """The HTTP side of one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._runner: web.AppRunner | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen; `camera.http_port` is set. Raises OSError if the port is taken."""
        application = web.Application(middlewares=[self._guard])
        application.router.add_get(SNAPSHOT, self._snapshot)
        application.router.add_get(MJPEG, self._mjpeg)
        application.add_routes(services.routes(self._camera))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._camera.http_port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._runner is not None

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults of the whole connection, then the door; ONVIF keeps its own door."""
        faults = self._camera.faults()
        self._camera.tally.requests[f"HTTP {request.path}"] += 1
        if TransportFault.HANG in faults:
            await asyncio.Event().wait()
        for fault, head in _POURED.items():
            if fault in faults:
                await _pour(request, head)
        for fault, code in _CODES.items():
            if fault in faults:
                return web.Response(status=code)
        if TransportFault.REDIRECT in faults:
            return web.Response(status=302, headers={"Location": _ELSEWHERE})
        return await handler(request)

    def _refusal(self, request: web.Request, faults: Switched) -> web.Response | None:
        door = self._camera.door
        admitted = door.admits(request.method, request.headers.get("Authorization"))
        if TransportFault.UNAUTHORISED in faults or not admitted:
            return web.Response(status=401, headers={"WWW-Authenticate": door.challenge()})
        return None

    async def _snapshot(self, request: web.Request) -> web.StreamResponse:
        refused = self._refusal(request, self._camera.faults())
        return refused or web.Response(body=await self._jpeg(), content_type="image/jpeg")

    async def _mjpeg(self, request: web.Request) -> web.StreamResponse:
        refused = self._refusal(request, self._camera.faults())
        if refused is not None:
            return refused
        response = web.StreamResponse(headers={"Content-Type": f"multipart/x-mixed-replace; boundary={_BOUNDARY}"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await self._send_pictures(response)
        return response

    async def _send_pictures(self, response: web.StreamResponse) -> None:
        """Until the client leaves. Each is painted when its turn comes: a slow client gets fewer."""
        sent, due_s = 0, self._camera.age_s()
        while True:
            faults = self._camera.faults()
            held = TransportFault.SILENT in faults or sent >= faults.value(TransportFault.STALL, sent + 1)
            if not held:
                await response.write(_part(await self._jpeg()))
                sent += 1
                self._camera.tally.http_frames += 1
            due_s += 1 / faults.value(TransportFault.SLOW_FPS, self._camera.settings.fps)
            due_s = max(due_s, self._camera.age_s())
            await asyncio.sleep(due_s - self._camera.age_s())

    async def _jpeg(self) -> bytes:
        camera, faults = self._camera, self._camera.faults()

        def make() -> bytes:
            file = jpeg(camera.film.picture(camera.age_s(), faults.picture))
            return spoil_jpeg(file, faults)

        return await asyncio.get_running_loop().run_in_executor(camera.executor, make)


def spoil_jpeg(file: bytes, faults: Switched) -> bytes:
    """`file` as it leaves the camera: with noise for its scan, or as a bomb that claims 65500 × 65500 pixels."""
    if TransportFault.EIGHT_K in faults:
        place = file.index(b"\xff\xc0") + 5
        return file[:place] + _BOMB_SIZE.to_bytes(2, "big") * 2 + file[place + 4 :]
    if TransportFault.GARBAGE in faults:
        return file[:20] + b"\x55" * max(0, len(file) - 20)
    if TransportFault.HUGE_KEYFRAME in faults:
        return file + b"\0" * int(faults.value(TransportFault.HUGE_KEYFRAME) * 1_000_000)
    return file


def _part(file: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(file)}\r\n\r\n"
    return head.encode() + file + b"\r\n"


async def _pour(request: web.Request, head: bytes) -> None:
    """`head` and then no end of bytes, past aiohttp; ends with the connection."""
    transport = request.transport
    if transport is not None:
        transport.write(head)
    while transport is not None and not transport.is_closing():
        if transport.get_write_buffer_size() < 100_000:
            transport.write(b"a" * 4096)
        await asyncio.sleep(0.005)
    raise asyncio.CancelledError
