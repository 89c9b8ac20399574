"""InfluxDB's line protocol, ms precision: `env,device=d-1,source=env-1 temp_c=29.1,rh_pct=78.2 1785000000000`.

This is the gateway's hottest code. Numbers without a gap (nearly all there is) become one flat list: the texts of a
line, again for each row, and between them each column, put in by one slice. msgspec writes it as JSON in one call; one
pass over the bytes then takes out JSON's own signs. All else is written line by line.

    [";env~device=d-1 temp_c=",29.1,"~rh_pct=",78.2," ",1785000000000]
    env,device=d-1 temp_c=29.1,rh_pct=78.2 1785000000000
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from msgspec.json import Encoder

from gateway.points import Shape, shape
from gateway.ports import Table, Tags

_IN_NAME: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})
_IN_MEASUREMENT: Final = str.maketrans({",": r"\,", " ": r"\ "})
_IN_STRING: Final = str.maketrans({"\\": r"\\", '"': r"\""})
_IN_JSON: Final = frozenset(',= ~;[]"\\')
"""What no name holds that goes through JSON: signs of line protocol, their stand-ins, signs of JSON."""
_JSON_SIGNS: Final = b'[],"'
_STAND_INS: Final = bytes.maketrans(b"~;", b",\n")
_json: Final = Encoder().encode


def encode(tables: Sequence[Table]) -> bytes:
    """The body of a write. None is left out. Raises ValueError for what no store takes (see points.shape)."""
    body, numbers = list[bytes](), list[Any]()
    for table in tables:
        if table.rows:
            of = shape(table)
            texts = None if of.sparse else _texts(table.measurement, table.tags, table.fields, of.types)
            if texts is not None:
                numbers += _filled(texts, of)
            else:
                body += [_through_json(numbers), _line_by_line(table, of)]
                numbers = []
    return b"".join([*body, _through_json(numbers)])


def _through_json(numbers: list[Any]) -> bytes:
    """`numbers`: lines that each begin with the end of the one before."""
    if not numbers:
        return b""
    numbers[0] = numbers[0][1:]
    numbers.append(";")
    return _json(numbers).translate(_STAND_INS, _JSON_SIGNS)


def _filled(texts: list[Any], of: Shape) -> list[Any]:
    """The lines of a table of numbers; `texts`: see _texts."""
    lines, width = texts * len(of.dates), len(texts)
    for index, column in enumerate((*of.columns, of.dates)):
        lines[2 * index + 1 :: width] = column
    return lines


@lru_cache(maxsize=65_536)
def _texts(measurement: str, tags: Tags, fields: tuple[str, ...], types: tuple[type, ...]) -> list[Any] | None:
    """A line before JSON, with gaps for values and date, not to be changed; None if it can't go that way.

    Each series has one: those of 10,000 devices and of their roll-ups fit.
    """
    names = (measurement, *chain.from_iterable(tags), *fields)
    if not {*types} <= {float, int} or not all(map(_IN_JSON.isdisjoint, names)):
        return None
    before, texts = ";" + "~".join([measurement, *map("=".join, tags)]) + " ", list[Any]()
    for field, kind in zip(fields, types, strict=True):
        texts += [f"{before}{field}=", None]
        before = "i~" if kind is int else "~"
    return [*texts, before.replace("~", " "), None]


def _line_by_line(table: Table, of: Shape) -> bytes:
    names = [field.translate(_IN_NAME) for field in table.fields]
    tags = "".join(f",{key.translate(_IN_NAME)}={value.translate(_IN_NAME)}" for key, value in table.tags)
    head, lines = table.measurement.translate(_IN_MEASUREMENT) + tags, []
    for date_ms, *values in zip(of.dates, *of.columns, strict=True):
        pairs = [f"{name}={_text(value)}" for name, value in zip(names, values, strict=True) if value is not None]
        lines.append(f"{head} {','.join(pairs)} {date_ms}\n")
    return "".join(lines).encode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value.translate(_IN_STRING)}"'
    return f"{value!r}i" if isinstance(value, int) else repr(value)
