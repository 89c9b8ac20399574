"""A box with a real outbox, a gateway with a real store, and a broker in memory between them, in virtual time.

The box's agent, delivery, dating and thinning, and the gateway's pipeline, are production's. Only clocks, sensors and
the network are ours.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from edge.agent import Agent
from edge.delivery import Delivery
from edge.outbox import SqliteOutbox
from edge.ports import Draft, Entry, Incoming, LinkDown, Source, SourceError, Values
from firmware_sim.signals import Signals
from gateway.pipeline import Pipeline
from gateway.ports import Lives, Message, SubscriptionLost
from gateway.sqlite_sink import SqliteStore
from kewang.bench.month_truth import METRICS, Journal
from kewang.bench.virtual_time import WALL_MS
from kewang.wire import topics
from kewang.wire.timers import Timers

T = TypeVar("T")
DEVICE: Final = "ambon-m1"
LAG_S: Final = 0.05
ACK_S: Final = 2.0
LIVES: Final = Lives(raw=0)
"""Raw readings would leave the store after a fortnight, and with them what is to be compared."""


def timers_for(interval_s: float) -> Timers:
    """The protocol's times; heartbeats and acks as seldom as the readings are."""
    return replace(Timers(), heartbeat_s=2 * interval_s, ack_interval_s=ACK_S, rewind_poll_s=600.0)


class Broker:
    """One device and one gateway. `up`: whether the device reaches it."""

    def __init__(self) -> None:
        self.up = True
        self.link: BoxLink | None = None
        self.ear: GatewayEnd | None = None

    def later(self, hear: Callable[[T], None], what: T) -> None:
        """Hand it over a moment later."""
        asyncio.get_running_loop().call_later(LAG_S, hear, what)

    def cut(self) -> None:
        """The device's link is gone, and does not come back by itself."""
        self.up = False
        if self.link is not None:
            self.link.heard.put_nowait(None)
            self.link = None


class BoxLink:
    """edge.ports.Link."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.heard: asyncio.Queue[Incoming | None] = asyncio.Queue()

    async def publish(self, channel: str, payload: bytes, *, retain: bool = False) -> None:
        await asyncio.sleep(LAG_S / 10)
        if self._broker.link is not self:
            raise LinkDown("the link is cut")
        if (ear := self._broker.ear) is not None:
            self._broker.later(ear.heard.put_nowait, Message(topics.build(DEVICE, channel), payload, False))

    async def incoming(self) -> AsyncGenerator[Incoming, None]:
        while message := await self.heard.get():
            yield message
        raise LinkDown("the link is cut")


class BoxUplink:
    """edge.ports.Uplink."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @asynccontextmanager
    async def connect(self, will: bytes) -> AsyncIterator[BoxLink]:
        await asyncio.sleep(LAG_S)
        if not self._broker.up:
            raise LinkDown("no way to the broker")
        link = self._broker.link = BoxLink(self._broker)
        try:
            yield link
        finally:
            if self._broker.link is link:
                self._broker.link = None


class GatewayEnd:
    """gateway.ports.Subscription."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.heard: asyncio.Queue[Message | None] = asyncio.Queue()
        self.skipped = 0

    @property
    def connected(self) -> bool:
        return self._broker.ear is self

    async def messages(self) -> AsyncGenerator[Message, None]:
        await asyncio.sleep(LAG_S)
        self._broker.ear = self
        while message := await self.heard.get():
            yield message
        raise SubscriptionLost("the connection is cut")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await asyncio.sleep(LAG_S / 10)
        if (link := self._broker.link) is not None and topic == topics.build(DEVICE, topics.ACK):
            self._broker.later(link.heard.put_nowait, Incoming(topics.ACK, payload, False))


class Quiet(Pipeline):
    """A gateway without the report of itself: that is no reading."""

    def loops(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on all the time, but for the report."""
        found = super().loops()
        found.pop("report").close()
        return found


@dataclass
class Gateway:
    """The gateway's process and its store."""

    broker: Broker
    path: Path
    timers: Timers
    restarts: int = 0
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """A new process on the same store."""
        clock = BoxClock(0, trusted=True)
        self.store = SqliteStore(self.path, clock.wall_ms)
        await self.store.prepare(LIVES)
        pipeline = Quiet(
            "gw1", GatewayEnd(self.broker), self.store, clock, timers=self.timers, lives=LIVES, ack_tick_s=ACK_S
        )
        self._task = asyncio.create_task(pipeline.run(asyncio.Event()), name="gateway")

    async def kill(self) -> None:
        """kill -9: what it did not write it never knew."""
        self.trouble()
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self.broker.ear = None
        await self.store.close()

    async def restart(self) -> None:
        """Killed, and started again."""
        self.restarts += 1
        await self.kill()
        await self.start()

    def trouble(self) -> None:
        """Raises what ended it by itself."""
        if self._task is not None and self._task.done():
            self._task.result()


