"""A box full of sensors: ten simulated devices on every kind of bus, each with a fault file and a journal."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from firmware_sim import bme280, esp32, onewire, particles, sht3x
from firmware_sim.board import Board, serving
from firmware_sim.faults import Faults
from firmware_sim.i2c import Bus
from firmware_sim.journal import Journal
from firmware_sim.layout import map_file, read_layout
from firmware_sim.rtu import RtuUnit
from firmware_sim.sensor import Sensor
from firmware_sim.serial_line import plugged
from firmware_sim.signals import Hastened, Signals
from kewang.runtime.broker import BrokerSettings

MAP: Final = "market-env"
THERMOMETER: Final = "28-0316a2795cff"
Settings = dict[str, Any]


class Box:
    """Where the devices are: `folder` holds their ports, fault files (`NAME.json`) and journals (`NAME.jsonl`)."""

    def __init__(
        self, folder: Path, broker: BrokerSettings, pace_s: float, stack: AsyncExitStack, faster: float = 1.0
    ) -> None:
        self._folder, self._broker, self._pace_s, self._stack = folder, broker, pace_s, stack
        self._faster = faster

    async def start(self) -> list[Settings]:
        """Start all; the settings of the edge's sources that read them."""
        serial = [*await self._boards(), *await self._particles()]
        return [*serial, *self._on_i2c(), self._thermometer(), await self._esp()]

    def _sensor(self, name: str, metrics: tuple[str, ...]) -> Sensor:
        return Sensor(metrics, self._signals(len(name)), self._journal(name), self._faults(name))

    def _signals(self, seed: int) -> Signals:
        return Signals(seed) if self._faster == 1 else Hastened(seed, self._faster)

    def _journal(self, name: str) -> Journal:
        return self._stack.enter_context(Journal(self._folder / f"{name}.jsonl"))

    def _faults(self, name: str) -> Faults:
        return Faults(control=self._folder / f"{name}.json")

    async def _boards(self) -> list[Settings]:
        file, line = str(map_file(MAP)), self._folder / "rs485"
        rtu: list[Settings] = [
            {"driver": "modbus-rtu", "name": f"env-{unit}", "port": str(line), "unit": unit, "map": file}
            for unit in (1, 2, 3)
        ]
        units = [RtuUnit(self._board(each["name"], each["unit"])) for each in rtu]
        await self._stack.enter_async_context(plugged(line, *units))
        port = await self._stack.enter_async_context(serving([self._board("tank", 1)]))
        return [*rtu, {"driver": "modbus-tcp", "name": "tank", "host": "127.0.0.1", "port": port, "map": file}]

    def _board(self, name: str, unit: int) -> Board:
        layout = read_layout(map_file(MAP))
        return Board(layout, self._signals(unit), self._journal(name), unit=unit, faults=self._faults(name))

    async def _particles(self) -> list[Settings]:
        pms = particles.Pms5003(self._sensor("pm-1", particles.PMS_METRICS), pace_s=self._pace_s, spin_up_s=0)
        sds = particles.Sds011(self._sensor("pm-2", particles.SDS_METRICS), pace_s=self._pace_s, spin_up_s=0)
        made = []
        for name, driver, device in (("pm-1", "pms5003", pms), ("pm-2", "sds011", sds)):
            line = await self._stack.enter_async_context(plugged(self._folder / driver, device))
            made.append({"driver": driver, "name": name, "port": str(line.path), "warm_up_s": 0})
        return made

    def _on_i2c(self) -> list[Settings]:
        air, damp = self._sensor("air-1", bme280.METRICS), self._sensor("air-2", sht3x.METRICS)
        bus, file = Bus({0x76: [bme280.Bme280(air)], 0x44: [sht3x.Sht3x(damp)]}), self._folder / "i2c"
        self._stack.enter_context(served(bus, file))
        return [
            {"driver": "bme280", "name": "air-1", "bus": str(file)},
            {"driver": "sht3x", "name": "air-2", "bus": str(file)},
        ]

    def _thermometer(self) -> Settings:
        folder = self._folder / "w1"
        self._stack.enter_context(onewire.on_the_bus(folder, THERMOMETER, self._sensor("cold-1", onewire.METRICS)))
        return {"driver": "ds18b20", "name": "cold-1", "device": THERMOMETER, "folder": str(folder)}

    async def _esp(self) -> Settings:
        sensor = self._sensor("kitchen", esp32.METRICS)
        await self._stack.enter_async_context(esp32.speaking(self._broker, sensor, self._pace_s))
        return {"driver": "mqtt", "name": "kitchen", "port": self._broker.port, "keys": esp32.keys()}


@asynccontextmanager
async def box(
    folder: Path, broker: BrokerSettings, pace_s: float = 0.1, faster: float = 1.0
) -> AsyncIterator[list[Settings]]:
    """The devices, until the end. `pace_s`: how often those that speak by themselves do; `faster`: see Hastened."""
    async with AsyncExitStack() as stack:
        yield await Box(folder, broker, pace_s, stack, faster).start()


@contextmanager
def served(bus: Bus, file: Path) -> Iterator[None]:
    """`bus` for other processes: at a Unix socket, a line of JSON for each transfer."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(file))
        listening.listen()
        thread = threading.Thread(target=_accept, args=(bus, listening), name="i2c", daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            file.unlink()


def _accept(bus: Bus, listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, _ = listening.accept()
            threading.Thread(target=_transfers, args=(bus, caller), name="i2c-transfer", daemon=True).start()


def _transfers(bus: Bus, caller: socket.socket) -> None:
    with caller, caller.makefile("rwb") as lines, contextlib.suppress(OSError):
        for line in lines:
            asked = json.loads(line)
            try:
                answer = {"read": bus.transfer(asked["address"], bytes.fromhex(asked["write"]), asked["read"]).hex()}
            except OSError as error:
                answer = {"errno": str(error.errno)}
            lines.write(json.dumps(answer).encode() + b"\n")
            lines.flush()


async def serve(folder: Path, broker: BrokerSettings, stopping: asyncio.Event, faster: float = 1.0) -> None:
    """Serve the devices until `stopping`; the settings that read them are in `folder`/sources.json once all are up."""
    async with box(folder, broker, faster=faster) as sources:
        fresh = folder / "sources.new"
        fresh.write_text(json.dumps(sources))
        fresh.replace(folder / "sources.json")
        await stopping.wait()
