"""Register map of a Modbus device: which registers hold which metric, and how to read numbers out of them."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.sources.derived import Signal, of_signal
from edge.sources.settings import NamedKeys, nearest, problem
from kewang.runtime.settings import load
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME

Kind = Literal["holding", "input", "discrete", "coil"]
Words = Mapping[tuple[Kind, int], int]
"""Contents of registers by (kind, address), each 0 to 65535; of inputs and coils 0 or 1."""

MAX_SPAN: Final = 125
"""Most registers one request may ask for (Modbus application protocol 1.1b3, section 6.3)."""
_LAST_ADDRESS: Final = 65535
_FORMATS: Final = {
    "u16": ">H",
    "s16": ">h",
    "u32": ">I",
    "s32": ">i",
    "f32": ">f",
    "u64": ">Q",
    "s64": ">q",
    "f64": ">d",
}


def known_metric(name: str) -> str:
    """`name`, if the catalogue has it; else a validation error that names the nearest one, or where all are."""
    if name not in BY_NAME:
        raise problem(f"unknown metric {name!r}{nearest(name, BY_NAME) or '; names: docs/en/metrics.md'}")
    return name


class Register(NamedKeys):
    """One metric in one or more registers that follow each other."""

    metric: str = Field(description="Metric of the catalogue that this register holds.")
    address: int = Field(ge=0, le=_LAST_ADDRESS, description="First register, counted from 0 as on the wire.")
    kind: Kind = Field(
        default="holding",
        description="`holding` (function 3) or `input` registers (4), `discrete` inputs (2), `coil` (1).",
    )
    type: Literal["u16", "s16", "u32", "s32", "f32", "u64", "s64", "f64"] = Field(
        default="u16", description="How the number is written: unsigned, signed or floating point, and its bits."
    )
    word_order: Literal["big", "little"] = Field(
        default="big", description="Order of the registers of a number: `big` = the most significant one first."
    )
    scale: float = Field(default=1.0, allow_inf_nan=False, description="The value is number × scale + offset.")
    offset: float = Field(default=0.0, allow_inf_nan=False, description="Added after scaling, in the metric's unit.")
    no_value: tuple[int, ...] = Field(
        default=(), max_length=8, description="Numbers that mean `no value`, as the manual says: [65535]."
    )
    signal: Signal | None = Field(
        default=None,
        description="Analogue input: number × scale + offset is mA or V; `span` says what that means.",
    )
    span: tuple[float, float] | None = Field(default=None, description="Values at the signal's ends: [0, 500].")
    per_pulse: float | None = Field(
        default=None, gt=0, description="Pulse counter: the value is what was counted since the last reading × this."
    )

    @field_validator("metric")
    @classmethod
    def _metric(cls, name: str) -> str:
        return known_metric(name)

    @field_validator("scale")
    @classmethod
    def _scale(cls, scale: float) -> float:
        if scale == 0:
            raise problem("a scale of 0 makes every value the same: leave it out for 1")
        return scale

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.signal is None) != (self.span is None):
            raise problem("signal and span go together: give both or none")
        if self.per_pulse is not None and (self.type[0] != "u" or self.signal or self.scale != 1 or self.offset != 0):
            raise problem("a pulse counter is u16, u32 or u64, without signal, scale and offset")
        if self.kind in ("discrete", "coil") and (self.type != "u16" or self.signal or self.per_pulse):
            raise problem(f"a {self.kind} is 0 or 1: leave type, signal and per_pulse out")
        return self

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.end - 1 > _LAST_ADDRESS:
            raise problem(f"its last register would be {self.end - 1}, the highest address is {_LAST_ADDRESS}")
        return self

    @property
    def end(self) -> int:
        """The address after the last register."""
        return self.address + struct.calcsize(_FORMATS[self.type]) // 2

    @property
    def bits(self) -> int:
        """Bits of the number."""
        return 16 * (self.end - self.address)

    def beside(self, other: "Register") -> bool:
        """Whether one of the two is the raw number of the other, in the same registers."""
        same = (self.address, self.end) == (other.address, other.end)
        return same and (self._is_made, other._is_made) in ((True, False), (False, True))

    @property
    def _is_made(self) -> bool:
        return self.signal is not None or self.per_pulse is not None

    def value(self, words: Words) -> float | None:
        """The value in `words`, of a counter its count; None if the number is NaN or infinite, or means no value.

        Rounded to the metric's decimals and two more: what is beyond is noise of the number format, not of the
        sensor, and would only make messages longer. Whole numbers come as int, so that JSON writes no `.0`.
        """
        held = [words[self.kind, address] for address in range(self.address, self.end)]
        number = unpack(held, self.type, self.word_order)
        if not math.isfinite(number) or number in self.no_value:
            return None
        if self.scale != 1 or self.offset != 0:
            number = number * self.scale + self.offset
        if self.signal and self.span:
            found = of_signal(self.signal, number, self.span)
            if found is None:
                return None
            number = found
        return tidy(number, BY_NAME[self.metric].decimals + 2)


class RegisterMap(NamedKeys):
    """A device's registers, as in a map's own TOML file or in the settings of a source."""

    about: str = Field(default="", description="What device this map is for; for people.")
    registers: tuple[Register, ...] = Field(min_length=1, max_length=MAX_METRICS, description="The registers to read.")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        ordered = sorted(self.registers, key=lambda register: (register.kind, register.address))
        for one, other in pairwise(ordered):
            if one.kind == other.kind and one.end > other.address and not one.beside(other):
                both = f"{one.metric!r} ({one.address} to {one.end - 1}) and {other.metric!r} (from {other.address})"
                raise problem(f"{one.kind} registers of {both} overlap: compare with the device's manual")
        names = [register.metric for register in self.registers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise problem(f"metric {twice[0]!r} is there twice: a source has each metric once")
        return self

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics in the map's order."""
        return tuple(register.metric for register in self.registers)

    def spans(self, bridge: int) -> list["Span"]:
        """The requests that read all registers; gaps of at most `bridge` registers are read along."""
        spans: list[Span] = []
        for register in sorted(self.registers, key=lambda register: (register.kind, register.address)):
            last = spans[-1] if spans else None
            if last and last.reaches(register, bridge):
                end = max(register.end, last.address + last.count)
                spans[-1] = Span(last.kind, last.address, end - last.address)
            else:
                spans.append(Span(register.kind, register.address, register.end - register.address))
        return spans


@dataclass(frozen=True, slots=True)
class Span:
    """`count` registers from `address` on, read in one request, so that they belong to one moment."""

    kind: Kind
    address: int
    count: int

    def reaches(self, register: Register, bridge: int) -> bool:
        """Whether `register`, which is not before this span, fits into the same request."""
        near = register.address - (self.address + self.count) <= bridge
        return self.kind == register.kind and near and register.end - self.address <= MAX_SPAN


def read_map(file: Path) -> RegisterMap:
    """The register map in a TOML file. Raises SettingsError naming file, register and next step."""
    return load(RegisterMap, "register_map", file)


def unpack(words: Sequence[int], kind: str, word_order: str) -> float:
    """The number of type `kind` in `words` (each 0 to 65535), which may be NaN or infinite."""
    ordered = words if word_order == "big" else list(reversed(words))
    number: float = struct.unpack(_FORMATS[kind], struct.pack(f">{len(ordered)}H", *ordered))[0]
    return number


def tidy(number: float, decimals: int) -> float:
    """`number` rounded to `decimals`; an int if it is whole and exact."""
    rounded = round(number, decimals)
    return int(rounded) if abs(rounded) < 2**53 and rounded == int(rounded) else rounded
