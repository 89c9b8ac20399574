"""Links between agents and broker that can be cut, half-open or slow: a TCP forwarder with one port for each agent."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any, Final

from kewang.bench.process import free_port
from kewang.bench.programs import HOST

_CHUNK_BYTES: Final = 16 * 1024


class Line(StrEnum):
    """What a link does with what it carries."""

    UP = "up"
    CUT = "cut"
    """Refused and reset, as without a cable."""
    HALF_OPEN = "half-open"
    """Nothing passes and nobody is told; when it is up again, what waited arrives late."""
    SLOW = "slow"
    """Every piece arrives `DELAY_S` late."""


DELAY_S: Final = 0.4


class Link:
    """One agent's link: it connects to `port`, and from there to the broker at `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.line = Line.UP
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._carry, HOST, self.port)

    async def switch(self, line: Line) -> None:
        """Be in this state from now on."""
        self.line = line
        if line is Line.HALF_OPEN:
            self._passing.clear()
        else:
            self._passing.set()
        if line is Line.CUT:
            await self.close()
        elif self._server is None:
            await self.listen()

    async def close(self) -> None:
        """End it, with everything it carries: who connects is refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset()

    def _reset(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self.line is Line.CUT:
                return
            await self._passing.wait()
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self.target)
            self._open.add(broker_writer)
            try:
                await both(self._pass(reader, broker_writer), self._pass(broker_reader, writer))
            finally:
                self._open.discard(broker_writer)
                broker_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            if self.line is Line.SLOW:
                await asyncio.sleep(DELAY_S)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()


async def both(*directions: Coroutine[Any, Any, None]) -> None:
    """Until one direction ends."""
    tasks = [asyncio.create_task(each, name="link") for each in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Links:
    """All links of a city, in a thread of their own."""

    def __init__(self, names: list[str], target: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._thread.start()
        self._links = {name: Link(target) for name in names}
        for link in self._links.values():
            self._do(link.listen())

    def port(self, name: str) -> int:
        """Where this agent finds the broker."""
        return self._links[name].port

    def switch(self, name: str, line: Line) -> None:
        """Change one link."""
        self._do(self._links[name].switch(line))

    def close(self) -> None:
        """End all links and the thread."""
        for link in self._links.values():
            self._do(link.close())
        self._do(self._let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _let_go(self) -> None:
        """Wait until every connection has noticed its end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)

    def _do(self, doing: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result()
