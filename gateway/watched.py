"""The watch put together from its settings: what it knew before the restart, its files, its channels."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.chronicle import Chronicle
from gateway.incidents.watch import Watch, WatchRules
from gateway.notify.budget import Budget, BudgetRules
from gateway.notify.delivery import Delivery, DeliveryRules
from gateway.notify.message import Channel
from gateway.notify.outbox import Outbox
from gateway.pipeline import Pipeline
from gateway.ports import Clock
from gateway.watching import BUDGET, WATCH, Rendered, Steady, Watching
from kewang.wire import topics
from kewang.wire.state import GatewayState

OUTBOX_FILE: Final = "gateway.db"
CHRONICLE_FILE: Final = "incidents.db"
_LIFE: Final = "life"


@dataclass(frozen=True, slots=True)
class Telling:
    """How people are told: notices as messages, the channels, how hard it is tried."""

    rendered: Rendered
    channels: Mapping[str, Channel]
    delivery: DeliveryRules
    budget: BudgetRules


@dataclass(slots=True)
class Watched:
    """The watch of one gateway with its files. Close it after its tasks have ended."""

    watching: Watching
    chronicle: Chronicle
    outbox: Outbox
    delivery: Delivery

    def start(self, group: asyncio.TaskGroup, pipeline: Pipeline, shards: str) -> list[asyncio.Task[None]]:
        """Its tasks, which run until they are cancelled."""
        gateway, said = pipeline.acks.gateway, GatewayState(st="on", shards=shards).encode()
        subscription = pipeline.subscription

        async def loop() -> None:
            await subscription.publish(topics.gateway(gateway), said, retain=True)

        work = {
            "watch": self.watching.run(lambda: subscription.connected, lambda: pipeline.health.failing),
            "watch loop": self.watching.keep_looping(loop),
            "watch points": self.watching.keep_writing(pipeline.store),
            "deliver": self.delivery.run(),
        }
        return [group.create_task(each, name=name) for name, each in work.items()]

    def close(self) -> None:
        """Close the files."""
        self.outbox.close()
        self.chronicle.close()


def open_watched(folder: Path, rules: WatchRules, telling: Telling, clock: Clock) -> Watched:
    """The watch as it was when it was kept last. Raises OutboxRefused, sqlite3.Error, OSError."""
    steady = Steady(clock)
    outbox = Outbox(folder / OUTBOX_FILE)
    chronicle = Chronicle(folder / CHRONICLE_FILE)
    watch = _watch(outbox, rules, chronicle, steady.now_s())
    budget = _budget(outbox, telling.budget, steady.now_s())
    delivery = Delivery(outbox, telling.channels, telling.delivery, steady.now_s)
    watching = Watching(watch, budget, outbox, chronicle, telling.rendered, steady, delivery.wake)
    return Watched(watching, chronicle, outbox, delivery)


def _watch(outbox: Outbox, rules: WatchRules, chronicle: Chronicle, now_s: float) -> Watch:
    kept = outbox.kept(WATCH)
    if kept is not None:
        return Watch.restored(kept, rules, now_s)
    newest = max((one.number for one in chronicle.incidents(limit=1000)), default=0)
    return Watch(rules, now_s, next_number=newest + 1)


def _budget(outbox: Outbox, rules: BudgetRules, now_s: float) -> Budget:
    """Its name is of this life of the file: a number that is used again after a loss is another incident."""
    kept, life = outbox.kept(BUDGET), outbox.kept(_LIFE)
    if life is None:
        life = secrets.token_hex(4)
        outbox.put([], {_LIFE: life})
    return Budget(rules, life) if kept is None else Budget.restored(kept, rules, now_s)
