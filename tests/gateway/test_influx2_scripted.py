"""InfluxDB 2, by documentation: what the store makes of every answer its API description knows."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.influx2_sink import Influx2Store
from gateway.influx_history import InfluxHistory
from gateway.influx_http import LONGEST_AFTER_S, InfluxHttp, answered
from gateway.influxql import Queries, Series, parse
from gateway.ports import Lives, Misconfigured, Poison, RetryLater, SeriesId, Split, Table
from gateway.writer import write
from kewang.bench.parts import Influxd
from tests.influx2_server import ORGANISATION, TOKEN, Influx2Server, Scripted

T0 = time.time_ns() // 1_000_000
ONE = [Table("env", (("device", "pasar-1"), ("source", "env-1")), ("temp_c",), [(T0, 29.1)])]
TWO = [Table("env", (("device", "pasar-1"), ("source", "env-1")), ("temp_c",), [(T0, 29.1), (T0 + 1, 29.2)])]


@pytest.fixture
async def server(influxd: Influxd) -> AsyncIterator[Influx2Server]:
    async with Influx2Server(influxd.url) as serving:
        yield serving


@pytest.fixture
async def store(server: Influx2Server) -> AsyncIterator[Influx2Store]:
    made = Influx2Store(server.url, ORGANISATION, "kota", TOKEN, timeout_s=5)
    await made.prepare(Lives(14))
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("status", "alone", "together"),
    [
        (400, Poison, Split),
        (401, Misconfigured, Misconfigured),
        (403, Misconfigured, Misconfigured),
        (404, Misconfigured, Misconfigured),
        (405, Misconfigured, Misconfigured),
        (408, RetryLater, RetryLater),
        (413, Poison, Split),
        (422, Poison, Split),
        (429, RetryLater, RetryLater),
        (500, RetryLater, RetryLater),
        (502, RetryLater, RetryLater),
        (503, RetryLater, RetryLater),
        (504, RetryLater, RetryLater),
    ],
)
async def test_every_answer_to_a_write_has_one_meaning(
    server: Influx2Server, store: Influx2Store, status: int, alone: type[Exception], together: type[Exception]
) -> None:
    server.script(Scripted(status, "told to fail"), Scripted(status, "told to fail"))
    with pytest.raises(alone, match=f"{status}.*told to fail"):
        await store.write(ONE)
    with pytest.raises(together, match=f"{status}.*told to fail"):
        await store.write(TWO)
    await store.write(ONE)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_write_is_sent_once(server: Influx2Server, store: Influx2Store, status: int) -> None:
    server.requests.clear()
    server.script(Scripted(status))
    with pytest.raises(RetryLater):
        await store.write(ONE)
    assert server.requests == ["POST /api/v2/write"]


@pytest.mark.parametrize(
    ("told", "low_s", "high_s"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("1.5", 1.5, 1.5),
        ("-3", 0, 0),
        ("999999", LONGEST_AFTER_S, LONGEST_AFTER_S),
        ("in 100 s", 30, 100),
        ("in -100 s", 0, 0),
        ("soon", 1, 1),
        ("nan", 1, 1),
        ("", 1, 1),
    ],
)
async def test_retry_after_is_honoured(
    server: Influx2Server, store: Influx2Store, told: str, low_s: float, high_s: float
) -> None:
    if told.startswith("in "):
        told = email.utils.formatdate(time.time() + float(told.split()[1]), usegmt=True)
    server.script(Scripted(429, headers={"Retry-After": told}))
    with pytest.raises(RetryLater) as caught:
        await store.write(ONE)
    assert low_s <= caught.value.after_s <= high_s


async def test_an_answer_that_is_no_json_is_still_told(store: Influx2Store) -> None:
    refused = answered(502, {}, b"<html>Bad Gateway</html>\xff", ONE)
    assert isinstance(refused, RetryLater)
    assert "Bad Gateway" in str(refused)


async def test_preparing_makes_buckets_retention_and_mappings_once(server: Influx2Server, store: Influx2Store) -> None:
    for raw_days in (14, 14, 3, 0):
        await store.prepare(Lives(raw_days))
    made = {bucket["name"]: bucket for bucket in server.buckets.values()}
    lives_s = {name: [rule["everySeconds"] for rule in bucket["retentionRules"]] for name, bucket in made.items()}
    assert lives_s == {"kota": [], "kota_months": [180 * 86_400], "kota_years": [1826 * 86_400], "kota_kept": []}
    mappings = {(one["database"], one["retention_policy"], one["bucketID"]) for one in server.dbrps.values()}
    names = {"kota": "raw", "kota_months": "months", "kota_years": "years", "kota_kept": "kept"}
    assert mappings == {("kota", names[name], bucket["id"]) for name, bucket in made.items()}
    await store.prepare(Lives(7))
    assert [rule["everySeconds"] for rule in made["kota"]["retentionRules"]] == [7 * 86_400]
    assert server.requests.count("POST /api/v2/buckets") == 4


async def test_a_mapping_to_a_bucket_that_is_gone_is_replaced(server: Influx2Server, store: Influx2Store) -> None:
    old = next(one for one in server.dbrps.values() if one["retention_policy"] == "raw")
    old["bucketID"] = "f" * 16
    await store.prepare(Lives(14))
    raw = next(bucket for bucket in server.buckets.values() if bucket["name"] == "kota")
    assert [one["bucketID"] for one in server.dbrps.values() if one["retention_policy"] == "raw"] == [raw["id"]]


async def test_quarantine_and_rewinds_go_to_the_bucket_that_never_expires(
    server: Influx2Server, store: Influx2Store, influxd: Influxd
) -> None:
    await store.write([Table("rewind", (), ("rw", "rf"), [(1000, 1, 0)]), *ONE])
    kept = next(bucket for bucket in server.buckets.values() if bucket["name"] == "kota_kept")
    found = parse(await server._influxql(f'SELECT * FROM "b_{kept["id"]}"."autogen"./.*/'))
    assert [series.name for series in found] == ["rewind"]


@pytest.mark.parametrize(
    ("organisation", "token"), [("nobody", TOKEN), (ORGANISATION, "wrong")], ids=["organisation", "token"]
)
async def test_wrong_names_and_tokens_are_misconfigured(
    server: Influx2Server, store: Influx2Store, organisation: str, token: str
) -> None:
    wrong = Influx2Store(server.url, organisation, "new", token)
    for attempt in (wrong.write(ONE), wrong.prepare(Lives(1)), wrong.rewinds()):
        with pytest.raises(Misconfigured):
            await attempt
    await wrong.close()


async def test_a_bucket_that_is_not_there_is_misconfigured(server: Influx2Server, store: Influx2Store) -> None:
    absent = Influx2Store(server.url, ORGANISATION, "absent", TOKEN)
    with pytest.raises(Misconfigured, match="kewang gateway init"):
        await absent.write(ONE)
    with pytest.raises(Misconfigured):
        await absent.rewinds()
    await absent.close()


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_a_failing_read_or_preparation_says_what_to_do(
    server: Influx2Server, store: Influx2Store, status: int
) -> None:
    wanted = RetryLater if status in (429, 500) else Misconfigured
    server.script(Scripted(status))
    with pytest.raises(wanted):
        await store.rewinds()
    server.script(*[Scripted(status)] * 2)
    with pytest.raises(wanted):
        await store.prepare(Lives(14))


async def test_an_answer_that_is_not_influxql_is_misconfigured() -> None:
    for body in (b"", b"[]", b"{}", b"<html>", b'{"results":[]}', b'{"results":[{"series":[{}]}]}', b'{"results":3}'):
        with pytest.raises(Misconfigured):
            parse(body)


def history_that_hears(answer: dict[str, Any]) -> InfluxHistory:
    class Hearing(Queries):
        async def ask(self, statement: str) -> list[Series]:
            return parse(json.dumps({"results": [{"series": [answer]}]}).encode())

        async def pieces(self, statement: str, take: Callable[[Series], None]) -> None:
            for series in await self.ask(statement):
                take(series)

    return InfluxHistory("kota", Hearing(InfluxHttp("http://127.0.0.1:9", {}), "kota"))


async def test_no_read_believes_a_store_that_answers_anything() -> None:
    history = history_that_hears({"name": "databases", "columns": ["name"], "values": [["_internal"]]})
    series = SeriesId("env", "pasar-1", "env-1")
    for read in (
        history.rewinds(),
        history.series(),
        history.newest("env"),
        history.values(series, "a", 0, 1),
        history.dates(series, 0, 1),
        history.counts(0, 1),
        history.tallies(0, 1),
        history.held(),
        history.refused(0, 1),
        anext(history.summaries("env", 0, 1, 1)),
        anext(history.summed("env", 0, 1)),
    ):
        with pytest.raises(Misconfigured):
            await read


@pytest.mark.parametrize("row", [[1], [1, "a"], [1, None, 2], [1, [5]]], ids=repr)
async def test_a_row_that_is_no_row_is_misconfigured(row: list[Any]) -> None:
    with pytest.raises(Misconfigured, match="rewinds"):
        await history_that_hears({"columns": ["time", "rw"], "values": [row]}).rewinds()


async def test_a_server_that_is_gone_is_a_reason_to_wait(influxd: Influxd) -> None:
    async with Influx2Server(influxd.url) as serving:
        store = Influx2Store(serving.url, ORGANISATION, "kota", TOKEN)
        await store.prepare(Lives(1))
    for attempt in (store.write(ONE), store.prepare(Lives(1)), store.rewinds()):
        with pytest.raises(RetryLater):
            await attempt
    await store.close()


async def test_a_write_too_large_for_one_request_is_split_and_stored(store: Influx2Store) -> None:
    table = Table(
        "env", (("device", "pasar-1"), ("source", "env-1")), ("temp_c",), [(T0 + i, i / 7) for i in range(20_000)]
    )
    with pytest.raises(Split, match="bytes"):
        await store.write([table])
    assert await write(store, [table]) == []
    assert sum((await store.counts(T0 - 3_600_000, T0 + 3_600_000)).values()) == 20_000


async def test_the_refused_row_among_many_is_found_and_the_rest_is_stored(store: Influx2Store) -> None:
    await store.write(ONE)
    tags = ONE[0].tags
    good = Table("env", tags, ("temp_c",), [(T0 + i, float(i)) for i in range(1, 60)])
    bad = Table("env", tags, ("temp_c",), [(T0 + 100, 5)])
    ((culprit, reason),) = await write(store, [good, bad])
    assert culprit == bad
    assert "field type conflict" in reason
    assert sum((await store.counts(T0 - 3_600_000, T0 + 3_600_000)).values()) == 60
