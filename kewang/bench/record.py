"""Records what a broker passes on, as a conversation of the contract."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from kewang.runtime.broker import BrokerSettings
from kewang.wire.contract.conversation import Conversation, Event, Said

MAX_MESSAGES: Final = 10_000
"""A recording ends there."""
_CONNECT_LIMIT_S: Final = 10.0
_RETAINED: Final = SubscribeOptions(qos=2)
"""For what the broker had retained: only that bears the flag then."""
_LIVE: Final = SubscribeOptions(qos=2, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)


class Recorder:
    """Hears everything below `filters`. By MQTT 5, which alone tells which flag a sender set.

    What the broker had retained comes first, with `ms` -1: it was said before, nobody knows when. As the broker passes
    a message on to several who hear it, an answer may be recorded before what it answers.
    """

    def __init__(self, head: dict[str, Any]) -> None:
        self.head = {"conversation": "", "about": ""} | head
        self.entries: list[Said | Event] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        """The recording has begun."""
        self._began_ns = 0
        self._live: int | None = None

    @property
    def messages(self) -> list[Said]:
        """What was heard so far."""
        with self._lock:
            return [entry for entry in self.entries if isinstance(entry, Said)]

    def event(self, what: str, **more: Any) -> None:
        """Note what happens beside the messages."""
        self._add(Event(self._ms(), what, more))

    def conversation(self) -> Conversation:
        """All of it."""
        with self._lock:
            return Conversation(self.head, list(self.entries))

    @contextmanager
    def listening(self, broker: BrokerSettings, filters: Sequence[str]) -> Iterator[None]:
        """Record while the block lasts. Raises OSError when the broker can't be reached or refuses."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = lambda *_: self._subscribe(client, list(filters))
        client.on_subscribe, client.on_message = self._subscribed, self._heard
        if broker.tls is not None:
            client.tls_set_context(broker.tls_context())
        if broker.username:
            client.username_pw_set(broker.username, broker.password())
        client.connect(broker.host, broker.port)
        client.loop_start()
        try:
            if not self._ready.wait(_CONNECT_LIMIT_S):
                raise OSError(f"broker {broker.host}:{broker.port} does not let us listen: check user and rights")
            yield
        finally:
            client.disconnect()
            client.loop_stop()

    def _subscribe(self, client: Client, filters: list[str]) -> None:
        if not self._ready.is_set():
            client.subscribe([(each, _RETAINED) for each in filters])
            client.unsubscribe(filters)  # Mosquitto 2.0 keeps the flags of a subscription that is renewed.
        self._live = client.subscribe([(each, _LIVE) for each in filters])[1]

    def _subscribed(self, _client: Client, _data: object, mid: int, *_: object) -> None:
        """What the broker sends after its answer to the newest subscription is said while we listen."""
        if mid == self._live and not self._ready.is_set():
            self._began_ns, self.head["began_ms"] = time.monotonic_ns(), time.time_ns() // 1_000_000
            self._ready.set()

    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if self._ready.is_set() or message.retain:
            self._add(Said(self._ms(), message.topic, bytes(message.payload), message.retain, message.qos))

    def _ms(self) -> int:
        return (time.monotonic_ns() - self._began_ns) // 1_000_000 if self._ready.is_set() else -1

    def _add(self, entry: Said | Event) -> None:
        with self._lock:
            if len(self.entries) < MAX_MESSAGES:
                self.entries.append(entry)
