"""What is made of registers: values of analogue signals, counts since the last reading, levels from distances."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from edge.sources.settings import NamedKeys, problem

Signal = Literal["4-20mA", "0-10V"]


@dataclass(frozen=True, slots=True)
class Ends:
    """A signal (mA or V): its ends, and between what it is still believed."""

    low: float
    high: float
    least: float
    most: float


ENDS: Final[dict[Signal, Ends]] = {
    # NAMUR NE 43: below 3.6 mA the wire or the sensor is broken, above 21 mA the sensor reports a failure.
    "4-20mA": Ends(4, 20, 3.6, 21),
    # A broken wire reads 0 V like the lower end; only what no sensor sends is refused.
    "0-10V": Ends(0, 10, -0.5, 10.5),
}
PULSES_PER_S: Final = 10.0
"""More do not come: the hardest rain ever measured (38 mm in a minute, Barot 1970) tips a 0.2 mm bucket 3 times a
second, and nobody opens a door so often."""


def of_signal(signal: Signal, number: float, span: tuple[float, float]) -> float | None:
    """The value of a sensor that sends `number` mA or V, `span` being its values at both ends; None = no signal."""
    ends = ENDS[signal]
    if not ends.least <= number <= ends.most:
        return None
    return span[0] + (number - ends.low) / (ends.high - ends.low) * (span[1] - span[0])


class Counter:
    """Counts since the last reading of a counter of so many bits, which wraps round, and begins at 0 after a power cut.

    Lower than before, it has wrapped if it can have come so far in that time, else it began anew: then what it counted
    before the cut and after our last reading is lost, and what it counted since is given.
    """

    def __init__(self, bits: int) -> None:
        self._end = 2**bits
        self._last: tuple[float, float] | None = None

    def since(self, count: float | None, now_s: float) -> float | None:
        """Counts since the last reading; None for the first one, and where there is no count. `now_s`: monotonic."""
        if count is None:
            return None
        before, self._last = self._last, (count, now_s)
        if before is None:
            return None
        if count >= before[0]:
            return count - before[0]
        wrapped = count + self._end - before[0]
        return wrapped if wrapped <= PULSES_PER_S * max(1.0, now_s - before[1]) else count


class Level(NamedKeys):
    """How an ultrasonic sensor hangs over water or waste: makes a level of `distance_cm`, which stays beside it."""

    mounted_cm: float | None = Field(
        default=None, gt=0, le=5000, description="Water: the sensor's height above the zero of the level."
    )
    empty_cm: float | None = Field(default=None, gt=0, le=1500, description="Bin: distance to its floor.")
    full_cm: float | None = Field(default=None, gt=0, le=1500, description="Bin: distance at which it is full.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.empty_cm is None) != (self.full_cm is None) or (self.mounted_cm is None) == (self.empty_cm is None):
            raise problem("give mounted_cm for water, or empty_cm and full_cm for a bin")
        if self.empty_cm is not None and self.full_cm is not None and self.empty_cm <= self.full_cm:
            raise problem("empty_cm must be more than full_cm: both are distances from the sensor")
        return self

    @property
    def metric(self) -> str:
        """What it makes of a distance."""
        return "bin_fill_pct" if self.mounted_cm is None else "water_level_cm"

    def value(self, distance_cm: float | None) -> float | None:
        """The level; a bin is never emptier than empty nor fuller than full: the distance beside it says more."""
        if distance_cm is None:
            return None
        if self.mounted_cm is not None:
            return self.mounted_cm - distance_cm
        assert self.empty_cm is not None
        assert self.full_cm is not None
        return min(100.0, max(0.0, 100 * (self.empty_cm - distance_cm) / (self.empty_cm - self.full_cm)))
