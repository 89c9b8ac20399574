"""Fakes that behave: each passes the contract suite of its port, and can be told to fail."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from types import NoneType
from typing import cast

import numpy as np

from gateway.points import refusal, shape
from gateway.ports import (
    Late,
    Lives,
    Message,
    Point,
    Refused,
    RetryLater,
    Rewind,
    SeriesId,
    Span,
    Split,
    SubscriptionLost,
    Table,
    Value,
    WordChange,
    bucket_of,
)
from gateway.rollup_fields import together
from kewang.wire.catalogue import BY_NAME
from kewang.wire.names import STREAMS


class MemoryStore:
    """A store in memory that can be told to fail. `now_ms` judges what has expired and what is of the last day.

    `fail(error, times)`: the next `times` calls raise it; `away = True`: all raise RetryLater; `refuse = predicate`:
    rows for which it is true are refused; `limit_rows`: a larger write must be split. `writes` counts calls.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.points: dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, dict[str, float | int | str]]] = {}
        self.refuse: Callable[[Table, Sequence[Value]], bool] = lambda _table, _row: False
        self.limit_rows = 10**9
        self.away = False
        self.lives = Lives(0, 0, 0)
        self.writes = 0
        self._kinds: dict[tuple[str, str], type] = {}
        self._failures: list[Exception] = []
        self._now_ms = now_ms

    def fail(self, error: Exception, times: int = 1) -> None:
        """The next `times` calls raise `error`."""
        self._failures += [error] * times

    def mend(self) -> None:
        """No call fails any more."""
        self._failures.clear()
        self.away = False

    async def write(self, tables: Sequence[Table]) -> None:
        self.writes += 1
        await self._answer()
        rows = sum(len(table.rows) for table in tables)
        if rows > max(self.limit_rows, 1):
            raise Split(f"{rows} rows, the limit is {self.limit_rows}")
        kinds = self._judge(tables)
        self._kinds |= kinds
        for table in tables:
            points = self.points.setdefault((table.measurement, table.tags), {})
            for date_ms, *values in table.rows:
                named = zip(table.fields, values, strict=True)
                points.setdefault(cast(int, date_ms), {}).update({k: v for k, v in named if v is not None})
        self._expire()

    async def prepare(self, lives: Lives) -> None:
        await self._answer()
        self.lives = lives

    async def close(self) -> None:
        """Nothing to close."""

    async def rewinds(self) -> list[Rewind]:
        await self._answer()
        return sorted(
            (Rewind(int(f["rw"]), int(f.get("rf", 0))) for _, _, f in self._of("rewind")),
            key=lambda r: (r.number, r.since_ms),
        )

    async def series(self) -> list[SeriesId]:
        await self._answer()
        return sorted({series for series, _, _ in self._readings()})

    async def newest(self, stream: str) -> list[Point]:
        await self._answer()
        newest: dict[SeriesId, Point] = {}
        for series, date_ms, fields in self._readings():
            known = newest.get(series)
            recent = date_ms > self._now_ms() - 86_400_000
            if series.stream == stream and recent and (known is None or known.date_ms < date_ms):
                newest[series] = Point(series, date_ms, dict(fields))
        return [newest[series] for series in sorted(newest)]

    async def recent(self, stream: str, from_ms: int, device: str | None = None) -> list[Point]:
        await self._answer()
        points = sorted(
            (
                Point(series, date_ms, dict(fields))
                for series, date_ms, fields in self._readings()
                if date_ms >= from_ms and device in (None, series.device)
            ),
            key=lambda point: (point.series, point.date_ms),
        )
        of_one = groupby((point for point in points if point.series.stream == stream), key=lambda point: point.series)
        return [point for _, some in of_one for point in list(some)[-100:]]

    async def values(self, series: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
        await self._answer()
        found = [
            (date_ms, float(fields[metric]))
            for tags, date_ms, fields in self._of(series.stream)
            if _series(series.stream, tags) == series
            and from_ms <= date_ms < to_ms
            and metric in fields
            and not isinstance(fields[metric], str)
        ]
        return sorted(found)[-10_000:]

    async def dates(self, series: SeriesId, from_ms: int, to_ms: int) -> list[int]:
        await self._answer()
        found = {d for of, d in self._dated(series.stream) if of == series and from_ms <= d < to_ms}
        return sorted(found)

    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        await self._answer()
        dated = {(of, d) for of, d in self._dated(*STREAMS) if from_ms <= d < to_ms}
        return dict(Counter((of.device, of.source, d // 3_600_000) for of, d in dated))

    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        await self._answer()
        highest: dict[tuple[str, str, int, str], tuple[int, int]] = {}
        whole = {"run", "hour", "made", "dropped"}
        for tags, date_ms, fields in (point for point in self._of("tally") if point[2].keys() >= whole):
            hour = int(fields["hour"])
            key = (tags["device"], tags["source"], hour, str(fields["run"]))
            made, dropped = highest.get(key, (0, 0))
            wanted = (dated is None or dated[0] <= date_ms < dated[1]) and device in (None, tags["device"])
            if wanted and from_hour <= hour < to_hour:
                highest[key] = max(made, int(fields["made"])), max(dropped, int(fields["dropped"]))
        return highest

    async def tally_points(self, span: Span, step_ms: int) -> dict[int, int]:
        await self._answer()
        dates = [date_ms for _, date_ms, fields in self._of("tally") if "made" in fields]
        return dict(Counter(date_ms // step_ms * step_ms for date_ms in dates if span[0] <= date_ms < span[1]))

    async def thinned(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        await self._answer()
        total: Counter[tuple[str, str, int]] = Counter()
        for series, date_ms, fields in self._readings():
            if "thinned" in fields and from_ms <= date_ms < to_ms:
                total[series.device, series.source, date_ms // 3_600_000] += int(fields["thinned"])
        return dict(total)

    async def held(self) -> dict[str, int]:
        await self._answer()
        beats = sorted(
            (date_ms, tags["device"], int(fields["held"]))
            for tags, date_ms, fields in self._of("sys")
            if tags.get("source") == "box" and "held" in fields
        )
        return {device: held for _, device, held in beats}

    async def refused(
        self, from_ms: int, to_ms: int, device: str | None = None, limit: int = 1000, *, waiting: bool = False
    ) -> list[Refused]:
        await self._answer()
        found = [
            _refused(tags, date_ms, fields)
            for tags, date_ms, fields in self._of("quarantine")
            if from_ms <= date_ms < to_ms and device in (None, tags["device"]) and not (waiting and "deleted" in fields)
        ]
        return sorted(found, key=lambda r: -r.date_ms)[:limit]

    async def summaries(
        self, stream: str, from_ms: int, to_ms: int, step_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[list[Point]]:
        await self._answer()
        values: dict[tuple[SeriesId, int], dict[str, list[float]]] = {}
        thinned: dict[tuple[SeriesId, int], list[dict[str, float]]] = {}
        for series, date_ms, fields in self._dated_fields(stream, from_ms, to_ms, devices):
            into = values.setdefault((series, date_ms // step_ms * step_ms), {})
            for name, value in fields.items():
                if name in BY_NAME and not isinstance(value, str):
                    into.setdefault(name, []).append(float(value))
            if "thinned" in fields:
                told = {name: float(fields[name]) for name in fields if name not in ("thinned", "tq")}
                thinned.setdefault((series, date_ms // step_ms * step_ms), []).append(told)
        raw = [Point(*key, _summary(stream, found)) for key, found in values.items() if found]
        yield together(raw, [Point(*key, _sum(found)) for key, found in thinned.items()])

    async def summed(
        self, stream: str, from_ms: int, to_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[list[Point]]:
        await self._answer()
        parts: dict[SeriesId, list[dict[str, float]]] = {}
        for series, _, fields in self._dated_fields(f"{stream}_5m", from_ms, to_ms, devices):
            told = {name: float(value) for name, value in fields.items()}
            parts.setdefault(replace(series, stream=stream), []).append(told)
        yield [Point(series, from_ms, _sum(found)) for series, found in sorted(parts.items())]

    async def worsts(self, from_ms: int, to_ms: int) -> list[Point]:
        await self._answer()
        return [
            Point(*found) for found in sorted(self._dated_fields("worst_5m", from_ms, to_ms, ()), key=itemgetter(1))
        ]

    async def late(self, from_ms: int, to_ms: int) -> list[Late]:
        await self._answer()
        marks = [(tags, fields) for tags, date_ms, fields in self._of("late") if from_ms <= date_ms < to_ms]
        return [Late(tags["device"], int(fields["from_ms"]), int(fields["to_ms"])) for tags, fields in marks]

    async def word_changes(self, from_ms: int, to_ms: int) -> list[WordChange]:
        await self._answer()
        events = [event for event in self._of("device_event") if "source" not in event[0]]
        return [
            WordChange(tags["device"], date_ms, str(fields["word"]), str(fields["before"]))
            for tags, date_ms, fields in events
            if from_ms <= date_ms < to_ms
        ]

    async def words(self, before_ms: int) -> dict[str, str]:
        changes = sorted(await self.word_changes(0, before_ms), key=lambda one: one.date_ms)
        return {one.device: one.word for one in changes}

    def _dated_fields(
        self, measurement: str, from_ms: int, to_ms: int, devices: Sequence[str]
    ) -> Iterator[tuple[SeriesId, int, dict[str, float | int | str]]]:
        for tags, date_ms, fields in self._of(measurement):
            if from_ms <= date_ms < to_ms and (not devices or tags["device"] in devices):
                yield _series(measurement, tags), date_ms, fields

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop(0)
        if self.away:
            raise RetryLater("the store is away")

    def _judge(self, tables: Sequence[Table]) -> dict[tuple[str, str], type]:
        kinds: dict[tuple[str, str], type] = {}
        try:
            for table in tables:
                for field, kind in zip(table.fields, shape(table).types, strict=True):
                    key = (table.measurement, field)
                    if kind is not NoneType and (self._kinds | kinds).setdefault(key, kind) is not kind:
                        raise ValueError(f"{field} of {table.measurement} has another type")
                    kinds |= {key: kind} if kind is not NoneType else {}
        except ValueError as error:
            raise refusal(tables, str(error)) from None
        if any(self.refuse(table, row) for table in tables for row in table.rows):
            raise refusal(tables, "told to refuse this row")
        return kinds

    def _expire(self) -> None:
        for (measurement, _), points in self.points.items():
            if days := self.lives.of(bucket_of(measurement)):
                for date_ms in [d for d in points if d < self._now_ms() - days * 86_400_000]:
                    del points[date_ms]

    def _of(self, measurement: str) -> Iterator[tuple[dict[str, str], int, dict[str, float | int | str]]]:
        for (name, tags), points in self.points.items():
            if name == measurement:
                yield from ((dict(tags), date_ms, fields) for date_ms, fields in points.items())

    def _readings(self) -> Iterator[tuple[SeriesId, int, dict[str, float | int | str]]]:
        for stream in STREAMS:
            for tags, date_ms, fields in self._of(stream):
                yield _series(stream, tags), date_ms, fields

    def _dated(self, *streams: str) -> Iterator[tuple[SeriesId, int]]:
        for stream in streams:
            yield from ((_series(stream, tags), date_ms) for tags, date_ms, _ in self._of(stream))
        yield from (
            (_refused(tags, date_ms, fields).series, date_ms) for tags, date_ms, fields in self._of("quarantine")
        )


def _series(stream: str, tags: dict[str, str]) -> SeriesId:
    return SeriesId(stream, tags.get("device", ""), tags.get("source", ""))


def _summary(stream: str, values: dict[str, list[float]]) -> dict[str, float | int | str]:
    """By numpy, not by the stores' own ways."""
    made: dict[str, float | int | str] = {}
    for name, found in values.items():
        column = np.array(found)
        made |= {f"{name}_min": float(column.min()), f"{name}_mean": float(column.mean())}
        made |= {f"{name}_max": float(column.max()), f"{name}_count": float(column.size)}
        made |= {f"{name}_sum": float(column.sum())}
        if stream == "cam" and name == "camera_state":
            codes, counts = np.unique(column, return_counts=True)
            made |= {f"{name}_{int(code)}_count": float(count) for code, count in zip(codes, counts, strict=True)}
    return made


def _sum(parts: list[dict[str, float]]) -> dict[str, float | int | str]:
    made: dict[str, float | int | str] = {}
    for name in {name for part in parts for name in part}:
        stem, _, function = name.rpartition("_")
        found = np.array([part[name] for part in parts if name in part])
        if function == "mean":
            counts = np.array([part[f"{stem}_count"] for part in parts if name in part])
            if counts.sum():
                made[name] = float((found * counts).sum() / counts.sum())
        else:
            made[name] = float(found.min() if function == "min" else found.max() if function == "max" else found.sum())
    return made


def _refused(tags: dict[str, str], date_ms: int, fields: dict[str, float | int | str]) -> Refused:
    series = SeriesId(tags["stream"], tags["device"], tags["source"])
    row = "".join(str(fields[name]) for name in sorted(fields) if name.startswith("row"))
    return Refused(series, date_ms, str(fields.get("reason", "")), row, bool(fields.get("deleted", 0)))


class ScriptedSubscription:
    """A gateway's end of a broker in memory. As with a clean session, what is `fed` while it is away is gone.

    `published` lists what the gateway said; `lose` cuts the connection; `refusing = True` lets it not connect again.
    """

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, bool]] = []
        self.connects = 0
        self.skipped = 0
        self.refusing = False
        self._incoming: asyncio.Queue[Message | None] | None = None

    @property
    def connected(self) -> bool:
        return self._incoming is not None

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """A message comes from the broker."""
        if self._incoming is not None:
            self._incoming.put_nowait(Message(topic, payload, retained))

    def lose(self) -> None:
        """The connection breaks."""
        if self._incoming is not None:
            self._incoming.put_nowait(None)

    async def messages(self) -> AsyncGenerator[Message, None]:
        if self.refusing:
            raise SubscriptionLost("the broker refuses")
        self.connects += 1
        self._incoming = asyncio.Queue()
        try:
            while message := await self._incoming.get():
                yield message
        finally:
            self._incoming = None
        raise SubscriptionLost("the broker closed the connection")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await asyncio.sleep(0)
        if self._incoming is None:
            raise SubscriptionLost("not connected to the broker")
        self.published.append((topic, payload, retain))
