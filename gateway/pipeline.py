"""The page: take a message, decode and judge it, write it, and only then name it as stored.

    subscription ─> intake ─> queue ─> writers ─> store
                                          └─> acks ─> subscription

The gateway holds no reading that matters: what it drops, for whatever reason, the edge sends again.
"""

import asyncio
import json
import logging
from contextlib import aclosing, suppress

from gateway.acks import Acks
from gateway.intake import Intake, Work, quarantine_tables
from gateway.metrics import GatewayMetrics
from gateway.ports import (
    Clock,
    Misconfigured,
    Refused,
    RetryLater,
    SeriesId,
    Store,
    Subscription,
    SubscriptionLost,
    Table,
)
from gateway.registry import Registry
from gateway.writer import Outcome, write
from kewang.runtime.backoff import Backoff
from kewang.wire import topics
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)

ACK_TICK_S = 0.05
REPORT_S = 10.0
DRAIN_S = 5.0


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
        raw_days: int = 14,
        credit: int = 20,
        queue_batches: int = 2000,
        writers: int = 2,
        write_rows: int = 5000,
    ) -> None:
        self.gateway, self.subscription, self.store, self.clock = gateway, subscription, store, clock
        self.timers = timers or Timers()
        self.metrics = GatewayMetrics()
        self.registry = Registry()
        self.acks = Acks(gateway, int(self.timers.ack_interval_s * 1000))
        self.intake = Intake(self.acks, self.registry, clock, self.timers, raw_days, self.metrics)
        self.raw_days, self.credit, self.writers, self.write_rows = raw_days, credit, writers, write_rows
        self.queue: asyncio.Queue[Work] = asyncio.Queue(queue_batches)
        self.underway: set[tuple[str, tuple[str, int] | int]] = set()
        self.failing: str | None = "the store has not answered yet"
        self._retry_ms = 0
        self._rewinds_known = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`; then take nothing more, drain for a few seconds and return."""
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(self._take(), name="take")
            tasks = [group.create_task(self._write(), name=f"write-{n}") for n in range(self.writers)]
            tasks += [
                group.create_task(self._acknowledge(), name="acknowledge"),
                group.create_task(self._follow_rewinds(), name="rewinds"),
                group.create_task(self._report(), name="report"),
            ]
            await stopping.wait()
            taking.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), DRAIN_S)
            for task in tasks:
                task.cancel()

    async def _take(self) -> None:
        await self._rewinds_known.wait()
        backoff = Backoff("broker", log, longest_s=30)
        while True:
            try:
                async with aclosing(self.subscription.messages()) as messages:
                    async for message in messages:
                        backoff.succeeded()
                        work = self.intake.take(message)
                        if work is not None:
                            self.offer(work)
            except SubscriptionLost as error:
                await backoff.failed(error)

    def offer(self, work: Work) -> None:
        """Queue `work`, or drop it: already under way, the queue is full, or the store is failing."""
        key = (work.device, work.name)
        if key in self.underway:
            self.metrics.dropped("underway")
        elif self.queue.full():
            self.metrics.dropped("queue")
        elif self.failing and self.clock.mono_ms() < self._retry_ms:
            self.metrics.dropped("store")
        else:
            self.underway.add(key)
            self.queue.put_nowait(work)
            return
        self.acks.want(work.device, self.clock.mono_ms())

    async def _write(self) -> None:
        while True:
            works = await self._next_works()
            rewind = self.acks.rewind
            try:
                outcome = await self._store(works)
            except (RetryLater, Misconfigured) as error:
                self._fail(error)
            else:
                self.failing = None
                self._name(works, outcome, rewind)
            finally:
                self._settle(works)

    async def _next_works(self) -> list[Work]:
        works = [await self.queue.get()]
        rows = works[0].rows
        while rows < self.write_rows and not self.queue.empty():
            works.append(self.queue.get_nowait())
            rows += works[-1].rows
        return works

    async def _store(self, works: list[Work]) -> Outcome:
        """Write all of `works`; the rows the store refused are in quarantine too when this returns."""
        tables = [table for work in works for table in work.tables]
        refused = [row for work in works for row in work.refused]
        with self.metrics.write():
            outcome = await write(self.store, [*tables, *quarantine_tables(refused)])
        if outcome:
            await self._quarantine(outcome)
        self.metrics.stored(sum(len(table.rows) for table in tables) - len(outcome))
        for row in refused:
            self.metrics.quarantined(row.reason.partition(":")[0])
        return outcome

    async def _quarantine(self, outcome: Outcome) -> None:
        """Keep what the store refused. What it refuses even there can't be kept: told loudly, counted."""
        for lost, why in await write(self.store, quarantine_tables([_refused(table, why) for table, why in outcome])):
            log.error("the store refuses a row even in quarantine: %s: %s", lost, why)
            raise RetryLater(f"quarantine refused: {why}")
        self.metrics.quarantined("store", len(outcome))

    def _name(self, works: list[Work], outcome: Outcome, rewind: int) -> None:
        """Remember as stored what a write that began under `rewind` stored."""
        poisoned = {(dict(table.tags).get("device"), dict(table.tags).get("source")): why for table, why in outcome}
        for work in works:
            if isinstance(work.name, int):
                self.acks.unreadable(work.device, work.name)
                continue
            why = work.refused[0].reason if work.refused else _why_poisoned(work, poisoned)
            self.acks.stored(work.device, *work.name, rewind, why)

    def _fail(self, error: RetryLater | Misconfigured) -> None:
        """No credit for anybody until a write succeeds; heartbeats and reports are the probes."""
        after_s = error.after_s if isinstance(error, RetryLater) else 5.0
        self._retry_ms = self.clock.mono_ms() + int(after_s * 1000)
        self.metrics.store_error(type(error).__name__)
        if self.failing is None:
            log.error("the store does not take readings: %s", error)
        self.failing = str(error)

    def _settle(self, works: list[Work]) -> None:
        for work in works:
            self.underway.discard((work.device, work.name))
            self.acks.want(work.device, self.clock.mono_ms())
            self.queue.task_done()

    async def _drained(self) -> None:
        await self.queue.join()
        await self._send_acks()

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACK_TICK_S)
            await self._send_acks()

    async def _send_acks(self) -> None:
        now_ms = self.clock.mono_ms()
        devices = self.acks.due(now_ms)
        for some in (devices[i : i + 100] for i in range(0, len(devices), 100)):
            with suppress(SubscriptionLost):
                await asyncio.gather(*(self._send_ack(device, now_ms) for device in some))

    async def _send_ack(self, device: str, now_ms: int) -> None:
        time_ms = self.clock.wall_ms() if self.clock.synchronised() else None
        ack = self.acks.ack(device, self._credit(), now_ms, time_ms)
        await self.subscription.publish(topics.build(device, topics.ACK), ack.fitted())
        self.metrics.acked()

    def _credit(self) -> int:
        """Fewer batches for each device as the queue fills; none while the store fails."""
        free = 1 - self.queue.qsize() / self.queue.maxsize
        return 0 if self.failing else max(1, int(self.credit * free))

    async def _follow_rewinds(self) -> None:
        """Read the rewinds before the first write and ever after; a database without any is new and gets one."""
        backoff = Backoff("reading the rewinds", log, longest_s=self.timers.rewind_poll_s)
        while True:
            try:
                await self._read_rewinds()
            except (RetryLater, Misconfigured) as error:
                self._fail(error)
                await backoff.failed(error)
            else:
                backoff.succeeded()
                await asyncio.sleep(self.timers.rewind_poll_s)

    async def _read_rewinds(self) -> None:
        if not self._rewinds_known.is_set() or self.failing:
            await self.store.prepare(self.raw_days)
        rewinds = await self.store.rewinds()
        if not rewinds:
            await self.store.write([rewind_table(self.clock.wall_ms() // 1000, 0)])
            rewinds = await self.store.rewinds()
        self.acks.rewinds = rewinds
        if not self._rewinds_known.is_set():
            self.failing = None
            self._rewinds_known.set()

    async def _report(self) -> None:
        """The gateway's own golden signals and each device's age, as points; also the probe of a failing store."""
        await self._rewinds_known.wait()
        while True:
            try:
                await self.store.write(self._report_tables())
                self.failing = None
            except (RetryLater, Misconfigured) as error:
                self._fail(error)
            except Exception:
                log.exception("the report could not be written")
            await asyncio.sleep(REPORT_S)

    def _report_tables(self) -> list[Table]:
        date_ms, now_ms = self.clock.wall_ms(), self.clock.mono_ms()
        self.metrics.queue(self.queue.qsize())
        self.metrics.devices(len(self.registry.devices))
        signals = self.metrics.snapshot()
        own = Table("gw", (("gateway", self.gateway),), tuple(signals), [(date_ms, *map(float, signals.values()))])
        ages = [
            Table("state", (("device", name),), ("age_s",), [(date_ms, (now_ms - device.heard_ms) / 1000)])
            for name, device in self.registry.devices.items()
            if device.heard_ms is not None
        ]
        return [own, *ages]


def rewind_table(number: int, since_ms: int) -> Table:
    """The point that tells edges to reopen what was acknowledged from gateway time `since_ms` on (0 = all)."""
    return Table("rewind", (), ("rw", "rf"), [(number * 1000, number, since_ms)])


def _refused(table: Table, why: str) -> Refused:
    tags = dict(table.tags)
    series = SeriesId(table.measurement, tags.get("device", "-"), tags.get("source", "-"))
    date_ms, *values = table.rows[0]
    kept = {"k": list(table.fields), "r": values}
    return Refused(series, int(str(date_ms)), f"store: {why}"[:200], json.dumps(kept))


def _why_poisoned(work: Work, poisoned: dict[tuple[str | None, str | None], str]) -> str | None:
    for table in work.tables:
        tags = dict(table.tags)
        why = poisoned.get((tags.get("device"), tags.get("source")))
        if why is not None:
            return f"store: {why}"[:200]
    return None
