"""Fills a database for `kewang dashboards check` as the gateway fills it: every point comes from the production code.

Readings go through the judge, roll-ups are made of them by the production roll-ups; nothing copies their shape.
"""

import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.console.balance import Balance, Books
from gateway.console.ledger_points import ledger_points
from gateway.delivery_figures import DeliveryFigures
from gateway.fleet import fleet
from gateway.health import StoreHealth
from gateway.incident_points import open_points, points_of
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Word
from gateway.incidents.rules import load_rules
from gateway.judge import Window, judge
from gateway.metrics import GatewayMetrics
from gateway.notify.channels import channels
from gateway.notify.delivery import Delivery
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings
from gateway.ports import SeriesId, Store, Table
from gateway.quarantine import quarantine_tables
from gateway.registry import Registry
from gateway.report import Report
from gateway.rollups import Rollups
from gateway.watched import words_of
from gateway.writer import write
from kewang.bench.boards_town import CAMERA, ENV, Town, open_now, over, value, words_at
from kewang.runtime.clock import SystemClock
from kewang.wire.batch import Batch, Row
from kewang.wire.names import BOX_SOURCE
from kewang.wire.placement import Placement

MIN_MS: Final = 60_000
HOUR_MS: Final = 60 * MIN_MS
DAY_MS: Final = 24 * HOUR_MS
STEP_MS: Final = 5 * MIN_MS
WALL_MS: Final = 3 * HOUR_MS
REPORT_MS: Final = 10_000
DENSE: Final = 4
"""So many devices and so many cameras sent every five minutes, the others every hour; all in its last quarter too."""
LAST_MS: Final = 2 * STEP_MS
_ROWS_AT_ONCE: Final = 4_000


