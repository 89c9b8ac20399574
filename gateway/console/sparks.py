"""Trend lines of the last half hour, read from the store a few at a time and drawn as the `d` of an SVG path."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ports import History, SeriesId
from kewang.wire.catalogue import Metric

WINDOW_MS: Final = 30 * 60_000
WIDTH: Final = 120
HEIGHT: Final = 30
_STEP_MS: Final = 60_000
_SHORTEST_MINUTES: Final = 4
"""A shorter trend is a dot that says nothing."""
_GAP_MS: Final = 4 * _STEP_MS
_REMEMBERED: Final = 5000
_NEVER: Final = (-1, -1, None)
Key = tuple[SeriesId, str]
Wanted = tuple[Key, Metric, int]
"""Series and metric, what it is, date of its newest value."""


@dataclass(frozen=True, slots=True)
class Spark:
    """A trend: path in a box of WIDTH x HEIGHT, lowest and highest value shown (minute means)."""

    path: str
    low: float
    high: float


class Sparks:
    """Trends by series and metric, at most `_REMEMBERED`; those not looked at longest are forgotten."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: OrderedDict[Key, tuple[int, int, Spark | None]] = OrderedDict()

    async def refresh(self, wanted: Iterable[Wanted], now_ms: int, reads: int) -> None:
        """Read anew at most `reads` of `wanted`, those read longest ago first.

        Due are those with a newer value, and after a minute all: the window moves on.
        """
        due = [(self._known.get(key, _NEVER)[1], key, metric, newest_ms) for key, metric, newest_ms in wanted]
        due = [entry for entry in due if entry[0] <= now_ms - _STEP_MS or self._known[entry[1]][0] != entry[3]]
        for _, key, metric, newest_ms in sorted(due, key=lambda entry: entry[0])[:reads]:
            values = await self._history.values(*key, now_ms - WINDOW_MS, now_ms + 1)
            self._known[key] = (newest_ms, now_ms, drawn(values, now_ms - WINDOW_MS, metric))
            self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def of(self, series: SeriesId, name: str) -> Spark | None:
        """The trend as read last, if it was."""
        return self._known.get((series, name), _NEVER)[2]


def drawn(values: Sequence[tuple[int, float]], from_ms: int, metric: Metric) -> Spark | None:
    """Minute means of (date, value), oldest first, as one trend; None while they span less than five minutes.

    The line breaks where values are missing for over four minutes. The box is at least ten of the metric's last
    digits high, so that noise does not look like an event.
    """
    means = _minute_means(values, from_ms)
    if not means or means[-1][0] - means[0][0] < _SHORTEST_MINUTES:
        return None
    low, high = min(mean for _, mean in means), max(mean for _, mean in means)
    span = max(high - low, 10.0 ** (1 - metric.decimals))
    bottom = (low + high - span) / 2
    path, before = "", -(2**62)
    for minute, mean in means:
        x = round((minute + 0.5) * _STEP_MS / WINDOW_MS * WIDTH)
        y = round(HEIGHT - 2 - (mean - bottom) / span * (HEIGHT - 4))
        path += f"{'M' if (minute - before) * _STEP_MS > _GAP_MS else 'L'}{x} {y}"
        before = minute
    return Spark(path, low, high)


def _minute_means(values: Sequence[tuple[int, float]], from_ms: int) -> list[tuple[int, float]]:
    minutes: dict[int, list[float]] = {}
    for date_ms, value in values:
        minutes.setdefault((date_ms - from_ms) // _STEP_MS, []).append(value)
    return [(minute, sum(some) / len(some)) for minute, some in sorted(minutes.items())]
