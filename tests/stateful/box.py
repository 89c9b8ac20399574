"""A box in the field: the real agent, delivery and outbox, with sources that number their readings."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.agent import Agent
from edge.delivery import Delivery
from edge.ports import Clock, Outbox, SourceError, Values
from kewang.wire.timers import Timers
from tests.stateful.database import POISON_C
from tests.stateful.disk import Disk, WatchedOutbox
from tests.stateful.network import BoxUplink, Broker
from tests.stateful.truth import Truth
from tests.virtual_time import WALL_MS

FLUSH_S = 2.0
SAMPLE_S = 1.3
MakeDelivery = Callable[[Outbox, Clock, Timers, random.Random], Delivery]


@dataclass
class Habits:
    """What the sources give. `poison`: share of readings the database's strict rule refuses; `wild`: out of range."""

    rng: random.Random
    truth: Truth
    poison: float = 0.0
    wild: float = 0.0
    sampling: bool = True


class NumberedSource:
    """edge.ports.Source whose first metric is the reading's number."""

    timeout_s = 5.0

    def __init__(self, stream: str, name: str, metrics: tuple[str, ...], interval_s: float, habits: Habits) -> None:
        self.stream, self.name, self.metrics, self.interval_s, self._habits = stream, name, metrics, interval_s, habits

    async def read(self) -> Values:
        habits = self._habits
        if self.stream == "env" and not habits.sampling:
            raise SourceError("switched off")
        number = float(habits.truth.next_number())
        if self.stream == "sys":
            return (number,)
        temp_c = POISON_C if habits.rng.random() < habits.poison else 29.0
        return (number, temp_c, 140.0 if habits.rng.random() < habits.wild else 78.0)

    async def close(self) -> None:
        """Nothing to close."""


class BoxClock:
    """A boot's clocks: monotonic from the boot on, wall wrong by `error_ms`, `trusted` or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop, phase_ms: int, error_ms: int, *, trusted: bool) -> None:
        self._loop, self._phase_ms, self._boot_s = loop, phase_ms, loop.time()
        self.error_ms, self.trusted = error_ms, trusted

    def mono_ms(self) -> int:
        return int((self._loop.time() - self._boot_s) * 1000) + self._phase_ms

    def wall_ms(self) -> int:
        return WALL_MS + int(self._loop.time() * 1000) + self.error_ms

    def synchronised(self) -> bool:
        return self.trusted


@dataclass(frozen=True)
class Build:
    """How a box is put together; a test takes a rule away by putting its own part in."""

    timers: Timers
    budget_bytes: int = 50_000_000
    outbox: type[WatchedOutbox] = WatchedOutbox
    delivery: MakeDelivery = Delivery


class Box:
    """One machine with one disk, on or off."""

    def __init__(
        self, name: str, disk: Disk, broker: Broker, habits: Habits, build: Build, *, phase_ms: int = 0
    ) -> None:
        self.name, self.disk, self.habits, self.build, self.phase_ms = name, disk, habits, build, phase_ms
        self.uplink = BoxUplink(broker)
        self.outbox: WatchedOutbox | None = None
        self.agent: Agent | None = None
        self.clock: BoxClock | None = None
        self._boots = 0
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def on(self) -> bool:
        """Whether its agent runs."""
        return self._task is not None

    def power_on(self, error_ms: int, *, trusted: bool) -> None:
        """A new boot, and the agent with it. Does nothing if it is on."""
        if not self.on:
            self._boots += 1
            loop = asyncio.get_running_loop()
            self.clock = BoxClock(loop, self.phase_ms, error_ms, trusted=trusted)
            self.start()

    def start(self) -> None:
        """The agent, in the boot that goes on. Does nothing if it is on."""
        if self.on or self.clock is None:
            return
        loop, build = asyncio.get_running_loop(), self.build
        boot = f"{self.name}-{self._boots}"
        self.outbox = build.outbox(self.disk, build.budget_bytes, boot, build.timers, loop.time)
        delivery = build.delivery(self.outbox, self.clock, build.timers, self.habits.rng)
        heartbeat_s = build.timers.heartbeat_s
        sources = [
            NumberedSource("sys", "box", ("uptime_s",), heartbeat_s, self.habits),
            NumberedSource("env", "env-1", ("sim_n", "temp_c", "rh_pct"), SAMPLE_S, self.habits),
        ]
        self.agent = Agent(sources, delivery, self.uplink, self.clock, timers=build.timers, flush_s=FLUSH_S)
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self.agent.run(self._stopping), name=f"agent of {self.name}")

    def trouble(self) -> BaseException | None:
        """What ended the agent, if it ended by itself."""
        if self._task is None or not self._task.done():
            return None
        return self._task.exception() or RuntimeError("the agent ended by itself")

    async def kill(self) -> None:
        """kill -9. Does nothing if it is off."""
        if outbox := await self._end():
            outbox.kill()

    async def cut_power(self, *, lying: bool) -> None:
        """The plug. Does nothing if it is off."""
        if outbox := await self._end():
            outbox.cut_power(lying=lying)
            self.clock = None

    async def _end(self) -> WatchedOutbox | None:
        task, outbox = self._task, self.outbox
        if task is None:
            return None
        task.cancel()
        await asyncio.wait([task])
        self._task = self.outbox = self.agent = None
        return outbox

    def twin(self, folder: Path, broker: Broker) -> "Box":
        """A second box with a copy of this one's card. Its clock ticks beside the first one's."""
        disk = Disk(folder, self.disk.truth)
        now = self.disk.now()
        disk.leave(now)
        disk.truth.excuses.twin = True
        return Box("twin", disk, broker, self.habits, self.build, phase_ms=self.phase_ms + 501)
