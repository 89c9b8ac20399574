"""The two MQTT seams, `Uplink` of the edge and `Subscription` of the gateway, against real brokers of three makes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from edge.ports import Incoming, LinkDown
from edge.uplink import MqttLink, MqttUplink
from gateway import mqtt_client
from gateway.mqtt_client import Broker as MqttBroker
from gateway.mqtt_client import MqttConnection
from gateway.mqtt_packets import MAX_PACKET_BYTES
from gateway.ports import Message, SubscriptionLost
from gateway.subscription import MqttSubscription
from kewang.bench.parts import Broker, Mosquitto
from kewang.bench.process import Part, find_program, free_port
from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from kewang.wire.state import GatewayState, State

DEVICE = "ambon-m1"
WILL = State(st="off", bt="4f1e0c9a77d2", n=1).encode()
LIMIT_S = 60.0


def uplink(broker: BrokerSettings) -> MqttUplink:
    return MqttUplink(broker, DEVICE, keepalive_s=5)


def at(broker: Broker) -> BrokerSettings:
    return BrokerSettings(port=broker.port)


@asynccontextmanager
async def gateway(
    broker: BrokerSettings, own: asyncio.Queue[Message] | None = None
) -> AsyncIterator[tuple[MqttSubscription, asyncio.Queue[Message]]]:
    """A subscription that is connected, and what it has received; of its own topic, into `own`."""
    subscription = MqttSubscription(broker, "gw1", topics.SHARDS, keepalive_s=5)
    received: asyncio.Queue[Message] = asyncio.Queue()
    own = own or asyncio.Queue()

    async def listen() -> None:
        async with aclosing(subscription.messages()) as messages:
            async for message in messages:
                (own if message.topic == topics.gateway("gw1") else received).put_nowait(message)

    listening = asyncio.create_task(listen(), name="listen")
    try:
        async with asyncio.timeout(LIMIT_S):
            while not subscription.connected:
                await asyncio.sleep(0.01)
        yield subscription, received
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def first(link: MqttLink) -> Incoming:
    async with asyncio.timeout(LIMIT_S), aclosing(link.incoming()) as incoming:
        async for message in incoming:
            return message
    raise AssertionError("no message")


async def test_a_batch_goes_up_and_an_ack_comes_down(any_broker: Broker) -> None:
    async with gateway(at(any_broker)) as (subscription, received), uplink(at(any_broker)).connect(WILL) as link:
        await link.publish("d/env", b"{batch}")
        async with asyncio.timeout(LIMIT_S):
            message = await received.get()
        assert message == Message(topics.build(DEVICE, "d/env"), b"{batch}", retained=False)
        await subscription.publish(topics.build(DEVICE, topics.ACK), b"{ack}")
        assert await first(link) == Incoming(topics.ACK, b"{ack}", retained=False)


async def test_a_birth_is_kept_for_a_gateway_that_comes_later(any_broker: Broker) -> None:
    async with uplink(at(any_broker)).connect(WILL) as link:
        await link.publish(topics.STATE, b"{birth}", retain=True)
        async with gateway(at(any_broker)) as (_, received), asyncio.timeout(LIMIT_S):
            assert await received.get() == Message(topics.build(DEVICE, topics.STATE), b"{birth}", retained=True)


async def test_the_gateway_says_which_shards_it_serves(any_broker: Broker) -> None:
    async with gateway(at(any_broker)), raw_client(any_broker, topics.gateway("gw1")) as state:
        assert GatewayState.decode(state) == GatewayState(st="on", shards=topics.SHARDS)


async def test_what_the_gateway_says_of_itself_comes_back(any_broker: Broker) -> None:
    own: asyncio.Queue[Message] = asyncio.Queue()
    async with gateway(at(any_broker), own) as (subscription, _), asyncio.timeout(LIMIT_S):
        await subscription.publish(topics.gateway("gw1"), b"{again}", retain=True)
        while (await own.get()) != Message(topics.gateway("gw1"), b"{again}", retained=False):
            pass


@asynccontextmanager
async def raw_client(broker: Broker, topic: str) -> AsyncIterator[bytes]:
    """The retained message of `topic`, read by a client of its own."""
    import aiomqtt

    async with asyncio.timeout(LIMIT_S), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topic, qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            yield message.payload
            return


async def test_a_device_that_vanishes_leaves_its_will(mosquitto: Mosquitto) -> None:
    """The broker throws out the older of two connections with one client id, as it would a dead one."""
    async with gateway(at(mosquitto)) as (_, received), uplink(at(mosquitto)).connect(WILL) as link:
        async with uplink(at(mosquitto)).connect(WILL), asyncio.timeout(LIMIT_S):
            message = await received.get()
        assert message.topic == topics.build(DEVICE, topics.STATE)
        assert State.decode(message.payload).st == "off"
        with pytest.raises(LinkDown):
            await first(link)


async def test_a_broker_that_dies_is_noticed_by_both(any_broker: Broker) -> None:
    with pytest.raises(LinkDown):
        async with uplink(at(any_broker)).connect(WILL) as link:
            any_broker.kill9()
            await first(link)
    with pytest.raises(SubscriptionLost):
        async with aclosing(MqttSubscription(at(any_broker), "gw1", "0", 5).messages()) as messages:
            await anext(messages)


async def test_nothing_listens() -> None:
    nobody = BrokerSettings(port=free_port())
    with pytest.raises(LinkDown, match=rf"broker 127.0.0.1:{nobody.port}: Connection refused: is the broker .*\?$"):
        async with uplink(nobody).connect(WILL):
            pass
    subscription = MqttSubscription(nobody, "gw1", "0", 5)
    with pytest.raises(SubscriptionLost, match="not connected"):
        await subscription.publish(topics.build(DEVICE, topics.ACK), b"")


async def test_a_frozen_broker_is_noticed_by_the_keep_alive(mosquitto: Mosquitto) -> None:
    with pytest.raises(LinkDown):
        async with uplink(at(mosquitto)).connect(WILL) as link:
            mosquitto.freeze()
            try:
                await first(link)
            finally:
                mosquitto.thaw()


async def test_a_frozen_broker_is_noticed_by_the_gateway_too(mosquitto: Mosquitto) -> None:
    async with aclosing(MqttSubscription(at(mosquitto), "gw1", "0", keepalive_s=2).messages()) as messages:
        assert (await anext(messages)).topic == topics.gateway("gw1")
        mosquitto.freeze()
        try:
            with pytest.raises(SubscriptionLost, match="no sign of life"):
                await anext(messages)
        finally:
            mosquitto.thaw()


async def test_credentials(running: Callable[[Part], Part], tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", users={DEVICE: "right"})
    running(broker)
    password = tmp_path / "password"
    password.write_text("right")
    password.chmod(0o600)
    settings = BrokerSettings(port=broker.port, username=DEVICE, password_file=password)
    async with uplink(settings).connect(WILL) as link:
        await link.publish("d/env", b"{}")
    password.write_text("wrong")
    with pytest.raises(LinkDown):
        async with uplink(settings).connect(WILL):
            pass
    with pytest.raises(SubscriptionLost):
        async with aclosing(MqttSubscription(settings, "gw1", "0", 5).messages()) as messages:
            await anext(messages)
    password.chmod(0o644)
    with pytest.raises(LinkDown, match="chmod 600"):
        async with uplink(settings).connect(WILL):
            pass


def security(folder: Path, refused: str) -> dict[str, object]:
    """Mosquitto's options so that nobody may subscribe to `refused`; its list of access can't say that."""
    installed = find_program("mosquitto").parents[1]
    (plugin,) = (
        one for usr in (".", "root/usr") for one in installed.glob(f"{usr}/lib/*/mosquitto_dynamic_security.so")
    )
    rule = {"acltype": "subscribeLiteral", "topic": refused, "allow": False}
    rules = {
        "defaultACLAccess": dict.fromkeys(("publishClientSend", "publishClientReceive", "subscribe"), True),
        "roles": [{"rolename": "deaf", "acls": [rule]}],
        "groups": [{"groupname": "all", "roles": [{"rolename": "deaf"}]}],
        "anonymousGroup": "all",
    }
    folder.mkdir()
    file = folder / "security.json"
    file.write_text(json.dumps(rules))
    return {"plugin": plugin, "plugin_opt_config_file": file}


async def test_a_refused_subscription_is_told(running: Callable[[Part], Part], tmp_path: Path) -> None:
    (refused, *_), granted = topics.filters([topics.PLACEMENT]), topics.filters([topics.STATE])
    broker = Mosquitto(tmp_path / "broker", options=security(tmp_path / "rules", refused))
    running(broker)
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(SubscriptionLost, match=f"refuses to let us hear {re.escape(refused)}$"):
            async with aclosing(MqttSubscription(at(broker), "gw1", topics.SHARDS, 5).messages()) as messages:
                await anext(messages)
        connection = await MqttConnection.connected(MqttBroker("127.0.0.1", broker.port, "gw2", 5))
        try:
            await connection.subscribe([(one, 1) for one in granted])
        finally:
            connection.close()


async def test_more_than_may_be_unanswered_is_published_all_the_same(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_client, "UNANSWERED", 5)
    async with gateway(at(mosquitto)) as (subscription, received), asyncio.timeout(LIMIT_S):
        for number in range(200):
            await subscription.publish(topics.build(DEVICE, "d/env"), b"%d" % number)
        assert [int((await received.get()).payload) for _ in range(200)] == list(range(200))


async def test_a_broker_that_stops_taking_what_the_gateway_says_is_left(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_client, "UNANSWERED", 5)
    monkeypatch.setattr(mqtt_client, "ANSWER_S", 1.0)
    async with gateway(at(mosquitto)) as (subscription, _), asyncio.timeout(LIMIT_S):
        mosquitto.freeze()
        try:
            with pytest.raises(SubscriptionLost, match="takes nothing that we publish"):
                for _ in range(6):
                    await subscription.publish(topics.build(DEVICE, topics.ACK), b"{ack}")
        finally:
            mosquitto.thaw()


async def test_what_is_larger_than_any_message_of_ours_is_counted_and_the_next_is_heard(any_broker: Broker) -> None:
    async with gateway(at(any_broker)) as (subscription, received), asyncio.timeout(LIMIT_S):
        await subscription.publish(topics.build(DEVICE, "d/env"), bytes(MAX_PACKET_BYTES))
        await subscription.publish(topics.build(DEVICE, "d/env"), b"{batch}")
        assert (await received.get()).payload == b"{batch}"
        assert subscription.skipped == 1
