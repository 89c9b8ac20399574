"""A link as at the edge of a mobile network: every byte late, and a part of the connections killed at some moment."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from kewang.bench.link import both
from kewang.bench.programs import HOST

_CHUNK_BYTES: Final = 16 * 1024
_KILL_WITHIN_S: Final = 3.0
"""A connection that is to be killed is killed by then: about the length of one request with its handshakes."""


@dataclass(frozen=True, slots=True)
class Weather:
    """`round_trip_s` of the link, and the share of the connections that are killed."""

    round_trip_s: float = 0.0
    killed: float = 0.0


CLEAR: Final = Weather()


class BadLink:
    """A port before `target` (may be set later), in a thread of its own. `opened`, `killed`: connections so far."""

    def __init__(self, target: int = 0, *, seed: int = 1) -> None:
        self.target, self.weather = target, CLEAR
        self.opened = self.killed = 0
        self._rng = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bad-link", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._carry, HOST, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """End it, with everything it carries."""
        self._do(self._let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _let_go(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        weather = self.weather
        self.opened += 1
        doomed = self._rng.random() < weather.killed
        moment_s = self._rng.uniform(0, _KILL_WITHIN_S) if doomed else None
        try:
            async with asyncio.timeout(moment_s):
                await self._joined(reader, writer, weather.round_trip_s / 2)
        except TimeoutError:
            self.killed += 1
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float) -> None:
        # The system has answered the handshake at once; over this link it takes a round trip.
        await asyncio.sleep(2 * late_s)
        there_reader, there_writer = await asyncio.open_connection(HOST, self.target)
        try:
            await both(_Way(reader, there_writer, late_s).run(), _Way(there_reader, writer, late_s).run())
        finally:
            there_writer.transport.abort()


class _Way:
    """One direction: what is read goes out `late_s` later, in its order, however much is on its way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float) -> None:
        self._reader, self._writer, self._late_s = reader, writer, late_s
        self._waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

    async def run(self) -> None:
        """Until the sender ends and everything has arrived."""
        loop, reading = asyncio.get_running_loop(), asyncio.create_task(self._read(), name="bad-link-read")
        try:
            while True:
                due_s, data = await self._waiting.get()
                await asyncio.sleep(due_s - loop.time())
                if not data:
                    return
                self._writer.write(data)
                await self._writer.drain()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await reading

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        data = b"?"
        while data:
            try:
                data = await self._reader.read(_CHUNK_BYTES)
            except OSError:
                data = b""
            await self._waiting.put((loop.time() + self._late_s, data))
