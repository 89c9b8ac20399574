"""The contract of Sink and History, over every store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import Lives, Point, Poison, Refused, Rewind, SeriesId, Split, Store, Table
from gateway.stores import open_store
from gateway.writer import write
from kewang.bench.parts import Influxd
from kewang.wire.tally import HOUR_MS
from tests.fakes import MemoryStore
from tests.influx2_server import ORGANISATION, TOKEN, Influx2Server

NOW_MS = time.time_ns() // 1_000_000
HOUR = NOW_MS // HOUR_MS - 3
T0 = HOUR * HOUR_MS
"""The beginning of an hour that has passed, within every retention."""
ENV = SeriesId("env", "pasar-1", "env-1")
KINDS = ("memory", "sqlite", "influx1", "influx2")
"""`influx2` talks to a scripted server: by documentation."""


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each store in turn, empty and prepared."""
    async with AsyncExitStack() as stack:
        made = await _made(request, tmp_path, stack)
        await made.prepare(Lives(30))
        yield made
        await made.close()


async def _made(request: pytest.FixtureRequest, tmp_path: Path, stack: AsyncExitStack) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return open_store(f"sqlite:///{tmp_path}/kewang.db")
    influxd: Influxd = request.getfixturevalue("influxd")
    if request.param == "influx1":
        return open_store(f"influx1+{influxd.url}/kota")
    server = await stack.enter_async_context(Influx2Server(influxd.url))
    return open_store(f"influx2+{server.url}/{ORGANISATION}/kota", secret=TOKEN)


def table(
    measurement: str, fields: Sequence[str], rows: Sequence[Sequence[Any]], device: str = "pasar-1", **more: str
) -> Table:
    tags = {"device": device, "source": "env-1"} | more
    return Table(measurement, tuple(sorted(tags.items())), tuple(fields), rows)


def env(*rows: Sequence[Any], fields: Sequence[str] = ("temp_c", "rh_pct"), device: str = "pasar-1") -> Table:
    return table("env", fields, rows, device)


def quarantined(date_ms: int, reason: str = "range: rh_pct=140", row: str = "[0,1]", **more: str) -> Table:
    return table("quarantine", ("reason", "row"), [(date_ms, reason, row)], **({"stream": "env"} | more))


async def everything(store: Store, metric: str, series: SeriesId = ENV) -> list[tuple[int, float]]:
    return await store.values(series, metric, 0, 2**43)


async def test_what_was_written_reads_back_to_the_ms_and_the_last_bit(store: Store) -> None:
    await store.write([env((T0 + 1, 29.123456789012345, 1e-300), (T0 + 2, -1e300, 0.1))])
    assert await everything(store, "temp_c") == [(T0 + 1, 29.123456789012345), (T0 + 2, -1e300)]
    assert await everything(store, "rh_pct") == [(T0 + 1, 1e-300), (T0 + 2, 0.1)]


async def test_twenty_thousand_rows_written_twice_are_twenty_thousand(store: Store) -> None:
    rows = [(T0 + i * 100, float(i), i / 7) for i in range(10_000)]
    tables = [env(*rows), env(*rows, device="pasar-2")]
    assert await write(store, tables) == []
    assert await write(store, tables) == []
    for device in ("pasar-1", "pasar-2"):
        dates = await store.dates(SeriesId("env", device, "env-1"), 0, 2**43)
        assert dates == [row[0] for row in rows]
    assert sum((await store.counts(T0, T0 + HOUR_MS)).values()) == 20_000


async def test_fields_of_one_point_are_merged_and_the_same_field_is_overwritten(store: Store) -> None:
    await store.write([env((T0, 1.0, 2.0))])
    await store.write([env((T0, 3.0), fields=["temp_c"])])
    await store.write([env((T0, 4.0, None), fields=["pm1_ugm3", "rh_pct"])])
    assert await store.newest("env") == [Point(ENV, T0, {"temp_c": 3.0, "rh_pct": 2.0, "pm1_ugm3": 4.0})]


