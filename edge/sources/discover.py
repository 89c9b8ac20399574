"""What hangs on this box: serial ports, I2C buses, 1-Wire thermometers, and what answers on them."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.ports import SourceError
from edge.sources.bme280 import chip_of
from edge.sources.i2c import Adapter, adapters, bus_trouble
from edge.sources.lane import Lane
from edge.sources.modbus_line import ModbusLine, Refused
from edge.sources.modbus_rtu import RtuWay
from edge.sources.onewire import FOLDER, is_thermometer
from edge.sources.particles import Frames, Listener, PmsFrames, SdsFrames
from edge.sources.registers import Span
from edge.sources.serial_port import Manner, open_port
from edge.sources.sht3x import answers as is_sht3x

_WRITERS: Final[Mapping[str, Frames]] = {"pms5003": PmsFrames(), "sds011": SdsFrames()}
"""Sensors that write by themselves."""
_LISTEN_S: Final = 2.5
"""A PMS5003 writes at the latest every 2.3 s."""
_ANSWER_S: Final = 0.3
_BY_ID: Final = Path("/dev/serial/by-id")


@dataclass
class Found:
    """A port or a bus: `answers` = words to go on with (`pms5003 port=/dev/ttyUSB0`); `trouble` = why nobody does."""

    port: str
    about: str = ""
    answers: list[str] = field(default_factory=list)
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """How to look. `modbus`: units that are asked on serial ports, at `manner`; none = nothing is sent, only heard.
    `limit_s`: for opening a port, and for an I2C bus, where the kernel gives up each transfer after a second."""

    ports: Sequence[Path] = ()
    modbus: Sequence[int] = ()
    manner: Manner = field(default_factory=Manner)
    listen_s: float = _LISTEN_S
    limit_s: float = 10.0


async def discover(look: Look) -> dict[str, list[dict[str, Any]]]:
    """All there is, or just the serial ports that are named."""
    ports = [(path, "") for path in look.ports] or serial_ports()
    serial = await asyncio.gather(*(_serial(path, about, look) for path, about in ports))
    i2c = [] if look.ports else await asyncio.gather(*(on_i2c(bus, look.limit_s) for bus in buses()))
    onewire = [] if look.ports else thermometers(FOLDER)
    return {
        "serial": [asdict(each) for each in serial],
        "i2c": [asdict(each) for each in i2c],
        "onewire": [asdict(each) for each in onewire],
    }


def buses() -> list[Path]:
    """I2C buses."""
    return sorted(Path("/dev").glob("i2c-*"))


def serial_ports() -> list[tuple[Path, str]]:
    """Serial ports with hardware behind them, by the name that stays the same, and what they are."""
    from serial.tools.list_ports import comports

    lasting = {os.path.realpath(link): link for link in sorted(_BY_ID.glob("*"))} if _BY_ID.is_dir() else {}
    found = sorted(comports(), key=lambda port: str(port.device))
    return [(lasting.get(port.device, Path(port.device)), str(port.description)) for port in found]


async def _serial(path: Path, about: str, look: Look) -> Found:
    found = Found(str(path), about)
    try:
        found.answers += [f"{name} port={path}" for name in await _writing(path, look)]
        if look.modbus and not found.answers:
            found.answers += [f"modbus-rtu port={path} unit={unit}" for unit in await _units(path, look)]
    except SourceError as error:
        found.trouble = str(error)
    return found


class _Ears(asyncio.Protocol):
    """Hears with the ears of each sensor that writes by itself."""

    def __init__(self) -> None:
        self.listeners = {name: Listener(frames) for name, frames in _WRITERS.items()}

    def data_received(self, data: bytes) -> None:
        for listener in self.listeners.values():
            listener.data_received(data)


async def _writing(path: Path, look: Look) -> list[str]:
    """Which sensors write on a port by themselves. Raises SourceError."""
    lane = Lane.at(str(path))
    try:
        async with asyncio.timeout(look.limit_s):
            transport, ears = await open_port(lane, path, Manner(), _Ears)
    except TimeoutError:
        raise SourceError(f"did not open within {look.limit_s:g} s: unplug the adapter and plug it in again") from None
    try:
        waiting = [listener.found for listener in ears.listeners.values()]
        await asyncio.wait(waiting, timeout=look.listen_s, return_when=asyncio.FIRST_COMPLETED)
        return [name for name, listener in ears.listeners.items() if listener.found.done()]
    finally:
        transport.close()


async def _units(path: Path, look: Look) -> list[int]:
    """Which Modbus units answer, be it with a refusal. Raises SourceError."""
    line = ModbusLine(RtuWay(path, look.manner, _ANSWER_S, Lane.at(str(path))))
    answering, now_s = [], asyncio.get_running_loop().time
    for unit in look.modbus:
        try:
            await line.ask(unit, Span("holding", 0, 1), now_s() + _ANSWER_S)
        except Refused:
            answering.append(unit)
        except SourceError:
            continue
        else:
            answering.append(unit)
    line.drop()
    return answering


async def on_i2c(bus: Path, limit_s: float) -> Found:
    """What answers on an I2C bus. One that hangs is left after `limit_s`."""
    found, opened = Found(str(bus)), adapters.get()
    try:
        async with asyncio.timeout(limit_s):
            names = await Lane.at(str(bus)).run(lambda: on_bus(opened(bus)))
        found.answers = [f"{name} bus={bus}" for name in names]
    except OSError as error:
        found.trouble = bus_trouble(bus, error, limit_s)
    except SourceError as error:
        found.trouble = str(error)
    return found


def on_bus(adapter: Adapter) -> list[str]:
    """Which of our sensors answer, at addresses that only they use among what we know."""
    try:
        chips = {address: chip_of(adapter, address) for address in (0x76, 0x77)}
        bosch = [f"bme280 address=0x{address:02x}" for address, chip in chips.items() if chip]
        return bosch + [f"sht3x address=0x{address:02x}" for address in (0x44, 0x45) if is_sht3x(adapter, address)]
    finally:
        adapter.close()


def thermometers(folder: Path) -> list[Found]:
    """Thermometers on 1-Wire buses."""
    names = sorted(each.name for each in folder.glob("*-*")) if folder.is_dir() else []
    return [Found(name, answers=[f"ds18b20 device={name}"]) for name in names if is_thermometer(name)]
