"""Commands over real brokers, from the one who sends to the device that does them, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from edge.commands import Commands, Memory
from edge.ports import LinkDown
from edge.uplink import MqttUplink
from kewang.bench.parts import Broker, Mosquitto
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.clock import SystemClock
from kewang.wire import topics
from kewang.wire.command import Arguments, Command, Result
from kewang.wire.state import State
from provisioning.commands import new_command, send
from tests.fake_source import FakeCamera

DEVICE = "ambon-m1"
LIMIT_S = 60.0
ARGS: Arguments = {"source": "cam-1", "clean": True}


def at(broker: Broker) -> BrokerSettings:
    return BrokerSettings(port=broker.port)


class Device:
    """A device's end: its camera, its commands, and a link that can be cut and made again."""

    def __init__(self, broker: Broker, memory: Path) -> None:
        self.camera = FakeCamera()
        self.lost = 0
        self.commands = Commands([self.camera], Memory(memory))
        self._uplink = MqttUplink(at(broker), DEVICE, keepalive_s=5)

    @asynccontextmanager
    async def connected(self, answering: bool = True) -> AsyncIterator[None]:
        """On the broker; with `answering` False its results are lost."""
        clock = SystemClock("trusted")

        async def now_ms() -> int:
            return clock.wall_ms()

        async with self._uplink.connect(State(st="off", bt="4f1e0c9a77d2", n=1).encode()) as link:

            async def say(payload: bytes) -> None:
                if not answering:
                    self.lost += 1
                    raise LinkDown("cut")
                await link.publish(topics.RESULT, payload)

            async def listen() -> None:
                async for message in link.incoming():
                    assert message.channel == topics.COMMAND
                    self.commands.hear(message.payload, message.retained)

            tasks = [
                asyncio.create_task(listen(), name="listen"),
                asyncio.create_task(self.commands.run(now_ms, say), name="commands"),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


async def test_a_command_is_done_and_its_result_comes_back(any_broker: Broker, tmp_path: Path) -> None:
    device = Device(any_broker, tmp_path / "memory.json")
    command = new_command("accept_view", ARGS, 60)
    async with device.connected():
        result = await send(at(any_broker), DEVICE, command, wait_s=LIMIT_S)
    assert result == Result(id=command.id, ok=True, text="view 1 accepted")
    assert device.camera.accepted == [{"clean": True}]


async def test_a_device_that_comes_later_and_loses_its_answer_does_it_once(any_broker: Broker, tmp_path: Path) -> None:
    device = Device(any_broker, tmp_path / "memory.json")
    command = new_command("accept_view", ARGS, 60)
    asking = asyncio.create_task(send(at(any_broker), DEVICE, command, wait_s=LIMIT_S, repeat_s=0.1), name="send")
    async with asyncio.timeout(LIMIT_S):
        async with device.connected(answering=False):
            while not device.lost:
                await asyncio.sleep(0.01)
        assert not asking.done()
        async with device.connected():
            result = await asking
    assert result == Result(id=command.id, ok=True, text="view 1 accepted")
    assert len(device.camera.accepted) == 1


async def test_a_device_that_says_nothing_is_told(mosquitto: Mosquitto) -> None:
    command = new_command("accept_view", ARGS, 60)
    assert await send(at(mosquitto), DEVICE, command, wait_s=0.3, repeat_s=0.1) is None


async def test_answers_to_others_and_nonsense_are_passed_over(mosquitto: Mosquitto) -> None:
    command = new_command("accept_view", ARGS, 60)
    right = Result(id=command.id, ok=False, text="no picture yet")
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as device:
        await device.subscribe(topics.build(DEVICE, topics.COMMAND), qos=1)
        asking = asyncio.create_task(send(at(mosquitto), DEVICE, command, wait_s=LIMIT_S), name="send")
        message = await anext(aiter(device.messages))
        assert isinstance(message.payload, bytes)
        assert Command.decode(message.payload) == command
        assert not message.retain
        other = Result(id="another-one", ok=True, text="done")
        for payload in (b"{", b"", other.encode(), right.encode()):
            await device.publish(topics.build(DEVICE, topics.RESULT), payload, qos=1)
        assert await asking == right


async def test_a_broker_that_is_away_or_goes_away_is_told(mosquitto: Mosquitto) -> None:
    command = new_command("accept_view", ARGS, 60)
    with pytest.raises(OSError, match=r"broker 127\.0\.0\.1:1: .*is it running"):
        await send(BrokerSettings(port=1), DEVICE, command, wait_s=1)
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as device:
        await device.subscribe(topics.build(DEVICE, topics.COMMAND), qos=1)
        asking = asyncio.create_task(send(at(mosquitto), DEVICE, command, wait_s=LIMIT_S), name="send")
        await anext(aiter(device.messages))
    await asyncio.to_thread(mosquitto.kill9)
    with pytest.raises(OSError, match="broker 127"):
        await asking
