"""Each driver beside its simulated device, over the real protocol; a test can break the device and ask what it gave."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from edge.ports import Source, Values
from edge.sources import driver
from edge.sources.i2c import adapters
from edge.sources.modbus import ModbusTcp, ModbusTcpSettings
from edge.sources.modbus_rtu import ModbusRtu, ModbusRtuSettings
from firmware_sim import bme280, esp32, onewire, particles, sht3x
from firmware_sim.board import Board, serving
from firmware_sim.esp32 import speaking
from firmware_sim.faults import Fault, Faults, switch
from firmware_sim.i2c import Bus, I2cDevice
from firmware_sim.journal import Journal, read_journal
from firmware_sim.layout import RUNNING_NUMBER, map_file, read_layout
from firmware_sim.onewire import on_the_bus
from firmware_sim.rtu import RtuUnit
from firmware_sim.sensor import Sensor
from firmware_sim.serial_line import plugged
from firmware_sim.signals import Signals
from kewang.bench.parts import Mosquitto
from kewang.runtime.broker import BrokerSettings
from tests.fake_source import FakeSource

THERMOMETER: Final = "28-0316a2795cff"


class Beside(Protocol):
    """A source, and what it measures."""

    source: Source

    def given(self) -> list[Values]:
        """What was given out so far, oldest first, in the order of the source's metrics."""

    def break_it(self) -> None: ...
    def silence_it(self) -> None: ...
    def mend_it(self) -> None: ...


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._fake = FakeSource(timeout_s=0.3)
        self.source: Source = self._fake

    def given(self) -> list[Values]:
        """See Beside."""
        return [(number + 1, *self._fake.rest) for number in range(self._fake.number)]

    def break_it(self) -> None:
        """See Beside."""
        self._fake.fail()

    def silence_it(self) -> None:
        """See Beside."""
        self._fake.hang()

    def mend_it(self) -> None:
        """See Beside."""
        self._fake.go_on()


class Simulated:
    """A device with a journal and a control file."""

    def __init__(self, source: Source, folder: Path, broken: Fault) -> None:
        self.source, self._folder, self._broken = source, folder, broken

    def given(self) -> list[Values]:
        """See Beside."""
        told = (dict(each.values) | {RUNNING_NUMBER: each.number} for each in read_journal(journal_file(self._folder)))
        return [tuple(values[name] for name in self.source.metrics) for values in told]

    def switch(self, fault: Fault | None) -> None:
        """Show `fault` from now on; None = none."""
        switch(control_file(self._folder), fault)

    def break_it(self) -> None:
        """See Beside."""
        self.switch(self._broken)

    def silence_it(self) -> None:
        """See Beside."""
        self.switch(Fault.NO_ANSWER)

    def mend_it(self) -> None:
        """See Beside."""
        self.switch(None)


def journal_file(folder: Path) -> Path:
    """What a simulated device gave out."""
    return folder / "journal.jsonl"


def control_file(folder: Path) -> Path:
    """Where its fault is switched."""
    return folder / "control.json"


def source_of(name: str, **keys: Any) -> Source:
    """A source of driver `name`."""
    made = driver(name)
    return made(made.Settings.model_validate({"driver": name, "name": "env-1"} | keys))


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Beside]:
    """The fake."""
    yield InMemory()


@asynccontextmanager
async def modbus_tcp(folder: Path) -> AsyncIterator[Beside]:
    """A board behind a TCP port."""
    file = map_file("market-env")
    with Journal(journal_file(folder)) as journal:
        board = Board(read_layout(file), Signals(1), journal, faults=Faults(control=control_file(folder)))
        async with serving([board]) as port:
            settings = ModbusTcpSettings(driver="modbus-tcp", name="env-1", host="127.0.0.1", port=port, map=file)
            yield Simulated(ModbusTcp(settings), folder, Fault.EXCEPTION)


@asynccontextmanager
async def modbus_rtu(folder: Path) -> AsyncIterator[Beside]:
    """A board on a serial line."""
    file = map_file("market-env")
    with Journal(journal_file(folder)) as journal:
        unit = RtuUnit(Board(read_layout(file), Signals(1), journal, faults=Faults(control=control_file(folder))))
        async with plugged(folder / "line", unit) as line:
            settings = ModbusRtuSettings(driver="modbus-rtu", name="env-1", port=line.path, map=file)
            yield Simulated(ModbusRtu(settings), folder, Fault.EXCEPTION)


def sensor(folder: Path, journal: Journal, *metrics: str) -> Sensor:
    """A simulated sensor of `metrics`, with journal and control file in `folder`."""
    return Sensor(metrics, Signals(3), journal, Faults(control=control_file(folder)))


@asynccontextmanager
async def on_serial(
    folder: Path, name: str, make: type[particles.ParticleSensor], metrics: tuple[str, ...]
) -> AsyncIterator[Beside]:
    """A particle sensor that is warm."""
    with Journal(journal_file(folder)) as journal:
        made = make(sensor(folder, journal, *metrics), pace_s=0.02, spin_up_s=0)
        async with plugged(folder / "line", made) as line:
            source = source_of(name, port=line.path, warm_up_s=0, timeout_s=1.0)
            yield Simulated(source, folder, Fault.GARBLED)


@asynccontextmanager
async def on_i2c(
    folder: Path, name: str, address: int, make: Callable[[Sensor], I2cDevice], metrics: tuple[str, ...]
) -> AsyncIterator[Beside]:
    """A sensor on an I2C bus."""
    with Journal(journal_file(folder)) as journal:
        bus = Bus({address: [make(sensor(folder, journal, *metrics))]})
        token = adapters.set(bus.open)
        source = source_of(name, bus=folder / "i2c-1")
        adapters.reset(token)
        yield Simulated(source, folder, Fault.EXCEPTION)


@asynccontextmanager
async def ds18b20(folder: Path) -> AsyncIterator[Beside]:
    """A thermometer on a 1-Wire bus."""
    with Journal(journal_file(folder)) as journal:
        own = sensor(folder, journal, *onewire.METRICS)
        with on_the_bus(folder / "w1", THERMOMETER, own):
            source = source_of("ds18b20", device=THERMOMETER, folder=folder / "w1")
            yield Simulated(source, folder, Fault.GARBLED)


@asynccontextmanager
async def mqtt(folder: Path) -> AsyncIterator[Beside]:
    """An ESP32 and a broker."""
    with Mosquitto(folder / "mosquitto") as broker, Journal(journal_file(folder)) as journal:
        settings = BrokerSettings(host=broker.host, port=broker.port)
        async with speaking(settings, sensor(folder, journal, *esp32.METRICS), pace_s=0.05):
            source = source_of("mqtt", port=broker.port, keys=esp32.keys(), timeout_s=5.0)
            yield Simulated(source, folder, Fault.EXCEPTION)


WAYS: Final[Mapping[str, Callable[[Path], AbstractAsyncContextManager[Beside]]]] = {
    "fake": in_memory,
    "modbus-tcp": modbus_tcp,
    "modbus-rtu": modbus_rtu,
    "pms5003": lambda folder: on_serial(folder, "pms5003", particles.Pms5003, particles.PMS_METRICS),
    "sds011": lambda folder: on_serial(folder, "sds011", particles.Sds011, particles.SDS_METRICS),
    "ds18b20": ds18b20,
    "mqtt": mqtt,
    "bme280": lambda folder: on_i2c(folder, "bme280", 0x76, bme280.Bme280, bme280.METRICS),
    "sht3x": lambda folder: on_i2c(folder, "sht3x", 0x44, sht3x.Sht3x, sht3x.METRICS),
}
"""By driver."""
