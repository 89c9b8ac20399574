"""Roll-ups: what each source measured in five minutes (`env_5m`) and in a day of the city (`env_1d`), and how long each
device was how (`availability_1d`), for the boards.

Made from the database alone and written there, with how far they are: kill it at any time, it goes on where it was.
Readings that came late are found by their marks (see late), and what they touched is made again. All is idempotent.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from gateway.availability import availability, availability_tables
from gateway.late import ROLLED_MS, STEP_MS
from gateway.ports import Clock, Late, Misconfigured, Point, RetryLater, SeriesId, Span, Store, Table
from gateway.worst import Worst
from gateway.writer import write
from kewang.runtime.backoff import Backoff
from kewang.wire.names import STREAMS
from kewang.wire.tally import HOUR_MS

log = logging.getLogger(__name__)

TURN_S: Final = 10.0
DAY_MS: Final = 86_400_000
HEED_MS: Final = 60_000
"""Marks are heeded once in so long: what a box catches up in the meantime is made again once."""
DEVICES_AT_ONCE: Final = 200
VALUES_AT_ONCE: Final = 15_000
"""Of a write: some 30 bytes each, below what a store takes at once."""
_PROGRESS: Final = SeriesId("rollup", "gateway", "rollups")


@dataclass(frozen=True, slots=True)
class Progress:
    """Unix ms: steps that ended by `steps_ms` are made, days that ended by `days_ms`; marks are heeded up to
    `late_ms`."""

    steps_ms: int
    days_ms: int
    late_ms: int


class Rollups:
    """Makes the roll-ups of the whole city; one process does it. `zone`: of the city's days. `raw_days`: how long
    readings live (0 = for ever): an hour that is not there whole any more is not made again."""

    def __init__(self, store: Store, clock: Clock, zone: ZoneInfo, raw_days: int) -> None:
        self._store, self._clock, self._zone, self._raw_days = store, clock, zone, raw_days
        self.progress: Progress | None = None
        self._told_hour: int | None = None

    async def run(self) -> None:
        """For ever."""
        backoff = Backoff("making roll-ups", log)
        while True:
            try:
                more = await self.turn()
            except (RetryLater, Misconfigured) as error:
                self.progress = None
                await backoff.failed(error)
            except Exception as error:
                log.exception("making roll-ups has a fault: readings are stored all the same")
                self.progress = None
                await backoff.failed(error)
            else:
                backoff.succeeded()
                await asyncio.sleep(0 if more else TURN_S)

    async def turn(self) -> bool:
        """Make what is due; whether there is more at once. Raises RetryLater or Misconfigured."""
        now_ms = self._clock.wall_ms()
        was = self.progress = self._believable(self.progress or await self._begun(now_ms), now_ms)
        rolled_ms = now_ms - ROLLED_MS
        steps_ms = max(was.steps_ms, min(_step(rolled_ms), was.steps_ms + HOUR_MS))
        if steps_ms > was.steps_ms:
            await self.make((was.steps_ms, steps_ms))
        late_ms = rolled_ms if rolled_ms >= was.late_ms + HEED_MS else was.late_ms
        await self._mend(await self._store.late(was.late_ms, late_ms), was)
        await self._tell_availability(now_ms)
        days_ms = max(was.days_ms, self._day(steps_ms))
        for start_ms in self._days((was.days_ms, days_ms)):
            await self.make_day(start_ms)
        if (now := Progress(steps_ms, days_ms, late_ms)) != was:
            await self._keep(now)
        self.progress = now
        return steps_ms < _step(rolled_ms)

    async def make(self, span: Span, devices: Sequence[str] = ()) -> int:
        """Make the steps of `span` (of these devices; none named: of all); how many points that are."""
        made, worst = 0, Worst()
        for stream in STREAMS:
            async for points in self._store.summaries(stream, *span, STEP_MS, devices):
                made += await self._write(f"{stream}_5m", points)
                if stream == "env":
                    worst.see(points)
        stale_ms = worst.with_others(await self._store.worsts(*span), devices) if devices else []
        await self._put(worst.tables())
        for start_ms in stale_ms:
            await self._find_worst(start_ms)
        return made

    async def _find_worst(self, start_ms: int) -> None:
        """The worst of a step among all devices: that of before is not so bad any more. Seldom."""
        worst = Worst()
        async for points in self._store.summaries("env", start_ms, start_ms + STEP_MS, STEP_MS):
            worst.see(points)
        await self._put(worst.tables())

    async def make_day(self, start_ms: int, devices: Sequence[str] = ()) -> int:
        """Make the city's day that begins at `start_ms` out of its steps; how many points that are."""
        made = 0
        for stream in STREAMS:
            async for points in self._store.summed(stream, start_ms, self._next_day(start_ms), devices):
                made += await self._write(f"{stream}_1d", points)
        return made

    async def rebuild(self, span: Span, done: Callable[[int], None] = lambda _ms: None) -> int:
        """Make all hours and all days that `span` touches again; how many points that are. `done` hears up to where."""
        made, from_ms = 0, max(span[0] // HOUR_MS * HOUR_MS, self._whole_ms(self._clock.wall_ms()))
        for start_ms in range(from_ms, span[1], HOUR_MS):
            made += await self.make((start_ms, start_ms + HOUR_MS))
            done(start_ms + HOUR_MS)
        for start_ms in self._days((self._day(from_ms), span[1])):
            made += await self.make_day(start_ms)
            made += await self.make_availability(start_ms, self._clock.wall_ms())
        return made

    async def make_availability(self, start_ms: int, now_ms: int) -> int:
        """Make how long each device was how on the city's day that begins at `start_ms`, as far as it is over."""
        span = start_ms, min(self._next_day(start_ms), now_ms)
        before = await self._store.words(start_ms)
        found = availability(before, await self._store.word_changes(*span), span)
        return await self._put(availability_tables(found, start_ms))

    async def _tell_availability(self, now_ms: int) -> None:
        """Every hour for today, and for yesterday: its last changes may have waited for the store."""
        if now_ms // HOUR_MS != self._told_hour:
            today_ms = self._day(now_ms)
            for start_ms in (self._day(today_ms - 1), today_ms):
                await self.make_availability(start_ms, now_ms)
            self._told_hour = now_ms // HOUR_MS

    async def _mend(self, late: Iterable[Late], was: Progress) -> None:
        """Make again what late readings touched, of what was made already."""
        hours: dict[int, set[str]] = defaultdict(set)
        days: dict[int, set[str]] = defaultdict(set)
        whole_ms = self._whole_ms(self._clock.wall_ms())
        for one in late:
            for start_ms in range(max(one.from_ms, whole_ms), min(one.to_ms, was.steps_ms), HOUR_MS):
                hours[start_ms].add(one.device)
                for day_ms in {self._day(start_ms), self._day(start_ms + HOUR_MS - 1)}:
                    if day_ms < was.days_ms:
                        days[day_ms].add(one.device)
        for (from_ms, to_ms), devices in _runs(hours):
            for some in _parts(devices):
                await self.make((from_ms, min(to_ms, was.steps_ms)), some)
        for start_ms, devices in sorted(days.items()):
            for some in _parts(devices):
                await self.make_day(start_ms, some)

    async def _write(self, measurement: str, points: Sequence[Point]) -> int:
        by_series = groupby(points, lambda one: one.series)
        await self._put(_table(measurement, series, list(some)) for series, some in by_series)
        return len(points)

    async def _put(self, tables: Iterable[Table]) -> int:
        written = 0
        for some in _of_size(tables):
            for table, why in await write(self._store, some):
                log.error("the store refuses a roll-up of %s: %s", table.measurement, why)
            written += len(some)
            await asyncio.sleep(0)
        return written

    async def kept(self) -> Progress | None:
        """How far the last process came; None: it never began. Raises RetryLater or Misconfigured."""
        names = ("steps_ms", "days_ms", "late_ms")
        found = [await self._store.values(_PROGRESS, name, 0, 1) for name in names]
        return Progress(*(int(values[-1][1]) for values in found)) if all(found) else None

    async def _begun(self, now_ms: int) -> Progress:
        """As kept; a database without roll-ups begins now."""
        if (kept := await self.kept()) is None:
            rolled_ms = now_ms - ROLLED_MS
            await self._keep(kept := Progress(_step(rolled_ms), self._day(rolled_ms), rolled_ms))
        return kept

    async def _keep(self, progress: Progress) -> None:
        fields = {"steps_ms": progress.steps_ms, "days_ms": progress.days_ms, "late_ms": progress.late_ms}
        tags = (("device", _PROGRESS.device), ("source", _PROGRESS.source))
        await self._store.write([Table(_PROGRESS.stream, tags, tuple(fields), [(0, *map(float, fields.values()))])])

    def _believable(self, progress: Progress, now_ms: int) -> Progress:
        """Nothing made lies ahead: the clock was set back, and what was made under the wrong one is made again."""
        if progress.late_ms <= now_ms:
            return progress
        rolled_ms = now_ms - ROLLED_MS
        steps_ms = min(progress.steps_ms, _step(rolled_ms))
        return Progress(steps_ms, min(progress.days_ms, self._day(rolled_ms)), rolled_ms)

    def _whole_ms(self, now_ms: int) -> int:
        """From which hour on all readings are still there."""
        return -(-(now_ms - self._raw_days * DAY_MS) // HOUR_MS) * HOUR_MS if self._raw_days else 0

    def _day(self, date_ms: int) -> int:
        """When the city's day of this moment began."""
        there = datetime.fromtimestamp(date_ms / 1000, UTC).astimezone(self._zone)
        return _ms(there.replace(hour=0, minute=0, second=0, microsecond=0))

    def _next_day(self, start_ms: int) -> int:
        there = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(self._zone)
        return _ms(there + timedelta(days=1))

    def _days(self, span: Span) -> list[int]:
        """The days that begin within `span`, whose start begins one."""
        found, start_ms = [], span[0]
        while start_ms < span[1]:
            found.append(start_ms)
            start_ms = self._next_day(start_ms)
        return found


def _step(date_ms: int) -> int:
    return date_ms // STEP_MS * STEP_MS


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _parts(devices: Iterable[str]) -> list[list[str]]:
    names = sorted(devices)
    return [names[start : start + DEVICES_AT_ONCE] for start in range(0, len(names), DEVICES_AT_ONCE)]


def _runs(hours: Mapping[int, set[str]]) -> list[tuple[Span, set[str]]]:
    """Hours in a row of the same devices put together, up to half a day."""
    found: list[tuple[Span, set[str]]] = []
    for start_ms, devices in sorted(hours.items()):
        if found and found[-1][1] == devices and found[-1][0][1] == start_ms < found[-1][0][0] + DAY_MS // 2:
            found[-1] = (found[-1][0][0], start_ms + HOUR_MS), devices
        else:
            found.append(((start_ms, start_ms + HOUR_MS), devices))
    return found


def _of_size(tables: Iterable[Table]) -> Iterator[list[Table]]:
    """Writes of about VALUES_AT_ONCE."""
    some, values = list[Table](), 0
    for table in tables:
        some.append(table)
        values += len(table.rows) * len(table.fields)
        if values >= VALUES_AT_ONCE:
            yield some
            some, values = [], 0
    if some:
        yield some


def _table(measurement: str, series: SeriesId, points: Sequence[Point]) -> Table:
    fields = tuple(dict.fromkeys(name for point in points for name in point.fields))
    rows = [(point.date_ms, *(point.fields.get(name) for name in fields)) for point in points]
    return Table(measurement, (("device", series.device), ("source", series.source)), fields, rows)
