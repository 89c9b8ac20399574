"""Visitors of the page can't take all file descriptors: neither many of them nor ones that never finish asking."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from kewang.web.connections import BoundedHttp

LIMIT_S = 20.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Three(BoundedHttp):
    limit = 3
    idle_s = 600.0


class Hasty(BoundedHttp):
    idle_s = 0.05


async def says_yes(scope: Any, receive: Any, send: Any) -> None:
    """Answers `/`; begins an answer to `/stream` and goes on until the reader leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send(
        {
            "type": "http.response.body",
            "body": b"yes"[: 1 if scope["path"] == "/stream" else 3],
            "more_body": scope["path"] == "/stream",
        }
    )
    while scope["path"] == "/stream" and (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(says_yes, http=request.param, lifespan="off", log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listening]), name="page")
    yield listening.getsockname()[1]
    server.should_exit = server.force_exit = True
    await serving


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request is answered; False if the server hung up."""
    try:
        writer.write(REQUEST)
        return (await asyncio.wait_for(reader.read(15), LIMIT_S)).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


@pytest.mark.parametrize("port", [Three], indirect=True)
async def test_a_connection_too_many_is_closed_and_the_others_are_served(port: int) -> None:
    four = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    assert not await answered(*four[3])
    assert [await answered(*one) for one in four[:3]] == [True] * 3
    for _, writer in four:
        writer.close()


@pytest.mark.parametrize("port", [Hasty], indirect=True)
@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
async def test_half_a_request_is_not_waited_for(port: int, before: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(before + REQUEST[:20])
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), LIMIT_S)
    writer.close()


@pytest.mark.parametrize("port", [Hasty], indirect=True)
async def test_a_stream_is_left_alone(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\ny")
    idle, other = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(idle.readexactly(1), LIMIT_S)
    assert not reader.at_eof()
    writer.close()
    other.close()
