"""The common batch, read and judged in one go: full rows of numbers in their ranges, dated well.

Nothing is refused here. Whatever is not so common goes the long way (`wire.batch.read`, `judge`), which alone says what
is wrong with it, and makes the same of what both take. Why: docs/decisions/0040-the-common-batch-by-msgspec.md.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gateway.judge import Window, tags_of
from gateway.ports import Numbers, Table
from kewang.wire.batch import MAX_COUNT, MAX_DATE_MS, MAX_METRICS, MAX_ROWS, MIN_DATE_MS
from kewang.wire.catalogue import BY_NAME, Metric
from kewang.wire.names import is_run, is_source

_Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
_KEYS: Final = 10
_LONGEST: Final = 1000
"""Bytes of the names of metrics that are remembered."""


class Quick(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A common batch as it travels, its metrics and rows as text; else see wire.batch.Batch, whose names these are."""

    v: Literal[1]
    rewind: _Count = msgspec.field(name="rw")
    up_ms: _Count = msgspec.field(name="up")
    run: str = msgspec.field(name="bt")
    number: Annotated[int, Meta(ge=1, le=MAX_COUNT)] = msgspec.field(name="q")
    source: str = msgspec.field(name="src")
    time_quality: Literal[2] = msgspec.field(name="tq")
    t0_ms: Annotated[int, Meta(ge=0, le=MAX_DATE_MS)] = msgspec.field(name="t0")
    metrics: msgspec.Raw = msgspec.field(name="k")
    rows: msgspec.Raw = msgspec.field(name="r")


_quick: Final = msgspec.json.Decoder(Quick).decode


class _Plan(NamedTuple):
    """Of batches of the same metrics: their names, and what reads the rows."""

    fields: tuple[str, ...]
    read: Callable[[msgspec.Raw], list[tuple[Any, ...]]]


class Found(NamedTuple):
    """A common batch, its rows as points, and the date of the last of them (Unix ms)."""

    batch: Quick
    table: Table
    last_ms: int


def read(stream: str, device: str, message: bytes, window: Window) -> Found | None:
    """The batch in the JSON `message`, all of whose rows may be stored; None: go the long way."""
    # Each key takes a colon: there are as many as keys only if none is there twice.
    if message.count(b":") != _KEYS:
        return None
    try:
        batch = _quick(message)
        plan = _plan(stream, bytes(batch.metrics)) if len(batch.metrics) <= _LONGEST else None
        if plan is None or not is_run(batch.run) or not is_source(batch.source):
            return None
        offsets, *columns = zip(*plan.read(batch.rows), strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    dates = _dates(batch.t0_ms, offsets, window)
    if dates is None:
        return None
    table = Table(stream, tags_of(device, batch.source), plan.fields, Numbers(dates, *columns))
    return Found(batch, table, dates[-1])


def _dates(t0_ms: int, offsets: Sequence[int], window: Window) -> list[int] | None:
    """Each once, and all believed; or None."""
    dates = [t0_ms + offset for offset in offsets]
    ordered = sorted(dates)  # in order already, nearly always: a third of what min and max take
    in_time = MIN_DATE_MS <= ordered[0] >= window.oldest_ms and MAX_DATE_MS >= ordered[-1] <= window.newest_ms
    return dates if in_time and len(set(dates)) == len(dates) else None


@lru_cache(maxsize=1024)
def _plan(stream: str, names: bytes) -> _Plan | None:
    """For the JSON text of a batch's metrics; None unless `stream` has every one of them."""
    try:
        fields = tuple(json.loads(names))
        metrics = [BY_NAME[name] for name in fields]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if len(set(fields)) != len(fields) or len(fields) > MAX_METRICS or {one.stream for one in metrics} != {stream}:
        return None
    row: Any = tuple[(int, *map(_believed, metrics))]  # type: ignore[misc]
    rows: Any = Annotated[list[row], Meta(min_length=1, max_length=MAX_ROWS)]
    return _Plan(fields, msgspec.json.Decoder(rows).decode)


def _believed(metric: Metric) -> Any:
    """The type of its values. A whole number becomes a float, as it does in the database; beyond 2**53 not exactly."""
    return Annotated[float, Meta(ge=float(metric.low), le=float(min(metric.high, MAX_COUNT - 1)))]
