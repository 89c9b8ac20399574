"""A long answer of InfluxDB, read as it comes: whole, cut anywhere, broken off, with an error at its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.influx1_sink import Influx1Store
from gateway.ports import Misconfigured, Point, RetryLater, SeriesId

STEP_MS = 300_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def line(device: str, rows: Sequence[Sequence[Any]], *, more: bool) -> bytes:
    series = {"name": "env", "tags": {"device": device, "source": "env-1"}, "columns": ["time", "temp_c", "thinned"]}
    result = {"statement_id": 0, "series": [series | {"values": rows}]} | ({"partial": True} if more else {})
    return json.dumps({"results": [result]}).encode() + b"\n"


def chunks(body: bytes, size: int) -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[Influx1Store]:
    """A store whose server gives this answer to every request, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    store = Influx1Store(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "kota")
    try:
        yield store
    finally:
        await store.close()
        server.close()
        await server.wait_closed()


async def rolled(answer: bytes) -> list[Point]:
    async with answering(answer) as store:
        return [point async for part in store.summaries("env", 0, STEP_MS, STEP_MS, ["a"]) for point in part]


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_series_that_comes_in_pieces_is_one(size: int) -> None:
    body = line("a", [[0, 1, None], [1, None, None]], more=True) + line("a", [[2, 4.5, None]], more=True)
    (first, second) = await rolled(HEAD + chunks(body + line("b", [[3, 2, None]], more=False), size))
    assert first == Point(
        SeriesId("env", "a", "env-1"),
        0,
        {"temp_c_min": 1.0, "temp_c_mean": 2.75, "temp_c_max": 4.5, "temp_c_sum": 5.5, "temp_c_count": 2.0},
    )
    assert (second.series.device, second.fields["temp_c_count"]) == ("b", 1.0)


BEGUN = line("a", [[0, 1, None]], more=True)
ERROR = b'{"results":[{"statement_id":0,"error":"timeout reached"}]}\n'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HEAD + chunks(BEGUN, 100), RetryLater),
        (HEAD + chunks(BEGUN, 100)[:-5], RetryLater),
        (HEAD + chunks(BEGUN + ERROR, 100), RetryLater),
        (HEAD + chunks(b"", 1), RetryLater),
        (HEAD + chunks(BEGUN + b"<html>", 100), Misconfigured),
        (HEAD + chunks(line("a", [["x", 1, None]], more=False), 100), Misconfigured),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", RetryLater),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Misconfigured),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", Misconfigured),
        (b"", RetryLater),
    ],
    ids=["ended-early", "cut", "error", "nothing", "no-json", "no-date", "busy", "refused", "elsewhere", "gone"],
)
async def test_half_an_answer_is_none(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await rolled(answer)
