"""Modbus TCP: reads the registers of one unit, through pymodbus' asyncio client."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, model_validator

from edge.ports import SourceError, Values
from edge.sources.registers import Kind, Register, RegisterMap, Span, read_map
from edge.sources.settings import File, SourceSettings, problem
from kewang.wire.catalogue import BY_NAME

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusTcpClient
    from pymodbus.pdu import ModbusPDU

_EXCEPTIONS: Final = {
    1: "illegal function: the device has no such registers, try the other kind (holding or input)",
    2: "illegal address: compare the register map with the device's manual, and set bridge = 0",
    3: "illegal value: compare the register map with the device's manual",
    4: "device failure: the device reports a fault of its own, look at it",
    5: "acknowledge: the device needs longer, raise interval_s",
    6: "device busy: raise interval_s, or look who else polls it",
    8: "memory parity error: the device's memory is damaged, replace it",
    10: "gateway path unavailable: look at the settings of the Modbus gateway",
    11: "gateway got no answer: look at unit number, power and cable behind the Modbus gateway",
}
"""Exception codes (Modbus application protocol 1.1b3, section 7) and what to do about them."""


_HEADER_BYTES: Final = 9
"""MBAP header (7), function code, byte count: what stands before the registers in an answer."""


class ModbusSettings(SourceSettings):
    """A Modbus TCP device."""

    host: str = Field(min_length=1, description="Address or host name of the device or of the Modbus gateway.")
    port: int = Field(default=502, ge=1, le=65535, description="TCP port.")
    unit: int = Field(default=1, ge=0, le=255, description="Unit number: tells apart several devices behind one port.")
    stream: Literal["env", "cam", "sys"] = Field(default="env", description="Stream that the map's metrics belong to.")
    bridge: int = Field(
        default=4, ge=0, le=100, description="Gaps of up to so many registers are read along; 0 if the device refuses."
    )
    map: File | None = Field(default=None, description="TOML file with the register map.")
    registers: tuple[Register, ...] = Field(default=(), description="The register map itself, instead of a file.")

    @model_validator(mode="after")
    def _mapped(self) -> Self:
        if (self.map is None) == (not self.registers):
            raise problem('give the register map either as map = "file.toml" or as [[sources.registers]], one of them')
        for name in self.register_map().metrics:
            stream = BY_NAME[name].stream
            if stream != self.stream:
                raise problem(
                    f"metric {name!r} is of stream {stream!r}, this source of {self.stream!r}: use two sources"
                )
        return self

    def register_map(self) -> RegisterMap:
        """The register map, read from its file if it has one. Raises SettingsError naming file and register."""
        return read_map(self.map) if self.map else RegisterMap(registers=self.registers)


class ModbusTcp:
    """One unit behind a TCP port. Every failure closes the connection; the next reading opens a new one.

    A register without a number (NaN) is no value, its row is kept. Values are not judged here.
    """

    Settings = ModbusSettings

    def __init__(self, settings: ModbusSettings) -> None:
        self.name = settings.name
        self.stream: str = settings.stream
        self.interval_s = settings.interval_s
        self.timeout_s = settings.timeout_s
        self._map = settings.register_map()
        self.metrics = self._map.metrics
        self._spans = self._map.spans(settings.bridge)
        self._unit = settings.unit
        self._host, self._port = settings.host, settings.port
        self._client: AsyncModbusTcpClient | None = None
        self._limit: asyncio.Timeout | None = None
        self._heard = b""
        """What came of the answer to the request that waits now."""
        self._fault = ""
        """Why there will be no answer, once that is known."""

    async def read(self) -> Values:
        """One value per metric. Raises SourceError after at most `timeout_s`."""
        try:
            async with asyncio.timeout(self.timeout_s) as self._limit:
                words: dict[tuple[Kind, int], int] = {}
                for span in self._spans:
                    registers = await self._ask(await self._connected(), span)
                    words.update(((span.kind, span.address + i), word) for i, word in enumerate(registers))
            return tuple(register.value(words) for register in self._map.registers)
        except TimeoutError:
            self._drop()
            raise self._error(self._fault or self._silence()) from None
        except BaseException:
            self._drop()
            raise
        finally:
            self._limit = None

    async def close(self) -> None:
        """Close the connection; it is gone when this returns."""
        self._drop()
        await asyncio.sleep(0)

    async def _connected(self) -> "AsyncModbusTcpClient":
        if self._client is None or not self._client.connected:
            self._drop()
            self._fault, self._heard = "", b""
            self._client = self._new_client()
            if not await self._client.connect():
                raise self._error("no connection: check that it has power, its network cable, and host and port")
        return self._client

    def _new_client(self) -> "AsyncModbusTcpClient":
        from pymodbus.client import AsyncModbusTcpClient

        # What the library logs is said once, with the next step, by the SourceError.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        return AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self.timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._on_packet,
            trace_connect=self._on_connection,
        )

    async def _ask(self, client: "AsyncModbusTcpClient", span: Span) -> list[int]:
        from pymodbus.exceptions import ModbusException

        read = client.read_holding_registers if span.kind == "holding" else client.read_input_registers
        self._heard = b""
        try:
            answer = await read(span.address, count=span.count, device_id=self._unit)
        except ModbusException as error:
            raise self._error(f"{error}: check the cable and the network between") from None
        return self._registers(answer, span)

    def _registers(self, answer: "ModbusPDU", span: Span) -> list[int]:
        where = f"{span.count} {span.kind} registers from {span.address}"
        if answer.isError():
            code = answer.exception_code
            raise self._error(f"{where}: exception code {code}, {_EXCEPTIONS.get(code, 'see the device manual')}")
        if len(answer.registers) != span.count:
            raise self._error(f"{where}: short answer with {len(answer.registers)}: compare the map with the manual")
        return list(answer.registers)

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        """pymodbus passes every packet through here. An answer that contradicts itself ends the wait at once: the
        library would raise inside its own callback."""
        if sending:
            return data
        self._heard = data
        if _contradicts_itself(data):
            self._give_up(f"garbled answer ({data[:16].hex()}): check the cable, or what else answers at this address")
            return b""
        return data

    def _on_connection(self, connected: bool) -> None:
        """The connection is there or gone. When it is gone no answer will come, which the library waits for all the
        same."""
        if not connected:
            self._give_up("connection closed by the device: it restarted, or serves only one client at a time")

    def _give_up(self, fault: str) -> None:
        if self._limit is not None and not self._limit.expired():
            self._fault = fault
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _silence(self) -> str:
        if self._heard:
            return f"short frame of {len(self._heard)} bytes, the rest never came: check cable and network between"
        return f"no answer within {self.timeout_s:g} s: check power, cable and unit number"

    def _error(self, text: str) -> SourceError:
        return SourceError(f"unit {self._unit} at {self._host}:{self._port}: {text}")

    def _drop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            client.close()


def _contradicts_itself(data: bytes) -> bool:
    """Whether a whole frame that answers a read of registers says another length inside than outside."""
    if len(data) < _HEADER_BYTES or data[7] not in (3, 4):
        return False
    return len(data) >= int.from_bytes(data[4:6], "big") + 6 and data[8] != int.from_bytes(data[4:6], "big") - 3
