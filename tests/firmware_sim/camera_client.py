"""A small RTSP client for tests, written apart from the server and from Kewang's own probe: it says what it gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from firmware_sim.cameras.camera import Camera


@dataclass
class Reply:
    """An answer."""

    code: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Client:
    """A connection to a camera. `frames`: what came interleaved, by channel, since the last look."""

    camera: Camera
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    session: str = ""
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    _cseq: int = 0

    @property
    def url(self) -> str:
        return self.camera.rtsp_url()

    async def ask(self, method: str, url: str | None = None, **headers: str) -> Reply:
        """Send a request and read its answer."""
        self._cseq += 1
        told = {"CSeq": str(self._cseq), **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.session and "Session" not in told:
            told["Session"] = self.session
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.writer.write(f"{method} {url or self.url} RTSP/1.0\r\n{lines}\r\n".encode())
        return await self.reply()

    async def reply(self) -> Reply:
        """The next answer; interleaved frames before it are kept."""
        while (first := await self.reader.readexactly(1)) == b"$":
            await self._frame()
        head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(head[0].split(" ")[1]), headers, body)

    async def _frame(self) -> None:
        head = await self.reader.readexactly(3)
        self.frames.append((head[0], await self.reader.readexactly(int.from_bytes(head[1:], "big"))))

    async def receive(self, count: int) -> list[tuple[int, bytes]]:
        """The next `count` interleaved frames."""
        while len(self.frames) < count:
            assert await self.reader.readexactly(1) == b"$"
            await self._frame()
        taken, self.frames = self.frames[:count], self.frames[count:]
        return taken

    async def set_up(self, transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1", **headers: str) -> Reply:
        """SETUP of the track; the session is kept."""
        told = await self.ask("SETUP", f"{self.url}/track1", Transport=transport, **headers)
        self.session = told.headers.get("session", "").partition(";")[0] or self.session
        return told

    async def play(self, transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1") -> Self:
        """SETUP and PLAY."""
        assert (await self.set_up(transport)).code == 200
        assert (await self.ask("PLAY")).code == 200
        return self


@asynccontextmanager
async def calling(camera: Camera) -> AsyncIterator[Client]:
    """A connection to `camera`, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", camera.rtsp_port)
    try:
        yield Client(camera, reader, writer)
    finally:
        writer.close()


async def until(condition: object, limit_s: float = 10.0) -> None:
    """Wait until `condition()` holds."""
    assert callable(condition)
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)
