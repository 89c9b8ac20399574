"""The fleet as a protocol client: what it sends is a batch, what is not named comes again, what is named does not."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.__main__ import main
from firmware_sim.device import Device, FleetPlan
from firmware_sim.fleet import Fleet
from firmware_sim.truth import Truth
from kewang.bench.parts import Broker, Mosquitto
from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from kewang.wire.ack import Ack
from kewang.wire.batch import decode

NOW_MS = 1_785_000_000_000
LIMIT_S = 60


def a_device(**keys: Any) -> Device:
    plan = FleetPlan(**({"batches": 5, "interval_s": 0.0, "rows": 4} | keys))
    return Device("fleet-00001", plan, Truth(plan.seed), plan.first_ms(NOW_MS))


def test_without_credit_one_batch_asks_for_an_ack() -> None:
    device = a_device()
    assert [device.new(0) is None for _ in range(2)] == [False, True]
    device.take(Ack(cr=3))
    assert [device.new(0) is None for _ in range(3)] == [False, False, True]


def test_a_window_stands_for_credit() -> None:
    device = a_device(window=3)
    assert [device.new(0) is None for _ in range(4)] == [False, False, False, True]


def test_what_is_not_named_comes_again_later_and_later_with_the_same_rows() -> None:
    device = a_device(window=1, resend_s=10.0)
    first = device.new(0)
    assert device.again(9.9) == []
    assert device.again(10) == [first]
    assert device.again(25) == []
    assert device.again(35) == [first]
    assert device.waiting[1].wait_s == 40


def test_an_ack_names_only_batches_of_this_run() -> None:
    device = a_device(window=5)
    while device.new(0):
        pass
    assert device.take(Ack(ok=(("someoneelse", 1, 5),))) == 0
    assert device.take(Ack(ok=((device.run, 2, 3), (device.run, 5, 9)))) == 3
    assert sorted(device.waiting) == [1, 4]
    assert device.finished


def test_rows_are_those_of_the_truth_dated_one_after_the_other() -> None:
    device = a_device(window=5, row_ms=500)
    batches = [decode(payload) for payload in iter(lambda: device.new(0), None)]
    rows = [(batch.t0_ms + row[0], tuple(row[1:])) for batch in batches for row in batch.rows]
    assert [batch.number for batch in batches] == [1, 2, 3, 4, 5]
    assert [date for date, _ in rows] == list(range(NOW_MS - 20 * 500, NOW_MS, 500))
    assert [values for _, values in rows] == [Truth(1).row("fleet-00001", n) for n in range(1, 21)]


def test_encoding_ahead_gives_the_same_batches() -> None:
    ahead, lazy = a_device(window=5, ahead=True), a_device(window=5)
    ahead.encode_ahead()
    pairs = zip(iter(lambda: ahead.new(0), None), iter(lambda: lazy.new(0), None), strict=True)
    assert all(decode(one).rows == decode(other).rows for one, other in pairs)


def test_a_fleet_at_full_speed_needs_an_end() -> None:
    with pytest.raises(ValueError, match="give a number of batches"):
        FleetPlan(interval_s=0)


class Acker:
    """Says that batches are stored, except those it is told to forget once. Grants credit to births."""

    def __init__(self, port: int, forget: int) -> None:
        self.rows: dict[tuple[str, int], tuple[float, ...]] = {}
        self.heard: Counter[tuple[str, int]] = Counter()
        self._forget = forget
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="acker")
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_connect = lambda client, *_: client.subscribe([(f, 1) for f in topics.filters(topics.UP)])
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(LIMIT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        topic = topics.parse(message.topic)
        if topic.channel == topics.STATE:
            ack = Ack(cr=3)
        else:
            batch = decode(bytes(message.payload))
            name = (batch.run, batch.number)
            self.heard[name] += 1
            if self._forget and self.heard[name] == 1:
                self._forget -= 1
                return
            self.rows |= {(topic.device, row[1]): tuple(row[1:]) for row in batch.rows}
            ack = Ack(cr=3, ok=((batch.run, batch.number, batch.number),))
        client.publish(topics.build(topic.device, topics.ACK), ack.encode(), qos=1)


@contextmanager
def acker(port: int, forget: int = 0) -> Iterator[Acker]:
    made = Acker(port, forget)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("ahead", [False, True])
def test_everything_is_named_in_the_end_and_is_the_truth(any_broker: Broker, ahead: bool) -> None:
    plan = FleetPlan(devices=30, connections=2, rows=5, batches=4, interval_s=0, seed=9, resend_s=0.2, ahead=ahead)
    with acker(any_broker.port, forget=7) as gateway:
        report = Fleet(BrokerSettings(port=any_broker.port), plan).run(threading.Event())
    assert (report.sent, report.named, report.outstanding) == (120, 120, 0)
    assert (report.rows_made, report.rows_named) == (600, 600)
    assert report.births == 30
    assert report.resent >= 7
    truth = Truth(9)
    wanted = {(name, n): truth.row(name, n) for name in plan.names() for n in range(1, 21)}
    assert gateway.rows == wanted


def test_a_broker_that_restarts_costs_a_resend_and_no_batch(mosquitto: Mosquitto) -> None:
    plan = FleetPlan(devices=5, connections=1, rows=2, batches=20, interval_s=0.1, resend_s=0.3)
    stopping = threading.Event()
    fleet = Fleet(BrokerSettings(port=mosquitto.port), plan)
    running = threading.Thread(target=fleet.run, args=(stopping, 0.0), name="fleet")
    with acker(mosquitto.port) as gateway:
        running.start()
        try:
            until(lambda: fleet.report.named >= 5)
            mosquitto.kill9()
            mosquitto.start()
            until(lambda: fleet.report.named >= 100)
        finally:
            stopping.set()
            running.join(LIMIT_S)
    assert (fleet.report.sent, fleet.report.named) == (100, 100)
    assert fleet.report.births >= 10
    assert len(gateway.rows) == 200


def test_the_command_prints_its_report(mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    with acker(mosquitto.port):
        arguments = ["--port", str(mosquitto.port), "--devices", "3", "--batches", "2", "--interval-s", "0"]
        assert main(["fleet", *arguments, "--rows", "3"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["devices"], report["sent"], report["named"], report["rows_named"]) == (3, 6, 6, 18)


def until(true: Any) -> None:
    """Wait until `true()`, for a limited time."""
    limit_s = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < limit_s
        threading.Event().wait(0.01)
