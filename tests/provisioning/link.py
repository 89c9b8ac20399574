"""The way between phone and server, which can be cut: a TCP relay for pages and service worker alike."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Link:
    """Relays to `port` on this machine, on `url` inside `async with`.

    `cut` ends every connection and takes no new one. `deaf_to`: once a connection has carried these bytes to the
    server, nothing of what the server answers on it comes back.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self.deaf_to: bytes | None = None
        self._port = port
        self._open = True
        self._writers = set[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """No way to the server from now on."""
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """The way is there again."""
        self._open, self.deaf_to = True, None

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._open:
                await self._joined(reader, writer)
        finally:
            writer.transport.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        deaf = asyncio.Event()
        both = {writer, there_writer}
        self._writers |= both
        try:
            with contextlib.suppress(OSError):
                there = self._pump(reader, there_writer, deaf, listening=True)
                await asyncio.gather(there, self._pump(there_reader, writer, deaf, listening=False))
        finally:
            self._writers -= both
            there_writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event, *, listening: bool
    ) -> None:
        while data := await reader.read(1 << 16):
            if listening and self.deaf_to is not None and self.deaf_to in data:
                deaf.set()
            if listening or not deaf.is_set():
                writer.write(data)
                await writer.drain()
        writer.write_eof()
