"""Quarantine: refused rows as points, beside the rewinds in the bucket that never expires."""

import json
from typing import Final

from gateway.ports import Refused, SeriesId, Table
from kewang.wire.errors import printable
from kewang.wire.names import NO_SOURCE

_TEXT_CHARACTERS: Final = 60_000
"""Longest text one field may hold everywhere (InfluxDB 1: 64 KiB); what is longer goes on in `row_more`."""


def quarantine_tables(refused: list[Refused]) -> list[Table]:
    """Points of measurement `quarantine`, one a refused row, at the row's own time."""
    return [_table(row) for row in refused]


def _table(row: Refused) -> Table:
    series = row.series
    tags = (("device", series.device), ("source", series.source), ("stream", series.stream))
    head, more = row.row[:_TEXT_CHARACTERS], row.row[_TEXT_CHARACTERS : 2 * _TEXT_CHARACTERS]
    if more:
        return Table("quarantine", tags, ("reason", "row", "row_more"), [(row.date_ms, row.reason, head, more)])
    return Table("quarantine", tags, ("reason", "row"), [(row.date_ms, row.reason, head)])


def refused_by_store(table: Table, why: str) -> Refused:
    """A row (the only one of `table`) that the store itself refused."""
    tags = dict(table.tags)
    series = SeriesId(table.measurement, tags.get("device", NO_SOURCE), tags.get("source", NO_SOURCE))
    date_ms, *values = table.rows[0]
    kept = json.dumps({"k": list(table.fields), "r": values}, separators=(",", ":"))
    return Refused(series, int(str(date_ms)), f"store: {printable(why, 150)}", kept)
