"""What every store refuses alike, judged before a byte is sent: types, dates, names and empty rows."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from math import isfinite
from types import NoneType
from typing import Any, Final, NamedTuple

from gateway.ports import Numbers, Poison, Split, Table

MAX_DATE_MS: Final = 9_223_372_036_854
"""Unix ms, either sign: what InfluxDB can date (64 bits of ns)."""
MAX_INT: Final = 2**63 - 1
MAX_STRING_BYTES: Final = 65_535
"""InfluxDB 1.x keeps no longer string field."""
KINDS: Final = {float: "float", int: "integer", str: "string"}
_TAKEN: Final = frozenset({"time"})
"""InfluxDB drops a field or tag of this name without a word."""


def refusal(tables: Sequence[Table], why: str) -> Split | Poison:
    """The error for refused `tables`: Split for two rows or more, Poison for one."""
    return Split(why) if sum(len(table.rows) for table in tables) > 1 else Poison(why)


class Shape(NamedTuple):
    """A table's rows turned into columns, and the type of each (NoneType for a field without any value)."""

    dates: Sequence[int]
    columns: tuple[Sequence[Any], ...]
    types: tuple[type, ...]
    sparse: bool
    """Whether a value is None."""


def shape(table: Table) -> Shape:
    """Judge `table`.

    Raises ValueError, which says why, for a table that no store takes: rows of wrong length or without a value, mixed
    types, NaN, infinity, an int above 64 bits, a date InfluxDB can't hold, a bad name.
    """
    if not table.rows:
        return Shape((), ((),) * len(table.fields), (NoneType,) * len(table.fields), False)
    check_names(table.measurement, table.tags, table.fields)
    try:
        dates, *columns = table.turned()
    except ValueError:
        raise ValueError("rows of different lengths, or empty") from None
    if isinstance(table.rows, Numbers):
        return Shape(dates, tuple(columns), (float,) * len(columns), False)
    if len(columns) != len(table.fields):
        raise ValueError(f"{len(columns)} values for {len(table.fields)} fields")
    if set(map(type, dates)) != {int} or min(dates) < -MAX_DATE_MS or max(dates) > MAX_DATE_MS:
        raise ValueError("a date is not a whole number of ms that a database can hold")
    if set(map(type, chain.from_iterable(columns))) == {float} and isfinite(sum(map(sum, columns))):  # nearly always
        return Shape(dates, tuple(columns), (float,) * len(columns), False)
    judged = [_column_type(*pair) for pair in zip(table.fields, columns, strict=True)]
    if all(sparse for _, sparse in judged) and any(row.count(None) == len(columns) for row in table.rows):
        raise ValueError("a row without any value")
    return Shape(dates, tuple(columns), tuple(kind for kind, _ in judged), any(sparse for _, sparse in judged))


def check_names(measurement: str, tags: tuple[tuple[str, str], ...], fields: tuple[str, ...]) -> None:
    """Raises ValueError if line protocol can't carry one of the names."""
    _check_fields(_check_series(measurement, tags), fields)


@lru_cache(maxsize=65_536)
def _check_series(measurement: str, tags: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The keys of the tags."""
    _check_each((measurement, *chain.from_iterable(tags)))
    return tuple(key for key, _ in tags)


@lru_cache(maxsize=4_096)
def _check_fields(keys: tuple[str, ...], fields: tuple[str, ...]) -> None:
    _check_each(fields)
    if len({*keys, *fields}) < len(keys) + len(fields) or not _TAKEN.isdisjoint([*keys, *fields]):
        raise ValueError(f"a name is there twice or reserved: {', '.join([*keys, *fields])}")


def _check_each(names: Iterable[str]) -> None:
    for name in names:
        if not name.isprintable() or not name or "\\" in name or name.startswith("#"):
            raise ValueError(f"{name!r} can't be a measurement, tag or field")


def _column_type(field: str, column: Sequence[Any]) -> tuple[type, bool]:
    types = set(map(type, column))
    if sparse := NoneType in types:
        column = tuple(value for value in column if value is not None)
        types.discard(NoneType)
    if len(types) > 1 or not types <= KINDS.keys():
        raise ValueError(f"{field}: values of type {', '.join(sorted(kind.__name__ for kind in types))}")
    kind = types.pop() if types else NoneType
    if not _fits(kind, column):
        raise ValueError(f"{field}: a value no database can hold")
    return kind, sparse


def _fits(kind: type, column: Sequence[Any]) -> bool:
    if kind is float:
        # A sum is finite only if all its parts are; it may overflow where they are finite.
        return isfinite(sum(column)) or all(map(isfinite, column))
    if kind is int:
        return bool(min(column) >= -MAX_INT and max(column) <= MAX_INT)
    return all(map(_is_text, column))


def _is_text(value: str) -> bool:
    try:
        return len(value.encode()) <= MAX_STRING_BYTES
    except UnicodeEncodeError:
        return False
