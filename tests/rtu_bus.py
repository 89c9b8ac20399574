"""A serial line with boards on it, for drivers of Modbus RTU."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from edge.sources.modbus_rtu import ModbusRtu, ModbusRtuSettings
from firmware_sim.board import Board
from firmware_sim.faults import Fault, Faults, switch
from firmware_sim.journal import Journal
from firmware_sim.layout import map_file, read_layout
from firmware_sim.rtu import RtuUnit
from firmware_sim.serial_line import SerialLine, plugged
from firmware_sim.signals import Signals

LIMIT_S = 1.0
"""For each answer: long for a busy machine; what never comes is waited for so long."""


class Bus:
    """A line at `port` with `boards` on it."""

    def __init__(self, folder: Path, line: SerialLine, boards: list[Board], file: Path) -> None:
        self.folder, self.line, self.port, self.boards = folder, line, line.path, boards
        self._file = file

    def switch(self, unit: int, fault: Fault | None) -> None:
        """Let unit `unit` show `fault` from now on."""
        switch(self.folder / f"control-{unit}.json", fault)

    def driver(self, unit: int = 1, **keys: Any) -> ModbusRtu:
        """The driver of unit `unit`."""
        base = {"driver": "modbus-rtu", "name": f"env-{unit}", "port": self.port, "unit": unit, "timeout_s": 5.0}
        return ModbusRtu(ModbusRtuSettings.model_validate(base | {"map": self._file, "answer_s": LIMIT_S} | keys))


@asynccontextmanager
async def bus(folder: Path, *numbers: int, layout: str = "market-env") -> AsyncIterator[Bus]:
    """Boards with unit `numbers` on a line, each with its journal (`journal-0.jsonl`, ...) in `folder`."""
    file = map_file(layout)
    with ExitStack() as journals:
        boards = []
        for place, unit in enumerate(numbers):
            journal = journals.enter_context(Journal(folder / f"journal-{place}.jsonl"))
            faults = Faults(control=folder / f"control-{unit}.json")
            boards.append(Board(read_layout(file), Signals(place), journal, unit=unit, faults=faults))
        async with plugged(folder / "line", *map(RtuUnit, boards)) as line:
            yield Bus(folder, line, boards, file)
