"""Subscription over MQTT: what the gateway hears and says on a broker."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from gateway.mqtt_client import Broker, MqttConnection
from gateway.ports import Message, SubscriptionLost
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import SettingsError
from kewang.wire import topics
from kewang.wire.state import GatewayState

log = logging.getLogger(__name__)

CHANNELS: Final = (*topics.UP, topics.PLACEMENT)
"""What a gateway hears that stores readings, or judges them for outages."""
HEARTBEATS: Final = ("d/sys", topics.STATE, topics.PLACEMENT)
"""What one hears that does neither."""
_AT_ONCE: Final = 250
"""Messages taken before everybody else in the program has a turn."""


class MqttSubscription:
    """ports.Subscription on an MQTT broker; clean session, nothing is expected of the broker."""

    def __init__(
        self,
        broker: BrokerSettings,
        gateway: str,
        shards: str,
        keepalive_s: float,
        channels: Sequence[str] = CHANNELS,
    ) -> None:
        self._broker = broker
        self._gateway = gateway
        self._shards = shards
        self._channels = channels
        self._keepalive_s = max(1, int(keepalive_s))
        self._connection: MqttConnection | None = None
        self._skipped = 0

    @property
    def connected(self) -> bool:
        """Whether the broker has us."""
        return self._connection is not None

    @property
    def skipped(self) -> int:
        """How many messages were too large to be one of ours, since the start."""
        return self._skipped + (self._connection.skipped if self._connection else 0)

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Connect, subscribe, and yield what comes. Raises SubscriptionLost."""
        connection = None
        try:
            connection = await MqttConnection.connected(self._at())
            filters = [(each, _qos(each)) for each in topics.filters(self._channels, self._shards)]
            await connection.subscribe([*filters, (topics.gateway(self._gateway), 1)])
            self._connection = connection
            await self.publish(topics.gateway(self._gateway), self._state("on"), retain=True)
            while True:
                for message in await connection.next(_AT_ONCE):
                    yield message
                await asyncio.sleep(0)
        except (SubscriptionLost, OSError, SettingsError) as error:
            raise SubscriptionLost(f"broker {self._broker.host}:{self._broker.port}: {error}") from error
        finally:
            self._connection = None
            if connection is not None:
                self._skipped += connection.skipped
                connection.close()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1. Raises SubscriptionLost."""
        if self._connection is None:
            raise SubscriptionLost("not connected to the broker")
        await self._connection.publish(topic, payload, retain=retain)

    def _at(self) -> Broker:
        """Raises SettingsError."""
        broker = self._broker
        return Broker(
            broker.host,
            broker.port,
            self._gateway,
            self._keepalive_s,
            username=broker.username,
            password=broker.password(),
            tls=broker.tls_context(),
            will=(topics.gateway(self._gateway), self._state("off")),
        )

    def _state(self, st: str) -> bytes:
        return GatewayState.model_validate({"st": st, "shards": self._shards}).encode()


def _qos(topic_filter: str) -> int:
    """Data at 0: a PUBACK proves nothing, the edge sends again what no ack names, and it cost a quarter of our time."""
    return 0 if "/d/" in topic_filter else 1
