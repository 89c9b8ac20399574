from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.influx1_sink import Influx1Store
from gateway.influxql import identifier
from gateway.line_protocol import encode
from gateway.points import shape
from gateway.ports import Lives, Table
from kewang.bench.parts import Influxd

T0 = 1_785_000_000_000


def test_a_row_is_a_line_in_ms() -> None:
    table = Table(
        "env", (("device", "d-1"), ("source", "env-1")), ("temp_c", "rh_pct"), [(T0, 29.1, 78.2), (1, 0.1, -1e300)]
    )
    assert encode([table]) == (
        b"env,device=d-1,source=env-1 temp_c=29.1,rh_pct=78.2 1785000000000\n"
        b"env,device=d-1,source=env-1 temp_c=0.1,rh_pct=-1e300 1\n"
    )


def test_types_and_escapes() -> None:
    table = Table("a b,c=d%", (("k =,", 'v =,"%'),), ("f =,%", "n"), [(5, 'say "\\n" 100%\n', -7)])
    assert encode([table]) == b'a\\ b\\,c=d%,k\\ \\=\\,=v\\ \\=\\,"% f\\ \\=\\,%="say \\"\\\\n\\" 100%\n",n=-7i 5\n'


def test_none_is_left_out() -> None:
    table = Table("env", (), ("a", "b", "c"), [(1, None, 2.0, "x"), (2, 1.0, None, None), (3, 1.0, 2.0, "y")])
    assert encode([table]) == b'env b=2.0,c="x" 1\nenv a=1.0 2\nenv a=1.0,b=2.0,c="y" 3\n'


def test_no_rows_are_no_lines() -> None:
    assert encode([]) == encode([Table("env", (), ("a",), [])]) == b""


@pytest.mark.parametrize(
    "rows",
    [
        [(1, None)],
        [(1,)],
        [()],
        [(1, 1.0, 2.0)],
        [(1, 1.0), (2,)],
        [(1, float("nan"))],
        [(1, 1e308), (2, float("-inf"))],
        [(1, 1.0), (2, 2)],
        [(1, True)],
        [(1, 2**63)],
        [(1, "\udfff")],
        [(2**50, 1.0)],
        [("1", 1.0)],
    ],
    ids=repr,
)
def test_what_no_store_takes_is_a_value_error(rows: list[Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        encode([Table("env", (), ("a",), rows)])


def test_sums_that_overflow_are_no_infinity() -> None:
    assert encode([Table("env", (), ("a",), [(1, 1e308), (2, 1e308)])]) == b"env a=1e308 1\nenv a=1e308 2\n"


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: name.isprintable() and "\\" not in name and name[0] != "#" and name != "time"
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTS = st.integers(-(2**63) + 1, 2**63 - 1)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(NAMES, min_size=3, max_size=6, unique=True))
    (tag, *fields), value = names, draw(NAMES)
    kinds = [draw(st.sampled_from([FLOATS, INTS, TEXTS])) for _ in fields]
    dates = draw(st.lists(st.integers(0, T0), min_size=1, max_size=4, unique=True))
    first: list[Any] = [draw(kind) for kind in kinds]
    more = [[draw(st.none() | kind) for kind in kinds[:-1]] + [draw(kinds[-1])] for _ in dates[1:]]
    return Table(
        draw(NAMES), ((tag, value),), tuple(fields), [(d, *row) for d, row in zip(dates, [first, *more], strict=True)]
    )


def test_what_influxd_stores_reads_back_equal(influxd: Influxd) -> None:
    """One loop for all examples, so that connections and the database are made once."""
    with asyncio.Runner() as runner:
        store = Influx1Store(influxd.url, "kota")
        runner.run(store.prepare(Lives(0)))
        number = 0

        @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(tables())
        def check(table: Table) -> None:
            nonlocal number
            number += 1
            own = Table(f"{number}{table.measurement}", table.tags, table.fields, table.rows)
            runner.run(store.write([own]))
            assert as_typed(runner.run(read_back(influxd.url, own)), own) == wanted(own)

        try:
            check()
        finally:
            runner.run(store.close())


def wanted(table: Table) -> dict[int, dict[str, Any]]:
    (tag, value), *_ = table.tags
    return {
        int(str(date_ms)): {tag: value} | {k: v for k, v in zip(table.fields, row, strict=True) if v is not None}
        for date_ms, *row in table.rows
    }


def as_typed(points: dict[int, dict[str, Any]], table: Table) -> dict[int, dict[str, Any]]:
    """JSON writes a float without fraction as a whole number: make it the type that was written."""
    floats = {field for field, kind in zip(table.fields, shape(table).types, strict=True) if kind is float}
    return {
        date_ms: {name: float(value) if name in floats else value for name, value in fields.items()}
        for date_ms, fields in points.items()
    }


async def read_back(url: str, table: Table) -> dict[int, dict[str, Any]]:
    """Every point of the measurement: its tag and fields by date."""
    query = {"db": "kota", "epoch": "ms", "q": f"SELECT * FROM {identifier('raw')}.{identifier(table.measurement)}"}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/query", data=query) as answer:
        (series,) = json.loads(await answer.read())["results"][0]["series"]
    rows = [dict(zip(series["columns"], row, strict=True)) for row in series["values"]]
    return {row.pop("time"): {name: value for name, value in row.items() if value is not None} for row in rows}
