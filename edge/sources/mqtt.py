"""What others' firmware says to the box's own broker: plain JSON on a topic, an ESP32's or a Zigbee bridge's."""

import asyncio
import json
import logging
import math
import socket
from contextlib import suppress
from typing import Any, Final, Literal, Self

import aiomqtt
from pydantic import Field, field_validator, model_validator

from edge.ports import SourceError, Values
from edge.sources.lane import Lane
from edge.sources.registers import known_metric, tidy
from edge.sources.settings import GRACE_S, NamedKeys, SecretFile, SourceSettings, problem
from kewang.runtime.settings import SettingsError, secret
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME, Metric

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 4096
_QUEUED: Final = 100
_KEEPALIVE_S: Final = 30
_CONNECT_S: Final = 5.0


class Key(NamedKeys):
    """Where a metric stands in the messages."""

    metric: str = Field(description="Metric of the catalogue that stands there.")
    topic: str = Field(min_length=1, max_length=200, description="Topic of the message, without wildcards.")
    key: str = Field(
        default="",
        description="Key in its JSON, `AM2301.Temperature` if inside another; none = the number itself.",
    )
    scale: float = Field(default=1.0, allow_inf_nan=False, description="The value is number × scale + offset.")
    offset: float = Field(default=0.0, allow_inf_nan=False, description="Added after scaling, in the metric's unit.")

    @field_validator("metric")
    @classmethod
    def _metric(cls, name: str) -> str:
        return known_metric(name)

    @field_validator("topic")
    @classmethod
    def _topic(cls, topic: str) -> str:
        if "+" in topic or "#" in topic:
            raise problem(f"{topic!r} has a wildcard: name each topic, or values of several devices mix")
        return topic

    def value(self, message: Any) -> float | None:
        """The value in `message`, which is parsed JSON; None for null, NaN and infinity. Raises SourceError."""
        found = message
        for part in filter(None, self.key.split(".")):
            if not isinstance(found, dict) or part not in found:
                has = ", ".join(map(repr, found)) if isinstance(found, dict) else _kind(found)
                raise SourceError(f"no key {self.key!r} in the message on {self.topic} (it has {has:.100})")
            found = found[part]
        number = _number(found, BY_NAME[self.metric])
        if number is None or not math.isfinite(number):
            return None
        return tidy(number * self.scale + self.offset, BY_NAME[self.metric].decimals + 2)


