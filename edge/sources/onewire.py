"""Thermometers DS18B20 on a 1-Wire bus, as Linux shows them in sysfs (drivers w1-gpio and w1_therm)."""

import asyncio
import errno
import re
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from edge.ports import SourceError, Values
from edge.sources.lane import Lane
from edge.sources.serial_port import trouble
from edge.sources.settings import GRACE_S, SettingsPath, SourceSettings, problem

_DEVICE: Final = re.compile(r"(10|22|28|3b|42)-[0-9a-f]{12}")
FOLDER: Final = Path("/sys/bus/w1/devices")
_LINES: Final = re.compile(r"((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (YES|NO)\s+(?:[0-9a-f]{2} ){9}t=(-?\d+)\n")
_POWER_ON_MILLI_C: Final = 85_000
"""What stands in a DS18B20 that has not measured since it got power (datasheet 19-7487 rev. 6, page 6)."""


class ThermometerSettings(SourceSettings):
    """A DS18B20."""

    device: str = Field(description="Its number on the bus, 28-0316a2795cff: `kewang edge discover` lists them.")
    folder: SettingsPath = Field(default=FOLDER, description="Where Linux shows 1-Wire devices.")

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        if not is_thermometer(device):
            raise problem(f"{device!r} is not like 28-0316a2795cff: `kewang edge discover` lists the thermometers")
        return device


def is_thermometer(device: str) -> bool:
    """Whether a 1-Wire number is a thermometer's."""
    return _DEVICE.fullmatch(device) is not None


class Thermometer:
    """One thermometer. Reading its file makes it measure, which takes 0.75 s; all on a bus take turns."""

    Settings = ThermometerSettings
    stream = "env"
    metrics = ("temp_c",)

    def __init__(self, settings: ThermometerSettings) -> None:
        self.name, self.interval_s = settings.name, settings.interval_s
        self.timeout_s = settings.timeout_s + GRACE_S
        self._limit_s = settings.timeout_s
        self._folder, self._device = settings.folder, settings.device
        self._lane = Lane.at(str(settings.folder))

    async def read(self) -> Values:
        """The temperature. Raises SourceError."""
        file = self._folder / self._device / "w1_slave"
        try:
            async with self._lane.turn, asyncio.timeout(self._limit_s):
                text = await self._lane.run(file.read_text, "ascii", "replace")
            return (celsius(text),)
        except OSError as error:
            raise SourceError(f"{self._device}: {self._trouble(file, error)}") from None
        except SourceError as error:
            raise SourceError(f"{self._device}: {error}") from None

    async def close(self) -> None:
        """Nothing is held open."""

    def _trouble(self, file: Path, error: OSError) -> str:
        if isinstance(error, TimeoutError) and error.errno is None:
            return f"no answer within {self._limit_s:g} s: check the bus for a short, switch the box off and on"
        if error.errno != errno.ENOENT:
            return trouble(file, error, "root")
        if self._folder.is_dir():
            return "is not on the bus: check its wires and the 4.7 kOhm resistor; `kewang edge discover` lists all"
        return f"there is no {self._folder}: switch 1-Wire on (raspi-config), then start the box again"


def celsius(text: str) -> float:
    """The temperature in a `w1_slave` file: nine bytes with the checksum's verdict, and thousandths of a degree.

    Raises SourceError.
    """
    found = _LINES.fullmatch(text)
    if not found:
        raise SourceError("it went away while it was read: check its three wires")
    if found[2] == "NO":
        raise SourceError("wrong checksum: shorten the wires, check the 4.7 kOhm resistor")
    if not any(bytes.fromhex(found[1])):
        # Nine zeros have a right checksum: nobody pulls the wire up.
        raise SourceError("only zeros came: the data wire is shorted to ground")
    milli_c = int(found[3])
    if milli_c == _POWER_ON_MILLI_C:
        raise SourceError("85 °C, its value at power-on: its supply breaks down while it measures, give it 3.3 V")
    return milli_c / 1000
