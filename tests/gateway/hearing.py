"""A gateway with an ear at its broker that checks each word against the store."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.pipeline import Pipeline
from gateway.ports import Table
from kewang.wire import topics
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.batch import Batch, Row, encode
from tests.fakes import MemoryStore, ScriptedSubscription
from tests.virtual_time import WALL_MS, LoopClock, ends, until

DEVICE, RUN = "ambon-m1", "4f1e0c9a77d2"
ROWS = 3


def batch(number: int, humidity: float) -> bytes:
    rows: list[Row] = [[number * 100 + i, 29.0, humidity if i == 1 else 78.0] for i in range(ROWS)]
    return encode(Batch(RUN, number, "env-1", 2, WALL_MS - 10**7, ["temp_c", "rh_pct"], rows, up_ms=number))


def dates(number: int) -> set[int]:
    return {WALL_MS - 10**7 + number * 100 + i for i in range(ROWS)}


def kept(store: MemoryStore, *measurements: str) -> set[int]:
    """Dates in the given measurements; those of refused tallies and unreadable messages too."""
    return {date for (name, _), points in store.points.items() if name in measurements for date in points}


def fresh() -> MemoryStore:
    return MemoryStore(now_ms=lambda: WALL_MS)


class Slow(MemoryStore):
    """Takes its time."""

    async def write(self, tables: Sequence[Table]) -> None:
        await asyncio.sleep(1)
        await super().write(tables)


class Ear(ScriptedSubscription):
    """Hears what the gateway says and checks each word against the store."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.store = store
        self.broken: list[str] = []

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        for run, low, high in decode_ack(payload).ok:
            for number in range(low, high + 1):
                if not dates(number) <= kept(self.store, "env", "quarantine"):
                    self.broken.append(f"{run} {number} is named and not stored")
        await super().publish(topic, payload, retain=retain)

    def say(self, number: int, humidity: float = 78.0) -> None:
        self.feed(topics.build(DEVICE, "d/env"), batch(number, humidity))

    def acks(self, device: str = DEVICE) -> list[Ack]:
        return [decode_ack(said) for topic, said, _ in self.published if topic == topics.build(device, "a")]

    def named(self) -> set[int]:
        return {n for ack in self.acks() for _, low, high in ack.ok for n in range(low, high + 1)}


@asynccontextmanager
async def running(
    store: MemoryStore, *, queue_batches: int = 2000, writers: int = 2, write_rows: int = 5000
) -> AsyncIterator[tuple[Pipeline, Ear]]:
    """A connected gateway; what it said wrongly fails the test."""
    ear, stopping = Ear(store), asyncio.Event()
    clock = LoopClock(asyncio.get_running_loop())
    pipeline = Pipeline("gw1", ear, store, clock, queue_batches=queue_batches, writers=writers, write_rows=write_rows)
    task = asyncio.create_task(pipeline.run(stopping), name="pipeline")
    try:
        await until(lambda: ear.connected or task.done())
        yield pipeline, ear
    finally:
        stopping.set()
        await ends(task)
        assert not ear.broken
