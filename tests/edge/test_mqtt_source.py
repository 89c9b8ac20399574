"""Others' firmware on the box's broker: keys, wrong types, floods, old values, silence, and a broker that goes."""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.ports import SourceError, Values
from edge.sources.mqtt import Key, MqttSettings, MqttSource
from kewang.bench.parts import Mosquitto

TOPIC = "esp32/roof"
LAST = 424_242


def key(metric: str = "temp_c", topic: str = TOPIC, path: str = "t", **keys: Any) -> dict[str, Any]:
    return {"metric": metric, "topic": topic, "key": path} | keys


KEYS = [key(), key("rh_pct", path="in.h", scale=0.1), key("pm25_ugm3", topic="pm", path="")]


def source(port: int, **keys: Any) -> MqttSource:
    base = {"driver": "mqtt", "name": "roof", "port": port, "keys": KEYS, "timeout_s": 5.0}
    return MqttSource(MqttSettings.model_validate(base | keys))


class Firmware:
    """A device that says what a test wants."""

    def __init__(self, client: aiomqtt.Client, made: MqttSource) -> None:
        self._client, self.source = client, made

    async def say(self, message: Any, topic: str = TOPIC, *, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message)
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def read_after(self, message: Any, topic: str = TOPIC) -> Values:
        """What a reading that waits makes of `message`."""
        reading = asyncio.create_task(self.source.read())
        await self.say(message, topic)
        return await reading


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as made:
        yield made


@asynccontextmanager
async def listening(broker: Mosquitto, **keys: Any) -> AsyncIterator[Firmware]:
    """A source that listens and has given out all that it heard, and a firmware."""
    made = source(broker.port, **keys)
    async with aiomqtt.Client(broker.host, broker.port) as client:
        firmware = Firmware(client, made)
        first = asyncio.create_task(made.read())
        while not first.done():
            # Until it is subscribed nobody hears us.
            await firmware.say({"t": 1, "in": {"h": 1}})
            await asyncio.sleep(0.01)
        await first
        # What was said too often comes before this.
        await firmware.say({"t": LAST, "in": {"h": 1}})
        while (await made.read())[0] != LAST:
            pass
        yield firmware
        await made.close()


async def test_values_are_found_by_topic_and_key(broker: Mosquitto) -> None:
    async with listening(broker) as firmware:
        assert await firmware.read_after({"t": 28.44, "in": {"h": 812}, "more": "x"}) == (28.44, 81.2, None)
        assert await firmware.read_after(b"17.5", "pm") == (None, None, 17.5)
        assert await firmware.read_after({"t": None, "in": {"h": 810}}) == (None, 81, None)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"t": "28.4"}, r"temp_c is text '28\.4', not a number: let the firmware send a number"),
        ({"t": True}, "temp_c is true or false"),
        ({"t": [28.4]}, "temp_c is a list, not a number"),
        ({"temp": 28.4}, r"no key 't' in the message on esp32/roof \(it has 'temp'\)"),
        ({"a\nsource roof recovered": 1}, r"it has 'a\\nsource roof recovered'"),
        ([28.4], r"no key 't' in the message on esp32/roof \(it has a list\)"),
        (b'{"t": 28', "no JSON on esp32/roof: b'{\"t\": 28': look at the firmware"),
        (b"\x00\xff", "no JSON on esp32/roof"),
        (b"[" * 4000, "no JSON on esp32/roof"),
        (b" " * 5000, "a message of more than 4096 bytes on esp32/roof"),
        ({"t": None}, "the device sends no values"),
        (b'{"t": 1e999}', "the device sends no values"),
    ],
)
async def test_what_is_no_reading_is_told_and_the_next_one_is_read(broker: Mosquitto, message: Any, says: str) -> None:
    async with listening(broker, keys=[key()]) as firmware:
        with pytest.raises(SourceError, match=f"esp32/roof: .*{says}" if "esp32" not in says else says):
            await firmware.read_after(message)
        assert await firmware.read_after({"t": 28.4}) == (28.4,)


