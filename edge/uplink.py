"""Uplink over MQTT: the one place of the edge that knows the library."""

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import aiomqtt

from edge.ports import Incoming, LinkDown
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import SettingsError
from kewang.wire import topics
from kewang.wire.errors import WireError

log = logging.getLogger(__name__)

_QUEUED_MESSAGES: Final = 100
"""Messages for this device that wait for the agent; more are dropped: every ack tells all that matters again."""

logging.getLogger("aiomqtt").setLevel(logging.CRITICAL)


class MqttUplink:
    """ports.Uplink on an MQTT broker; QoS 1, clean session."""

    def __init__(
        self, broker: BrokerSettings, device: str, keepalive_s: float, dated: Callable[[], bool] = lambda: True
    ) -> None:
        """`dated`: whether the machine's clock can be believed, and with it the dates of the broker's certificate."""
        self._broker, self._dated = broker, dated
        self._device = device
        self._told = False
        self._keepalive_s = int(keepalive_s)

    @asynccontextmanager
    async def connect(self, will: bytes) -> AsyncIterator["MqttLink"]:
        """A connection, subscribed to the device's channels. Raises LinkDown, also from inside the context."""
        try:
            async with self._new_client(will) as client:
                await client.subscribe([(topics.build(self._device, channel), 1) for channel in topics.DOWN])
                self._say_connected()
                yield MqttLink(client, self._device)
        except (aiomqtt.MqttError, OSError, SettingsError) as error:
            raise LinkDown(f"broker {self._broker.host}:{self._broker.port}: {_told(error)}") from error

    def _say_connected(self) -> None:
        """Once: a link that comes and goes is told by its failures."""
        if not self._told:
            log.info("connected to %s:%d", self._broker.host, self._broker.port)
        self._told = True

    def _new_client(self, will: bytes) -> aiomqtt.Client:
        broker = self._broker
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password(),
            identifier=self._device,
            keepalive=self._keepalive_s,
            clean_session=True,
            tls_context=broker.tls_context(check_dates=self._dated()),
            will=aiomqtt.Will(topics.build(self._device, topics.STATE), will, qos=1, retain=True),
            max_queued_incoming_messages=_QUEUED_MESSAGES,
        )
        client.pending_calls_threshold = 1000
        return client


class MqttLink:
    """ports.Link: one connection."""

    def __init__(self, client: aiomqtt.Client, device: str) -> None:
        self._client = client
        self._device = device

    async def publish(self, channel: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1; returns at the broker's PUBACK, which proves nothing. Raises LinkDown."""
        try:
            await self._client.publish(topics.build(self._device, channel), payload, qos=1, retain=retain)
        except aiomqtt.MqttError as error:
            raise LinkDown(str(error)) from error

    async def incoming(self) -> AsyncGenerator[Incoming, None]:
        """Messages for this device, until LinkDown."""
        try:
            async for message in self._client.messages:
                try:
                    topic = topics.parse(message.topic.value)
                except WireError:
                    continue
                if topic.device == self._device and isinstance(message.payload, bytes):
                    yield Incoming(topic.channel, message.payload, message.retain)
        except aiomqtt.MqttError as error:
            raise LinkDown(str(error)) from error


def _told(error: Exception) -> str:
    """What is wrong, without the system's number, and the first step."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return f"{text}: is the broker running there, is port right?" if text == "Connection refused" else text
