"""The broker's end of an uplink, in memory, for tests of the agent; and a source that does as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.ports import Incoming, Link, LinkDown, Values


class MemoryLink:
    """ports.Link: what the device published in `sent`; `deliver` is for the device. `cut()`: LinkDown from now on."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[tuple[str, bytes, bool]] = asyncio.Queue()
        self._inbox: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._down = False

    def deliver(self, channel: str, payload: bytes, retained: bool = False) -> None:
        self._inbox.put_nowait(Incoming(channel, payload, retained))

    def cut(self) -> None:
        self._down = True
        self._inbox.put_nowait(None)

    async def publish(self, channel: str, payload: bytes, *, retain: bool = False) -> None:
        if self._down:
            raise LinkDown("cut")
        self.sent.put_nowait((channel, payload, retain))

    async def incoming(self) -> AsyncIterator[Incoming]:
        while (message := await self._inbox.get()) is not None:
            yield message
        raise LinkDown("cut")


class MemoryUplink:
    """ports.Uplink. `links` are the connections made, with their wills; `refuse = True`: no more of them."""

    def __init__(self) -> None:
        self.links: asyncio.Queue[tuple[MemoryLink, bytes]] = asyncio.Queue()
        self.refuse = False

    @asynccontextmanager
    async def connect(self, will: bytes) -> AsyncIterator[Link]:
        if self.refuse:
            raise LinkDown("refused")
        link = MemoryLink()
        self.links.put_nowait((link, will))
        yield link


class ScriptedSource:
    """ports.Source: each reading is the next of `script`: values, an error to raise, or None to hang."""

    def __init__(self, name: str, script: list[Values | Exception | None], stream: str = "env") -> None:
        self.name, self.stream = name, stream
        self.metrics = ("temp_c",) if stream == "env" else ("cpu_pct", "clock_synced")
        self.interval_s, self.timeout_s = 0.01, 0.05
        self.closed = False
        self._script = script

    async def read(self) -> Values:
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if step is None:
            await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        assert step is not None
        return step

    async def close(self) -> None:
        self.closed = True
