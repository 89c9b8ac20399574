"""Modbus devices, over TCP or on a serial line (RTU): reads the registers of one unit."""

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from edge.ports import SourceError, Values
from edge.sources.derived import Counter, Level
from edge.sources.modbus_line import ModbusLine
from edge.sources.registers import Kind, Register, RegisterMap, Words, read_map, tidy
from edge.sources.settings import GRACE_S, File, SourceSettings, problem
from kewang.wire.catalogue import BY_NAME

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusTcpClient

_HEADER_BYTES: Final = 9
"""MBAP header (7), function code, byte count: what stands before the registers in an answer."""


class ModbusSettings(SourceSettings):
    """A Modbus device, however it is reached."""

    unit: int = Field(default=1, ge=0, le=255, description="Unit number: tells apart several devices behind one port.")
    stream: Literal["env", "cam", "sys"] = Field(default="env", description="Stream that the map's metrics belong to.")
    bridge: int = Field(
        default=4, ge=0, le=100, description="Gaps of up to so many registers are read along; 0 if the device refuses."
    )
    map: File | None = Field(default=None, description="TOML file with the register map.")
    registers: tuple[Register, ...] = Field(default=(), description="The register map itself, instead of a file.")
    level: Level | None = Field(default=None, description="Makes a level of the map's `distance_cm`.")

    @model_validator(mode="after")
    def _mapped(self) -> Self:
        if (self.map is None) == (not self.registers):
            raise problem('give the register map either as map = "file.toml" or as [[sources.registers]], one of them')
        metrics = self.register_map().metrics
        streams = {name: BY_NAME[name].stream for name in metrics}
        for name, stream in streams.items():
            if stream != self.stream:
                step = "use two sources" if len(set(streams.values())) > 1 else f'add stream = "{stream}"'
                raise problem(f"metric {name!r} is of stream {stream!r}, this source of {self.stream!r}: {step}")
        if self.level and ("distance_cm" not in metrics or self.level.metric in metrics):
            raise problem(f"level makes {self.level.metric} of distance_cm: the map needs the one and not the other")
        return self

    def register_map(self) -> RegisterMap:
        """The register map, read from its file if it has one. Raises SettingsError naming file and register."""
        return read_map(self.map) if self.map else RegisterMap(registers=self.registers)


class ModbusTcpSettings(ModbusSettings):
    """A Modbus TCP device."""

    host: str = Field(min_length=1, description="Address or host name of the device or of the Modbus gateway.")
    port: int = Field(default=502, ge=1, le=65535, description="TCP port.")


class Modbus:
    """One unit on a line. Every failure closes the connection; the next reading opens a new one.

    A register without a number (NaN) is no value, its row is kept. Values are not judged here.
    `answer_s`: for each answer; `pause_s`: the line is left in peace so long after a reading.
    """

    def __init__(
        self, settings: ModbusSettings, line: ModbusLine, where: str, answer_s: float, pause_s: float = 0.0
    ) -> None:
        self.name = settings.name
        self.stream: str = settings.stream
        self.interval_s = settings.interval_s
        self.timeout_s = settings.timeout_s + GRACE_S
        self._map = settings.register_map()
        self._level = settings.level
        self.metrics = self._map.metrics + ((self._level.metric,) if self._level else ())
        self._counters = {each.metric: Counter(each.bits) for each in self._map.registers if each.per_pulse}
        self._spans = self._map.spans(settings.bridge)
        self._unit = settings.unit
        self._line, self._answer_s, self._pause_s = line, answer_s, pause_s
        self._limit_s = settings.timeout_s
        self._where = f"unit {settings.unit} at {where}"

    async def read(self) -> Values:
        """One value per metric. Raises SourceError."""
        async with self._line.turn:
            try:
                words = await self._words()
            except SourceError as error:
                raise SourceError(f"{self._where}: {error}") from None
            finally:
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
        return self._values(words)

    def _values(self, words: Words) -> Values:
        now_s = time.monotonic()
        values = {register.metric: self._value(register, words, now_s) for register in self._map.registers}
        if self._level:
            made = self._level.value(values["distance_cm"])
            values[self._level.metric] = None if made is None else tidy(made, BY_NAME[self._level.metric].decimals + 2)
        return tuple(values[name] for name in self.metrics)

    def _value(self, register: Register, words: Words, now_s: float) -> float | None:
        value = register.value(words)
        if register.per_pulse is None:
            return value
        counted = self._counters[register.metric].since(value, now_s)
        return None if counted is None else tidy(counted * register.per_pulse, BY_NAME[register.metric].decimals + 2)

    async def close(self) -> None:
        """Close the connection; it is gone when this returns. Another source on this line opens its own."""
        self._line.drop()
        await asyncio.sleep(0)

    async def _words(self) -> dict[tuple[Kind, int], int]:
        words: dict[tuple[Kind, int], int] = {}
        now_s = asyncio.get_running_loop().time
        end_s = now_s() + self._limit_s
        for span in self._spans:
            registers = await self._line.ask(self._unit, span, min(end_s, now_s() + self._answer_s))
            words.update(((span.kind, span.address + i), word) for i, word in enumerate(registers))
        return words


class ModbusTcp(Modbus):
    """One unit behind a TCP port."""

    Settings = ModbusTcpSettings

    def __init__(self, settings: ModbusTcpSettings) -> None:
        way = TcpWay(settings.host, settings.port, settings.timeout_s)
        super().__init__(settings, ModbusLine(way), f"{settings.host}:{settings.port}", settings.timeout_s)


@dataclass(frozen=True, slots=True)
class TcpWay:
    """Over a network."""

    host: str
    port: int
    timeout_s: float
    no_connection = "no connection: check that it has power, its network cable, and host and port"
    closed = "connection closed by the device: it restarted, or serves only one client at a time"
    garbled = "check the cable, or what else answers at this address"
    silent = "check power, cable and unit number"
    short = "short frame of {} bytes, the rest never came: check cable and network between"

    def client(self, **tracing: Any) -> "AsyncModbusTcpClient":
        """See `Way`."""
        from pymodbus.client import AsyncModbusTcpClient

        return AsyncModbusTcpClient(self.host, port=self.port, timeout=self.timeout_s, **tracing)

    def answer_in(self, heard: bytes, unit: int) -> bytes:
        """All of it: TCP brings no noise."""
        return heard

    def contradicts_itself(self, heard: bytes, unit: int) -> bool:
        """Whether a whole frame that answers a read of registers says another length inside than outside."""
        if len(heard) < _HEADER_BYTES or heard[7] not in (1, 2, 3, 4):
            return False
        return len(heard) >= int.from_bytes(heard[4:6], "big") + 6 and heard[8] != int.from_bytes(heard[4:6], "big") - 3
