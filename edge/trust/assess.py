"""The step between a sensor and the outbox: what it measured, a flag beside each value that is doubted.

sensor ─> Assessed ─> agent
            │  values as they came, then corrections and flags
            └── Neighbours: what the other sensors of the box say
"""

from collections.abc import Sequence
from enum import IntEnum
from statistics import median
from typing import Final

from edge.ports import Clock, Commandable, Source, Values
from edge.trust.humidity import PmCorrection, corrected_pm25_ugm3
from edge.trust.judges import Drift, Spike, Stuck
from edge.trust.limits import Limits, limits
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME, FLAG_ENDING

_FRESH_MS: Final = 600_000
_OFF_MS: Final = 60_000
_RAW, _HUMIDITY, _CORRECTED = "pm25_ugm3", "rh_pct", "pm25_corrected_ugm3"


class Flag(IntEnum):
    """Why a value is doubted, worst last: the codes of every `..._flag` metric of the catalogue."""

    WARMING_UP = 1
    SPIKE = 2
    DRIFT = 3
    STUCK = 4


class Neighbours:
    """What each sensor of this box said last, by metric; only what was not doubted counts."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, tuple[int, float]]] = {}

    def say(self, metric: str, source: str, now_ms: int, value: float) -> None:
        """`source` measured `value` and does not doubt it."""
        self._said.setdefault(metric, {})[source] = now_ms, value

    def others(self, metric: str, source: str, now_ms: int) -> list[float]:
        """What the others said within ten minutes."""
        said = self._said.get(metric, {}).items()
        return [value for name, (at_ms, value) in said if name != source and now_ms - at_ms <= _FRESH_MS]

    def newest(self, metric: str, now_ms: int) -> float | None:
        """What was said last by anyone, within ten minutes."""
        at_ms, value = max(self._said.get(metric, {}).values(), default=(0, 0.0))
        return value if at_ms and now_ms - at_ms <= _FRESH_MS else None


class _Doubts:
    """The judges of one metric of one source."""

    def __init__(self, limits: Limits, warm_up_s: float) -> None:
        self._warm_up_ms = 1000 * warm_up_s
        self._stuck, self._spike, self._drift = Stuck(limits), Spike(limits), Drift(limits)

    def flag(self, now_ms: int, on_ms: int, value: float, others: Sequence[float]) -> Flag | None:
        """The worst doubt about `value`. Each judge hears every value, whatever another one says."""
        sudden = self._spike.doubts(now_ms, value)
        found = {
            Flag.STUCK: self._stuck.doubts(now_ms, value),
            Flag.DRIFT: self._drift.doubts(now_ms, value, None if sudden else _together(value, others)),
            Flag.SPIKE: sudden,
            Flag.WARMING_UP: now_ms - on_ms < self._warm_up_ms,
        }
        return next((flag for flag, doubted in found.items() if doubted), None)


def _together(value: float, others: Sequence[float]) -> float | None:
    """What the box's sensors say together. Of two nobody knows which one is right; of three the odd one stands out."""
    if len(others) < 2:
        return others[0] if others else None
    return median((value, *others))


def _storable(name: str, value: float | None) -> float | None:
    """`value`, or None for what no gateway stores: NaN and what is out of the metric's range would spoil every sum."""
    metric = BY_NAME.get(name)
    return value if value is not None and metric and metric.low <= value <= metric.high else None


class Assessor:
    """Judges the readings of one source. `metrics` in, `metrics + added` out, in this order."""

    def __init__(
        self,
        source: str,
        metrics: Sequence[str],
        neighbours: Neighbours,
        *,
        warm_up_s: float | None = None,
        correction: PmCorrection = "none",
    ) -> None:
        """`warm_up_s`: in place of what the limits say for each metric."""
        self._source, self._metrics, self._neighbours = source, tuple(metrics), neighbours
        self._corrects = correction != "none" and _RAW in metrics and _CORRECTED not in metrics
        corrected = (_CORRECTED,) if self._corrects else ()
        room = MAX_METRICS - len(self._metrics) - len(corrected)
        ours = (name for name in metrics if name in limits() and name + FLAG_ENDING not in metrics)
        judged = [(name, limits()[name]) for name in ours][: max(0, room)]
        self._doubts = {
            name: _Doubts(limit, limit.warm_up_s if warm_up_s is None else warm_up_s) for name, limit in judged
        }
        self.added = (*corrected, *(name + FLAG_ENDING for name in self._doubts))
        self._on_ms = 0
        self._failing_ms: int | None = None

    def failed(self, now_ms: int) -> None:
        """It could not be read. After a minute of that it may have been without power, and warms up again."""
        if self._failing_ms is None:
            self._failing_ms = now_ms

    def judge(self, now_ms: int, values: Values) -> Values:
        """The values, what was added to them, and the flags. `now_ms`: monotonic ms of this boot."""
        if self._failing_ms is not None and now_ms - self._failing_ms >= _OFF_MS:
            self._on_ms = now_ms
        self._failing_ms = None
        by_name = {name: _storable(name, value) for name, value in zip(self._metrics, values, strict=True)}
        flags = {name: self._flag(now_ms, name, by_name[name]) for name in self._doubts}
        corrected = (self._corrected(now_ms, by_name[_RAW]),) if self._corrects else ()
        return (*values, *corrected, *flags.values())

    def _flag(self, now_ms: int, name: str, value: float | None) -> float | None:
        if value is None:
            return None
        others = self._neighbours.others(name, self._source, now_ms)
        flag = self._doubts[name].flag(now_ms, self._on_ms, value, others)
        if flag in (None, Flag.DRIFT):
            self._neighbours.say(name, self._source, now_ms, value)
        return flag and float(flag)

    def _corrected(self, now_ms: int, raw_ugm3: float | None) -> float | None:
        rh_pct = self._neighbours.newest(_HUMIDITY, now_ms)
        if raw_ugm3 is None or rh_pct is None:
            return None
        corrected = corrected_pm25_ugm3(raw_ugm3, rh_pct)
        return None if corrected is None else round(corrected, 1)


class Assessed:
    """A `Source` whose readings are judged on their way."""

    def __init__(self, source: Source, assessor: Assessor, clock: Clock) -> None:
        self._source, self._assessor, self._clock = source, assessor, clock
        self.name, self.stream = source.name, source.stream
        self.metrics = (*source.metrics, *assessor.added)
        if isinstance(source, Commandable):
            # Its very own, not by __getattr__: from Python 3.12 on a protocol looks for no such thing.
            self.command = source.command

    @property
    def interval_s(self) -> float:
        """As the sensor wants it."""
        return self._source.interval_s

    @property
    def timeout_s(self) -> float:
        """As the sensor wants it."""
        return self._source.timeout_s

    async def read(self) -> Values:
        """What the sensor measured, then corrections and flags. Raises what the sensor raises."""
        try:
            values = await self._source.read()
        except BaseException:
            self._assessor.failed(self._clock.mono_ms())
            raise
        return self._assessor.judge(self._clock.mono_ms(), values)

    async def close(self) -> None:
        """Close the sensor."""
        await self._source.close()
