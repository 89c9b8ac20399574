"""A broker in memory with a bad network: it loses, doubles and reorders messages, cuts links, brings back the old."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from edge.ports import Incoming, LinkDown
from gateway.ports import Message, SubscriptionLost
from kewang.wire import topics
from kewang.wire.ack import MAX_ACK_BYTES

Memory = Literal["keep", "none", "old"]
"""What a broker that crashed remembers of retained messages: all, nothing, or those of some earlier crash."""


@dataclass
class Weather:
    """How bad the network is. `calm`: neither loss nor duplicates, and no lag above 60 ms."""

    rng: random.Random
    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    calm: bool = False

    def lag_s(self) -> float:
        """How long a message takes now."""
        if self.calm:
            return self.rng.uniform(0.005, 0.06)
        return self.rng.uniform(0.005, 2.0 if self.rng.random() < self.reordering else 0.3)

    def chance(self, share: float) -> bool:
        """Whether something of this probability happens; never when it is calm."""
        return not self.calm and self.rng.random() < share


class Broker:
    """Links of boxes and subscriptions of gateways. Every box publishes and hears as `device`."""

    def __init__(self, weather: Weather, device: str) -> None:
        self.weather, self.device = weather, device
        self.up = True
        self.link: BoxLink | None = None
        self.subscriptions: list[GatewayEnd] = []
        self.retained: dict[str, bytes] = {}
        self.longest_ack = 0
        self._earlier: list[dict[str, bytes]] = []
        self._life = 0

    def crash(self, down_s: float, memory: Memory) -> None:
        """Gone for `down_s`; everybody is disconnected, half of what was on its way is lost."""
        self._earlier.append(dict(self.retained))
        self.up, self._life = False, self._life + 1
        self.retained = {"keep": self.retained, "none": {}, "old": self.weather.rng.choice(self._earlier)}[memory]
        if self.link is not None:
            self.link.cut()
        for subscription in list(self.subscriptions):
            subscription.cut()
        asyncio.get_running_loop().call_later(down_s, self.start)

    def start(self) -> None:
        """It is back."""
        self.up = True

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Take a message; it arrives later, perhaps never, perhaps twice."""
        if retain:
            self.retained[topic] = payload
        if topic == topics.build(self.device, topics.ACK):
            self.longest_ack = max(self.longest_ack, len(payload))
        if self.up and not self.weather.chance(self.weather.loss):
            self._deliver(topic, payload)
            if self.weather.chance(self.weather.duplicates):
                self._deliver(topic, payload)

    def _deliver(self, topic: str, payload: bytes) -> None:
        life = self._life

        def arrive() -> None:
            if self.up and (life == self._life or self.weather.rng.random() < 0.5):
                self._hand_out(topic, payload)

        self._later(arrive)

    def _hand_out(self, topic: str, payload: bytes) -> None:
        channel = topics.parse(topic).channel
        if channel in topics.DOWN:
            if (link := self.link) is not None:
                self._later(lambda: link.hear(channel, payload))
            return
        for subscription in self.subscriptions:
            self._later(lambda to=subscription: to.hear(Message(topic, payload, False)))  # type: ignore[misc]

    def _later(self, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self.weather.lag_s(), what)


class BoxLink:
    """edge.ports.Link. A frozen link swallows everything; only the keep-alive notices."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heard: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self.frozen = False

    def cut(self) -> None:
        """The connection is closed."""
        self._gone.set()
        self._heard.put_nowait(None)
        if self._broker.link is self:
            self._broker.link = None

    def hear(self, channel: str, payload: bytes) -> None:
        """A message for the box."""
        if not self.frozen and not self._gone.is_set():
            self._heard.put_nowait(Incoming(channel, payload, False))

    async def publish(self, channel: str, payload: bytes, *, retain: bool = False) -> None:
        if self.frozen:
            await self._gone.wait()
        if self._gone.is_set():
            raise LinkDown("the link is cut")
        self._broker.publish(topics.build(self._broker.device, channel), payload, retain=retain)
        await asyncio.sleep(self._broker.weather.lag_s() / 10)

    async def incoming(self) -> AsyncGenerator[Incoming, None]:
        while message := await self._heard.get():
            yield message
        raise LinkDown("the link is cut")


class BoxUplink:
    """edge.ports.Uplink of one box. `reachable = False`: no way to the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._link: BoxLink | None = None
        self.reachable = True

    @asynccontextmanager
    async def connect(self, will: bytes) -> AsyncIterator[BoxLink]:
        await asyncio.sleep(self._broker.weather.lag_s())
        if not self.reachable or not self._broker.up:
            raise LinkDown("no way to the broker")
        if self._broker.link is not None:
            self._broker.link.cut()
        link = self._link = self._broker.link = BoxLink(self._broker)
        try:
            yield link
        finally:
            if self._broker.link is link:
                self._broker.publish(topics.build(self._broker.device, topics.STATE), will, retain=True)
            link.cut()

    def cut(self, back_s: float, keepalive_s: float, *, silently: bool) -> None:
        """No connection for `back_s`; a silent cut is noticed when the keep-alive ends, or not at all."""
        loop, link = asyncio.get_running_loop(), self._link
        self.reachable = False
        loop.call_later(back_s, self.mend)
        if link is None:
            return
        if silently:
            link.frozen = True
            loop.call_later(keepalive_s, link.cut)
        else:
            link.cut()

    def mend(self) -> None:
        """The way to the broker is open; a frozen connection stays frozen until the keep-alive ends it."""
        self.reachable = True


class GatewayEnd:
    """gateway.ports.Subscription."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heard: asyncio.Queue[Message | None] | None = None
        self.skipped = 0

    @property
    def connected(self) -> bool:
        return self._heard is not None

    def cut(self) -> None:
        """The connection is closed."""
        if self._heard is not None:
            self._heard.put_nowait(None)
        if self in self._broker.subscriptions:
            self._broker.subscriptions.remove(self)

    def hear(self, message: Message) -> None:
        """A message from the boxes."""
        if self._heard is not None:
            self._heard.put_nowait(message)

    async def messages(self) -> AsyncGenerator[Message, None]:
        await asyncio.sleep(self._broker.weather.lag_s())
        if not self._broker.up:
            raise SubscriptionLost("no broker")
        self._heard = asyncio.Queue()
        self._broker.subscriptions.append(self)
        for topic, payload in self._broker.retained.items():
            self._heard.put_nowait(Message(topic, payload, True))
        try:
            while message := await self._heard.get():
                yield message
        finally:
            self.cut()
            self._heard = None
        raise SubscriptionLost("the connection is cut")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._heard is None or not self._broker.up:
            raise SubscriptionLost("not connected")
        assert len(payload) <= MAX_ACK_BYTES, "I4: an ack over 4 KiB"
        self._broker.publish(topic, payload, retain=retain)
        await asyncio.sleep(self._broker.weather.lag_s() / 10)
