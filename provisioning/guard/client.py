"""A small MQTT 5 client that waits for each answer: version 5 because only there a refusal can be seen.

Blocking; one thread, no queue of its own. Every wait has a limit.
"""

import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

_LOOP_S: Final = 0.02
_SUCCESS: Final = 0x00
_NOBODY_LISTENS: Final = 0x10
NOT_AUTHORIZED: Final = 0x87


class Refused(Exception):
    """The broker does not let this client in, or has cut it off. `code`: the reason it gave, if any."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Door:
    """A listener and how to be let in: an address, with a TLS context or a user name and password."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says when the client is gone."""

    topic: str
    payload: bytes
    retain: bool = False


def context(root_pem: bytes | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """TLS with our identity. The broker must be one of ours; its name is not looked at, for we come by loopback.

    `root_pem`: the service root; None believes anybody. Raises OSError (also as ssl.SSLError) for files that are bad.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED if root_pem else ssl.CERT_NONE
    if root_pem:
        made.load_verify_locations(cadata=root_pem.decode())
    if certificate:
        made.load_cert_chain(certificate, key)
    return made


class Client:
    """A connection as context manager. Raises Refused when the broker says no, OSError when nobody answers there."""

    def __init__(self, door: Door, client_id: str, *, will: Will | None = None, limit_s: float = 5.0) -> None:
        self.received: list[tuple[str, bytes]] = []
        """Topic and payload of all that came."""
        self._door, self._limit_s = door, limit_s
        self._connack: int | None = None
        self._ended: str | None = None
        self._answers: dict[int, int] = {}
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._paho.connect_timeout = limit_s
        self._set_callbacks()
        if door.tls:
            self._paho.tls_set_context(door.tls)
        if door.username:
            self._paho.username_pw_set(door.username, door.password)
        if will:
            self._paho.will_set(will.topic, will.payload, qos=1, retain=will.retain)

    def __enter__(self) -> Self:
        no_session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        no_session.SessionExpiryInterval = 0
        try:
            self._paho.connect(self._door.host, self._door.port, 30, clean_start=True, properties=no_session)
            self.wait(lambda: self._connack is not None)
        except ssl.SSLError as error:
            self.__exit__(None, None, None)
            raise Refused(f"TLS: {error.reason or error}") from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if self._connack:
            self.__exit__(None, None, None)
            raise Refused(f"CONNACK {self._connack:#04x}", self._connack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, ValueError):
            self._paho.disconnect()
        self.drop()

    def drop(self) -> None:
        """Go away without a word, as a cut cable does."""
        link = self._paho.socket()
        if link is not None:
            with suppress(OSError):
                link.close()

    @property
    def is_connected(self) -> bool:
        """Whether the broker has not cut us off, as far as we have heard."""
        return self._ended is None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Whether the broker takes it (QoS 1). Raises Refused when it cuts us off, TimeoutError."""
        return self.published(topic, payload, retain=retain) in (_SUCCESS, _NOBODY_LISTENS)

    def published(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """The broker's reason code for a message at QoS 1. Raises Refused when it cuts us off, TimeoutError."""
        sent = self._paho.publish(topic, payload, qos=1, retain=retain)
        self.wait(lambda: sent.mid in self._answers)
        return self._answers.pop(sent.mid)

    def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1; that the broker agrees means nothing, its access list decides at delivery."""
        _, mid = self._paho.subscribe([(each, SubscribeOptions(qos=1)) for each in filters])
        self.wait(lambda: mid in self._answers)

    def wait(self, condition: Callable[[], bool], limit_s: float | None = None) -> None:
        """Listen until `condition` holds. Raises Refused when the broker cuts us off first, TimeoutError."""
        until_s = time.monotonic() + (self._limit_s if limit_s is None else limit_s)
        while not condition():
            if self._ended is not None:
                raise Refused(self._ended)
            if time.monotonic() > until_s:
                raise TimeoutError("the broker does not answer")
            self._listen()

    def _listen(self) -> None:
        try:
            code = self._paho.loop(_LOOP_S)
        except (OSError, ValueError) as error:
            code, self._ended = paho.MQTT_ERR_SUCCESS, f"cut off: {error}"
        if code != paho.MQTT_ERR_SUCCESS:
            self._ended = f"cut off: {paho.error_string(code)}"

    def _set_callbacks(self) -> None:
        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self._connack = int(reason.value)

        def on_publish(_client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
            self._answers[mid] = int(reason.value)

        def on_subscribe(_client: Any, _data: Any, mid: int, _reasons: Any, _properties: Any) -> None:
            self._answers[mid] = 0

        def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
            self.received.append((message.topic, bytes(message.payload)))

        self._paho.on_connect = on_connect
        self._paho.on_publish = on_publish
        self._paho.on_subscribe = on_subscribe
        self._paho.on_message = on_message
