"""Batches poured into the broker by a publisher that costs little, so that a bench on few cores measures the others.

It speaks MQTT to a real broker: PUBLISH at QoS 1, whose bytes are made before the first is sent, over plain sockets; it
reads the broker's PUBACKs, and obeys the gateway's acks as any device does: so many batches unnamed, again after 30 s.
"""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic_core import from_json

from firmware_sim.device import Device, FleetPlan
from firmware_sim.fleet import FleetReport
from firmware_sim.truth import Truth
from gateway import mqtt_packets as packets
from kewang.bench.process import PartFailed
from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics

RESEND_S: Final = 30.0
_READY_S: Final = 60.0
_READ_BYTES: Final = 256 * 1024
_FILTERS: Final = 100


@dataclass(slots=True)
class _Sender:
    """A device: its batches as packets, the next one's index, and those that wait for their name."""

    run: str
    packets: list[bytes]
    next: int = 0
    waiting: set[int] = field(default_factory=set)
    sent_s: float = 0.0


class _Connection:
    """One socket to the broker, for some devices."""

    def __init__(self, broker: BrokerSettings, client_id: str) -> None:
        self.socket = socket.create_connection((broker.host, broker.port))
        self.cutter, self.out, self.pubacks, self.answers = packets.Cutter(), bytearray(), 0, 0
        self.out += packets.connect(client_id, 0)
        self.socket.setblocking(False)

    def flush(self) -> bool:
        """Send what the socket takes; whether all is sent."""
        try:
            while self.out:
                del self.out[: self.socket.send(self.out)]
        except BlockingIOError:
            return False
        return True


class Pour:
    """Pours a plan whose batches are all encoded ahead. `began` is called before the first batch goes."""

    def __init__(self, broker: BrokerSettings, plan: FleetPlan, began: Callable[[], None]) -> None:
        self.plan, self._broker, self._began = plan, broker, began
        truth, t0_ms = Truth(plan.seed, plan.metrics), plan.first_ms(time.time_ns() // 1_000_000)
        self.t0_ms = dict.fromkeys(plan.names(), t0_ms)
        self.report = FleetReport(devices=plan.devices)
        self._devices = [Device(name, plan, truth, t0_ms) for name in plan.names()]
        self._senders = {device.name: self._sender(device) for device in self._devices}
        self._home: dict[str, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._first_s = 0.0
        self.cpu_s = 0.0

    def _sender(self, device: Device) -> _Sender:
        device.encode_ahead()
        topic = topics.build(device.name, "d/env")
        made = [packets.publish(topic, body, 1 + number % 0xFFFF) for number, body in enumerate(reversed(device.ready))]
        return _Sender(device.run, made)

    def run(self, limit_s: float) -> FleetReport:
        """Until every batch is named, at most `limit_s`. Raises PartFailed if the broker does not take us in."""
        try:
            self._connect()
            self._began()
            self._first_s, cpu_s = time.monotonic(), time.process_time()
            for name in self._senders:
                self._send(name)
            self._work(self._first_s + limit_s)
            self.cpu_s = time.process_time() - cpu_s
        finally:
            for connection in set(self._home.values()):
                connection.socket.close()
            self._selector.close()
        return self.report

    def _connect(self) -> None:
        """All connected, their acks subscribed to, their births told."""
        count, awaited = self.plan.connections, 0
        for index in range(count):
            connection, mine = _Connection(self._broker, f"pour-{index}"), self._devices[index::count]
            acks = [(topics.build(device.name, topics.ACK), 0) for device in mine]
            for start in range(0, len(acks), _FILTERS):
                connection.out += packets.subscribe(1, acks[start : start + _FILTERS])
                awaited += 1
            for device in mine:
                self._home[device.name] = connection
                topic = topics.build(device.name, topics.STATE)
                connection.out += packets.publish(topic, device.birth().encode(), 1, retain=True)
            self._selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        until_s = time.monotonic() + _READY_S
        while sum(one.answers for one in set(self._home.values())) < count + awaited:
            if time.monotonic() > until_s:
                raise PartFailed(f"the broker did not answer within {_READY_S:g} s")
            self._turn()

    def _work(self, until_s: float) -> None:
        look_s = time.monotonic() + 1
        while any(one.waiting for one in self._senders.values()) and (now_s := time.monotonic()) < until_s:
            self._turn()
            if now_s > look_s:
                look_s = now_s + 1
                self._again(now_s)
        self.report.outstanding = sum(len(one.waiting) for one in self._senders.values())

    def _turn(self) -> None:
        """Whatever the sockets have or take now."""
        for key, events in self._selector.select(0.2):
            connection: _Connection = key.data
            if events & selectors.EVENT_READ:
                self._read(connection)
            self._watch(connection)

    def _watch(self, connection: _Connection) -> None:
        done = connection.flush()
        wanted = selectors.EVENT_READ if done else selectors.EVENT_READ | selectors.EVENT_WRITE
        if self._selector.get_key(connection.socket).events != wanted:
            self._selector.modify(connection.socket, wanted, connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.socket.recv(_READ_BYTES)
        if not data:
            raise PartFailed("the broker closed the connection")
        for first, rest, _ in connection.cutter.packets(data):
            kind = first >> 4
            if kind == packets.PUBACK:
                connection.pubacks += 1
            elif kind == packets.PUBLISH:
                topic, _, payload = packets.published(first, rest)
                self._named(topics.parse(topic).device, payload)
            else:
                connection.answers += 1

    def _named(self, device: str, payload: bytes) -> None:
        """An ack: what it names waits no more, and as much as that goes out."""
        one = self._senders[device]
        ranges: Sequence[tuple[int, int]] = [(a, b) for run, a, b in from_json(payload).get("ok", ()) if run == one.run]
        named = {number for number in one.waiting if any(a <= number <= b for a, b in ranges)}
        one.waiting -= named
        self.report.acks += 1
        if named:
            self.report.named += len(named)
            self.report.rows_named += len(named) * self.plan.rows
            self.report.named_s = time.monotonic() - self._first_s
            self._send(device)

    def _send(self, device: str) -> None:
        """New batches, as many as may wait."""
        one, connection = self._senders[device], self._home[device]
        stop = min(len(one.packets), one.next + (self.plan.window or 1) - len(one.waiting))
        if stop <= one.next:
            return
        connection.out += b"".join(one.packets[one.next : stop])
        one.waiting.update(range(one.next + 1, stop + 1))
        self.report.sent += stop - one.next
        one.next, one.sent_s = stop, time.monotonic()
        self._watch(connection)

    def _again(self, now_s: float) -> None:
        """What was not named for long."""
        for device, one in self._senders.items():
            if one.waiting and now_s > one.sent_s + RESEND_S:
                self._home[device].out += b"".join(one.packets[number - 1] for number in sorted(one.waiting))
                self.report.resent += len(one.waiting)
                one.sent_s = now_s
                self._watch(self._home[device])
