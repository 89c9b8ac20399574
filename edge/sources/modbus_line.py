"""A connection on which Modbus devices answer, through pymodbus' asyncio client, and why one does not."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.ports import SourceError
from edge.sources.registers import Kind, Span

if TYPE_CHECKING:
    from pymodbus.client.base import ModbusBaseClient
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

NAMES: Final[dict[Kind, str]] = {
    "holding": "holding registers",
    "input": "input registers",
    "discrete": "discrete inputs",
    "coil": "coils",
}


class Refused(SourceError):
    """The device answered that it will not say this."""


class Way(Protocol):
    """How to reach the devices of a line, and what its troubles are called."""

    no_connection: str
    closed: str
    garbled: str
    silent: str
    short: str
    """Of an answer that is not whole; `{}` stands for its number of bytes."""

    def client(self, **tracing: Any) -> "ModbusBaseClient":
        """A new client, not yet connected, built with the keywords of `tracing` as well."""

    def answer_in(self, heard: bytes, unit: int) -> bytes:
        """What of `heard` the library shall see."""

    def contradicts_itself(self, heard: bytes, unit: int) -> bool:
        """Whether `heard` can't become `unit`'s answer to a read any more, whatever still comes."""


class ModbusLine:
    """One request at a time. Every failure but a refusal closes the connection; the next request opens a new one."""

    def __init__(self, way: Way) -> None:
        self.turn = asyncio.Lock()
        """Held over a whole reading, so that its registers belong together."""
        self._way = way
        self._client: ModbusBaseClient | None = None
        self._limit: asyncio.Timeout | None = None
        self._unit = 0
        self._heard = b""
        """What came of the answer to the request that waits now."""
        self._fault = ""
        """Why there will be no answer, once that is known."""

    async def ask(self, unit: int, span: Span, deadline_s: float) -> list[int]:
        """The registers of `span`. Raises SourceError, at the latest at `deadline_s` of the loop's clock."""
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(deadline_s) as self._limit:
                return await self._ask(await self._connected(), unit, span)
        except Refused:
            raise
        except TimeoutError:
            self.drop()
            raise SourceError(self._fault or self._silence(deadline_s - began_s)) from None
        except BaseException:
            self.drop()
            raise
        finally:
            self._limit = None

    def drop(self) -> None:
        """Close the connection."""
        if self._client is not None:
            client, self._client = self._client, None
            client.close()

    async def _connected(self) -> "ModbusBaseClient":
        if self._client is None or not self._client.connected:
            self.drop()
            self._fault, self._heard = "", b""
            # What the library logs is said once, with the next step, by the SourceError.
            logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
            self._client = self._way.client(
                retries=0, reconnect_delay=0, trace_packet=self._on_packet, trace_connect=self._on_connection
            )
            if not await self._client.connect():
                raise SourceError(self._way.no_connection)
        return self._client

    async def _ask(self, client: "ModbusBaseClient", unit: int, span: Span) -> list[int]:
        from pymodbus.exceptions import ModbusException

        read = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "discrete": client.read_discrete_inputs,
            "coil": client.read_coils,
        }[span.kind]
        self._unit, self._heard = unit, b""
        try:
            answer = await read(span.address, count=span.count, device_id=unit)
        except ModbusException as error:
            raise SourceError(f"{error}: check the cable and the network between") from None
        return _registers(answer, span)

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        """pymodbus passes every packet through here. An answer that contradicts itself ends the wait at once: the
        library would raise inside its own callback, or wait for ever."""
        if sending:
            return data
        self._heard = data
        if self._way.contradicts_itself(data, self._unit):
            self._give_up(f"garbled answer ({data[:16].hex()}): {self._way.garbled}")
            return b""
        return self._way.answer_in(data, self._unit)

    def _on_connection(self, connected: bool) -> None:
        """The connection is there or gone. When it is gone no answer will come, which the library waits for all the
        same."""
        if not connected:
            self._give_up(self._way.closed)

    def _give_up(self, fault: str) -> None:
        if self._limit is not None and not self._limit.expired():
            self._fault = fault
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _silence(self, waited_s: float) -> str:
        if self._heard:
            return self._way.short.format(len(self._heard))
        return f"no answer within {waited_s:.2g} s: {self._way.silent}"


def _registers(answer: "ModbusPDU", span: Span) -> list[int]:
    where = f"{span.count} {NAMES[span.kind]} from {span.address}"
    if answer.isError():
        code = answer.exception_code
        raise Refused(f"{where}: exception code {code}, {_EXCEPTIONS.get(code, 'see the device manual')}")
    if span.kind in ("discrete", "coil"):
        # Bits come in whole bytes; what is beyond was not asked for.
        held = [int(bit) for bit in answer.bits[: span.count]]
    else:
        held = list(answer.registers)
    if len(held) != span.count:
        raise SourceError(f"{where}: short answer with {len(held)}: compare the map with the manual")
    return held