async def test_none_is_left_out(store: Store) -> None:
    await store.write([env((T0, None, 2.0), (T0 + 1, 3.0, None))])
    assert await everything(store, "temp_c") == [(T0 + 1, 3.0)]
    assert await everything(store, "rh_pct") == [(T0, 2.0)]
    assert await store.dates(ENV, T0, T0 + 2) == [T0, T0 + 1]


async def test_several_writes_at_a_time_are_all_stored(store: Store) -> None:
    await asyncio.gather(*(store.write([env((T0 + i, float(i)), fields=["temp_c"])]) for i in range(50)))
    assert await everything(store, "temp_c") == [(T0 + i, float(i)) for i in range(50)]


async def test_nothing_to_write_is_no_error(store: Store) -> None:
    await store.write([])
    await store.write([env()])
    assert await store.series() == []


BAD_ROWS = {
    "nan": (T0, float("nan"), 1.0),
    "infinity": (T0, float("inf"), 1.0),
    "no value": (T0, None, None),
    "too short": (T0, 1.0),
    "too long": (T0, 1.0, 2.0, 3.0),
    "text with half a character": (T0, 1.0, "\ud800"),
    "date beyond 64 bits of ns": (2**60, 1.0, 1.0),
    "date not whole": (1.5, 1.0, 1.0),
    "truth value": (T0, True, 1.0),
    "integer beyond 64 bits": (T0, 2**63, 1.0),
    "a list": (T0, [1.0], 1.0),
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS.keys())
async def test_a_row_that_cannot_be_stored_is_poison_alone_and_split_among_others(
    store: Store, row: Sequence[Any]
) -> None:
    with pytest.raises(Poison):
        await store.write([env(row)])
    with pytest.raises(Split):
        await store.write([env((T0 + 5, 1.0, 2.0)), env(row)])
    await store.write([env((T0 + 5, 1.0, 2.0))])
    assert await store.dates(ENV, 0, 2**43) == [T0 + 5]


async def test_a_field_keeps_the_type_first_written(store: Store) -> None:
    await store.write([env((T0, 1.0), fields=["temp_c"])])
    with pytest.raises(Poison, match="temp_c"):
        await store.write([env((T0 + 1, 5), fields=["temp_c"])])
    with pytest.raises(Poison, match="temp_c"):
        await store.write([env((T0 + 1, "five"), fields=["temp_c"])])
    with pytest.raises(Split):
        await store.write([env((T0 + 1, 5), fields=["temp_c"]), env((T0 + 2, 2.0), fields=["temp_c"])])
    await store.write([env((T0 + 2, 2.0), fields=["temp_c"])])
    assert await everything(store, "temp_c") == [(T0, 1.0), (T0 + 2, 2.0)]


async def test_hostile_names_reach_the_store_as_they_are(store: Store) -> None:
    names = ["a b", "a,b", "a=b", 'a"b', "a'b", "x' OR 'a'='a", "100%", "ämbon", "Temp", "temp", "SELECT", "date_ms"]
    for number, name in enumerate(names):
        await store.write([table("env", [name], [(T0 + number, float(number))], device=name, source=name)])
    for number, name in enumerate(names):
        series = SeriesId("env", name, name)
        assert await everything(store, name, series) == [(T0 + number, float(number))]
        assert await store.dates(series, 0, 2**43) == [T0 + number]
    assert len(await store.series()) == len(names)


@pytest.mark.parametrize("name", ["", "a\nb", "a\\b", "#a", "time"])
async def test_a_name_that_line_protocol_cannot_carry_is_refused(store: Store, name: str) -> None:
    with pytest.raises(Poison):
        await store.write([env((T0, 1.0), fields=[name])])


