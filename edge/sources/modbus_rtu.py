"""Modbus RTU: devices on a serial line, most often two wires of RS-485 behind a USB adapter.

Frames and checksum: Modbus over serial line 1.02, chapter 2.5 and 6.2.2.
"""

import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from edge.sources.lane import Lane
from edge.sources.modbus import Modbus, ModbusSettings
from edge.sources.modbus_line import ModbusLine
from edge.sources.serial_port import Manner, Parity, SerialSettings, open_port

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusSerialClient

_SILENT_CHARACTERS: Final = 3.5
_SHORTEST_PAUSE_S: Final = 0.00175
"""Between two frames: 3.5 characters, above 19,200 baud 1.75 ms (Modbus over serial line 1.02, 2.5.1.1)."""
_BITS: Final = 11
_SHORTEST_BYTES: Final = 5
"""An answer without registers: unit, function, exception code (or 0 bytes), checksum."""
_lines: weakref.WeakValueDictionary[Path, ModbusLine] = weakref.WeakValueDictionary()
"""Sources on one port share its line."""


class ModbusRtuSettings(ModbusSettings, SerialSettings):
    """A Modbus device on a serial line. Several may share a port; they are read one after the other."""

    unit: int = Field(default=1, ge=1, le=247, description="Unit number of the device: each on the line has its own.")
    baud: int = Field(default=9600, ge=300, le=921_600, description="Bits per second, as the device is set.")
    parity: Parity = Field(default="none", description="As the device is set.")
    stop_bits: Literal[1, 2] = Field(default=1, description="As the device is set.")
    answer_s: float = Field(
        default=0.5,
        gt=0,
        le=60,
        description="A device that has not answered in so many seconds makes way for the next.",
    )

    def manner(self) -> Manner:
        """How the port is to talk."""
        return Manner(self.baud, self.parity, self.stop_bits)

    def claims(self) -> dict[str, str]:
        """See SourceSettings."""
        return {str(self.port): f"Modbus with {self.manner()}"}


class ModbusRtu(Modbus):
    """One unit on a serial line."""

    Settings = ModbusRtuSettings

    def __init__(self, settings: ModbusRtuSettings) -> None:
        line = _lines.get(settings.port)
        if line is None:
            lane = Lane.at(str(settings.port))
            line = ModbusLine(RtuWay(settings.port, settings.manner(), settings.timeout_s, lane))
            _lines[settings.port] = line
        pause_s = max(_SHORTEST_PAUSE_S, _SILENT_CHARACTERS * _BITS / settings.baud)
        super().__init__(settings, line, str(settings.port), settings.answer_s, pause_s)


@dataclass(frozen=True, slots=True)
class RtuWay:
    """On a serial line."""

    port: Path
    manner: Manner
    timeout_s: float
    lane: Lane
    no_connection = "no connection: unplug the adapter and plug it in again"
    closed = "the adapter was unplugged: plug it in again"
    garbled = "check cable, shield and end resistor, or whether two devices have this unit number"
    silent = "check power, the wires A and B, unit number, baud and parity"
    short = (
        "{} bytes came that are no whole answer: check cable, baud and parity, or whether two devices have this unit"
    )

    def client(self, **tracing: Any) -> "AsyncModbusSerialClient":
        """See `Way`. The port is opened our way: the library's own would hold up the loop if the adapter hangs."""
        import serial  # noqa: F401 (pymodbus asks whether it was imported)
        from pymodbus.client import AsyncModbusSerialClient

        client = AsyncModbusSerialClient(str(self.port), baudrate=self.manner.baud, timeout=self.timeout_s, **tracing)
        client.ctx.call_create = partial(open_port, self.lane, self.port, self.manner, client.ctx.handle_new_connection)
        return client

    def answer_in(self, heard: bytes, unit: int) -> bytes:
        """The first whole answer of `unit`: noise may stand before it, which the library would take for a head."""
        found = (_answer_at(heard[start:], unit) for start in range(len(heard) - _SHORTEST_BYTES + 1))
        return next(filter(None, found), b"")

    def contradicts_itself(self, heard: bytes, unit: int) -> bool:
        """Whether `heard` is of the length it says itself and its checksum is wrong."""
        return len(heard) == _length(heard, unit) and not _answer_at(heard, unit)


def _length(heard: bytes, unit: int) -> int:
    """How long an answer of `unit` that begins like this is, with its checksum; 0 = it is no answer of `unit`."""
    if len(heard) < _SHORTEST_BYTES or heard[0] != unit:
        return 0
    if heard[1] & 0x80:
        return _SHORTEST_BYTES
    return _SHORTEST_BYTES + heard[2] if heard[1] in (1, 2, 3, 4) else 0


def _answer_at(heard: bytes, unit: int) -> bytes:
    """The answer of `unit` that `heard` begins with; empty if it does not, or if the checksum is wrong."""
    from pymodbus.framer.rtu import FramerRTU

    length = _length(heard, unit)
    frame = heard[:length]
    well = length and len(frame) == length and FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))
    return frame if well else b""
