"""One device, a broker, gateways and a database in virtual time: faults, then calm, then the oracles."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from gateway.pipeline import Pipeline
from kewang.wire.timers import Timers
from tests.stateful.box import Box, Build, Habits
from tests.stateful.database import Database
from tests.stateful.disk import Disk
from tests.stateful.network import Broker, GatewayEnd, Weather
from tests.stateful.truth import Truth
from tests.virtual_time import WALL_MS, LoopClock, VirtualLoop

T = TypeVar("T")
DEVICE = "ambon-m1"
QUEUE_BATCHES = 64
CALM_S = 60.0
DRAIN_S = 600.0
LIVE_S = 5.0


@dataclass(frozen=True)
class Setup:
    """What does not change in a world. Protocol times are ten times as fast; `seed` decides the network's dice."""

    seed: int = 0
    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    store_errors: float = 0.0
    poison: float = 0.0
    wild: float = 0.0
    credit: int = 20
    store_lag_s: float = 0.03
    """Longest time before, and after, a write takes effect."""
    trusted: bool = True
    error_ms: int = 0
    """Of the first boot's clock."""
    build: Build = field(default_factory=lambda: Build(Timers().faster(10)))
    pipeline: type[Pipeline] = Pipeline


class Gateway:
    """A gateway process."""

    def __init__(self, name: str, world: "World") -> None:
        self.end = GatewayEnd(world.broker)
        clock = LoopClock(asyncio.get_running_loop())
        setup = world.setup
        self.pipeline = setup.pipeline(
            name,
            self.end,
            world.database,
            clock,
            timers=setup.build.timers,
            credit=setup.credit,
            queue_batches=QUEUE_BATCHES,
            write_rows=world.rng.choice([1, 50]),
        )
        self.task = asyncio.create_task(self.pipeline.run(asyncio.Event()), name=name)

    async def die(self) -> None:
        """kill -9."""
        self.end.cut()
        self.task.cancel()
        await asyncio.wait([self.task])


class World:
    """Everything, and the loop it lives in. Not for use inside the loop, except methods that say so."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup, self.folder, self.rng = setup, folder, random.Random(setup.seed)
        random.seed(setup.seed)  # the programs' own jitter
        self.loop, self.truth = VirtualLoop(), Truth()
        self.weather = Weather(self.rng, setup.loss, setup.duplicates, setup.reordering)
        self.habits = Habits(self.rng, self.truth, setup.poison, setup.wild)
        self.database = Database(self.truth, self.rng, self.wall_ms)
        self.database.failing, self.database.lag_s = setup.store_errors, setup.store_lag_s
        self.broker = Broker(self.weather, DEVICE)
        self.gateways: list[Gateway] = []
        self.cards = self.born = 0
        self.live_from_s: float | None = None
        self.boxes = [Box("box", self.new_disk(), self.broker, self.habits, setup.build)]
        self.do(self._begin())

    async def _begin(self) -> None:
        self.add_gateway()
        self.boxes[0].power_on(self.setup.error_ms, trusted=self.setup.trusted)

    def wall_ms(self) -> int:
        """The true time."""
        return WALL_MS + int(self.loop.time() * 1000)

    def do(self, what: "asyncio._CoroutineLike[T]") -> T:
        """Let something happen in the loop."""
        return self.loop.run_until_complete(what)

    def new_disk(self) -> Disk:
        """An empty card."""
        self.cards += 1
        return Disk(self.folder / f"card-{self.cards}", self.truth)

    def add_gateway(self) -> None:
        """One more gateway process. Inside the loop."""
        self.born += 1
        self.gateways.append(Gateway(f"gw{self.born}", self))

    def have_a_gateway(self) -> None:
        """At least one. Inside the loop."""
        if not self.gateways:
            self.add_gateway()

    async def kill_gateway(self) -> None:
        """The oldest one dies."""
        if self.gateways:
            await self.gateways.pop(0).die()

    def pass_s(self, seconds: float) -> None:
        """Let time pass; fails if a program ended by itself or something impossible was seen."""
        self.do(asyncio.sleep(seconds))
        for trouble in [box.trouble() for box in self.boxes] + [_trouble(each.task) for each in self.gateways]:
            if trouble is not None:
                raise AssertionError("a program ended by itself") from trouble
        assert not self.truth.broken, self.truth.broken[:3]
        assert all(len(each.pipeline.queue) <= QUEUE_BATCHES for each in self.gateways), "I4: queue"

    def close(self) -> None:
        """End everything."""
        self.do(self._end())
        self.loop.close()

    async def _end(self) -> None:
        for box in self.boxes:
            await box.kill()
        while self.gateways:
            await self.kill_gateway()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)

    def calm(self) -> None:
        """Faults stop and everything is switched on; the field and the database come to agree."""
        self.do(self._calm())
        for _ in range(int(CALM_S)):
            self.pass_s(1)
            if self.live_from_s is None and self._flowing():
                self.live_from_s = self.loop.time() + 1
        self.habits.sampling = False
        for _ in range(int(DRAIN_S) * (3 if self.truth.excuses.twin else 1)):
            self.pass_s(1)
            if self.drained():
                return

    async def _calm(self) -> None:
        self.weather.calm = True
        self.broker.start()
        self.database.recover()
        while len(self.gateways) > 2:
            await self.kill_gateway()
        self.have_a_gateway()
        for box in self.boxes:
            box.uplink.mend()
            box.start()
            box.power_on(0, trusted=self.setup.trusted)

    def _flowing(self) -> bool:
        """Whether the first box has a connection and credit."""
        agent, link = self.boxes[0].agent, self.broker.link
        return agent is not None and link is not None and not link.frozen and agent.delivery.credit > 0

    def drained(self) -> bool:
        """Whether every reading is named, and with it every statement of the ledger."""
        return all(
            box.outbox is not None and not box.outbox.status().open_batches and not box.disk.unstated()
            for box in self.boxes
        )


def _trouble(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() else None


def with_build(setup: Setup, **changes: object) -> Setup:
    """`setup` with another build of the boxes."""
    return replace(setup, build=replace(setup.build, **changes))  # type: ignore[arg-type]
