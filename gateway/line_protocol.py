"""InfluxDB's line protocol, ms precision: `env,device=d-1,source=env-1 temp_c=29.1,rh_pct=78.2 1785000000000`.

One `%` template per series formats all its rows at once: this is the gateway's hottest code.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from gateway.points import Shape, shape
from gateway.ports import Table

_IN_NAME: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "%": "%%"})
_IN_MEASUREMENT: Final = str.maketrans({",": r"\,", " ": r"\ ", "%": "%%"})
_IN_STRING: Final = str.maketrans({"\\": r"\\", '"': r"\""})
_FORMATS: Final = {float: "%s", int: "%di", str: '"%s"'}
_MAX_NUMBERS: Final = 30_000


class _Numbers(dict[float | None, str | None]):
    """The shortest exact text of each number met lately. Sensors repeat themselves, and finding a text again takes a
    fifth of making it, which was half of the gateway's work."""

    def __missing__(self, number: float) -> str:
        if len(self) >= _MAX_NUMBERS:
            self.clear()
            self[None] = None
        text = self[number] = repr(number)
        return text


_text_of: Final = _Numbers({None: None}).__getitem__


def encode(tables: Sequence[Table]) -> bytes:
    """The body of a write. None is left out. Raises ValueError for what no store takes (see points.shape)."""
    return "".join([_lines(table, shape(table)) for table in tables if table.rows]).encode()


def _lines(table: Table, of: Shape) -> str:
    columns = [_texts(kind, column) for kind, column in zip(of.types, of.columns, strict=True)]
    if of.sparse:
        return "".join([_line(table, of.types, row) for row in zip(of.dates, *columns, strict=True)])
    template = _template(table.measurement, table.tags, table.fields, of.types)
    return template * len(of.dates) % tuple(chain.from_iterable(zip(*columns, of.dates, strict=True)))


def _line(table: Table, types: tuple[type, ...], row: Sequence[Any]) -> str:
    used = [index for index, value in enumerate(row[1:]) if value is not None]
    fields, kinds = tuple(table.fields[index] for index in used), tuple(types[index] for index in used)
    return _template(table.measurement, table.tags, fields, kinds) % (*(row[index + 1] for index in used), row[0])


def _texts(kind: type, column: Sequence[Any]) -> Iterable[Any]:
    """What the template takes for the values of a column; None stays."""
    if kind is float:
        return map(_text_of, column)
    if kind is str:
        return (None if text is None else text.translate(_IN_STRING) for text in column)
    return column


def _template(
    measurement: str, tags: tuple[tuple[str, str], ...], fields: tuple[str, ...], types: tuple[type, ...]
) -> str:
    return _head(measurement, tags) + _pairs(fields, types)


@lru_cache(maxsize=65_536)
def _head(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    """Each series has one: those of 10,000 devices and of their roll-ups fit."""
    head = measurement.translate(_IN_MEASUREMENT)
    return head + "".join(f",{key.translate(_IN_NAME)}={value.translate(_IN_NAME)}" for key, value in tags)


@lru_cache(maxsize=4_096)
def _pairs(fields: tuple[str, ...], types: tuple[type, ...]) -> str:
    pairs = [f"{field.translate(_IN_NAME)}={_FORMATS[kind]}" for field, kind in zip(fields, types, strict=True)]
    return f" {','.join(pairs)} %d\n"
