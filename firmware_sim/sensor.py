"""What a simulated sensor measures: values of the surroundings with its faults, journaled when they leave it."""

import time
from collections.abc import Callable, Mapping, Sequence

from firmware_sim.faults import Fault, Faults
from firmware_sim.journal import Given, Journal
from firmware_sim.signals import Signals
from kewang.wire.catalogue import metric


class Sensor:
    """`metrics` of one place. `measure` gives new values, `gave` writes down what of them was given out."""

    def __init__(
        self,
        metrics: Sequence[str],
        signals: Signals,
        journal: Journal,
        faults: Faults | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.metrics = tuple(metrics)
        self.now_s = now_s
        self._signals, self._journal, self._faults = signals, journal, faults or Faults()
        self.number = journal.last_number
        self._start_s = now_s()
        self._values: dict[str, float] = {}

    @property
    def fault(self) -> Fault:
        """Its fault now."""
        return self._faults.at(self.now_s() - self._start_s)

    def measure(self) -> dict[str, float]:
        """Values now, unless it is stuck; one of them out of range if that is its fault."""
        now_s, fault = self.now_s(), self.fault
        if fault is not Fault.STUCK or not self._values:
            self._values = {name: self._signals.value(name, now_s) for name in self.metrics}
        if fault is Fault.OUT_OF_RANGE:
            wrong = metric(self.metrics[self.number % len(self.metrics)])
            return self._values | {wrong.name: wrong.high * 1.5 + 1}
        return dict(self._values)

    def gave(self, values: Mapping[str, float | None]) -> None:
        """`values` leave the sensor now."""
        self.number += 1
        self._journal.write(Given(self.number, int(self.now_s() * 1000), values))
