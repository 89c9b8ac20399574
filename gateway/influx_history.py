"""History over InfluxQL, the part of it that InfluxDB 1, InfluxDB 2's /query and their kin share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from gateway import influx_rollups
from gateway.influxql import Queries, Series, between, dated, identifier, ms, series_id, string, understood
from gateway.points import MAX_DATE_MS
from gateway.ports import Late, Point, Refused, Rewind, SeriesId, Span, WordChange, bucket_of
from kewang.runtime.clock import SystemClock
from kewang.wire.names import BOX_SOURCE, STREAMS
from kewang.wire.tally import HOUR_MS

DAY_MS: Final = 86_400_000
MAX_VALUES: Final = 10_000
MAX_RECENT: Final = 100
_PAGE_ROWS: Final = 10_000
_TALLY_STEP_MS: Final = 6 * HOUR_MS
"""Tallies are read in steps of so many ms of heartbeats, which bounds an answer's size."""
_MAX_STEPS: Final = 500
_WAITING: Final = " AND (deleted = 1) = false"
"""InfluxQL can't ask whether a field is there; a comparison of what is not there is false."""
_ENDS: Final = ("[0-4]", "[5-9]", "[^0-9]")
"""Of devices' names: one question for all of a large city is not answered in time, and each more costs by itself."""
_wall_ms = SystemClock().wall_ms
_Cell = tuple[str, str, str, int]
"""(stream, device, source, Unix hour)."""


