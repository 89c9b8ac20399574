"""One connection to an MQTT 3.1.1 broker, as an asyncio protocol: made for taking very many messages cheaply.

Why it is our own: docs/decisions/0036-mqtt-by-our-own-client.md.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from gateway import mqtt_packets as packets
from gateway.ports import Message, SubscriptionLost

QUEUED_MESSAGES: Final = 1000
"""While so many wait for whoever takes them nothing more is read: the broker queues, and drops, as it is set up."""
QUEUED_BYTES: Final = 64 * 1024 * 1024
"""The same of what they carry."""
UNSENT_BYTES: Final = 16 * 1024 * 1024
"""A broker that lets so much wait does not listen: what it hears of us is bounded, our answers to it are not."""
UNANSWERED: Final = 1000
"""Messages of ours that the broker has not acknowledged yet; who publishes more waits."""
ANSWER_S: Final = 10.0
"""The broker answers CONNECT and SUBSCRIBE within so long, and takes some of what we publish."""
_NUMBERS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Broker:
    """Where, and as whom. `will`: topic and payload, retained."""

    host: str
    port: int
    client_id: str
    keepalive_s: int
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    will: tuple[str, bytes] | None = None


class MqttConnection(asyncio.Protocol):
    """Make it by `connected`; then it lives until `close`, or until `lost` says why it does not."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._loop = broker, asyncio.get_running_loop()
        self._cutter, self._transport = packets.Cutter(), asyncio.Transport()
        self._queue: deque[Message] = deque()
        self._answer: asyncio.Future[bytes] = self._loop.create_future()
        self._expected = (0, b"")
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._out: list[bytes] = []
        self._unanswered: set[int] = set()
        self._number, self._paused, self._full, self._heard = 0, False, False, True
        self._bytes = 0
        self._beat: asyncio.TimerHandle | None = None
        self.lost: str | None = None
        self.skipped = 0
        """Messages larger than any of ours."""

    @classmethod
    async def connected(cls, broker: Broker) -> "MqttConnection":
        """A connection that the broker has accepted. Raises SubscriptionLost or OSError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_S):
                _, self = await loop.create_connection(lambda: cls(broker), broker.host, broker.port, ssl=broker.tls)
        except TimeoutError:
            raise SubscriptionLost("no answer") from None
        try:
            code = (await self._answered("CONNECT", self._hello(), packets.CONNACK))[1]
            if code:
                raise SubscriptionLost(f"the broker refuses: {packets.REFUSED.get(code, f'code {code}')}")
        except BaseException:
            self.close()
            raise
        self._keep_alive()
        return self

    def _hello(self) -> bytes:
        one = self._broker
        return packets.connect(
            one.client_id, one.keepalive_s, username=one.username, password=one.password, will=one.will
        )

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Hear what matches `filters`, each with its QoS. Raises SubscriptionLost, also if the broker refuses one."""
        number = self._next()
        packet = packets.subscribe(number, filters)
        codes = (await self._answered("SUBSCRIBE", packet, packets.SUBACK, number.to_bytes(2, "big")))[2:]
        refused = [name for (name, _), code in zip(filters, codes, strict=False) if code > 2]
        if refused or len(codes) != len(filters):
            raise SubscriptionLost(f"the broker refuses to let us hear {', '.join(refused) or 'some topics'}")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """At QoS 1; returns when it is on its way. Raises SubscriptionLost."""
        while self.lost is None and (self._paused or len(self._unanswered) >= UNANSWERED):
            self._room.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._room.wait()
            except TimeoutError:
                self._abort("the broker takes nothing that we publish")
        if self.lost is not None:
            raise SubscriptionLost(self.lost)
        number = self._next()
        self._unanswered.add(number)
        self._send(packets.publish(topic, payload, number, retain=retain))

    async def next(self, most: int) -> list[Message]:
        """The oldest messages that came, at least one. Raises SubscriptionLost once all are taken and none can come."""
        while not self._queue:
            if self.lost is not None:
                raise SubscriptionLost(self.lost)
            self._news.clear()
            await self._news.wait()
        taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._bytes -= sum(len(message.payload) for message in taken)
        if self._full and not self._has_enough():
            self._full, self._heard = False, True  # it was we who did not listen
            self._transport.resume_reading()
        return taken

    def close(self) -> None:
        """Take leave; the broker publishes no will then."""
        if self.lost is None:
            self._send(packets.DISCONNECT)
            self._flush()
            self._end("closed")
        self._transport.close()

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(str(error) if error else "the broker closed the connection")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            for first, rest, whole in self._cutter.packets(data):
                kind = first >> 4
                if kind == packets.PUBLISH:
                    self._published(first, rest, whole)
                elif kind == packets.PUBACK and len(rest) == 2:
                    self._taken(rest[0] << 8 | rest[1])
                elif kind in (packets.CONNACK, packets.SUBACK):
                    self._answered_by(kind, rest)
        except packets.BadPacket as error:
            self._abort(f"the broker does not speak MQTT 3.1.1: {error}")
        if self._queue:
            self._news.set()
        if self._has_enough() and self.lost is None:
            self._full = True
            self._transport.pause_reading()

    def _published(self, first: int, rest: bytes, whole: bool) -> None:
        topic, number, payload = packets.published(first, rest)
        if number:
            self._send(packets.puback(number))
        if whole:
            self._queue.append(Message(topic, payload, bool(first & 1)))
            self._bytes += len(payload)
        else:
            self.skipped += 1

    def _taken(self, number: int) -> None:
        if number in self._unanswered:
            self._unanswered.remove(number)
            self._room.set()

    def _has_enough(self) -> bool:
        return len(self._queue) >= QUEUED_MESSAGES or self._bytes >= QUEUED_BYTES

    # ---- its own work

    def _answered_by(self, kind: int, rest: bytes) -> None:
        """CONNACK or SUBACK came. Raises BadPacket unless it is what we wait for."""
        expected, number = self._expected
        if kind != expected or len(rest) < 2 or not rest.startswith(number) or self._answer.done():
            raise packets.BadPacket("an answer to nothing that we asked")
        self._answer.set_result(rest)

    async def _answered(self, asked: str, packet: bytes, kind: int, number: bytes = b"") -> bytes:
        """What follows the length of the answer, a packet of this kind and number. Raises SubscriptionLost."""
        if self.lost is not None:
            raise SubscriptionLost(self.lost)
        self._answer, self._expected = self._loop.create_future(), (kind, number)
        self._send(packet)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._answer
        except TimeoutError:
            raise SubscriptionLost(f"no answer to {asked}") from None

    def _send(self, packet: bytes) -> None:
        """With all else of this turn of the event loop: a send costs more than a packet."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packet)

    def _flush(self) -> None:
        if self._out and self.lost is None:
            self._transport.write(b"".join(self._out))
            if self._transport.get_write_buffer_size() > UNSENT_BYTES:
                self._abort("the broker does not read what we answer")
        self._out.clear()

    def _next(self) -> int:
        self._number = self._number % _NUMBERS + 1
        while self._number in self._unanswered:
            self._number = self._number % _NUMBERS + 1
        return self._number

    def _keep_alive(self) -> None:
        """Ask for a sign of life twice in the time that we promised to give one; without any answer it is over."""
        if not self._heard and not self._full:
            self._abort("no sign of life: the broker hangs, or the line is cut")
            return
        self._heard = False
        self._send(packets.PINGREQ)
        self._beat = self._loop.call_later(self._broker.keepalive_s / 2, self._keep_alive)

    def _abort(self, why: str) -> None:
        self._end(why)
        self._transport.abort()

    def _end(self, why: str) -> None:
        if self.lost is not None:
            return
        self.lost = why
        if self._beat is not None:
            self._beat.cancel()
        if not self._answer.done():
            self._answer.set_exception(SubscriptionLost(why))
            self._answer.exception()  # nobody may be waiting
        self._news.set()
        self._room.set()
