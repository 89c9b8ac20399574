"""The roll-ups that History asks for, of an InfluxDB, in the subset of InfluxQL that all of them answer.

Five minutes are made here, of the readings themselves: to InfluxDB every function of every metric of every series is
a reader of its own, and 70 of them for each of 10,000 devices cost ten times what handing out the readings does.
A day is added up in InfluxDB, for its five minutes are more than it is worth to read.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway import rollup_fields
from gateway.influxql import Queries, Series, between, dated, identifier, ms, series_id, string, understood
from gateway.ports import Point, SeriesId, Span
from kewang.wire.thinned import STANDS_FOR

_EACH: Final = "GROUP BY device, source"
_ENDS: Final = (*map(str, range(10)), "[a-f]", "[g-m]", "[n-s]", "[^0-9a-s]")


async def summaries(
    queries: Queries, measurement: str, stream: str, span: Span, step_ms: int, devices: Sequence[str]
) -> AsyncIterator[list[Point]]:
    """See History. `measurement`: where the readings are."""
    for some in _parts(devices):
        readings = await _read(queries, measurement, stream, f"{between(*span)} AND {some}", step_ms)
        if readings.thinned:
            where = f"WHERE {between(*span)} AND {_named(readings.thinned)}"
            statement = f"{_sums(stream, measurement)} {where} {_EACH}, time({ms(step_ms)}) fill(none)"
            yield rollup_fields.together(readings.found, await _added(queries, statement, stream))
        else:
            yield readings.found


async def summed(
    queries: Queries, measurement: str, stream: str, span: Span, devices: Sequence[str]
) -> AsyncIterator[list[Point]]:
    """See History. `measurement`: where the roll-ups are that are added up."""
    for some in _parts(devices):
        statement = f"{_sums(stream, measurement)} WHERE {between(*span)} AND {some} {_EACH}"
        yield [replace(point, date_ms=span[0]) for point in await _added(queries, statement, stream)]


class _Readings:
    """Readings as they come, by series. `found`: the roll-ups of those that ended; `thinned`: devices that have rows
    in place of readings in it."""

    def __init__(self, stream: str, step_ms: int) -> None:
        self._stream, self._step_ms = stream, step_ms
        self.found, self.thinned = list[Point](), dict[str, None]()
        self._of: SeriesId | None = None
        self._columns: list[str] = []
        self._rows: list[list[Any]] = []

    def take(self, piece: Series) -> None:
        """The next piece; a series may come in several."""
        of = series_id(self._stream, dated(piece))
        if of != self._of:
            self.end()
        self._of, self._columns = of, piece.columns
        self._rows += piece.rows

    def end(self) -> None:
        """The series is whole."""
        if self._of is not None:
            steps = rollup_fields.rolled(self._stream, self._columns, self._rows, self._step_ms)
            self.found += [Point(self._of, start_ms, fields) for start_ms, fields in steps]
            if any(row[-1] is not None for row in self._rows):
                self.thinned[self._of.device] = None
            self._rows = []


@understood
async def _read(queries: Queries, measurement: str, stream: str, where: str, step_ms: int) -> _Readings:
    names = ", ".join(map(identifier, (*rollup_fields.metrics(stream), STANDS_FOR)))
    readings = _Readings(stream, step_ms)
    await queries.pieces(f"SELECT {names} FROM {measurement} WHERE {where} {_EACH}", readings.take)
    readings.end()
    readings.found.sort(key=_dated)
    return readings


@understood
async def _added(queries: Queries, statement: str, stream: str) -> list[Point]:
    points = list[Point]()

    def take(piece: Series) -> None:
        rows = [row for row in dated(piece).dicts() if len(row) > 1]
        points.extend(Point(series_id(stream, piece), row.pop("time"), _told(row)) for row in rows)

    await queries.pieces(statement, take)
    return rollup_fields.whole(sorted(points, key=_dated))


def _told(row: dict[str, Any]) -> dict[str, float | int | str]:
    """How often is told where it was at all."""
    return {name: float(value) for name, value in row.items() if value or not name.endswith("_count")}


def _dated(point: Point) -> tuple[SeriesId, int]:
    return point.series, point.date_ms


def _sums(stream: str, measurement: str) -> str:
    """Roll-ups, or thinned readings, added up, without means."""
    added = ", ".join(f"{by}({identifier(name)}) AS {identifier(name)}" for name, by in rollup_fields.sums(stream))
    return f"SELECT {added} FROM {measurement}"


def _parts(devices: Sequence[str]) -> list[str]:
    """Conditions, one after the other: for the devices named, else for all by the end of their names. InfluxDB opens
    all series of a question before it answers, each with some kB for each metric."""
    return [_named(devices)] if devices else [f"device =~ /{end}$/" for end in _ENDS]


def _named(devices: Iterable[str]) -> str:
    return "(" + " OR ".join(f"device = {string(device)}" for device in devices) + ")"
