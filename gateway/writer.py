"""Writes that isolate what the store refuses: halve until the culprit stands alone, store all the rest."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from gateway.ports import Misconfigured, Poison, RetryLater, Sink, Split, Table

log = logging.getLogger(__name__)

Outcome = list[tuple[Table, str]]
"""Rows that the store refuses for good, each as a table of one row, with the reason."""


async def write(sink: Sink, tables: Sequence[Table]) -> Outcome:
    """Store `tables` but for what the store refuses. Raises RetryLater or Misconfigured: nothing is known then."""
    tables = [table for table in tables if table.rows]
    if not tables:
        return []
    try:
        await sink.write(tables)
    except Split:
        return await _write_halves(sink, tables)
    except Poison as error:
        return [(tables[0], str(error))]
    except (RetryLater, Misconfigured):
        raise
    except Exception as error:
        log.exception("unexpected error while writing; looking for the row that causes it")
        if sum(len(table.rows) for table in tables) > 1:
            return await _write_halves(sink, tables)
        return [(tables[0], f"unexpected: {error!r}")]
    return []


async def _write_halves(sink: Sink, tables: Sequence[Table]) -> Outcome:
    first, second = _halves(tables)
    return [*await write(sink, first), *await write(sink, second)]


def _halves(tables: Sequence[Table]) -> tuple[Sequence[Table], Sequence[Table]]:
    """Two parts that hold all rows: by tables, or by rows where there is one table."""
    if len(tables) > 1:
        middle = len(tables) // 2
        return tables[:middle], tables[middle:]
    table = tables[0]
    middle = len(table.rows) // 2
    return [replace(table, rows=table.rows[:middle])], [replace(table, rows=table.rows[middle:])]