async def test_a_query_cannot_be_talked_into_another(store: Store) -> None:
    await store.write([env((T0, 1.0, 2.0)), quarantined(T0 + 1)])
    for evil in ("' OR 'a'='a", "x\\", "x' OR device =~ /.*/ OR 'a'='", 'temp_c", "rh_pct', "a\nb", "*"):
        series = SeriesId("env", evil, evil)
        assert await store.values(series, evil, 0, 2**43) == []
        assert await store.values(ENV, evil, 0, 2**43) == []
        assert await store.dates(series, 0, 2**43) == []
        assert await store.refused(0, 2**43, device=evil) == []


async def test_reading_an_empty_store_gives_nothing(store: Store) -> None:
    assert await store.rewinds() == []
    assert await store.series() == []
    assert await store.newest("env") == []
    assert await everything(store, "temp_c") == []
    assert await store.dates(ENV, 0, 2**43) == []
    assert await store.counts(0, 2**43) == {}
    assert await store.tallies(0, 2**20) == {}
    assert await store.held() == {}
    assert await store.refused(0, 2**43) == []


async def test_rewinds_come_by_number_and_large_ones_are_exact(store: Store) -> None:
    for number, since_ms in ((1_785_000_002, 0), (1_785_000_001, 1_784_999_999_123), (2**33, 5)):
        await store.write([Table("rewind", (), ("rw", "rf"), [(number * 1000, number, since_ms)])])
    assert await store.rewinds() == [
        Rewind(1_785_000_001, 1_784_999_999_123),
        Rewind(1_785_000_002, 0),
        Rewind(2**33, 5),
    ]


async def test_series_and_newest_know_every_stream_but_not_quarantine(store: Store) -> None:
    day_ms = 24 * HOUR_MS
    await store.write([env((T0, 1.0, 2.0), (T0 + 1, 3.0, None)), table("evt", ["event"], [(T0, 1.0)], source="box")])
    await store.write([env((NOW_MS - 2 * day_ms, 1.0, 2.0), device="pasar-0"), quarantined(T0, device="pasar-9")])
    assert await store.series() == [SeriesId("env", "pasar-0", "env-1"), ENV, SeriesId("evt", "pasar-1", "box")]
    assert await store.newest("env") == [Point(ENV, T0 + 1, {"temp_c": 3.0})]


async def test_recent_gives_the_newest_hundred_points_of_each_series_with_what_each_has(store: Store) -> None:
    other = SeriesId("env", "pasar-2", "env-1")
    rows = [(T0 + i, float(i) if i % 2 else None, 1.0) for i in range(150)]
    await store.write([env(*rows), env((T0 + 5, 7.0, None), device="pasar-2")])
    await store.write([table("evt", ["event"], [(T0, 1.0)], source="box"), quarantined(T0, device="pasar-9")])
    found = await store.recent("env", T0)
    assert found[-1] == Point(other, T0 + 5, {"temp_c": 7.0})
    assert [point.date_ms for point in found[:-1]] == [T0 + i for i in range(50, 150)]
    assert found[-3:-1] == [
        Point(ENV, T0 + 148, {"rh_pct": 1.0}),
        Point(ENV, T0 + 149, {"temp_c": 149.0, "rh_pct": 1.0}),
    ]
    assert await store.recent("env", T0 + 149) == [Point(ENV, T0 + 149, {"temp_c": 149.0, "rh_pct": 1.0})]
    assert await store.recent("cam", T0) == []
    assert await store.recent("env", T0, "pasar-2") == found[-1:]
    assert await store.recent("env", T0, "pasar-3") == []
    assert await store.recent("env", T0, "pasar-2' OR 'a' = 'a") == []


async def test_values_are_the_newest_ten_thousand_of_the_span(store: Store) -> None:
    await store.write([env(*((T0 + i, float(i), 0.0) for i in range(10_005)))])
    found = await store.values(ENV, "temp_c", T0, T0 + 10_004)
    assert (len(found), found[0], found[-1]) == (10_000, (T0 + 4, 4.0), (T0 + 10_003, 10_003.0))
    assert await store.values(ENV, "nothing", T0, T0 + 10) == []


