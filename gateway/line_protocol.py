"""InfluxDB's line protocol, ms precision: `env,device=d-1,source=env-1 temp_c=29.1,rh_pct=78.2 1785000000000`.

One `%` template per series formats all its rows at once: this is the gateway's hottest code.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from gateway.points import Shape, shape
from gateway.ports import Table

_IN_NAME: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "%": "%%"})
_IN_MEASUREMENT: Final = str.maketrans({",": r"\,", " ": r"\ ", "%": "%%"})
_IN_STRING: Final = str.maketrans({"\\": r"\\", '"': r"\""})
_FORMATS: Final = {float: "%r", int: "%di", str: '"%s"'}


def encode(tables: Sequence[Table]) -> bytes:
    """The body of a write. None is left out. Raises ValueError for what no store takes (see points.shape)."""
    return "".join([_lines(table, shape(table)) for table in tables if table.rows]).encode()


def _lines(table: Table, of: Shape) -> str:
    columns = of.columns
    if str in of.types:
        pairs = zip(of.types, columns, strict=True)
        columns = tuple(_escaped(column) if kind is str else column for kind, column in pairs)
    if of.sparse:
        return "".join([_line(table, of.types, row) for row in zip(of.dates, *columns, strict=True)])
    template = _template(table.measurement, table.tags, table.fields, of.types)
    return template * len(of.dates) % tuple(chain.from_iterable(zip(*columns, of.dates, strict=True)))


def _line(table: Table, types: tuple[type, ...], row: Sequence[Any]) -> str:
    used = [index for index, value in enumerate(row[1:]) if value is not None]
    fields, kinds = tuple(table.fields[index] for index in used), tuple(types[index] for index in used)
    return _template(table.measurement, table.tags, fields, kinds) % (*(row[index + 1] for index in used), row[0])


def _escaped(column: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if text is None else text.translate(_IN_STRING) for text in column)


@lru_cache(maxsize=16_384)
def _template(
    measurement: str, tags: tuple[tuple[str, str], ...], fields: tuple[str, ...], types: tuple[type, ...]
) -> str:
    head = measurement.translate(_IN_MEASUREMENT)
    head += "".join(f",{key.translate(_IN_NAME)}={value.translate(_IN_NAME)}" for key, value in tags)
    pairs = [f"{field.translate(_IN_NAME)}={_FORMATS[kind]}" for field, kind in zip(fields, types, strict=True)]
    return f"{head} {','.join(pairs)} %d\n"
