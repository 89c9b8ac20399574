"""Subscription over MQTT: the one place of the gateway that knows the library."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Final, cast

import aiomqtt

from gateway.ports import Message, SubscriptionLost
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import SettingsError
from kewang.wire import topics
from kewang.wire.state import GatewayState

_CHANNELS: Final = (*topics.UP, topics.PLACEMENT)
_QUEUED_MESSAGES: Final = 5000
"""Messages of a busy moment that wait for the pipeline. More are dropped (by aiomqtt): the edges send them again."""
_AT_ONCE: Final = 250
"""Messages taken before everybody else in the program has a turn."""

logging.getLogger("aiomqtt").setLevel(logging.CRITICAL)


class MqttSubscription:
    """ports.Subscription on an MQTT broker; clean session, nothing is expected of the broker."""

    def __init__(self, broker: BrokerSettings, gateway: str, shards: str, keepalive_s: float) -> None:
        self._broker = broker
        self._gateway = gateway
        self._shards = shards
        self._keepalive_s = int(keepalive_s)
        self._client: aiomqtt.Client | None = None
        self._queue: asyncio.Queue[aiomqtt.Message] = asyncio.Queue()

    @property
    def connected(self) -> bool:
        """Whether the broker has us."""
        return self._client is not None

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Connect, subscribe, and yield what comes. Raises SubscriptionLost."""
        try:
            async with self._new_client() as client:
                await client.subscribe([(each, _qos(each)) for each in topics.filters(_CHANNELS, self._shards)])
                await client.subscribe(topics.gateway(self._gateway), qos=1)
                self._client = client
                await self.publish(topics.gateway(self._gateway), self._state("on"), retain=True)
                async for message in client.messages:
                    yield _taken(message)
                    # Waiting costs aiomqtt more than a message does, so what came meanwhile is taken along.
                    for _ in range(min(self._queue.qsize(), _AT_ONCE)):
                        yield _taken(self._queue.get_nowait())
        except (aiomqtt.MqttError, OSError, SettingsError) as error:
            raise SubscriptionLost(f"broker {self._broker.host}:{self._broker.port}: {error}") from error
        finally:
            self._client = None

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1. Raises SubscriptionLost."""
        if self._client is None:
            raise SubscriptionLost("not connected to the broker")
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain)
        except aiomqtt.MqttError as error:
            raise SubscriptionLost(str(error)) from error

    def _new_client(self) -> aiomqtt.Client:
        broker = self._broker
        self._queue = asyncio.Queue(_QUEUED_MESSAGES)
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password(),
            identifier=self._gateway,
            keepalive=self._keepalive_s,
            clean_session=True,
            tls_context=broker.tls_context(),
            will=aiomqtt.Will(topics.gateway(self._gateway), self._state("off"), qos=1, retain=True),
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: self._queue),
            max_inflight_messages=200,
        )
        client.pending_calls_threshold = 1000
        return client

    def _state(self, st: str) -> bytes:
        return GatewayState.model_validate({"st": st, "shards": self._shards}).encode()


def _qos(topic_filter: str) -> int:
    """Data at 0: a PUBACK proves nothing, the edge sends again what no ack names, and it cost a quarter of our time."""
    return 0 if topic_filter.endswith("/d/+") else 1


def _taken(message: aiomqtt.Message) -> Message:
    return Message(message.topic.value, message.payload, message.retain)