async def test_dates_are_the_union_of_stream_and_quarantine(store: Store) -> None:
    await store.write([env((T0, 1.0, 2.0), (T0 + 7, 1.0, 2.0)), quarantined(T0 + 7), quarantined(T0 + 3)])
    await store.write([table("quarantine", ("deleted",), [(T0 + 3, 1)], stream="env")])
    await store.write([quarantined(T0 + 4, stream="evt"), quarantined(T0 + 5, device="pasar-2")])
    assert await store.dates(ENV, T0, T0 + 8) == [T0, T0 + 3, T0 + 7]
    assert await store.dates(ENV, T0 + 1, T0 + 7) == [T0 + 3]


async def test_dates_of_many_rows_are_complete(store: Store) -> None:
    wanted = [T0 + i * 50 for i in range(25_000)]
    assert await write(store, [env(*((date_ms, 1.0, 2.0) for date_ms in wanted))]) == []
    assert await store.dates(ENV, 0, 2**43) == wanted


async def test_counts_are_by_hour_and_never_above_the_truth(store: Store) -> None:
    await store.write([env(*((T0 + i, 1.0, None if i % 2 else 2.0) for i in range(10)))])
    await store.write([env((T0 + HOUR_MS, 1.0, 2.0), device="pasar-2"), quarantined(T0 + HOUR_MS)])
    assert await store.counts(T0, T0 + 2 * HOUR_MS) == {
        ("pasar-1", "env-1", HOUR): 10,
        ("pasar-1", "env-1", HOUR + 1): 1,
        ("pasar-2", "env-1", HOUR + 1): 1,
    }
    await store.write([quarantined(T0 + 3), quarantined(T0 + 500)])
    mixed = (await store.counts(T0, T0 + HOUR_MS))[("pasar-1", "env-1", HOUR)]
    assert 10 <= mixed <= 11


async def test_tallies_give_the_highest_of_each_run(store: Store) -> None:
    fields = ("run", "hour", "made", "dropped")
    rows = [(T0, "a1", HOUR, 5, 0), (T0 + 1, "a1", HOUR, 9, 2), (T0 + 2, "b2", HOUR, 4, 0), (T0 + 3, "a1", HOUR, 7, 1)]
    await store.write([table("tally", fields, rows), table("tally", ("hour", "made"), [(T0 + 4, HOUR, 99)])])
    stepped_back = [(T0 - 100 * HOUR_MS, "a1", HOUR + 1, 3, 0)]
    await store.write([table("tally", fields, stepped_back, source="env-2")])
    assert await store.tallies(HOUR, HOUR + 2) == {
        ("pasar-1", "env-1", HOUR, "a1"): (9, 2),
        ("pasar-1", "env-1", HOUR, "b2"): (4, 0),
        ("pasar-1", "env-2", HOUR + 1, "a1"): (3, 0),
    }
    assert await store.tallies(HOUR, HOUR + 1) == {
        ("pasar-1", "env-1", HOUR, "a1"): (9, 2),
        ("pasar-1", "env-1", HOUR, "b2"): (4, 0),
    }


async def test_tallies_of_a_span_of_heartbeats_or_of_one_device(store: Store) -> None:
    fields = ("run", "hour", "made", "dropped")
    rows = [(T0, "a1", HOUR, 5, 0), (T0 + 1000, "a1", HOUR, 9, 2), (T0 + 2000, "b2", HOUR + 1, 4, 0)]
    await store.write([table("tally", fields, rows), table("tally", fields, rows[:1], device="pasar-2")])
    first, second = ("pasar-1", "env-1", HOUR, "a1"), ("pasar-2", "env-1", HOUR, "a1")
    assert await store.tallies(HOUR, HOUR + 2, dated=(T0, T0 + 1000)) == {first: (5, 0), second: (5, 0)}
    assert await store.tallies(HOUR, HOUR + 1, dated=(T0 + 1, T0 + HOUR_MS)) == {first: (9, 2)}
    assert await store.tallies(HOUR, HOUR + 1, device="pasar-2") == {second: (5, 0)}
    assert await store.tallies(HOUR, HOUR + 1, device="x' OR device = 'pasar-2") == {}


