"""The broker, and the network around it: loses, doubles, delays, forgets."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from kewang.model.kernel import Batch, Events

Echo = tuple[int, int]
"""(run, monotonic ms) of the message that an ack answers."""


@dataclass(frozen=True)
class Birth:
    """Said after a connect."""

    run: int
    rewind: int
    up_ms: int


@dataclass(frozen=True)
class Data:
    """A batch on its way."""

    batch: Batch
    rewind: int
    up_ms: int


@dataclass(frozen=True)
class Ack:
    """What a gateway knows of a device."""

    ranges: tuple[tuple[int, int, int], ...]
    labels: frozenset[tuple[int, int]]
    rewind: int
    rf_ms: int
    credit: int
    gateway_ms: int
    echo: Echo | None


class Device(Protocol):
    """A box, as the broker sees it."""

    def on_ack(self, ack: Ack) -> None:
        """An ack came."""

    def kicked(self) -> None:
        """The connection is gone."""


class Subscriber(Protocol):
    """A gateway, as the broker sees it."""

    subscribed: bool

    def receive(self, message: Birth | Data, retained: bool) -> None:
        """A message came."""


@dataclass
class Weather:
    """How bad the network is. In calm it is good."""

    rng: random.Random
    loss: float
    doubling: float
    reordering: float
    calm: bool = False

    def lag_ms(self) -> int:
        """How long a message is under way."""
        if self.calm:
            return self.rng.randint(5, 60)
        return self.rng.randint(5, 20_000 if self.rng.random() < self.reordering else 300)

    def copies(self) -> int:
        """How many of a message arrive."""
        if self.calm:
            return 1
        if self.rng.random() < self.loss:
            return 0
        return 2 if self.rng.random() < self.doubling else 1


@dataclass
class Broker:
    """MQTT's part: one device, any number of gateways, one retained birth."""

    events: Events
    weather: Weather
    up: bool = True
    device: Device | None = None
    subscribers: list[Subscriber] = field(default_factory=list)
    retained: Birth | None = None
    _crashes: int = 0
    _memories: list[Birth | None] = field(default_factory=list)

    def _send(self, what: Callable[..., object], *given: Any) -> None:
        if not self.up:
            return
        crashes = self._crashes

        def arrive() -> None:
            if self.up and (crashes == self._crashes or self.weather.rng.random() < 0.5):
                what(*given)

        for number in range(self.weather.copies()):
            self.events.at(self.weather.lag_ms() * (1 + number), arrive)

    def from_device(self, device: Device, message: Birth | Data) -> None:
        """What a connected device publishes."""
        if self.device is device:
            self._send(self._to_gateways, message)

    def _to_gateways(self, message: Birth | Data) -> None:
        if isinstance(message, Birth):
            self.retained = message
        for each in list(self.subscribers):
            self.events.at(self.weather.lag_ms(), each.receive, message, False)

    def to_device(self, ack: Ack) -> None:
        """What a gateway publishes."""
        self._send(self._to_device, ack)

    def _to_device(self, ack: Ack) -> None:
        if self.device is not None:
            self.events.at(self.weather.lag_ms(), self.device.on_ack, ack)

    def connect(self, device: Device) -> bool:
        """Whether it is connected now. One identity: another device with it loses its connection."""
        if not self.up:
            return False
        old, self.device = self.device, device
        if old is not None and old is not device:
            old.kicked()
        return True

    def disconnect(self, device: Device) -> None:
        """The connection ends without a word."""
        if self.device is device:
            self.device = None

    def subscribe(self, gateway: Subscriber) -> bool:
        """Whether the gateway hears the device from now on."""
        if not self.up:
            return False
        self.subscribers.append(gateway)
        if self.retained is not None:
            self.events.at(5, gateway.receive, self.retained, True)
        return True

    def crash(self, down_ms: int, memory: str) -> None:
        """Away for a while; afterwards it knows what it knew (`keep`), nothing (`none`) or something older (`old`)."""
        self._memories.append(self.retained)
        self.up, self._crashes = False, self._crashes + 1
        device, self.device = self.device, None
        if device is not None:
            device.kicked()
        for each in self.subscribers:
            each.subscribed = False
        self.subscribers.clear()
        if memory != "keep":
            self.retained = None if memory == "none" else self.weather.rng.choice(self._memories)
        self.events.at(down_ms, self.start)

    def start(self) -> None:
        """Up again."""
        self.up = True
