"""A simulated ESP32 with firmware of its own: says its values as plain JSON to the box's broker, every few seconds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiomqtt

from firmware_sim.faults import Fault
from firmware_sim.layout import RUNNING_NUMBER
from firmware_sim.sensor import Sensor
from kewang.runtime.broker import BrokerSettings
from kewang.wire.catalogue import metric

METRICS = ("temp_c", "rh_pct")
TOPIC = "esp32/kitchen"


class Esp32:
    """Messages like `{"n": 7, "dht": {"temp_c": 28.4, "rh_pct": 81.2}}`.

    Faults: `no_answer` silence, `short` half a message, `garbled` no JSON, `nan` its sensor fails (null), `exception`
    texts instead of numbers.
    """

    def __init__(self, broker: BrokerSettings, sensor: Sensor, pace_s: float = 5.0) -> None:
        self._broker, self._sensor, self._pace_s = broker, sensor, pace_s
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Speak until cancelled."""
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            self.connected.set()
            while True:
                if payload := self._payload(self._sensor.fault):
                    await client.publish(TOPIC, payload)
                await asyncio.sleep(self._pace_s)

    def _payload(self, fault: Fault) -> bytes:
        if fault in (Fault.NO_ANSWER, Fault.RESET):
            return b""
        said = {name: round(value, metric(name).decimals) for name, value in self._sensor.measure().items()}
        number = self._sensor.number + 1
        values: dict[str, object] = dict(said)
        if fault is Fault.EXCEPTION:
            values = {name: f"{value:g} !" for name, value in said.items()}
        if fault is Fault.NAN:
            values = dict.fromkeys(said)
        shown = number if fault is not Fault.EXCEPTION else "?"
        payload = json.dumps({"n": shown, "dht": values}).encode()
        if fault is Fault.SHORT:
            return payload[: len(payload) // 2]
        if fault is Fault.GARBLED:
            return b"\x00\xff" + payload
        if fault is not Fault.EXCEPTION:
            self._sensor.gave({name: None if fault is Fault.NAN else value for name, value in said.items()})
        return payload


def keys() -> list[dict[str, str]]:
    """What stands where, as the settings of the edge want it."""
    inside = [{"metric": name, "topic": TOPIC, "key": f"dht.{name}"} for name in METRICS]
    return [{"metric": RUNNING_NUMBER, "topic": TOPIC, "key": "n"}, *inside]


@asynccontextmanager
async def speaking(broker: BrokerSettings, sensor: Sensor, pace_s: float) -> AsyncIterator[None]:
    """An ESP32 that speaks; silent at the end."""
    made = Esp32(broker, sensor, pace_s)
    task = asyncio.create_task(made.run(), name="esp32")
    try:
        await made.connected.wait()
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
