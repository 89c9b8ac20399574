"""A fleet: thousands of protocol clients over MQTT in one process, for load.

Each device publishes under its own topic and obeys its own acks; many share one connection, which only a broker
without ACL (a test's) allows. What they say can be computed again (`firmware_sim.truth`).
"""

import heapq
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware_sim.device import Device, FleetPlan
from firmware_sim.truth import Truth
from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.catalogue import metric
from kewang.wire.errors import WireError

_TOPICS_A_SUBSCRIBE: Final = 100
_IDLE_S: Final = 0.5


@dataclass(slots=True)
class FleetReport:
    """What a fleet did. `rows_named`: rows of named batches; seconds count from the first publish."""

    devices: int = 0
    sent: int = 0
    resent: int = 0
    named: int = 0
    outstanding: int = 0
    rows_made: int = 0
    rows_named: int = 0
    bytes_sent: int = 0
    acks: int = 0
    labels: int = 0
    births: int = 0
    encode_s: float = 0.0
    publish_s: float = 0.0
    named_s: float = 0.0


class Fleet:
    """Runs a plan against a broker. `run` blocks, in one thread; each connection has paho's own."""

    def __init__(self, broker: BrokerSettings, plan: FleetPlan) -> None:
        self.plan = plan
        self.report = FleetReport(devices=plan.devices)
        truth = Truth(plan.seed, plan.metrics)
        t0_ms = plan.first_ms(time.time_ns() // 1_000_000)
        self._stream = metric(plan.metrics[-1]).stream
        self._devices = {name: Device(name, plan, truth, t0_ms) for name in plan.names()}
        self._topics = {name: topics.build(name, f"d/{self._stream}") for name in self._devices}
        self._clients = [Connection(self, broker, index) for index in range(plan.connections)]
        self._client_of = {name: self._clients[i % plan.connections] for i, name in enumerate(self._devices)}
        self._heap: list[tuple[float, str]] = []
        self._news = threading.Condition()
        self._first_s: float | None = None

    def run(self, stopping: threading.Event, drain_s: float = 60.0) -> FleetReport:
        """Work until every batch of the plan is named, or until `drain_s` after `stopping`."""
        if self.plan.ahead:
            self._encode_ahead()
        for connection in self._clients:
            connection.start([name for name, its in self._client_of.items() if its is connection])
        try:
            self._work(stopping, drain_s)
        finally:
            for connection in self._clients:
                connection.stop()
        return self.report

    def take(self, name: str, ack: Ack) -> None:
        """An ack for a device came (called by a connection's thread)."""
        with self._news:
            device = self._devices[name]
            named = device.take(ack)
            self.report.acks += 1
            self.report.labels += len(ack.nk)
            self.report.named += named
            self.report.rows_named += named * self.plan.rows
            if named and self._first_s is not None:
                self.report.named_s = time.monotonic() - self._first_s
            self._plan_wake(device)

    def birth(self, name: str) -> bytes:
        """The birth of a device that was just connected; its schedule begins or goes on."""
        with self._news:
            device = self._devices[name]
            birth = device.birth()
            self.report.births += 1
            if device.connects == 1:
                device.next_s = time.monotonic() + random.uniform(0, self.plan.interval_s)
            self._plan_wake(device)
            return birth.encode()

    def _encode_ahead(self) -> None:
        started = time.monotonic()
        for device in self._devices.values():
            device.encode_ahead()
        self.report.encode_s = time.monotonic() - started

    def _work(self, stopping: threading.Event, drain_s: float) -> None:
        stop_s = math.inf
        while not self._done() and time.monotonic() < stop_s:
            if stopping.is_set() and stop_s == math.inf:
                stop_s = time.monotonic() + drain_s
            for device in self._due():
                self._step(device, may_make=stop_s == math.inf)
        self.report.outstanding = sum(len(device.waiting) for device in self._devices.values())

    def _done(self) -> bool:
        return 0 < self.plan.devices * self.plan.batches <= self.report.named

    def _due(self) -> list[Device]:
        """The devices with something to do now; waits a little for the first."""
        with self._news:
            now_s = time.monotonic()
            if not self._heap or self._heap[0][0] > now_s:
                self._news.wait(min(_IDLE_S, self._heap[0][0] - now_s if self._heap else _IDLE_S))
                now_s = time.monotonic()
            due = []
            while self._heap and self._heap[0][0] <= now_s:
                at_s, name = heapq.heappop(self._heap)
                device = self._devices[name]
                if at_s == device.due_s:
                    device.due_s = math.inf
                    due.append(device)
            return due

    def _step(self, device: Device, may_make: bool) -> None:
        with self._news:
            now_s = time.monotonic()
            again, new = device.again(now_s), []
            while may_make and (payload := device.new(now_s)) is not None:
                new.append(payload)
            self.report.resent += len(again)
            self.report.sent += len(new)
            self.report.rows_made += len(new) * self.plan.rows
            self._plan_wake(device)
        if new and self._first_s is None:
            self._first_s = now_s
        for payload in (*again, *new):
            self.report.bytes_sent += len(payload)
            self._client_of[device.name].publish(self._topics[device.name], payload)
        if new and self._first_s is not None:
            self.report.publish_s = time.monotonic() - self._first_s

    def _plan_wake(self, device: Device) -> None:
        wake_s = device.wake_s()
        if wake_s < device.due_s or device.due_s == math.inf != wake_s:
            device.due_s = wake_s
            heapq.heappush(self._heap, (wake_s, device.name))
            self._news.notify()


class Connection:
    """One connection to the broker, for some of the devices."""

    def __init__(self, fleet: Fleet, broker: BrokerSettings, index: int) -> None:
        self._fleet = fleet
        self._names: Sequence[str] = ()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"{fleet.plan.prefix}-c{index}")
        self._client.max_inflight_messages_set(2000)
        self._client.reconnect_delay_set(1, 10)
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password())
        if context := broker.tls_context():
            self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect_async(broker.host, broker.port, keepalive=30)

    def start(self, names: Sequence[str]) -> None:
        """Connect, and connect again whenever the broker was away."""
        self._names = names
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1; while the broker is away paho keeps it, at most the fleet's windows."""
        self._client.publish(topic, payload, qos=1)

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            return
        acks = [(topics.build(name, topics.ACK), 1) for name in self._names]
        for start in range(0, len(acks), _TOPICS_A_SUBSCRIBE):
            client.subscribe(acks[start : start + _TOPICS_A_SUBSCRIBE])
        for name in self._names:
            client.publish(topics.build(name, topics.STATE), self._fleet.birth(name), qos=1, retain=True)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic, ack = topics.parse(message.topic), decode_ack(bytes(message.payload))
        except WireError:
            return
        if not message.retain:
            self._fleet.take(topic.device, ack)


def as_json(report: FleetReport) -> dict[str, float]:
    """The report's keys and figures."""
    return asdict(report)
