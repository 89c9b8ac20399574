"""A camera of a few lines for each fault: it speaks RTSP, but what it says to a method can be replaced.

It shares nothing with the client under test, nor with the simulated cameras.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.net.address import Address
from tests.edge.rtsp.packets import frames, interleaved

SDP = (
    "v=0\r\ns=camera\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\na=control:audio\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
)
GOOD_STREAM = b"".join(interleaved(0, each) for frame in frames(20) for each in frame)


@dataclass
class Asked:
    method: str
    url: str
    headers: dict[str, str]


Reply = bytes | Callable[["FaultCamera", Asked], bytes]


def reply(status: str, headers: str = "", body: str = "") -> bytes:
    """An answer whose CSeq is filled in when it is sent; `headers`: lines, each ended by CR LF."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {status}\r\nCSeq: %CSEQ%\r\n{headers}{length}\r\n{body}".encode()


def _good(camera: FaultCamera, asked: Asked) -> bytes:
    if asked.method == "DESCRIBE":
        return reply("200 OK", f"Content-Base: {asked.url}/\r\nContent-Type: application/sdp\r\n", SDP)
    if asked.method == "SETUP":
        camera.open_sessions += 1
        return reply("200 OK", f"Session: abc;timeout=60\r\nTransport: {asked.headers['transport']}\r\n")
    if asked.method == "TEARDOWN":
        camera.open_sessions -= 1
    return reply("200 OK", "Session: abc\r\n")


@dataclass
class FaultCamera:
    """`replies`: what it says to a method in place of the right thing; `stream`: what follows the answer to PLAY.

    `greeting`: said at once. `after`: awaited with the writer behind every answer to PLAY.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    stream: bytes = GOOD_STREAM
    greeting: bytes = b""
    after: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    open_sessions: int = 0
    open_connections: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, path: str = "/cam", user: str | None = None, password: str | None = None) -> Address:
        return Address("rtsp", "127.0.0.1", self.port, path, user, password)

    @property
    def methods(self) -> list[str]:
        return [each.method for each in self.asked]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that was asked made it so."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        try:
            writer.write(self.greeting)
            while (asked := await _read(reader)) is not None:
                if isinstance(asked, str):
                    self.answers.append(asked)
                    continue
                self.asked.append(asked)
                await self._answer(asked, writer)
                self.changed.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_connections -= 1
            self.changed.set()
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        given = self.replies.get(asked.method, _good)
        said = given if isinstance(given, bytes) else given(self, asked)
        writer.write(said.replace(b"%CSEQ%", asked.headers.get("cseq", "0").encode()))
        if asked.method == "PLAY" and said.startswith(b"RTSP/1.0 200"):
            writer.write(self.stream)
            if self.after:
                await self.after(writer)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Asked | str | None:
    """A request, or the first line of an answer to one of the camera's own; None at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return None
        head += line
    first, *lines = head.decode().strip().splitlines()
    if first.startswith("RTSP/"):
        return first
    method, url, _ = first.split()
    pairs = (line.split(":", 1) for line in lines)
    return Asked(method, url, {name.strip().lower(): value.strip() for name, value in pairs})


def good(camera: FaultCamera, asked: Asked) -> bytes:
    """What a sound camera says."""
    return _good(camera, asked)


@asynccontextmanager
async def running(camera: FaultCamera, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultCamera]:
    """`camera` listens; afterwards every connection has ended."""
    server = await asyncio.start_server(camera._serve, "127.0.0.1", 0, ssl=tls)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield camera
    finally:
        server.close()
        await camera.until(lambda: camera.open_connections == 0)
