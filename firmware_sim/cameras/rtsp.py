"""RTSP as a camera speaks it: one `Connection` for each client, which answers its requests and owns its sessions."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.faults import Switched, TransportFault
from firmware_sim.cameras.requests import Answer, BadRequest, Request, answer, read_request
from firmware_sim.cameras.sdp import TRACK, describe
from firmware_sim.cameras.session import OverTcp, Session, Wire, open_udp
from firmware_sim.cameras.tally import Ending

_METHODS: Final = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_ELSEWHERE: Final = "rtsp://192.0.2.1:554/stream"
_CHANNELS: Final = re.compile(r"interleaved=(\d+)(?:-(\d+))?")
_PORTS: Final = re.compile(r"client_port=(\d+)(?:-(\d+))?")
_FILL: Final = b"a" * 4096
_HUGE_BYTES: Final = 1 << 32


class Connection:
    """One client. `run` ends when the client leaves; its sessions over TCP end with it."""

    def __init__(self, camera: Camera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._camera, self._reader, self._writer = camera, reader, writer
        self._mine: list[Session] = []
        self._methods: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "PAUSE": self._pause,
            "GET_PARAMETER": self._parameter,
            "SET_PARAMETER": self._parameter,
            "TEARDOWN": self._teardown,
        }

    async def run(self) -> None:
        """Answer until the client leaves; cancelled, the camera hangs up."""
        ending: Ending = "closed"
        try:
            if not await self._misbehave(self._camera.faults()):
                await self._converse()
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            ending = "stopped"
            raise
        finally:
            self._left(ending)
            self._writer.close()

    async def _misbehave(self, faults: Switched) -> bool:
        """Do what a fault of the whole connection asks for; whether there was one."""
        if TransportFault.HANG in faults:
            while await self._reader.read(4096):
                pass
        elif TransportFault.NOT_RTSP in faults:
            await self._reader.read(4096)
            self._writer.write(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n")
            await self._writer.drain()
        elif TransportFault.ENDLESS_HEADER in faults:
            await self._reader.read(4096)
            await self._pour(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nX-Fill: ")
        else:
            return False
        return True

    async def _pour(self, head: bytes) -> None:
        """`head`, and then no end of bytes."""
        self._writer.write(head)
        while not self._writer.is_closing():
            self._writer.write(_FILL)
            await self._writer.drain()
            await asyncio.sleep(0.001)

    async def _converse(self) -> None:
        while True:
            try:
                request = await read_request(self._reader, self._heard)
            except BadRequest:
                await self._send(answer(400), "0")
                return
            if request is None:
                return
            self._heard()
            self._camera.tally.requests[request.method] += 1
            await self._respond(request)

    async def _respond(self, request: Request) -> None:
        faults = self._camera.faults()
        if request.method == "DESCRIBE" and TransportFault.HUGE_LENGTH in faults:
            cseq = request.headers.get("cseq", "0")
            head = f"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {_HUGE_BYTES}"
            await self._pour(head.encode() + b"\r\n\r\n")
            return
        told = self._refusal(request, faults) or await self._method(request)(request)
        self._camera.tally.answers[told.code] += 1
        await self._send(told, request.headers.get("cseq", "0"))
        if request.method == "PLAY" and told.code == 200:
            self._camera.stream.join(self._camera.sessions[request.session])

    def _method(self, request: Request) -> Callable[[Request], Awaitable[Answer]]:
        return self._methods.get(request.method, self._unknown)

    def _refusal(self, request: Request, faults: Switched) -> Answer | None:
        """What stands before every method: the door, and faults that answer with a code."""
        if request.method == "OPTIONS":
            return None
        door = self._camera.door
        admitted = door.admits(request.method, request.headers.get("authorization"))
        if TransportFault.UNAUTHORISED in faults or not admitted:
            return answer(401, WWW_Authenticate=door.challenge())
        for method, fault, code in _CODES:
            if method == request.method and fault in faults:
                return answer(code)
        if request.method == "DESCRIBE" and TransportFault.REDIRECT in faults:
            return answer(302, Location=_ELSEWHERE)
        return None

    async def _send(self, told: Answer, cseq: str) -> None:
        encoded, faults = told.encoded(cseq), self._camera.faults()
        if TransportFault.DRIBBLE in faults:
            for place in range(len(encoded)):
                self._writer.write(encoded[place : place + 1])
                await self._writer.drain()
                await asyncio.sleep(faults.value(TransportFault.DRIBBLE))
        else:
            self._writer.write(encoded)
        await self._writer.drain()

    async def _options(self, request: Request) -> Answer:
        return answer(200, Public=_METHODS)

    async def _unknown(self, request: Request) -> Answer:
        return answer(405, Allow=_METHODS)

    async def _describe(self, request: Request) -> Answer:
        camera, told = self._camera, self._camera.settings
        if request.path.rstrip("/") != told.path:
            return answer(404)
        loop = asyncio.get_running_loop()
        parameters = await loop.run_in_executor(camera.executor, lambda: camera.parameters)
        host = self._writer.get_extra_info("sockname")[0]
        base = request.url.rstrip("/") + "/"
        control = base + TRACK if told.absolute_control else TRACK
        known = TransportFault.UNKNOWN_CODEC not in camera.faults()
        body = describe(told.codec, parameters, host=host, fps=told.fps, control=control, known=known)
        return answer(200, body, Content_Type="application/sdp", Content_Base=base)

    async def _setup(self, request: Request) -> Answer:
        camera = self._camera
        if request.path.rstrip("/") != f"{camera.settings.path}/{TRACK}":
            return answer(404)
        if request.session and request.session not in camera.sessions:
            return answer(454)
        if not request.session and camera.is_full:
            return answer(453)
        session = camera.sessions.get(request.session) or camera.open_session()
        if session.playing:
            return answer(455)
        wire = await self._wire(session, request.headers.get("transport", ""))
        if wire is None:
            camera.close_session(session, "teardown")
            return answer(461)
        if session.wire is not None:
            session.wire.close()
        session.wire, session.tally.transport = wire, wire.name
        self._mine.append(session)
        return answer(200, Transport=wire.announced, Session=self._named(session))

    async def _wire(self, session: Session, wanted: str) -> Wire | None:
        """The first way of those the client offers that we can; None if there is none."""
        faults = self._camera.faults()
        for offer in wanted.split(","):
            channels, ports = _CHANNELS.search(offer), _PORTS.search(offer)
            if "multicast" in offer:
                continue
            if "/TCP" in offer and TransportFault.NO_TCP not in faults:
                return OverTcp(self._writer, _pair(channels) if channels else (0, 1), self._camera.faults)
            if "/TCP" not in offer and ports and TransportFault.NO_UDP not in faults:
                return await open_udp(self._writer, _pair(ports), session.heard)
        return None

    async def _play(self, request: Request) -> Answer:
        session = self._camera.sessions.get(request.session)
        if session is None or session.wire is None:
            return answer(454)
        session.playing = True
        url = f"{request.url.rstrip('/')}/{TRACK}" if not request.url.endswith(TRACK) else request.url
        info = f"url={url};seq={session.number & 0xFFFF}"
        return answer(200, Session=self._named(session), Range="npt=0.000-", RTP_Info=info)

    async def _pause(self, request: Request) -> Answer:
        session = self._camera.sessions.get(request.session)
        if session is None:
            return answer(454)
        self._camera.stream.leave(session)
        session.playing = False
        return answer(200, Session=self._named(session))

    async def _parameter(self, request: Request) -> Answer:
        session = self._camera.sessions.get(request.session)
        return answer(200, Session=self._named(session)) if session else answer(454)

    async def _teardown(self, request: Request) -> Answer:
        session = self._camera.sessions.get(request.session)
        if session is None:
            return answer(454)
        self._camera.close_session(session, "teardown")
        return answer(200, Session=session.id)

    def _named(self, session: Session) -> str:
        return f"{session.id};timeout={self._camera.settings.session_timeout_s:g}"

    def _heard(self) -> None:
        for session in self._mine:
            session.heard()

    def _left(self, ending: Ending) -> None:
        """The connection is over: what was sent over it ends; over UDP the session's time must run out."""
        for session in self._mine:
            if isinstance(session.wire, OverTcp):
                self._camera.stream.leave(session)
                if not self._camera.settings.lingers:
                    self._camera.close_session(session, ending)


_CODES: Final = (
    ("DESCRIBE", TransportFault.NOT_FOUND, 404),
    ("DESCRIBE", TransportFault.UNAVAILABLE, 503),
    ("DESCRIBE", TransportFault.SERVER_ERROR, 500),
    ("SETUP", TransportFault.BUSY, 453),
)
"""Faults that answer a method with a code."""


def _pair(found: re.Match[str]) -> tuple[int, int]:
    first = int(found.group(1))
    return first, int(found.group(2) or first + 1)
