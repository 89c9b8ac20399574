"""One judge a doubt, each for one metric of one source. Times are monotonic ms; memory is bounded."""

from collections import deque
from statistics import median
from typing import Final

from edge.trust.limits import Limits

_STUCK_READINGS: Final = 6
_JUMPS: Final = 11
_JUMP_MS: Final = 180_000
"""A reading is compared with one at most so old."""
_DEVIATIONS: Final = 6 * 1.4826
"""Six standard deviations, each 1.4826 median absolute deviations of normal noise (Hampel 1974)."""
_SUDDEN: Final = 2
"""So many doubtful readings in a row are a spike; the next one shows that the world has changed."""
_BIN_MS: Final = 300_000
_BINS: Final = 72
_BINS_LEAST: Final = 48
_GAP_BINS: Final = _BINS - _BINS_LEAST
"""After a longer gap six hours hold less than four of readings."""
_AGAIN: Final = 0.8
"""A drift ends below this share of its limit."""


class Stuck:
    """Flat line: the same value for `stuck_s`, in at least six readings."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._value: float | None = None
        self._since_ms = self._last_ms = self._readings = 0

    def doubts(self, now_ms: int, value: float) -> bool:
        """Whether the sensor is stuck at `value`."""
        if self._limits.stuck_s is None:
            return False
        gone = now_ms - self._last_ms > 1000 * self._limits.stuck_s
        self._last_ms = now_ms
        if value != self._value or gone or self._limits.rests(value):
            self._value, self._since_ms, self._readings = value, now_ms, 0
        self._readings += 1
        return self._readings >= _STUCK_READINGS and now_ms - self._since_ms >= 1000 * self._limits.stuck_s


class Spike:
    """A jump against the reading before it, larger than the limit and than six deviations of the last jumps.

    It looks back only: a value is judged when it comes. Smoke or a squall takes some readings to arrive; a jump that
    stays is believed from its third reading on.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jumps: deque[float] = deque(maxlen=_JUMPS)
        self._last: tuple[int, float] | None = None
        self._sudden = 0

    def doubts(self, now_ms: int, value: float) -> bool:
        """Whether `value` jumped away from what was believed last."""
        if self._limits.spike is None:
            return False
        at_ms, believed = self._last or (0, value)
        if self._last and now_ms - at_ms <= _JUMP_MS and self._jumped(value - believed) and self._sudden < _SUDDEN:
            self._sudden += 1
            return True
        if not self._sudden:
            self._jumps.append(value - believed)
        self._last, self._sudden = (now_ms, value), 0
        return False

    def _jumped(self, jump: float) -> bool:
        limit = self._limits.spike or 0.0
        return abs(jump) > limit and abs(jump) > _DEVIATIONS * median(abs(each) for each in self._jumps or [0.0])


class Drift:
    """Away from the neighbours for hours: the median of six hours of differences, in means of five minutes.

    It takes four hours of common readings, and ends below four fifths of the limit. After more than two hours without
    any reading it begins anew: the sensor may have been cleaned or replaced.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._away: deque[float] = deque(maxlen=_BINS)
        self._at: deque[float] = deque(maxlen=_BINS)
        self._bin = 0
        self._sums = (0.0, 0.0, 0)
        self._drifted = False

    def doubts(self, now_ms: int, value: float, neighbours: float | None) -> bool:
        """Whether the sensor has drifted. `neighbours`: what they say together now; None = nothing."""
        if self._limits.drift is None:
            return False
        if (bins := now_ms // _BIN_MS - self._bin) > 0:
            self._close(self._limits.drift, anew=bins > _GAP_BINS)
            self._bin += bins
        if neighbours is not None:
            away, at, count = self._sums
            self._sums = (away + value - neighbours, at + abs(neighbours), count + 1)
        return self._drifted

    def _close(self, least: float, *, anew: bool) -> None:
        """End a bin. Hours without neighbours are forgotten one by one, so an old difference counts no more.
        `anew`: all are."""
        away, at, count = self._sums
        self._sums = (0.0, 0.0, 0)
        if count:
            self._away.append(away / count)
            self._at.append(at / count)
        elif self._away:
            self._away.popleft()
            self._at.popleft()
        if anew:
            self._away.clear()
            self._at.clear()
        if len(self._away) < _BINS_LEAST:
            self._drifted = False
            return
        limit = least + self._limits.drift_share * median(self._at)
        self._drifted = abs(median(self._away)) > limit * (_AGAIN if self._drifted else 1.0)
