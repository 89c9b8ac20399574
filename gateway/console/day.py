"""Reads the last 24 hours of one device for its plots: a few questions, and none twice in a minute."""

import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from gateway.console.overview import Device
from gateway.console.plots import STEP_MS, WINDOW_MS, Plot, SourceDay, doubting, flag_of, source_day, step_of
from gateway.ports import Clock, History, Refused, SeriesId
from kewang.wire.names import NO_SOURCE

FRESH_MS: Final = 60_000
_REMEMBERED: Final = 64
_STREAMS: Final = ("env", "cam", "sys")


@dataclass(frozen=True, slots=True)
class Day:
    """The days of a device's sources, from `from_ms` on. `drawn`: changes when anything else is drawn."""

    from_ms: int = 0
    drawn: int = 0
    sources: Mapping[SeriesId, SourceDay] = field(default_factory=dict)

    def of(self, series: SeriesId) -> SourceDay:
        """One source's."""
        return self.sources.get(series, SourceDay((), ()))


class Days:
    """Days of devices, at most `_REMEMBERED`. Raises what the store raises."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history, self._clock = history, clock
        self._read: OrderedDict[str, tuple[int, Day]] = OrderedDict()

    def known(self, device: str) -> Day:
        """The day as it was read last; an empty one if it never was."""
        return self._read.get(device, (0, Day()))[1]

    async def of(self, device: Device, now_ms: int) -> Day:
        """The day of `device` up to `now_ms`, at most a minute old."""
        asked_ms = self._clock.mono_ms()
        read_ms, known = self._read.get(device.name, (0, None))
        if known is None or asked_ms - read_ms >= FRESH_MS:
            known = await self._day(device, now_ms)
            self._read[device.name] = (asked_ms, known)
            self._read.move_to_end(device.name)
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known

    async def _day(self, device: Device, now_ms: int) -> Day:
        from_ms = (now_ms // STEP_MS + 1) * STEP_MS - WINDOW_MS
        streams = {source.series.stream for source in device.sources}
        sources: dict[SeriesId, SourceDay] = {}
        for stream in (one for one in _STREAMS if one in streams):
            async for points in self._history.summaries(stream, from_ms, from_ms + WINDOW_MS, STEP_MS, [device.name]):
                for series, some in groupby(points, key=lambda point: point.series):
                    sources[series] = await self._doubted(series, source_day(list(some), from_ms), from_ms)
        return Day(from_ms, now_ms, sources)

    async def _doubted(self, series: SeriesId, day: SourceDay, from_ms: int) -> SourceDay:
        """With what its flags say: no roll-up has them."""
        plots = [await self._doubting(series, plot, from_ms) for plot in day.plots]
        return replace(day, plots=tuple(plots))

    async def _doubting(self, series: SeriesId, plot: Plot, from_ms: int) -> Plot:
        flag = flag_of(plot.metric)
        if flag is None:
            return plot
        return doubting(
            plot, flag, await self._history.values(series, flag.name, from_ms, from_ms + WINDOW_MS), from_ms
        )


class Refusals:
    """Rows of a device in quarantine, by the step of the day and by what they had values of."""

    def __init__(self, rows: Iterable[Refused], from_ms: int) -> None:
        self._of: dict[SeriesId, list[tuple[int, frozenset[str] | None]]] = defaultdict(list)
        for row in rows:
            step = step_of(row.date_ms, from_ms)
            if step is not None and row.series.source != NO_SOURCE:
                self._of[row.series].append((step, _metrics(row)))

    def steps(self, series: SeriesId, metric: str) -> list[int]:
        """The step of each row of this source that had a value of this metric, ascending."""
        return sorted(step for step, names in self._of[series] if names is None or metric in names)


def _metrics(row: Refused) -> frozenset[str] | None:
    """What the row had values of; None: nobody knows, so of anything."""
    try:
        return frozenset(map(str, json.loads(row.row)["k"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
