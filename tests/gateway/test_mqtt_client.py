"""A broker that means harm: what it makes us hold has an end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from gateway import mqtt_client
from gateway.mqtt_client import Broker, MqttConnection
from gateway.mqtt_packets import MAX_PACKET_BYTES, publish
from gateway.ports import SubscriptionLost

LIMIT_S = 60.0
PAYLOAD = bytes(60_000)
Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(act: Act) -> AsyncIterator[MqttConnection]:
    """A connection that was accepted, and then `act` is done to it."""
    acting: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(100)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"\x20\x02\x00\x00")
        try:
            with suppress(ConnectionError):
                await act(writer)
                await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async with (
        asyncio.timeout(LIMIT_S),
        await asyncio.start_server(
            lambda reader, writer: acting.append(asyncio.ensure_future(serve(reader, writer))), sock=listening
        ),
    ):
        at = Broker("127.0.0.1", listening.getsockname()[1], "gw1", 600)
        connection = await MqttConnection.connected(at)
        try:
            yield connection
        finally:
            connection.close()
            for task in acting:
                task.cancel()
            await asyncio.wait(acting)


async def pour(packets: bytes, times: int, writer: asyncio.StreamWriter) -> None:
    for _ in range(times):
        writer.write(packets)
        await writer.drain()


async def test_who_wants_answers_and_does_not_read_them_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "UNSENT_BYTES", 100_000)
    asking = publish("a", b"", 7) * 10_000
    async with connected(partial(pour, asking, 1000)) as connection:
        ours: socket.socket = connection._transport.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with pytest.raises(SubscriptionLost, match="does not read"):
            while True:
                await connection.next(10_000)


async def test_large_messages_fill_the_queue_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "QUEUED_BYTES", 1_000_000)
    async with connected(partial(pour, publish("a", PAYLOAD, 7), 300)) as connection:
        while connection._transport.is_reading():
            await asyncio.sleep(0)
        taken = len(await connection.next(1000))
        assert taken * len(PAYLOAD) < 2_000_000
        while taken < 300:
            taken += len(await connection.next(1000))


async def answering(packets: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.1)
    writer.write(packets)


async def nothing(writer: asyncio.StreamWriter) -> None:
    writer.transport.resume_reading()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answer", [b"\x90\x03\x00\x63\x01", b"\x90\x01\x00", b"\x20\x02\x00\x00"], ids=["number", "short", "connack"]
)
async def test_an_answer_to_nothing_that_we_asked_ends_the_connection(answer: bytes) -> None:
    async with connected(partial(answering, answer)) as connection:
        with pytest.raises(SubscriptionLost, match="nothing that we asked"):
            await connection.subscribe([("a", 0)])


async def test_a_broker_that_acknowledges_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "UNANSWERED", 3)
    monkeypatch.setattr(mqtt_client, "ANSWER_S", 0.3)
    async with connected(nothing) as connection:
        for _ in range(3):
            await connection.publish("a", b"")
        with pytest.raises(SubscriptionLost, match="takes nothing"):
            await connection.publish("a", b"")


async def acknowledging(number: int, writer: asyncio.StreamWriter) -> None:
    await nothing(writer)
    while True:
        writer.write(b"\x40\x02" + number.to_bytes(2, "big"))
        await asyncio.sleep(0.05)


async def test_acknowledgements_of_what_was_not_published_do_not_make_us_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "UNANSWERED", 3)
    monkeypatch.setattr(mqtt_client, "ANSWER_S", 0.3)
    async with connected(partial(acknowledging, 999)) as connection:
        for _ in range(3):
            await connection.publish("a", b"")
        with pytest.raises(SubscriptionLost, match="takes nothing"):
            await connection.publish("a", b"")


async def test_what_is_too_large_is_counted_and_the_next_message_is_heard() -> None:
    large = publish("a", bytes(MAX_PACKET_BYTES), 7)
    async with connected(partial(pour, large + publish("b", b"", 8), 1)) as connection:
        assert [message.topic for message in await connection.next(10)] == ["b"]
        assert connection.skipped == 1
