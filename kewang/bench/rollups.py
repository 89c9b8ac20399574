"""What the points for the boards cost, by the processor's clock: production's code on a real influxd with a city's
readings at the default rates. What it made is compared with numpy in the same run.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.console.bookkeeper import Bookkeeper
from gateway.console.facts import Options
from gateway.console.ledger_points import ledger_points
from gateway.fleet import fleet
from gateway.influx1_sink import Influx1Store
from gateway.late import LateMarks
from gateway.ports import Lives, RetryLater
from gateway.rollups import DAY_MS, Rollups
from gateway.writer import write
from kewang.bench.boards_ask import Influx
from kewang.bench.boards_seed import At
from kewang.bench.boards_town import town, words_at
from kewang.bench.cpu import MB, cost, peak_rss_bytes
from kewang.bench.envelope import envelope
from kewang.bench.parts import Influxd
from kewang.bench.rollups_seed import STEP_MS, Seeder
from kewang.bench.rollups_truth import Compared
from kewang.wire.tally import HOUR_MS

DEVICES: Final = (100, 1000, 10_000)
DATABASE: Final = "kewang"
INFLUXD_PCT: Final = 10.0
GATEWAY_PCT: Final = 2.0
HOLD_MS: Final = 250.0
"""Wanted of the largest city: shares of one core for the steps of five minutes; how long nothing else gets its turn."""
_ZONE: Final = ZoneInfo("Asia/Jayapura")
_TICK_S: Final = 0.02
_QUIET_S: Final = 30.0
_FLEETS: Final = 5
_LATE_DEVICES: Final = 100
_LATE_MANY_MS: Final = 12 * HOUR_MS
_WHOLE_DAY: Final = 10
"""One device in so many has a whole day of roll-ups (at least 100 have): to write all would take half an hour."""
_COMPARED: Final = 10
_HEED_MS: Final = 91_000
"""So long after it was written the mark of a late reading is heeded."""

Say = Callable[[str], None]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RollupsPlan:
    """Cities of these sizes. `late_days`: how long a box of the largest was away that comes back with its readings."""

    devices: Sequence[int] = DEVICES
    seed: int = 1
    late_days: int = 5


def measure(plan: RollupsPlan, say: Say = lambda _: None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    works, failed, figures = list[Row](), list[str](), dict[str, Any]()
    compared, cpu_s = 0, 0.0
    for devices in sorted(plan.devices):
        with tempfile.TemporaryDirectory(prefix="kewang-") as folder, Influxd(Path(folder)) as influxd:
            city = City(influxd, devices, plan.seed, say)
            asyncio.run(city.measure(plan.late_days if devices == max(plan.devices) else 0))
            works += city.works
            failed += [f"{devices} devices: {one}" for one in city.failed]
            compared += city.compared
            cpu_s += cost(influxd).cpu_s
            figures = {"influxd_rss_mb": round(peak_rss_bytes(influxd) / MB), "compared": compared}
    largest = {work["work"]: work for work in works if work["devices"] == max(plan.devices)}
    figures |= _figures(largest)
    failed += too_dear(figures)
    parts = ["influxd", "aiohttp", "numpy"]
    figures |= {"cpu_s": {"influxd": round(cpu_s), "bench": round(time.process_time())}, "works": works}
    return envelope("bench rollups", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _figures(largest: dict[str, Row]) -> dict[str, Any]:
    step, hour, day = largest["five minutes"], largest["rebuild of an hour"], largest["day"]
    return {
        "step_influxd_pct": step["influxd_pct"],
        "step_gateway_pct": step["gateway_pct"],
        "rebuild_day_influxd_s": round(24 * hour["influxd_s"] + day["influxd_s"]),
        "rebuild_day_gateway_s": round(24 * hour["gateway_s"] + day["gateway_s"]),
        "hold_ms": max(work["hold_ms"] for work in largest.values()),
    }


def too_dear(figures: dict[str, Any]) -> list[str]:
    """A sentence for each figure of the largest city that is above its limit."""
    limits = {"step_influxd_pct": INFLUXD_PCT, "step_gateway_pct": GATEWAY_PCT, "hold_ms": HOLD_MS}
    return [f"{name} {figures[name]}, more than {most:g}" for name, most in limits.items() if figures[name] > most]


class City:
    """One size, on an influxd of its own. `works`: what each work cost; `failed`: what was made wrong."""

    def __init__(self, influxd: Influxd, devices: int, seed: int, say: Say) -> None:
        self._influxd, self._town, self._say = influxd, town(devices), say
        self._store = Influx1Store(influxd.url, DATABASE)
        self._seeder = Seeder(self._store, self._town, seed)
        self._end_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - HOUR_MS
        self._from_ms = self._end_ms - HOUR_MS
        self._clock = At(self._end_ms + 100_000)
        self._rollups = Rollups(self._store, self._clock, _ZONE, 14)
        self._days = list[tuple[str, tuple[int, int]]]()
        hour = (self._from_ms, self._end_ms)
        self._spans = [(name, hour) for name in list(self._town.places)[:: max(1, devices // _COMPARED)]]
        self.works, self.failed, self.compared = list[Row](), list[str](), 0

    async def measure(self, late_days: int) -> None:
        """All of it: late readings take longest."""
        try:
            await self._seed()
            await self._steps()
            await self._standing()
            await self._ledger()
            await self._day()
            if late_days:
                await self._late(late_days)
            await asyncio.to_thread(self._compare)
        finally:
            await self._store.close()

    async def _seed(self) -> None:
        began_s = time.monotonic()
        await self._store.prepare(Lives())
        await self._seeder.readings(self._from_ms, self._end_ms)
        await self._quiet()
        self._say(f"{len(self._town.places)} devices: {self._seeder.rows} rows in {time.monotonic() - began_s:.0f} s")

    async def _steps(self) -> None:
        last_ms = self._end_ms - STEP_MS
        await self._work("five minutes", lambda: self._rollups.make((last_ms, self._end_ms)), 300)
        await self._work("rebuild of an hour", lambda: self._rollups.make((self._from_ms, self._end_ms)))
        await self._quiet()

    async def _standing(self) -> None:
        words = words_at(self._town, 1)

        async def stand() -> None:
            for n in range(_FLEETS):
                now_ms = self._end_ms + n * 10_000
                await write(self._store, fleet(self._town.places, words.__getitem__, now_ms))

        await self._work("fleet", stand, 10, times=_FLEETS)

    async def _ledger(self) -> None:
        keeper = Bookkeeper(self._store, At(time.monotonic_ns() // 1_000_000), Options("en", _ZONE))

        async def points() -> None:
            books = await keeper.books(self._end_ms - 1)
            await self._store.write(ledger_points(books, "gw1", self._end_ms))

        await self._work("ledger, the first", points)
        await self._work("ledger", points, 300)

    async def _day(self) -> None:
        """What a tenth of the devices costs is taken ten times: each series costs by itself."""
        names = list(self._town.places)
        some = names[: max(len(names) // _WHOLE_DAY, min(len(names), 100))]
        start_ms = midnight(self._end_ms - 3 * DAY_MS)
        await self._seeder.day(some, start_ms, start_ms + DAY_MS)
        await self._quiet()
        await self._work("day", lambda: self._rollups.make_day(start_ms, some), 86_400, share=len(some) / len(names))
        self._days.append((some[0], (start_ms, start_ms + DAY_MS)))

    async def _late(self, days: int) -> None:
        """Boxes that come back: readings through production's marks, heeded by production's turn."""
        names = list(self._town.places)
        await self._rollups.turn()
        await self._come_back(f"late: one box, {days} days", names[-1:], days * DAY_MS)
        some, hours = names[-_LATE_DEVICES - 1 : -1], _LATE_MANY_MS // HOUR_MS
        await self._come_back(f"late: {len(some)} boxes, {hours} hours", some, _LATE_MANY_MS)

    async def _come_back(self, name: str, devices: Sequence[str], away_ms: int) -> None:
        marks, rows = LateMarks(self._store, self._clock, "gw1"), 0
        for device in devices:
            tables = self._seeder.of_device(device, self._from_ms - away_ms, self._from_ms)
            for table in tables:
                for at in range(0, len(table.rows), 5_000):
                    part = table.rows[at : at + 5_000]
                    rows += len(part)
                    await marks.write([replace(table, rows=part)])
        self._spans.append((devices[0], (self._from_ms - away_ms, self._from_ms)))
        self._say(f"{name}: {rows} readings are there")
        await self._quiet()
        self._clock.now_ms += _HEED_MS + 1_000
        await self._work(name, self._rollups.turn)

    async def _work(
        self, name: str, work: Callable[[], Awaitable[Any]], every_s: int = 0, times: int = 1, share: float = 1.0
    ) -> None:
        """Do it `times` over, or a `share` of it; what all of it costs once, and of a core if it is done so often."""
        influxd_s, gateway_s = cost(self._influxd).cpu_s, time.process_time()
        async with Holding() as holding:
            try:
                await work()
            except RetryLater as error:  # what the gateway would try again
                self.failed.append(f"{name}: {error}")
        spent = {"influxd": cost(self._influxd).cpu_s - influxd_s, "gateway": time.process_time() - gateway_s}
        each = {where: seconds / times / share for where, seconds in spent.items()}
        row: Row = {"devices": len(self._town.places), "work": name}
        row |= {f"{where}_s": round(seconds, 3) for where, seconds in each.items()}
        row |= {"hold_ms": round(holding.longest_s * 1000, 1)}
        if every_s:
            row |= {"every_s": every_s} | {f"{where}_pct": round(100 * s / every_s, 3) for where, s in each.items()}
        self.works.append(row)
        self._say(", ".join(f"{key} {value}" for key, value in row.items()))

    async def _quiet(self) -> None:
        """Until influxd has put in order what was written before: that is not what is measured."""
        until_s = time.monotonic() + _QUIET_S
        while time.monotonic() < until_s:
            before_s = cost(self._influxd).cpu_s
            await asyncio.sleep(1)
            if cost(self._influxd).cpu_s - before_s < 0.05:
                return

    def _compare(self) -> None:
        """A sample of the devices, all that came late to one, a day, the worst of the city."""
        influx = Influx(self._influxd.url, DATABASE)
        compared = Compared(influx)
        try:
            for device, span in self._spans:
                compared.steps(device, span)
            for device, span in self._days:
                compared.day(device, span)
            for metric in ("temp_c", "pm25_ugm3"):
                compared.worst(metric, (self._from_ms, self._end_ms))
        finally:
            influx.close()
        self.failed += compared.wrong[:5]
        self.compared = compared.values


def midnight(date_ms: int) -> int:
    """When the city's day of this moment began; its clocks are never changed."""
    there = datetime.fromtimestamp(date_ms / 1000, _ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(there.timestamp() * 1000)


class Holding:
    """The longest that nobody else had a turn in the event loop, in s of its thread's processor time."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> "Holding":
        self._ticking = asyncio.create_task(self._tick(), name="tick")
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(_TICK_S)
        self._ticking.cancel()

    async def _tick(self) -> None:
        last_s = time.thread_time()
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = time.thread_time()
            self.longest_s, last_s = max(self.longest_s, now_s - last_s), now_s
