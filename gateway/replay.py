"""Quarantine, looked through by people: find rows, store them after all, mark them deleted.

A row that was stored later stays where it is, marked: the ledger counts its date once.
"""

import base64
import binascii
import json
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.judge import Verdict, Window, judge
from gateway.late import LateMarks
from gateway.ports import History, Refused, SeriesId, Sink, Store, Table
from gateway.quarantine import quarantine_tables
from gateway.writer import write
from kewang.runtime.clock import SystemClock
from kewang.wire.batch import Batch, decode
from kewang.wire.catalogue import BY_NAME
from kewang.wire.errors import WireError
from kewang.wire.names import NO_SOURCE
from kewang.wire.tally import HOUR_MS

PAGE_ROWS: Final = 2000
_FAR_MS: Final = 2**42
"""Beyond every date of a batch (2200) and every CRC that stands for a date."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of the quarantine are meant. `reason`: how it begins; `since_ms`: by the row's own date.

    An unreadable message has no date; it is meant whatever `since_ms` says.
    """

    device: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    deleted: bool = False

    def means(self, row: Refused) -> bool:
        """Whether `row` is meant, as far as that shows in the row."""
        old = self.since_ms is not None and row.series.source != NO_SOURCE and row.date_ms < self.since_ms
        return not old and (self.deleted or not row.deleted) and row.reason.startswith(self.reason or "")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay, in rows of the quarantine. `why_not`: those that are refused today too, and why."""

    stored: int
    why_not: Sequence[tuple[Refused, str]]


async def pages(history: History, wanted: Wanted) -> AsyncIterator[list[Refused]]:
    """The rows that are meant, newest first, some thousand at a time. Raises what `history` raises."""
    seen: set[tuple[SeriesId, int]] = set()
    to_ms = _FAR_MS
    while True:
        page = await history.refused(-_FAR_MS, to_ms, wanted.device, PAGE_ROWS)
        fresh = [row for row in page if (row.series, row.date_ms) not in seen]
        yield [row for row in fresh if wanted.means(row)]
        if len(page) < PAGE_ROWS or not fresh:
            return
        seen = {(row.series, row.date_ms) for row in page}
        to_ms = page[-1].date_ms + 1


async def replay(store: Store, rows: Sequence[Refused], window: Window) -> Replayed:
    """Judge `rows` by today's catalogue and `window`, store what is well, mark what is stored.

    Raises RetryLater or Misconfigured: what was stored until then is stored and marked the next time.
    """
    verdicts = [(row, judged(row, window)) for row in rows]
    good = [(row, verdict) for row, verdict in verdicts if isinstance(verdict, Verdict)]
    marks = LateMarks(store, SystemClock(), "replay")
    poisoned = await marks.write([table for _, verdict in good for table in verdict.tables])
    await write(store, quarantine_tables([row for _, verdict in good for row in verdict.refused]))
    why_not = {(table.measurement, table.tags, table.rows[0][0]): why for table, why in poisoned}
    done, left = [], [(row, verdict) for row, verdict in verdicts if isinstance(verdict, str)]
    for row, verdict in good:
        refused = [why_not[key] for key in _keys(verdict.tables) if key in why_not]
        if refused:
            left.append((row, f"store: {refused[0]}"))
        else:
            done.append(row)
    await mark(store, done)
    return Replayed(len(done), left)


async def mark(sink: Sink, rows: Iterable[Refused]) -> None:
    """Mark `rows` as done with: they stay, for the ledger. Raises RetryLater or Misconfigured."""
    by_tags: dict[tuple[tuple[str, str], ...], list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        (table,) = quarantine_tables([row])
        by_tags[table.tags].append((row.date_ms, 1))
    await write(sink, [Table("quarantine", tags, ("deleted",), dates) for tags, dates in by_tags.items()])


def judged(row: Refused, window: Window) -> Verdict | str:
    """Today's verdict on a row of the quarantine; why it can't be stored if it can't."""
    try:
        if row.series.source == NO_SOURCE:
            return _message(row, window)
        return _row(row, json.loads(row.row), window)
    except (WireError, binascii.Error) as error:
        return f"unreadable: {error}"
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return "unreadable: the kept row is damaged"


def _message(row: Refused, window: Window) -> Verdict | str:
    """A message that could not be read when it came: its good rows, and to quarantine the others."""
    payload = base64.b64decode(row.row, validate=True)
    if zlib.crc32(payload) != row.date_ms:
        return "unreadable: the message was too long to be kept whole"
    batch = decode(payload)
    return judge(SeriesId(row.series.stream, row.series.device, batch.source), batch, window)


def _row(row: Refused, kept: dict[str, Any], window: Window) -> Verdict | str:
    if "tq" not in kept:
        return Verdict([_as_written(row, kept)])
    batch = Batch("0", 1, row.series.source, kept["tq"], row.date_ms, kept["k"], [[0, *kept["r"]]])
    verdict = judge(row.series, batch, window)
    return verdict.refused[0].reason if verdict.refused else verdict


def _as_written(row: Refused, kept: dict[str, Any]) -> Table:
    """A row that was judged well and refused by the store."""
    tags = {"device": row.series.device, "source": row.series.source}
    named = tuple((key, value) for key, value in tags.items() if value != NO_SOURCE)
    return Table(row.series.stream, named, tuple(kept["k"]), [(row.date_ms, *kept["r"])])


def _keys(tables: Iterable[Table]) -> Iterable[tuple[str, tuple[tuple[str, str], ...], Any]]:
    return ((table.measurement, table.tags, row[0]) for table in tables for row in table.rows)


async def quarantined_alone(history: History, from_ms: int, to_ms: int) -> dict[str, int]:
    """Device -> rows of that time that are in quarantine and were not stored later."""
    alone: dict[str, int] = defaultdict(int)
    async for page in pages(history, Wanted(since_ms=from_ms, deleted=True)):
        rows = [row for row in page if from_ms <= row.date_ms < to_ms and row.series.source != NO_SOURCE]
        stored = await _stored_later(history, rows)
        for row in rows:
            alone[row.series.device] += (row.series, row.date_ms) not in stored
    return dict(alone)


async def _stored_later(history: History, rows: Iterable[Refused]) -> set[tuple[SeriesId, int]]:
    """Those of `rows` whose date has a stored value of one of its metrics, looked up hour by hour."""
    wanted: dict[tuple[SeriesId, int], set[str]] = defaultdict(set)
    for row in rows:
        wanted[row.series, row.date_ms // HOUR_MS] |= _metrics(row)
    stored = set()
    for (series, hour), metrics in wanted.items():
        for metric in sorted(metrics):
            values = await history.values(series, metric, hour * HOUR_MS, (hour + 1) * HOUR_MS)
            stored |= {(series, date_ms) for date_ms, _ in values}
    return stored


def _metrics(row: Refused) -> set[str]:
    try:
        return {name for name in json.loads(row.row)["k"] if name in BY_NAME}
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
