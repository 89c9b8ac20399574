"""A server on this machine that says what it is told to, whatever it is asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

Script = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One connection: what was asked first, and how to answer."""

    number: int
    request: str
    writer: asyncio.StreamWriter

    async def say(self, *pieces: str | bytes, wait_s: float = 0.0) -> None:
        for piece in pieces:
            self.writer.write(piece.encode("latin-1") if isinstance(piece, str) else piece)
            await self.writer.drain()
            await asyncio.sleep(wait_s)

    async def hang(self) -> None:
        await asyncio.sleep(3600)


@dataclass
class Server:
    port: int
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def scripted(script: Script, requests_end: bytes = b"\r\n\r\n") -> AsyncIterator[Server]:
    """Serve until the block ends; then every visit is cut off."""
    served = Server(0)
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            asked = (await reader.readuntil(requests_end)).decode()
            served.requests.append(asked)
            await script(Visit(len(served.requests), asked, writer))

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
