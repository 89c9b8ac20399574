"""A simulated board behind a real Modbus TCP server: the edge can't tell it from a sold one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware_sim.faults import SILENT, Fault, Faults
from firmware_sim.journal import Given, Journal
from firmware_sim.layout import RUNNING_NUMBER, Cell, Layout
from firmware_sim.signals import Signals
from kewang.wire.catalogue import metric

_KINDS: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_SHORT_BYTES: Final = 11


class Board:
    """One unit. Each read request that covers its running number is a new reading, journaled before it is answered.

    A read of other registers gets the values of the last reading.
    """

    def __init__(
        self,
        layout: Layout,
        signals: Signals,
        journal: Journal,
        *,
        unit: int = 1,
        faults: Faults | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.unit = unit
        self.number = journal.last_number
        self.fault = Fault.NONE
        """The fault at the last request."""
        self.counts: dict[int, int] = {}
        """What its pulse counters hold, by address."""
        self._layout = layout
        self._counter = layout.counter()
        self._signals = signals
        self._journal = journal
        self._faults = faults or Faults()
        self._now_s = now_s
        self._start_s = now_s()
        self.values: dict[str, float | None] = {}
        """What it measured last."""
        self._sample(self._start_s)

    def device(self) -> SimDevice:
        """This board for pymodbus' server."""
        count = self._layout.high - self._layout.low
        memory = SimData(self._layout.low, count=count, values=0, datatype=DataType.REGISTERS)
        return SimDevice(self.unit, simdata=memory, action=self._on_request)

    def answer(self, function: int, address: int, count: int) -> list[int] | ExcCodes:
        """The registers from `address` on as a board on a serial line gives them, or why not."""
        low, high = self._layout.low, self._layout.high
        memory = [0] * (high - low)
        if address < low or address + count > high:
            return ExcCodes.ILLEGAL_ADDRESS
        refused = self._give(function, low, address, count, memory, None)
        return memory[address - low : address - low + count] if refused is None else refused

    async def _on_request(
        self, function: int, start: int, address: int, count: int, registers: list[int], written: object
    ) -> ExcCodes | None:
        """pymodbus calls this before it answers from `registers`, whose first one has address `start`."""
        return self._give(function, start, address, count, registers, written)

    def _give(
        self, function: int, start: int, address: int, count: int, registers: list[int], written: object
    ) -> ExcCodes | None:
        cells = [cell for cell in self._layout.registers if cell.kind == _KINDS.get(function)]
        if written is not None or not cells:
            return ExcCodes.ILLEGAL_FUNCTION
        now_s = self._now_s()
        self.fault = self._faults.at(now_s - self._start_s)
        if self.fault is Fault.RESET:
            self.counts.clear()
        asked = [cell for cell in cells if address <= cell.address and cell.end <= address + count]
        fresh = self._counter in asked
        if fresh:
            self.number += 1
            self._sample(now_s)
        self._fill(registers, start, cells)
        if fresh and self.fault not in SILENT:
            told = [cell for cell in asked if cell.per_pulse is None]
            given = {cell.metric: cell.given(registers[cell.address - start : cell.end - start]) for cell in told}
            number = given.pop(RUNNING_NUMBER)
            self._journal.write(Given(int(number or 0), int(now_s * 1000), given))
        return ExcCodes.DEVICE_FAILURE if self.fault is Fault.EXCEPTION else None

    def _fill(self, registers: list[int], start: int, cells: list[Cell]) -> None:
        for cell in cells:
            mine = cell is self._counter
            value = self.number if mine else self.values[cell.metric]
            swapped = self.fault is Fault.WORD_ORDER and not mine
            registers[cell.address - start : cell.end - start] = cell.registers(value, swapped=swapped)

    def _sample(self, now_s: float) -> None:
        if self.fault is Fault.STUCK and self.values:
            return
        measured = [cell for cell in self._layout.registers if cell is not self._counter]
        self.values = {cell.metric: self._value(cell, now_s) for cell in measured}
        if self.fault is Fault.OUT_OF_RANGE:
            wrong = metric(measured[self.number % len(measured)].metric)
            self.values[wrong.name] = wrong.high * 1.5 + 1

    def _value(self, cell: Cell, now_s: float) -> float | None:
        if self.fault is Fault.NAN and (cell.no_value or not cell.whole):
            return None
        if cell.per_pulse is not None:
            return self._count(cell, self._signals.value(cell.metric, now_s) / cell.per_pulse)
        return round(self._signals.value(cell.metric, now_s), metric(cell.metric).decimals + 1)

    def _count(self, cell: Cell, more: float) -> float:
        """A counter's count: it goes on and wraps round."""
        bits = 16 * (cell.end - cell.address)
        self.counts[cell.address] = (self.counts.get(cell.address, 0) + round(more)) % 2**bits
        return self.counts[cell.address]


class Station:
    """Boards behind one TCP port, told apart by their unit numbers."""

    def __init__(self, boards: Sequence[Board]) -> None:
        self._boards = {board.unit: board for board in boards}
        self._server: ModbusTcpServer | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses if `port` is 0. Raises RuntimeError if it is taken."""
        devices = [board.device() for board in self._boards.values()]
        self._server = ModbusTcpServer(devices, address=(host, port), trace_packet=self._on_packet)
        await self._server.serve_forever(background=True)
        listening = cast(asyncio.Server, self._server.transport)
        return int(listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        """Every packet passes here. The answer follows its request at once, so the unit's fault is that of the
        request."""
        board = self._boards.get(data[6]) if sending and len(data) > 6 else None
        fault = board.fault if board else Fault.NONE
        if fault is Fault.SHORT:
            return data[:_SHORT_BYTES]
        if fault is Fault.GARBLED:
            return data[:8] + bytes([data[8] ^ 0x55]) + data[9:]
        if fault is Fault.RESET:
            asyncio.get_running_loop().call_soon(self._close_connections)
        return b"" if fault in (Fault.NO_ANSWER, Fault.RESET) else data

    def _close_connections(self) -> None:
        for connection in list(self._server.active_connections.values()) if self._server else []:
            connection.close()


@asynccontextmanager
async def serving(boards: Sequence[Board], host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve `boards` behind one port, which is given; stops at the end."""
    station = Station(boards)
    listening = await station.start(host, port)
    try:
        yield listening
    finally:
        await station.stop()
