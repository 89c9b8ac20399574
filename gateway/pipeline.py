"""The page: take a message, decode and judge it, write it, and only then name it as stored.

    subscription ─> intake ─> queue ─> writers ─> store
                                          └─> acks ─> subscription

The gateway holds no reading that matters: what it drops, for whatever reason, the edge sends again.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final

from gateway.acks import Acks
from gateway.health import StoreHealth
from gateway.intake import Intake, Work
from gateway.late import LateMarks
from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, Lives, Misconfigured, Onlooker, RetryLater, Store, Subscription, SubscriptionLost
from gateway.quarantine import quarantine_tables, refused_by_store
from gateway.queue import WorkQueue
from gateway.registry import Registry
from gateway.report import Report
from gateway.rewinds import RewindWatch
from gateway.writer import Outcome, write
from kewang.runtime.backoff import Backoff
from kewang.wire import topics
from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS
from kewang.wire.errors import printable
from kewang.wire.names import NO_SOURCE
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)

ACK_TICK_S: Final = 0.05
DRAIN_S: Final = 5.0


class Pipeline:
    """One gateway process. `run` until stopped; kill it at any time."""

    def __init__(
        self,
        gateway: str,
        subscription: Subscription,
        store: Store,
        clock: Clock,
        *,
        timers: Timers | None = None,
        lives: Lives | None = None,
        credit: int = 20,
        queue_batches: int = 2000,
        writers: int = 2,
        write_rows: int = 5000,
        onlooker: Onlooker | None = None,
        ack_tick_s: float = ACK_TICK_S,
    ) -> None:
        self.subscription, self.store, self.clock = subscription, store, clock
        self.credit, self.writers, self.write_rows = credit, writers, write_rows
        self.ack_tick_s = ack_tick_s
        timers, lives = timers or Timers(), lives or Lives()
        self.metrics, self.registry = GatewayMetrics(), Registry()
        self.health = StoreHealth(clock, self.metrics)
        self.acks = Acks(gateway, int(timers.ack_interval_s * 1000))
        self.intake = Intake(self.acks, self.registry, clock, timers, lives.raw, self.metrics, onlooker)
        self.rewinds = RewindWatch(store, self.acks, self.health, clock, timers.rewind_poll_s, lives)
        self.late = LateMarks(store, clock, gateway)
        self.report = Report(gateway, store, self.registry, self.metrics, self.health, clock, onlooker is not None)
        self.queue = WorkQueue(queue_batches)
        self._told_of_clock, self._skipped = False, 0
        self.stopping = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`; then take nothing more, drain for a few seconds and return."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop, name=name) for name, loop in self.loops().items()]
            await stopping.wait()
            self.stopping = True
            await self._drain()
            for task in tasks:
                task.cancel()

    def loops(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on all the time."""
        return {
            "take": self._take(),
            **{f"write-{n}": self._write() for n in range(self.writers)},
            "acknowledge": self._acknowledge(),
            "rewinds": self.rewinds.follow(),
            "report": self.report.keep_writing(self.rewinds.known, self._refresh),
        }

    async def _take(self) -> None:
        """Messages as they come, until we stop; the first one after the rewinds are known."""
        await self.rewinds.known.wait()
        backoff = Backoff("subscribing", log, longest_s=30)
        while not self.stopping:
            try:
                async with aclosing(self.subscription.messages()) as messages:
                    async for message in messages:
                        backoff.succeeded()
                        work = self.intake.take(message)
                        if work is not None and not self.offer(work):
                            self.acks.want(work.device, self.clock.mono_ms())
            except SubscriptionLost as error:
                await backoff.failed(error)

    def offer(self, work: Work) -> bool:
        """Queue `work`; False if it is dropped, because we stop, the store rests, or for a reason of the queue."""
        why = "stopping" if self.stopping else "store" if self.health.resting else self.queue.offer(work)
        if why is not None:
            self.metrics.dropped(why)
        return why is None

    async def _write(self) -> None:
        """Write what is queued, many batches at a time; name it if and only if the store confirmed all of it."""
        while True:
            works = await self.queue.take(self.write_rows)
            rewind = self.acks.rewind
            try:
                outcome = await self._store(works)
            except (RetryLater, Misconfigured) as error:
                self.health.failed(error)
            else:
                self.health.succeeded()
                self._name(works, outcome, rewind)
            now_ms = self.clock.mono_ms()
            for work in works:
                self.queue.done(work)
                self.acks.want(work.device, now_ms)

    async def _store(self, works: list[Work]) -> Outcome:
        """Write all of `works`; what the store refused of it is in quarantine too when this returns."""
        tables = [table for work in works for table in work.tables]
        refused = [row for work in works for row in work.refused]
        with self.metrics.write():
            outcome = await self.late.write([*tables, *quarantine_tables(refused)])
            also = [refused_by_store(table, why) for table, why in outcome]
            for table, why in await write(self.store, quarantine_tables(also)):
                raise RetryLater(f"the store refuses a row even in quarantine: {table}: {why}")
        self.metrics.stored(sum(len(table.rows) for table in tables) - len(outcome))
        for row in [*refused, *also]:
            self.metrics.quarantined("unreadable" if row.series.source == NO_SOURCE else row.reason.partition(":")[0])
        return outcome

    def _name(self, works: list[Work], outcome: Outcome, rewind: int) -> None:
        """Remember as stored what a write that began under `rewind` stored."""
        poisoned = {(table.tags, table.rows[0][0]): f"store: {printable(why, 150)}" for table, why in outcome}
        for work in works:
            if isinstance(work.name, int):
                self.acks.unreadable(work.device, work.name)
                continue
            labels = [row.reason for row in work.refused]
            labels += [poisoned[point] for point in work.points() if point in poisoned] if poisoned else []
            self.acks.stored(work.device, *work.name, rewind, labels[0] if labels else None)

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(self.ack_tick_s)
            await self._send_acks()
            self.metrics.turned("acknowledge")

    async def _send_acks(self) -> None:
        for device in self.acks.due(self.clock.mono_ms()):
            ack = self.acks.ack(device, self._credit(), self.clock.mono_ms(), self._time_ms())
            with suppress(SubscriptionLost):
                await self.subscription.publish(topics.build(device, topics.ACK), ack.fitted())
                self.metrics.acked()

    def _time_ms(self) -> int | None:
        """The gateway's time, if its clock can be believed."""
        now_ms = self.clock.wall_ms()
        return now_ms if self.clock.synchronised() and MIN_DATE_MS <= now_ms <= MAX_DATE_MS else None

    def _credit(self) -> int:
        """Fewer batches for each device as the queue fills; none while the store fails."""
        return 0 if self.health.failing else max(1, int(self.credit * self.queue.free))

    def _refresh(self) -> None:
        self.metrics.queue(len(self.queue))
        self.metrics.devices(len(self.registry.devices))
        self.metrics.devices_ahead(self.acks.devices_ahead)
        if self.subscription.skipped > self._skipped:
            self.metrics.dropped("size", self.subscription.skipped - self._skipped)
            self._skipped = self.subscription.skipped
        if self.subscription.connected != self.metrics.broker_connected:
            self.metrics.broker(self.subscription.connected)
        if not self.clock.synchronised() and not self._told_of_clock:
            log.warning("this server's clock is not synchronised: boxes without network time wait; see timedatectl")
        self._told_of_clock = not self.clock.synchronised()

    async def _drain(self) -> None:
        """Write and acknowledge what is queued, for a few seconds, while the connection is still there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.queue.drained()
                await asyncio.sleep(self.acks.wait_ms(self.clock.mono_ms()) / 1000)
                await self._send_acks()
