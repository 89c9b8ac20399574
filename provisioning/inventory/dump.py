"""All rows of an inventory as lines of JSON, the same for both databases: what a backup holds."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from provisioning.inventory.migrations import InventoryError

_OURS: Final = "alembic_version"
_AT_ONCE: Final = 1000


def dumped(connection: Connection) -> Iterator[str]:
    """Each row as `["table", {"column": value, ...}]`, in an order that foreign keys allow."""
    for table in _tables(connection):
        key = list(table.primary_key.columns)
        for row in connection.execute(select(table).order_by(*key)).mappings():
            yield json.dumps([table.name, dict(row)], ensure_ascii=True)


def version(connection: Connection) -> str:
    """Version of the tables."""
    return str(connection.execute(text(f"SELECT version_num FROM {_OURS}")).scalar_one())


def is_empty(connection: Connection) -> bool:
    """Whether no table of ours holds a row."""
    return not any(
        connection.execute(select(func.count()).select_from(table)).scalar() for table in _tables(connection)
    )


def filled(connection: Connection, lines: Iterable[str]) -> int:
    """Put dumped rows into empty tables of the same version; how many. Raises InventoryError for what is no dump."""
    tables = {table.name: table for table in _tables(connection)}
    count, waiting, name = 0, list[dict[str, Any]](), ""
    try:
        for line in lines:
            table, row = json.loads(line)
            if waiting and (table != name or len(waiting) >= _AT_ONCE):
                connection.execute(tables[name].insert(), waiting)
                waiting = []
            name = table
            waiting.append(row)
            count += 1
        if waiting:
            connection.execute(tables[name].insert(), waiting)
    except (ValueError, KeyError, TypeError, SQLAlchemyError) as error:
        raise InventoryError(f"the backup's rows can't be read at row {count}: take another backup ({error})") from None
    _count_on(connection, tables.values())
    return count


def _tables(connection: Connection) -> list[Table]:
    known = MetaData()
    known.reflect(connection, only=[name for name in inspect(connection).get_table_names() if name != _OURS])
    return known.sorted_tables


def _count_on(connection: Connection, tables: Iterable[Table]) -> None:
    """PostgreSQL: numbers that the database gives go on after the highest one."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            name = {"table": table.name, "column": column.name}
            found = connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), name).scalar()
            if found:
                highest = connection.execute(select(func.max(column))).scalar()
                connection.execute(
                    text("SELECT setval(:name, :next, false)"), {"name": found, "next": (highest or 0) + 1}
                )
