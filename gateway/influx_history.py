"""History over InfluxQL, the part of it that InfluxDB 1, InfluxDB 2's /query and their kin share."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from itertools import pairwise
from typing import Any, Final, ParamSpec, TypeVar

from gateway.influxql import KEPT_FOR_EVER, RAW, Ask, Series, identifier, ms, string
from gateway.points import MAX_DATE_MS
from gateway.ports import Misconfigured, Point, Refused, Rewind, SeriesId, Span
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
_NO_INFLUXQL: Final = "the store answers InfluxQL with something else: is this the address of an InfluxDB?"
P = ParamSpec("P")
T = TypeVar("T")
_wall_ms = SystemClock().wall_ms
_Cell = tuple[str, str, str, int]
"""(stream, device, source, Unix hour)."""


def _understood(read: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """`read`, that says Misconfigured to what InfluxDB would not answer (some stores answer InfluxQL with anything)."""

    @wraps(read)
    async def understood(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await read(*args, **kwargs)
        except (LookupError, TypeError, ValueError) as error:
            raise Misconfigured(f"{read.__name__}: {_NO_INFLUXQL} ({error!r})") from error

    return understood


class InfluxHistory:
    """Reads of `database`, whose raw points are in policy `raw`, quarantine and rewinds in `kept`."""

    def __init__(self, database: str, ask: Ask, now_ms: Callable[[], int] = _wall_ms) -> None:
        self.database, self._ask, self._now_ms = database, ask, now_ms

    @_understood
    async def rewinds(self) -> list[Rewind]:
        found = await self._select(f"SELECT rw, rf FROM {self._kept('rewind')}")
        rows = [row for series in found for row in series.dicts()]
        return sorted(
            (Rewind(int(r["rw"]), int(r.get("rf", 0))) for r in rows if "rw" in r), key=lambda r: (r.number, r.since_ms)
        )

    @_understood
    async def series(self) -> list[SeriesId]:
        found = await _together(self._last(stream, "") for stream in STREAMS)
        return sorted(_series_id(series.name, series) for each in found for series in each)

    @_understood
    async def newest(self, stream: str) -> list[Point]:
        found = await self._last(stream, f"WHERE time > {ms(self._now_ms() - DAY_MS)}")
        return sorted((_points(stream, series)[0] for series in found), key=lambda point: point.series)

    @_understood
    async def recent(self, stream: str, from_ms: int, device: str | None = None) -> list[Point]:
        of_one = "" if device is None else f" AND device = {string(device)}"
        found = await self._last(stream, f"WHERE time >= {ms(from_ms)}{of_one}", MAX_RECENT)
        points = [point for series in found for point in _points(stream, series)]
        return sorted(points, key=lambda point: (point.series, point.date_ms))

    @_understood
    async def values(self, series: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
        found = await self._select(
            f"SELECT {identifier(metric)} FROM {self._raw(series.stream)} WHERE {_of(series)} AND "
            f"{_between(from_ms, to_ms)} ORDER BY time DESC LIMIT {MAX_VALUES}"
        )
        rows = [(date_ms, value) for one in found for date_ms, value in reversed(one.rows)]
        return [(date_ms, float(value)) for date_ms, value in rows if not isinstance(value, str)]

    @_understood
    async def dates(self, series: SeriesId, from_ms: int, to_ms: int) -> list[int]:
        quarantined = f"{_of(series)} AND stream = {string(series.stream)}"
        found = await _together(
            [
                self._dates(f"SELECT * FROM {self._raw(series.stream)} WHERE {_of(series)}", from_ms, to_ms),
                self._dates(f"SELECT reason FROM {self._kept('quarantine')} WHERE {quarantined}", from_ms, to_ms),
            ]
        )
        return sorted(set().union(*found))

    @_understood
    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        each = f"WHERE {_between(from_ms, to_ms)} GROUP BY device, source, "
        stored = (f"SELECT count(*) FROM {self._raw(stream)} {each} time(1h) fill(none)" for stream in STREAMS)
        refused = f"SELECT count(reason) FROM {self._kept('quarantine')} {each} stream, time(1h) fill(none)"
        answers = await _together(self._select(statement) for statement in (*stored, refused))
        cells: dict[_Cell, int] = {}
        for answer in answers:
            for cell, count in _counted(answer):
                # A replayed row is in both: the larger of the two is never above the truth.
                cells[cell] = max(cells.get(cell, 0), count)
        total: Counter[tuple[str, str, int]] = Counter()
        for (_, device, source, hour), count in cells.items():
            total[device, source, hour] += count
        return dict(total)

    @_understood
    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        highest: dict[tuple[str, str, int, str], tuple[int, int]] = {}
        spans = [dated] if dated else _steps(from_hour * HOUR_MS, (to_hour + 1) * HOUR_MS)
        of = f" AND device = {string(device)}" if device is not None else ""
        for span in spans:
            found = await self._select(
                f"SELECT run, hour, made, dropped FROM {self._raw('tally')} WHERE {_between(*span)} "
                f"AND hour >= {from_hour} AND hour < {to_hour}{of} GROUP BY device, source"
            )
            for device, source, run, hour, made, dropped in _whole_tallies(found):
                most, lost = highest.get((device, source, hour, run), (0, 0))
                highest[device, source, hour, run] = max(most, made), max(lost, dropped)
        return highest

    @_understood
    async def tally_points(self, span: Span, step_ms: int) -> dict[int, int]:
        found = await self._select(
            f"SELECT count(made) FROM {self._raw('tally')} WHERE {_between(*span)} "
            f"GROUP BY time({ms(step_ms)}) fill(none)"
        )
        return {start_ms: count for series in found for start_ms, count in series.rows if count}

    @_understood
    async def held(self) -> dict[str, int]:
        found = await self._select(
            f"SELECT last(held) FROM {self._raw('sys')} WHERE source = {string(BOX_SOURCE)} GROUP BY device"
        )
        return {series.tags["device"]: int(series.dicts()[0]["last"]) for series in found}

    @_understood
    async def refused(self, from_ms: int, to_ms: int, device: str | None = None, limit: int = 1000) -> list[Refused]:
        if limit <= 0:
            return []
        of = f" AND device = {string(device)}" if device is not None else ""
        found = await self._select(
            f"SELECT * FROM {self._kept('quarantine')} WHERE {_between(from_ms, to_ms)}{of} "
            f"ORDER BY time DESC LIMIT {limit}"
        )
        return [_refused(row) for series in found for row in series.dicts()]

    async def _select(self, statement: str) -> list[Series]:
        found = await self._ask(statement)
        if any(series.columns[:1] != ["time"] for series in found):
            raise Misconfigured(_NO_INFLUXQL)
        return found

    async def _last(self, stream: str, where: str, limit: int = 1) -> list[Series]:
        return await self._select(
            f"SELECT * FROM {self._raw(stream)} {where} GROUP BY device, source ORDER BY time DESC LIMIT {limit}"
        )

    async def _dates(self, selection: str, from_ms: int, to_ms: int) -> set[int]:
        dates: set[int] = set()
        while True:
            found = await self._select(f"{selection} AND {_between(from_ms, to_ms)} LIMIT {_PAGE_ROWS}")
            page = [row[0] for series in found for row in series.rows]
            dates.update(page)
            if len(page) < _PAGE_ROWS:
                return dates
            from_ms = max(page) + 1

    def _raw(self, measurement: str) -> str:
        return f"{identifier(self.database)}.{identifier(RAW)}.{identifier(measurement)}"

    def _kept(self, measurement: str) -> str:
        return f"{identifier(self.database)}.{identifier(KEPT_FOR_EVER)}.{identifier(measurement)}"


async def _together(reads: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """All of `reads` at a time; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read, name="influx-read") for read in reads]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _between(from_ms: int, to_ms: int) -> str:
    low, high = (min(max(date_ms, -MAX_DATE_MS), MAX_DATE_MS) for date_ms in (from_ms, to_ms))
    return f"time >= {ms(low)} AND time < {ms(high)}"