async def test_a_wrong_value_beside_right_ones_is_a_gap_and_is_told(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(broker) as firmware:
        for _ in range(2):
            assert await firmware.read_after({"t": "hot", "in": {"h": 812}}) == (None, 81.2, None)
        told = [record.message for record in caplog.records if "not a number" in record.message]
        assert told == ["source roof: temp_c is text 'hot', not a number: let the firmware send a number"]


async def test_a_retained_message_is_no_reading(broker: Mosquitto) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.publish("old", b'{"t": 99}', qos=1, retain=True)
        made = source(broker.port, keys=[key(topic="old")], timeout_s=1.0)
        with pytest.raises(SourceError, match="old: only a retained message on old, of any age"):
            await made.read()
        reading = asyncio.create_task(made.read())
        await client.publish("old", b'{"t": 28}', qos=1, retain=True)
        assert await reading == (28,)
        await made.close()


async def test_silence_is_told(broker: Mosquitto) -> None:
    made = source(broker.port, timeout_s=0.2)
    with pytest.raises(SourceError, match=r"esp32/roof, pm: nothing new within 0\.2 s: look at the device"):
        await made.read()
    await made.close()


async def test_a_flood_is_left_and_does_not_keep_us(broker: Mosquitto) -> None:
    async with listening(broker, max_per_s=20) as firmware:
        for number in range(300):
            await firmware.say({"t": number, "in": {"h": 1}})
        with pytest.raises(SourceError, match="flood of more than 20 messages a second: let the firmware send fewer"):
            while True:
                await firmware.source.read()
        reading = asyncio.create_task(firmware.source.read())
        while not reading.done():
            await firmware.say({"t": 7, "in": {"h": 1}})
            await asyncio.sleep(0.05)
        assert (await reading)[0] == 7


async def test_a_broker_that_goes_is_told_and_found_again(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    try:
        async with listening(broker) as firmware:
            broker.stop()
            for _ in range(2):
                with pytest.raises(SourceError, match="is it running, are user and password right"):
                    await firmware.source.read()
            broker.start()
            async with aiomqtt.Client(broker.host, broker.port) as client:
                again = Firmware(client, firmware.source)
                reading = asyncio.create_task(firmware.source.read())
                while not reading.done():
                    await again.say({"t": 5, "in": {"h": 1}})
                    await asyncio.sleep(0.01)
                assert (await reading)[0] == 5
    finally:
        broker.stop()


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto", users={"box": "right"}) as broker:
        secret = tmp_path / "password"
        secret.write_text("wrong\n")
        secret.chmod(0o600)
        made = source(broker.port, username="box", password_file=secret)
        with pytest.raises(SourceError, match=r"[Nn]ot authori.*are user and password right") as raised:
            await made.read()
        assert "wrong" not in str(raised.value)
        await made.close()


async def test_what_ended_a_source_is_told_once_and_not_by_its_end() -> None:
    """No name of a host is so long: the library for it raises what nobody expects."""
    made = source(1883, host="x" * 70)
    with pytest.raises(SourceError, match="fault in the driver"):
        await made.read()
    await made.close()


async def test_brokers_that_take_no_connection_hold_up_nobody_else() -> None:
    """More of them than the pool of threads has that all share."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(2):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        made = [source(full.getsockname()[1], timeout_s=2.0) for _ in range(33)]
        reading = [asyncio.create_task(each.read()) for each in made]
        await asyncio.sleep(0)
        other = asyncio.create_task(asyncio.to_thread(lambda: None))
        done, _ = await asyncio.wait([other, *reading], return_when=asyncio.FIRST_COMPLETED)
        assert done == {other}
        for failed in await asyncio.gather(*reading, return_exceptions=True):
            assert isinstance(failed, SourceError)
        await asyncio.gather(*(each.close() for each in made))


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)
)
def test_any_value_is_a_finite_number_or_none_or_an_error(found: Any) -> None:
    with suppress(SourceError):
        value = Key.model_validate(key()).value({"t": found})
        assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([key("temp")], "unknown metric 'temp'; did you mean 'temp_c'"),
        ([key(topic="esp32/+")], "has a wildcard"),
        ([key(), key(path="u")], "metric 'temp_c' is there twice"),
        ([key("cpu_pct")], "metric 'cpu_pct' is of stream 'sys'"),
        ([], "at least 1 item"),
    ],
)
def test_keys_that_cannot_be_right_are_refused(keys: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        source(1883, keys=keys)
