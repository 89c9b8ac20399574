"""Sensors on an I2C bus: one thread for each bus, so that a bus that is held down holds up nothing else."""

import asyncio
import errno
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Final, Protocol

from pydantic import Field

from edge.ports import SourceError, Values
from edge.sources.lane import Lane
from edge.sources.serial_port import trouble
from edge.sources.settings import GRACE_S, SettingsPath, SourceSettings

_HELD: Final = "the bus is held down: look for a short between SDA, SCL and ground, switch the sensors off and on"
_TROUBLES: Final = {
    errno.EREMOTEIO: "no sensor answers: check its 3.3 V, SDA and SCL, and its address: `kewang edge discover`",
    errno.ENXIO: "no sensor answers: check its 3.3 V, SDA and SCL, and its address: `kewang edge discover`",
    errno.ETIMEDOUT: f"timeout: {_HELD}",
    errno.EAGAIN: f"lost arbitration: {_HELD}",
    errno.EBUSY: f"busy: {_HELD}",
}
"""What the kernel's numbers mean on an I2C bus (Linux: Documentation/i2c/fault-codes)."""


class Adapter(Protocol):
    """A bus. Blocking; called by one thread. Everything raises OSError with the kernel's number."""

    def transfer(self, address: int, write: bytes, read: int = 0) -> bytes:
        """Write `write` to the device at `address`, then, after a repeated start, read `read` bytes; either may be
        nothing."""

    def close(self) -> None: ...


class SmbusAdapter:
    """A bus of this machine, `/dev/i2c-1`, by smbus2."""

    def __init__(self, bus: Path) -> None:
        from smbus2 import SMBus

        self._bus = SMBus(str(bus))

    def transfer(self, address: int, write: bytes, read: int = 0) -> bytes:
        """See Adapter."""
        from smbus2 import i2c_msg

        messages = [i2c_msg.write(address, write)] if write else []
        answer = i2c_msg.read(address, read) if read else None
        self._bus.i2c_rdwr(*messages, *([answer] if answer else []))
        return bytes(answer) if answer else b""

    def close(self) -> None:
        """See Adapter."""
        self._bus.close()


adapters: ContextVar[Callable[[Path], Adapter]] = ContextVar("adapters", default=SmbusAdapter)
"""Opens a bus; a simulator puts its own here while sources are built."""


class I2cSettings(SourceSettings):
    """A sensor on an I2C bus."""

    bus: SettingsPath = Field(
        default=Path("/dev/i2c-1"), description="The bus; on a Raspberry Pi the pins 3 and 5 are /dev/i2c-1."
    )
    address: int = Field(ge=0x08, le=0x77, description="Address of the sensor on the bus.")

    def claims(self) -> dict[str, str]:
        """See SourceSettings."""
        return {f"address 0x{self.address:02x} on {self.bus}": f"{self.driver} {self.name}"}


class I2cSensor(ABC):
    """One sensor. `measure` is called in the bus' thread, which opens the bus for each reading.

    A bus is cheap to open (no transfer is made), and one that is opened anew needs no rules for what is left open
    after a fault.
    """

    stream = "env"
    metrics: tuple[str, ...]

    def __init__(self, settings: I2cSettings) -> None:
        self.name, self.interval_s = settings.name, settings.interval_s
        self.timeout_s = settings.timeout_s + GRACE_S
        self._limit_s = settings.timeout_s
        self._bus, self._address = settings.bus, settings.address
        self._lane, self._adapter = Lane.at(str(settings.bus)), adapters.get()
        self._where = f"0x{settings.address:02x} on {settings.bus}"

    async def read(self) -> Values:
        """One value per metric. Raises SourceError."""
        try:
            async with self._lane.turn, asyncio.timeout(self._limit_s):
                return await self._lane.run(self._measure)
        except OSError as error:
            raise SourceError(f"{self._where}: {bus_trouble(self._bus, error, self._limit_s)}") from None
        except SourceError as error:
            raise SourceError(f"{self._where}: {error}") from None

    async def close(self) -> None:  # noqa: B027 (a bus is held open only while it is read)
        """Nothing is held open."""

    @abstractmethod
    def measure(self, bus: Adapter, address: int) -> Values:
        """One value per metric. Raises SourceError, OSError."""

    def _measure(self) -> Values:
        bus = self._adapter(self._bus)
        try:
            return self.measure(bus, self._address)
        finally:
            bus.close()


def bus_trouble(bus: Path, error: OSError, limit_s: float) -> str:
    """What is wrong with `bus`, and the next step. `limit_s`: our own time limit."""
    # A TimeoutError is an OSError too: with a number it is the kernel's, without one our own limit.
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"no answer within {limit_s:g} s: {_HELD}"
    if error.errno == errno.ENOENT:
        return "there is no such bus: switch I2C on (raspi-config), then start the box again"
    if error.errno == errno.EIO:
        return "the transfer broke off: shorten the wires, check ground and pull-up resistors"
    return _TROUBLES.get(error.errno or 0) or trouble(bus, error, "i2c")