def _steps(first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """All of time in parts: before, steps from first to end, after; a clock may have stepped between row and tally."""
    step_ms = max(_TALLY_STEP_MS, (end_ms - first_ms) // _MAX_STEPS)
    return list(pairwise([-MAX_DATE_MS, *range(first_ms, end_ms, step_ms), end_ms, MAX_DATE_MS]))


def _of(series: SeriesId) -> str:
    return f"device = {string(series.device)} AND source = {string(series.source)}"


def _series_id(stream: str, series: Series) -> SeriesId:
    return SeriesId(stream, series.tags.get("device", ""), series.tags.get("source", ""))


def _points(stream: str, series: Series) -> list[Point]:
    one = _series_id(stream, series)
    return [Point(one, row["time"], _fields(row)) for row in series.dicts()]


def _fields(row: dict[str, Any]) -> dict[str, float | int | str]:
    return {name: value if isinstance(value, str) else float(value) for name, value in row.items() if name != "time"}


def _counted(answer: list[Series]) -> Iterable[tuple[_Cell, int]]:
    for series in answer:
        stream = series.tags.get("stream", series.name)
        for date_ms, *counts in series.rows:
            cell = (stream, series.tags["device"], series.tags["source"], date_ms // HOUR_MS)
            yield cell, max(count or 0 for count in counts)


def _whole_tallies(answer: list[Series]) -> Iterable[tuple[str, str, str, int, int, int]]:
    """(device, source, run, hour, made, dropped) of the rows that have all of them."""
    for series in answer:
        device, source = series.tags["device"], series.tags["source"]
        for _, run, hour, made, dropped in series.rows:
            if run is not None and made is not None and dropped is not None:
                yield device, source, run, hour, made, dropped


def _refused(row: dict[str, Any]) -> Refused:
    text = "".join(str(row[name]) for name in sorted(row) if name.startswith("row"))
    series = SeriesId(row.get("stream", ""), row.get("device", ""), row.get("source", ""))
    return Refused(series, row["time"], str(row.get("reason", "")), text, bool(row.get("deleted", 0)))