class At:
    """A clock of the gateway that shows what it is set to."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def synchronised(self) -> bool:
        return True


class Seeder:
    """Writes the city's points into `store`, readings of so many `hours`. `points`: how many it wrote."""

    def __init__(self, store: Store, town: Town, zone: ZoneInfo, seed: int, hours: int = 26) -> None:
        self._store, self._town, self._zone, self._hours = store, town, zone, hours
        self._dice = random.Random(seed)
        self._begun_ms = SystemClock().wall_ms()
        self._kinds = words_of(load_rules(None))
        self.points = 0

    async def past(self) -> None:
        """All that is over: readings with their roll-ups, incidents, changes, the city's three last hours."""
        now_ms = self._begun_ms
        await self._write(self._readings(now_ms))
        await self._write(self._events(now_ms))
        await self._write(self._changes(now_ms))
        await self._rolled(now_ms)
        await self._write(self._fleet(now_ms))
        await self._write(self._reports(now_ms, 6 * HOUR_MS, Registry()))

    async def _rolled(self, now_ms: int) -> None:
        """Made as the gateway makes them."""
        rollups = Rollups(self._store, At(now_ms), self._zone, 14)
        for start_ms in range((now_ms - self._hours * HOUR_MS) // HOUR_MS * HOUR_MS, now_ms, HOUR_MS):
            self.points += await rollups.make((start_ms, min(start_ms + HOUR_MS, now_ms)))
        for start_ms in range(_day_of(now_ms - DAY_MS, self._zone), now_ms, DAY_MS):
            self.points += await rollups.make_day(start_ms)
            self.points += await rollups.make_availability(start_ms, now_ms)

    async def now(self) -> None:
        """How it is at this moment: call it shortly before the walls are looked at."""
        now_ms = SystemClock().wall_ms()
        words = words_at(self._town, now_ms // STEP_MS)
        registry = Registry()
        for device, place in self._town.places.items():
            registry.heard(device, now_ms - self._dice.randrange(30_000))
            registry.device(device).placement = Placement(h=(place,))
        await self._write(fleet(self._town.places, words.__getitem__, now_ms))
        await self._write(open_points(open_now(self._town, now_ms / 1000), self._kinds, now_ms))
        opened = [*over(self._town, now_ms / 1000 - 120, now_ms / 1000)][::2]
        await self._write(points_of([], opened[:3]))
        await self._write(self._reports(now_ms, REPORT_MS, registry))
        await self._write(await self._delivery(now_ms))
        books = Books(now_ms - DAY_MS, now_ms, by_device={self._town.shown: Balance(2_880, 2_870, 4, 0, 6, 0)})
        await self._write(ledger_points(books, "gw1", now_ms))

    async def _write(self, tables: Iterable[Table]) -> None:
        waiting: list[Table] = []
        rows = 0
        for table in tables:
            waiting.append(table)
            rows += len(table.rows)
            if rows >= _ROWS_AT_ONCE:
                await self._put(waiting)
                waiting, rows = [], 0
        await self._put(waiting)

    async def _put(self, tables: Sequence[Table]) -> None:
        for table, why in await write(self._store, tables):
            raise RuntimeError(f"the database refuses {table.measurement}: {why}")
        self.points += sum(len(table.rows) for table in tables)

    def _readings(self, now_ms: int) -> Iterator[Table]:
        """Readings of all devices, the judge's verdict on each batch; one row in some hundreds is out of range."""
        step = now_ms // STEP_MS * STEP_MS
        first = step - (self._hours - 1) * HOUR_MS
        few = sorted({*range(first, step, HOUR_MS), *range(step - LAST_MS, step + 1, STEP_MS)})
        many = [*range(first, step + 1, STEP_MS)]
        all_day = {*list(self._town.places)[:DENSE], *self._town.cameras[:DENSE]}
        for device in self._town.places:
            dates = [date_ms + self._dice.randrange(1, MIN_MS) for date_ms in (many if device in all_day else few)]
            streams = {"env": ENV, "sys": BOX_SOURCE} | ({"cam": CAMERA} if device in self._town.cameras else {})
            for stream, source in streams.items():
                yield from self._judged(SeriesId(stream, device, source), [one for one in dates if one < now_ms])

    def _judged(self, series: SeriesId, dates: Sequence[int]) -> Iterator[Table]:
        metrics = self._town.metrics(series.device, series.stream)
        rows: list[Row] = [(date_ms - dates[0], *(value(one, self._dice) for one in metrics)) for date_ms in dates]
        if (series.stream == "env" and self._dice.random() < 0.01) or series.device == self._town.shown:
            rows.append((dates[-1] - dates[0] + 1, *(1e9 for _ in metrics)))
        held = 3 if series.stream == "sys" else None
        batch = Batch("seed", 1, series.source, 2, dates[0], [one.name for one in metrics], rows, held=held)
        yield from self._verdict(series, batch)
        if held is not None:
            yield from self._verdict(series, replace(batch, t0_ms=dates[-1] + 2, rows=[(0, *rows[0][1:])], number=2))

    def _verdict(self, series: SeriesId, batch: Batch) -> Iterator[Table]:
        verdict = judge(series, batch, Window())
        yield from verdict.tables
        yield from quarantine_tables(verdict.refused)

    def _events(self, now_ms: int) -> Iterator[Table]:
        series = SeriesId("evt", self._town.shown, BOX_SOURCE)
        rows: list[Row] = [(at * HOUR_MS, 1 + at % 7) for at in range(20)]
        yield from self._verdict(series, Batch("seed", 3, BOX_SOURCE, 2, now_ms - DAY_MS, ["event"], rows))

    def _changes(self, now_ms: int) -> Iterator[Table]:
        """Incidents of this month, and how devices changed in a week."""
        month_s = (
            datetime.fromtimestamp(now_ms / 1000, self._zone).replace(day=1, hour=0, minute=0, second=1).timestamp()
        )
        yield from points_of([], over(self._town, month_s, now_ms / 1000 - 1))
        devices = list(self._town.places)
        for at in range(max(400, len(devices) // 4)):
            device = self._town.shown if at % 20 == 0 else self._dice.choice(devices)
            source = CAMERA if at % 40 == 0 else None
            fell_s = now_ms / 1000 - self._dice.uniform(600, 7 * 86_400)
            yield from points_of([_moved(device, source, "down", "up", fell_s)], [])
            yield from points_of([_moved(device, source, "up", "down", fell_s + self._dice.uniform(60, 500))], [])

    def _fleet(self, now_ms: int) -> Iterator[Table]:
        """The city every 10 s for as long as a wall shows, five minutes alike."""
        for step in range((now_ms - WALL_MS) // STEP_MS, now_ms // STEP_MS):
            words = words_at(self._town, step)
            dates = range(step * STEP_MS, (step + 1) * STEP_MS, REPORT_MS)
            for table in fleet(self._town.places, words.__getitem__, step * STEP_MS):
                yield replace(table, rows=[(date_ms, *table.rows[0][1:]) for date_ms in dates])

    def _reports(self, now_ms: int, span_ms: int, registry: Registry) -> Iterator[Table]:
        """The gateway's own report every 10 s, with counters that grow."""
        clock, metrics = At(now_ms), GatewayMetrics()
        report = Report("gw1", self._store, registry, metrics, StoreHealth(clock, metrics), clock, watches=True)
        metrics.broker(True)
        metrics.watch(5, True)
        for at in range(span_ms // REPORT_MS):
            clock.now_ms = now_ms - span_ms + (at + 1) * REPORT_MS
            metrics.took(self._dice.randrange(200, 400))
            metrics.stored(self._dice.randrange(2_000, 4_000))
            metrics.acked()
            metrics.quarantined("range", at % 2)
            with metrics.write():
                pass
            yield from report.tables()

    async def _delivery(self, now_ms: int) -> list[Table]:
        with tempfile.TemporaryDirectory(prefix="kewang-") as folder:
            outbox = Outbox(Path(folder) / "outbox.db")
            settings = NotifySettings.model_validate({"channels": {"duty": _CHANNEL}})
            delivery = Delivery(outbox, channels(settings.channels), settings.delivery, lambda: now_ms / 1000)
            figures = DeliveryFigures("gw1", outbox, delivery, At(now_ms), lambda: now_ms / 1000)
            try:
                return await figures.tables(GatewayMetrics())
            finally:
                outbox.close()


_CHANNEL: Final = {"kind": "webhook", "url": "https://127.0.0.1:9/"}


def _moved(device: str, source: str | None, word: Word, before: Word, at_s: float) -> Transition:
    return Transition(device, source, word, before, at_s, at_s - 105, at_s - 105, Hearing.GONE)


def _day_of(date_ms: int, zone: ZoneInfo) -> int:
    there = datetime.fromtimestamp(date_ms / 1000, zone)
    return round(there.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