class InfluxHistory:
    """Reads of `database`."""

    def __init__(self, database: str, queries: Queries, now_ms: Callable[[], int] = _wall_ms) -> None:
        self.database, self._queries, self._now_ms = database, queries, now_ms

    @understood
    async def rewinds(self) -> list[Rewind]:
        found = await self._select(f"SELECT rw, rf FROM {self._of('rewind')}")
        rows = [row for series in found for row in series.dicts()]
        return sorted(
            (Rewind(int(r["rw"]), int(r.get("rf", 0))) for r in rows if "rw" in r), key=lambda r: (r.number, r.since_ms)
        )

    @understood
    async def series(self) -> list[SeriesId]:
        found = await _together(self._last(stream, "") for stream in STREAMS)
        return sorted(series_id(series.name, series) for each in found for series in each)

    @understood
    async def newest(self, stream: str) -> list[Point]:
        found = await self._last(stream, f"WHERE time > {ms(self._now_ms() - DAY_MS)}")
        return sorted((_points(stream, series)[0] for series in found), key=lambda point: point.series)

    @understood
    async def recent(self, stream: str, from_ms: int, device: str | None = None) -> list[Point]:
        of_one = "" if device is None else f" AND device = {string(device)}"
        found = await self._last(stream, f"WHERE time >= {ms(from_ms)}{of_one}", MAX_RECENT)
        points = [point for series in found for point in _points(stream, series)]
        return sorted(points, key=lambda point: (point.series, point.date_ms))

    @understood
    async def values(self, series: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
        found = await self._select(
            f"SELECT {identifier(metric)} FROM {self._of(series.stream)} WHERE {_one(series)} AND "
            f"{between(from_ms, to_ms)} ORDER BY time DESC LIMIT {MAX_VALUES}"
        )
        rows = [(date_ms, value) for one in found for date_ms, value in reversed(one.rows)]
        return [(date_ms, float(value)) for date_ms, value in rows if not isinstance(value, str)]

    @understood
    async def dates(self, series: SeriesId, from_ms: int, to_ms: int) -> list[int]:
        quarantined = f"{_one(series)} AND stream = {string(series.stream)}"
        found = await _together(
            [
                self._dates(f"SELECT * FROM {self._of(series.stream)} WHERE {_one(series)}", from_ms, to_ms),
                self._dates(f"SELECT reason FROM {self._of('quarantine')} WHERE {quarantined}", from_ms, to_ms),
            ]
        )
        return sorted(set().union(*found))

    @understood
    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        span = between(from_ms, to_ms)
        cells: dict[_Cell, int] = {}

        def take(series: Series) -> None:
            for cell, count in _counted(series):
                # A replayed row is in both: the larger of the two is never above the truth.
                cells[cell] = max(cells.get(cell, 0), count)

        for end in _ENDS:
            each = f"WHERE {span} AND device =~ /{end}$/ GROUP BY device, source, time(1h) fill(none)"
            asked = (f"SELECT count(*) FROM {self._of(stream)} {each}" for stream in STREAMS)
            await _together(self._each(statement, take) for statement in asked)
        by_stream = f"WHERE {span} GROUP BY device, source, stream, time(1h) fill(none)"
        await self._each(f"SELECT count(reason) FROM {self._of('quarantine')} {by_stream}", take)
        total: Counter[tuple[str, str, int]] = Counter()
        for (_, device, source, hour), count in cells.items():
            total[device, source, hour] += count
        return dict(total)

    @understood
    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        highest: dict[tuple[str, str, int, str], tuple[int, int]] = {}

        def take(series: Series) -> None:
            for device, source, run, hour, made, dropped in _whole_tallies(series):
                most, lost = highest.get((device, source, hour, run), (0, 0))
                highest[device, source, hour, run] = max(most, made), max(lost, dropped)

        spans = [dated] if dated else _steps(from_hour * HOUR_MS, (to_hour + 1) * HOUR_MS)
        of = f" AND device = {string(device)}" if device is not None else ""
        for span in spans:
            await self._each(
                f"SELECT run, hour, made, dropped FROM {self._of('tally')} WHERE {between(*span)} "
                f"AND hour >= {from_hour} AND hour < {to_hour}{of} GROUP BY device, source",
                take,
            )
        return highest

    @understood
    async def tally_points(self, span: Span, step_ms: int) -> dict[int, int]:
        found = await self._select(
            f"SELECT count(made) FROM {self._of('tally')} WHERE {between(*span)} "
            f"GROUP BY time({ms(step_ms)}) fill(none)"
        )
        return {start_ms: count for series in found for start_ms, count in series.rows if count}

    @understood
    async def thinned(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        each = f"WHERE {between(from_ms, to_ms)} GROUP BY device, source, time(1h) fill(none)"
        asked = (f"SELECT sum(thinned) FROM {self._of(stream)} {each}" for stream in STREAMS)
        total: Counter[tuple[str, str, int]] = Counter()

        def take(series: Series) -> None:
            for (_, device, source, hour), rows in _counted(series):
                total[device, source, hour] += int(rows)

        await _together(self._each(statement, take) for statement in asked)
        return dict(total)

    @understood
    async def held(self) -> dict[str, int]:
        held: dict[str, int] = {}

        def take(series: Series) -> None:
            held[series.tags["device"]] = int(series.dicts()[0]["last"])

        newest = f"SELECT last(held) FROM {self._of('sys')} WHERE source = {string(BOX_SOURCE)} GROUP BY device"
        await self._each(newest, take)
        return held

    @understood
    async def refused(
        self, from_ms: int, to_ms: int, device: str | None = None, limit: int = 1000, *, waiting: bool = False
    ) -> list[Refused]:
        if limit <= 0:
            return []
        of = between(from_ms, to_ms) + (f" AND device = {string(device)}" if device is not None else "")
        if waiting and (found := await self._refused(of + _WAITING, limit)):
            return found
        # A store of that kin that takes the comparison for no row must not look as if nothing waited.
        return [row for row in await self._refused(of, limit) if not (waiting and row.deleted)]

    async def _refused(self, where: str, limit: int) -> list[Refused]:
        of = f"FROM {self._of('quarantine')} WHERE {where} ORDER BY time DESC LIMIT {limit}"
        found = await self._select(f"SELECT * {of}")
        return [_refused(row) for series in found for row in series.dicts()]

    def summaries(
        self, stream: str, from_ms: int, to_ms: int, step_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[list[Point]]:
        span = (from_ms, to_ms)
        return influx_rollups.summaries(self._queries, self._of(stream), stream, span, step_ms, devices)

    def summed(self, stream: str, from_ms: int, to_ms: int, devices: Sequence[str] = ()) -> AsyncIterator[list[Point]]:
        return influx_rollups.summed(self._queries, self._of(f"{stream}_5m"), stream, (from_ms, to_ms), devices)

    @understood
    async def worsts(self, from_ms: int, to_ms: int) -> list[Point]:
        found = await self._select(f"SELECT * FROM {self._of('worst_5m')} WHERE {between(from_ms, to_ms)}")
        return [point for series in found for point in _points("worst_5m", series)]

    @understood
    async def late(self, from_ms: int, to_ms: int) -> list[Late]:
        found = await self._select(
            f"SELECT from_ms, to_ms FROM {self._of('late')} WHERE {between(from_ms, to_ms)} GROUP BY device"
        )
        return [Late(one.tags["device"], int(low), int(high)) for one in found for _, low, high in one.rows]

    @understood
    async def word_changes(self, from_ms: int, to_ms: int) -> list[WordChange]:
        changes = f"SELECT word, before FROM {self._of('device_event')} WHERE {between(from_ms, to_ms)}"
        found = await self._select(f"{changes} GROUP BY device, source")
        own = (one for one in found if not one.tags.get("source"))
        return [WordChange(one.tags["device"], *row) for one in own for row in one.rows]

    @understood
    async def words(self, before_ms: int) -> dict[str, str]:
        found = await self._select(
            f"SELECT last(word) FROM {self._of('device_event')} WHERE time < {ms(before_ms)} GROUP BY device, source"
        )
        return {one.tags["device"]: str(one.rows[0][1]) for one in found if not one.tags.get("source")}

    async def _ask(self, statement: str) -> list[Series]:
        return await self._queries.ask(statement)

    async def _select(self, statement: str) -> list[Series]:
        return [dated(series) for series in await self._ask(statement)]

    async def _each(self, statement: str, take: Callable[[Series], None]) -> None:
        """The same for the long answer of a large city, series by series: nothing else waits until it is read."""
        await self._queries.pieces(statement, lambda series: take(dated(series)))

    async def _last(self, stream: str, where: str, limit: int = 1) -> list[Series]:
        return await self._select(
            f"SELECT * FROM {self._of(stream)} {where} GROUP BY device, source ORDER BY time DESC LIMIT {limit}"
        )

    async def _dates(self, selection: str, from_ms: int, to_ms: int) -> set[int]:
        dates: set[int] = set()
        while True:
            found = await self._select(f"{selection} AND {between(from_ms, to_ms)} LIMIT {_PAGE_ROWS}")
            page = [row[0] for series in found for row in series.rows]
            dates.update(page)
            if len(page) < _PAGE_ROWS:
                return dates
            from_ms = max(page) + 1

    def _of(self, measurement: str) -> str:
        """The measurement in its bucket; to InfluxQL that is a retention policy (InfluxDB 2 maps it to a bucket)."""
        return f"{identifier(self.database)}.{identifier(bucket_of(measurement))}.{identifier(measurement)}"


async def _together(reads: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """All of `reads` at a time; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read, name="influx-read") for read in reads]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _steps(first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """All of time in parts: before, steps from first to end, after; a clock may have stepped between row and tally."""
    step_ms = max(_TALLY_STEP_MS, (end_ms - first_ms) // _MAX_STEPS)
    return list(pairwise([-MAX_DATE_MS, *range(first_ms, end_ms, step_ms), end_ms, MAX_DATE_MS]))


def _one(series: SeriesId) -> str:
    return f"device = {string(series.device)} AND source = {string(series.source)}"


def _points(stream: str, series: Series) -> list[Point]:
    one = series_id(stream, series)
    return [Point(one, row["time"], _fields(row)) for row in series.dicts()]


def _fields(row: dict[str, Any]) -> dict[str, float | int | str]:
    return {name: value if isinstance(value, str) else float(value) for name, value in row.items() if name != "time"}


def _counted(series: Series) -> Iterable[tuple[_Cell, int]]:
    stream = series.tags.get("stream", series.name)
    for date_ms, *counts in series.rows:
        cell = (stream, series.tags["device"], series.tags["source"], date_ms // HOUR_MS)
        yield cell, max(count or 0 for count in counts)


def _whole_tallies(series: Series) -> Iterable[tuple[str, str, str, int, int, int]]:
    """(device, source, run, hour, made, dropped) of the rows that have all of them."""
    device, source = series.tags["device"], series.tags["source"]
    for _, run, hour, made, dropped in series.rows:
        if run is not None and made is not None and dropped is not None:
            yield device, source, run, hour, made, dropped


def _refused(row: dict[str, Any]) -> Refused:
    text = "".join(str(row[name]) for name in sorted(row) if name.startswith("row"))
    series = SeriesId(row.get("stream", ""), row.get("device", ""), row.get("source", ""))
    return Refused(series, row["time"], str(row.get("reason", "")), text, bool(row.get("deleted", 0)))
