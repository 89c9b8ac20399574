"""Layout of a simulated board: the same register map file that the edge reads, seen from the board's side.

Deliberately not the edge's code: what a board gives out and what the edge makes of it are compared, so they are
written twice.
"""

import math
import struct
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from kewang.runtime.settings import Settings, SettingsError, load
from kewang.wire.catalogue import metric

RUNNING_NUMBER: Final = "sim_n"
_FORMATS: Final = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q", "f64": "d"}
_SIGNALS: Final = {"4-20mA": (4.0, 20.0), "0-10V": (0.0, 10.0)}


class Cell(Settings):
    """One metric's registers on the board."""

    metric: str
    address: int = Field(ge=0, le=65535)
    kind: Literal["holding", "input", "discrete", "coil"] = "holding"
    type: Literal["u16", "s16", "u32", "s32", "f32", "u64", "s64", "f64"] = "u16"
    word_order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0
    no_value: tuple[int, ...] = ()
    signal: Literal["4-20mA", "0-10V"] | None = None
    span: tuple[float, float] = (0.0, 1.0)
    per_pulse: float | None = None

    @property
    def end(self) -> int:
        """The address after the last register."""
        return self.address + struct.calcsize(_FORMATS[self.type]) // 2

    @property
    def whole(self) -> bool:
        """Whether the registers hold a whole number."""
        return self.type not in ("f32", "f64")

    def registers(self, value: float | None, *, swapped: bool = False) -> list[int]:
        """The registers that say `value` (None = NaN, where the type has one, else 0); `swapped`: in wrong order."""
        packed = struct.pack(">" + _FORMATS[self.type], self._number(value))
        words = list(struct.unpack(f">{len(packed) // 2}H", packed))
        return words[::-1] if swapped != (self.word_order == "little") else words

    def given(self, registers: list[int]) -> float | None:
        """What `registers` say to whoever reads them by this layout, with the metric's decimals and two more."""
        words = registers[::-1] if self.word_order == "little" else registers
        (number,) = struct.unpack(">" + _FORMATS[self.type], struct.pack(f">{len(words)}H", *words))
        if not math.isfinite(number) or number in self.no_value:
            return None
        if self.scale != 1 or self.offset != 0:
            number = number * self.scale + self.offset
        if self.signal:
            bottom, top = _SIGNALS[self.signal]
            number = self.span[0] + (self.span[1] - self.span[0]) * (number - bottom) / (top - bottom)
        return float(round(number, metric(self.metric).decimals + 2))

    def _number(self, value: float | None) -> float:
        if value is None:
            return (self.no_value or (0,))[0] if self.whole else math.nan
        if self.signal:
            bottom, top = _SIGNALS[self.signal]
            value = bottom + (top - bottom) * (value - self.span[0]) / (self.span[1] - self.span[0])
        number = (value - self.offset) / self.scale
        if not self.whole:
            return number
        bits = 8 * struct.calcsize(_FORMATS[self.type])
        low, high = (0, 2**bits - 1) if self.type[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return int(min(high, max(low, round(number))))


class Layout(Settings):
    """All cells of a board."""

    about: str = ""
    registers: tuple[Cell, ...] = Field(min_length=1)

    @property
    def low(self) -> int:
        """The lowest address."""
        return min(cell.address for cell in self.registers)

    @property
    def high(self) -> int:
        """The address after the highest."""
        return max(cell.end for cell in self.registers)

    def counter(self) -> Cell:
        """The cell of the running number. Raises SettingsError if the board has none."""
        for cell in self.registers:
            if cell.metric == RUNNING_NUMBER:
                return cell
        raise SettingsError(f"a simulated board needs a register with metric {RUNNING_NUMBER!r}: add one to its map")


def map_file(name: str) -> Path:
    """The file of a map: a path, or the name of one that comes with the simulator (`bin`, `river`, ...)."""
    shipped = Path(str(files("firmware_sim"))) / "maps" / f"{name}.toml"
    return shipped if shipped.is_file() else Path(name)


def read_layout(file: Path) -> Layout:
    """The layout in a map file. Raises SettingsError."""
    layout = load(Layout, "sim_layout", file)
    layout.counter()
    return layout