class BoxClock:
    """A boot's clocks: monotonic from now on; wall wrong by `error_ms`, believed if `trusted`."""

    def __init__(self, error_ms: int, *, trusted: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._boot_s = self._loop.time()
        self.error_ms, self.trusted = error_ms, trusted

    @property
    def boot_true_ms(self) -> int:
        """The true time when `mono_ms` was 0."""
        return WALL_MS + int(self._boot_s * 1000)

    def mono_ms(self) -> int:
        return int((self._loop.time() - self._boot_s) * 1000)

    def wall_ms(self) -> int:
        return WALL_MS + int(self._loop.time() * 1000) + self.error_ms

    def synchronised(self) -> bool:
        return self.trusted


class Noted(Delivery):
    """Production's, and the journal learns what is committed."""

    journal: Journal
    boot_true_ms: int

    def commit(self, drafts: Sequence[Draft]) -> list[Entry]:
        entries = super().commit(drafts)
        for draft in drafts:
            self.journal.committed(draft, self.boot_true_ms)
        return entries


class NumberedSource:
    """edge.ports.Source: the first metric is the reading's number, the others what the surroundings are."""

    timeout_s = 5.0

    def __init__(self, stream: str, name: str, interval_s: float, journal: Journal, signals: Signals) -> None:
        self.stream, self.name, self.interval_s = stream, name, interval_s
        self.metrics, self._journal, self._signals = METRICS[stream], journal, signals

    async def read(self) -> Values:
        if self._journal.closed and self.stream == "env":
            raise SourceError("switched off")
        unix_s = WALL_MS / 1000 + asyncio.get_running_loop().time()
        rest = (round(self._signals.value(metric, unix_s), 2) for metric in self.metrics[1:])
        return (float(self._journal.next_number()), *rest)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Box:
    """One machine in the field."""

    broker: Broker
    folder: Path
    journal: Journal
    timers: Timers
    interval_s: float
    sources: int
    ring_bytes: int
    rng: random.Random
    boots: int = 0
    clock: BoxClock | None = None
    outbox: SqliteOutbox | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def path(self) -> Path:
        """Its outbox file."""
        return self.folder / f"boot-{self.boots}" / "outbox.db"

    def loop_s(self) -> float:
        """Seconds since the month began."""
        return asyncio.get_running_loop().time()

    def power_on(self, error_ms: int, *, trusted: bool) -> None:
        """A new boot: a new monotonic clock, and the agent."""
        self.boots += 1
        self.clock = BoxClock(error_ms, trusted=trusted)
        self.outbox = SqliteOutbox(self.path, self.ring_bytes, f"boot-{self.boots}", timers=self.timers)
        delivery = Noted(self.outbox, self.clock, self.timers, self.rng)
        delivery.journal, delivery.boot_true_ms = self.journal, self.clock.boot_true_ms
        named = [("sys", "box", self.timers.heartbeat_s)]
        named += [("env", f"env-{number}", self.interval_s) for number in range(1, self.sources + 1)]
        sources: list[Source] = [NumberedSource(*each, self.journal, Signals(at)) for at, each in enumerate(named)]
        agent = Agent(
            sources, delivery, BoxUplink(self.broker), self.clock, timers=self.timers, flush_s=self.interval_s
        )
        self._task = asyncio.create_task(agent.run(asyncio.Event()), name="agent")

    def next_card(self) -> None:
        """The folder of the next boot, with the files as the last one left them."""
        there, then = self.folder / f"boot-{self.boots}", self.folder / f"boot-{self.boots + 1}"
        then.mkdir(parents=True)
        for part in ("outbox.db", "outbox.db-wal"):
            if (there / part).exists():
                shutil.copyfile(there / part, then / part)

    async def cut_power(self) -> None:
        """The plug, on a disk that keeps what it said it has."""
        self.trouble()
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self.next_card()
        assert self.outbox is not None
        self.outbox.close()
        shutil.rmtree(self.folder / f"boot-{self.boots}")
        self.clock = None

    def trouble(self) -> None:
        """Raises what ended it by itself."""
        if self._task is not None and self._task.done():
            self._task.result()