class MqttSettings(SourceSettings):
    """Messages on a broker, most often the box's own."""

    host: str = Field(default="127.0.0.1", description="The broker: the box's own, unless told otherwise.")
    port: int = Field(default=1883, ge=1, le=65535, description="TCP port of the broker.")
    username: str | None = Field(default=None, description="User name, for brokers with passwords.")
    password_file: SecretFile | None = Field(
        default=None, description="File with the password, readable by its owner only."
    )
    stream: Literal["env", "cam", "sys"] = Field(default="env", description="Stream that its metrics belong to.")
    timeout_s: float = Field(
        default=90.0, gt=0, le=3600, description="Without a new message for so long the device is told as silent."
    )
    max_per_s: int = Field(
        default=20, ge=1, le=1000, description="More messages in a second are a flood: we leave until the next reading."
    )
    keys: tuple[Key, ...] = Field(
        min_length=1, max_length=MAX_METRICS, description="What stands where, as [[sources.keys]]."
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [key.metric for key in self.keys]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise problem(f"metric {twice[0]!r} is there twice: a source has each metric once")
        for name in names:
            if BY_NAME[name].stream != self.stream:
                raise problem(f"metric {name!r} is of stream {BY_NAME[name].stream!r}: use a source of its own")
        return self


class MqttSource:
    """A row for what came since the last one, when something came; values that did not come are None.

    A retained message is of any age, so it is no reading. The connection stays between readings.
    """

    Settings = MqttSettings

    def __init__(self, settings: MqttSettings) -> None:
        self.name, self.interval_s = settings.name, settings.interval_s
        self.timeout_s = settings.timeout_s + GRACE_S
        self.stream: str = settings.stream
        self.metrics = tuple(key.metric for key in settings.keys)
        self._settings = settings
        self._lane = Lane.at(f"broker {settings.host}:{settings.port}")
        self._topics = sorted({key.topic for key in settings.keys})
        self._listening: asyncio.Task[None] | None = None
        self._news, self._reached = asyncio.Event(), asyncio.Event()
        self._values: dict[str, float | None] = {}
        self._fault = ""
        """What is wrong with what came, or with the connection, since the last reading."""
        self._told = ""
        self._second, self._in_second = 0, 0

    async def read(self) -> Values:
        """See the class. Raises SourceError."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen(), name=f"mqtt {self.name}")
            self._listening.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._news.wait()
        except TimeoutError:
            silence = f"nothing new within {self._settings.timeout_s:g} s: look at the device"
            raise self._error(self._fault or silence) from None
        finally:
            values, fault = self._values, self._fault
            self._news.clear()
            self._values, self._fault = {}, ""
        if all(value is None for value in values.values()):
            raise self._error(fault or "the device sends no values: look at it")
        self._tell(fault)
        return tuple(values.get(name) for name in self.metrics)

    async def close(self) -> None:
        """Leave the broker."""
        if self._listening is not None:
            # The library leaves a task behind if it is cancelled while it connects.
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await self._reached.wait()
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        """Hear messages until the broker is gone, or there are too many."""
        self._in_second = 0
        self._reached.clear()
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            address = await self._answering()
            async with self._client(address) as client:
                await client.subscribe([(topic, 0) for topic in self._topics])
                self._reached.set()
                async for message in client.messages:
                    self._take(message)
        except (aiomqtt.MqttError, OSError) as error:
            self._fail(f"broker {where}: {error}: is it running, are user and password right?")
        except (SettingsError, SourceError) as error:
            self._fail(str(error))

    def _ended(self, listening: asyncio.Task[None]) -> None:
        """What nobody foresaw is told by the reading that waits."""
        if not listening.cancelled() and (error := listening.exception()):
            log.error("source %s: its driver has a fault", self.name, exc_info=error)
            self._fail(f"fault in the driver: {error!r}")

    async def _answering(self) -> str:
        """The broker's address that takes connections. Raises OSError.

        The library looks up names and connects in the one pool of threads that all share: brokers that do not answer
        would fill it.
        """
        async with self._lane.turn:
            return await self._lane.run(_answering, self._settings.host, self._settings.port)

    def _client(self, address: str) -> aiomqtt.Client:
        settings = self._settings
        return aiomqtt.Client(
            address,
            settings.port,
            username=settings.username,
            password=secret(settings.password_file) if settings.password_file else None,
            keepalive=_KEEPALIVE_S,
            max_queued_incoming_messages=_QUEUED,
        )

    def _take(self, message: aiomqtt.Message) -> None:
        """Keep the values of a message. Raises SourceError for a flood."""
        second = int(asyncio.get_running_loop().time())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        if self._in_second > self._settings.max_per_s:
            self._values = {}
            raise SourceError(
                f"flood of more than {self._settings.max_per_s} messages a second: let the firmware send fewer"
            )
        topic = message.topic.value
        if message.retain:
            self._fault = f"only a retained message on {topic}, of any age: let the firmware publish it again"
            return
        try:
            parsed = _parsed(topic, message.payload)
        except SourceError as error:
            self._fail(str(error))
            return
        for key in self._settings.keys:
            if key.topic == topic:
                self._keep(key, parsed)
        self._news.set()

    def _keep(self, key: Key, parsed: Any) -> None:
        try:
            self._values[key.metric] = key.value(parsed)
        except SourceError as error:
            self._values[key.metric] = None
            self._fault = str(error)

    def _fail(self, fault: str) -> None:
        self._reached.set()
        self._fault = fault
        self._news.set()

    def _tell(self, fault: str) -> None:
        """A row with a gap is kept; what is wrong is logged once."""
        if fault and fault != self._told:
            log.warning("source %s: %s", self.name, fault)
        self._told = fault

    def _error(self, text: str) -> SourceError:
        return SourceError(f"{', '.join(self._topics)}: {text}")


def _answering(host: str, port: int) -> str:
    with socket.create_connection((host, port), _CONNECT_S) as probe:
        return str(probe.getpeername()[0])


def _parsed(topic: str, payload: Any) -> Any:
    if not isinstance(payload, bytes) or len(payload) > _MOST_BYTES:
        raise SourceError(
            f"a message of more than {_MOST_BYTES} bytes on {topic}: let the firmware send its values only"
        )
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise SourceError(f"no JSON on {topic}: {payload[:40]!r}: look at the firmware") from None


def _number(found: Any, metric: Metric) -> float | None:
    """A number; yes and no only for what is yes or no. Raises SourceError."""
    if found is None:
        return None
    if isinstance(found, bool) and not metric.codes:
        raise SourceError(f"{metric.name} is true or false: let the firmware send a number")
    if not isinstance(found, (int, float)):
        raise SourceError(f"{metric.name} is {_kind(found)}, not a number: let the firmware send a number")
    with suppress(OverflowError):
        return float(found)
    return None


def _kind(found: Any) -> str:
    if isinstance(found, str):
        return f"text {found[:20]!r}"
    return "a list" if isinstance(found, list) else "an object" if isinstance(found, dict) else "a value"