async def test_tally_points_change_with_every_new_tally(store: Store) -> None:
    fields = ("run", "hour", "made", "dropped")
    assert await store.tally_points((T0, T0 + HOUR_MS), 300_000) == {}
    for _ in range(2):
        rows = [(T0 + 1000, "a1", HOUR, 5, 0), (T0 + 2000, "a1", HOUR, 6, 0), (T0 + 900_000, "a1", HOUR, 7, 0)]
        await store.write([table("tally", fields, rows), table("tally", fields, rows[:1], device="pasar-2")])
        assert await store.tally_points((T0, T0 + HOUR_MS), 300_000) == {T0: 3, T0 + 900_000: 1}
    assert await store.tally_points((T0 + 1500, T0 + 2500), 300_000) == {T0: 1}


async def test_held_is_of_the_newest_heartbeat(store: Store) -> None:
    fields = ("cpu_pct", "held")
    await store.write([table("sys", fields, [(T0, 1.0, 9.0), (T0 + 1, 2.0, 4.0), (T0 + 2, 3.0, None)], source="box")])
    await store.write([table("sys", fields, [(T0 + 3, 1.0, 77.0)], source="other")])
    assert await store.held() == {"pasar-1": 4}


async def test_quarantine_gives_rows_back_as_they_came_newest_first(store: Store) -> None:
    text = 'line one\nline "two", \\ and \\n = €\t'
    await store.write([quarantined(T0, "bad \\ reason\n", text), quarantined(T0 + 9, row="x" * 60_000)])
    await store.write([table("quarantine", ("row_more",), [(T0 + 9, "y" * 60_000)], stream="env")])
    await store.write([table("quarantine", ("deleted",), [(T0, 1)], stream="env")])
    await store.write([quarantined(1_234_567, "not JSON", "AAEC", source="-", device="pasar-2")])
    assert await store.refused(T0, T0 + 10) == [
        Refused(ENV, T0 + 9, "range: rh_pct=140", "x" * 60_000 + "y" * 60_000),
        Refused(ENV, T0, "bad \\ reason\n", text, deleted=True),
    ]
    unreadable = Refused(SeriesId("env", "pasar-2", "-"), 1_234_567, "not JSON", "AAEC")
    assert await store.refused(0, 2**43, device="pasar-2") == [unreadable]
    assert [row.date_ms for row in await store.refused(0, 2**43, limit=1)] == [T0 + 9]


async def test_rows_that_wait_are_found_behind_those_that_are_done_with(store: Store) -> None:
    await store.write([quarantined(T0), quarantined(T0 + 1, device="pasar-2")])
    assert [row.date_ms for row in await store.refused(0, 2**43, waiting=True)] == [T0 + 1, T0]
    await store.write([quarantined(T0 + 2), quarantined(T0 + 3)])
    await store.write([table("quarantine", ("deleted",), [(T0 + 2, 1), (T0 + 3, 1)], stream="env")])
    assert [row.date_ms for row in await store.refused(0, 2**43, limit=2, waiting=True)] == [T0 + 1, T0]
    assert [row.date_ms for row in await store.refused(0, 2**43, "pasar-1", 1, waiting=True)] == [T0]
    assert [row.date_ms for row in await store.refused(0, 2**43, limit=2)] == [T0 + 3, T0 + 2]


async def test_preparing_again_keeps_what_is_there(store: Store) -> None:
    await store.write([env((T0, 1.0, 2.0)), quarantined(1000)])
    for raw_days in (0, 1, 3650, 30):
        await store.prepare(Lives(raw_days))
    assert await everything(store, "temp_c") == [(T0, 1.0)]
    assert len(await store.refused(0, 2000)) == 1
