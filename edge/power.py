"""Saving a battery: the lower it is, the more rarely sources are read. See ports.Pace."""

import logging
from typing import Final

from edge.ports import Source, Values
from edge.settings import PowerSettings

log = logging.getLogger(__name__)

RISE: Final = 1.02
"""A level ends where the metric is so many times the value at which it began: a battery at rest recovers a little."""


class BatteryPace:
    """ports.Pace by the levels of the settings. Until the battery is heard, and while it is not, all stays as it is."""

    def __init__(self, settings: PowerSettings) -> None:
        self._settings, self._level, self._told = settings, 0, False
        self._last: float | None = None

    @property
    def stretch(self) -> float:
        """See Pace."""
        return self._settings.levels[self._level - 1].stretch if self._level else 1.0

    def stretch_of(self, source: str) -> float:
        """See Pace. The source that tells of the battery keeps its period: a battery that recovers is noticed."""
        return 1.0 if source == self._settings.source else self.stretch

    def battery(self) -> tuple[str, float | None]:
        """See Pace."""
        return self._settings.metric, self._last

    def heard(self, source: Source, values: Values) -> bool:
        """See Pace."""
        if source.name != self._settings.source:
            return False
        value = self._value(source, values)
        before = self._level
        if value is not None:
            self._last, self._level = value, self._of(value)
        if self._level != before:
            what = f"{self._settings.metric} {value:g}"
            log.warning("battery: %s: sources are read at %g times their periods", what, self.stretch)
        return self._level != before

    def _of(self, value: float) -> int:
        """How many levels have begun; one that had begun ends a little higher."""
        limits = (each.below * (RISE if at < self._level else 1) for at, each in enumerate(self._settings.levels))
        return sum(value < limit for limit in limits)

    def _value(self, source: Source, values: Values) -> float | None:
        told = dict(zip(source.metrics, values, strict=False))
        if self._settings.metric not in told and not self._told:
            self._told = True
            log.error("power.metric: source %s has no %s: periods stay as they are", source.name, self._settings.metric)
        return told.get(self._settings.metric)
