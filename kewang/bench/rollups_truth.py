"""What roll-ups should be: by numpy, of the points that a database holds."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kewang.bench.boards_ask import Influx
from kewang.wire.catalogue import FLAG_ENDING, METRICS

STEP_MS: Final = 300_000
CLOSE: Final = 1e-12
"""Means and sums may differ by so much of the greatest value times their number: numpy adds in another order. All
else is the same to the last bit."""
STREAMS: Final = ("env", "sys", "cam")
Span = tuple[int, int]
Columns = dict[str, NDArray[np.float64]]


class Compared:
    """Against one database. `wrong`: a sentence for each that differs; `values`: how many were compared."""

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self.wrong, self.values = list[str](), 0

    def steps(self, device: str, span: Span) -> None:
        """Each five minutes of a device against its readings."""
        for stream in STREAMS:
            raw, made = self._read(f"raw.{stream}", device, span), self._read(f"months.{stream}_5m", device, span)
            starts = {int(at) for at in raw["time"] // STEP_MS * STEP_MS}
            if starts != {int(at) for at in made["time"]}:
                self.wrong.append(f"{device} {stream}_5m: {made['time'].size} steps, not {len(starts)}")
            for at, start_ms in enumerate(made["time"]):
                within = (raw["time"] >= start_ms) & (raw["time"] < start_ms + STEP_MS)
                for name in _metrics(stream, raw):
                    values = raw[name][within]
                    self._same(f"{device} {stream}_5m {start_ms:.0f}", name, _figures(values), made, at)

    def day(self, device: str, span: Span) -> None:
        """A day of a device against its five minutes."""
        for stream in STREAMS:
            steps, made = (
                self._read(f"months.{stream}_5m", device, span),
                self._read(f"years.{stream}_1d", device, span),
            )
            for name in [one.name for one in METRICS if one.stream == stream and f"{one.name}_sum" in steps]:
                of = {end: _known(steps[f"{name}_{end}"]) for end in ("min", "max", "sum", "count")}
                if of["count"].size:
                    total, count = of["sum"].sum(), of["count"].sum()
                    right = [of["min"].min(), total / count, of["max"].max(), total, count]
                    self._same(f"{device} {stream}_1d", name, right, made, 0)

    def worst(self, metric: str, span: Span) -> None:
        """The city's highest mean of each step against those of all devices."""
        when = f"time >= {span[0]}ms AND time < {span[1]}ms"
        highest = f'SELECT max("{metric}_mean") FROM "months"."env_5m" WHERE {when} GROUP BY time(5m) fill(none)'
        kept = f'SELECT "{metric}_mean" FROM "months"."worst_5m" WHERE {when}'
        right, made = (dict(self._rows(query)) for query in (highest, kept))
        self.values += len(right)
        if right != made or not right:
            self.wrong.append(f"worst_5m {metric}: {len(right.items() ^ made.items())} differences")

    def _same(self, where: str, metric: str, right: Sequence[float], made: Columns, at: int) -> None:
        low, _, high, _, count = right
        most = max(abs(low), abs(high)) * count
        for end, wanted in zip(("min", "mean", "max", "sum", "count"), right, strict=True):
            column = made.get(f"{metric}_{end}")
            found = float(column[at]) if column is not None and at < column.size else math.nan
            self.values += not math.isnan(wanted)
            close = abs(found - wanted) <= CLOSE * most if end in ("mean", "sum") else found == wanted
            if not close and not (math.isnan(found) and math.isnan(wanted)):
                self.wrong.append(f"{where}: {metric}_{end} is {found}, not {wanted}")

    def _read(self, measurement: str, device: str, span: Span) -> Columns:
        bucket, name = measurement.split(".")
        when = f"time >= {span[0]}ms AND time < {span[1]}ms"
        found = self._influx.series(f'SELECT * FROM "{bucket}"."{name}" WHERE {when} AND device = \'{device}\'')
        if not found:
            return {"time": np.array([])}
        columns = zip(*found[0]["values"], strict=True)
        named = zip(found[0]["columns"], columns, strict=True)
        return {name: np.array(column, dtype=float) for name, column in named if name not in ("device", "source")}

    def _rows(self, query: str) -> Iterator[tuple[Any, Any]]:
        for series in self._influx.series(query):
            yield from ((row[0], row[1]) for row in series["values"])


def _metrics(stream: str, raw: Columns) -> Iterable[str]:
    """Of those that are measured: flags are not rolled up."""
    return [one.name for one in METRICS if one.stream == stream and one.name in raw and FLAG_ENDING not in one.name]


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]


def _figures(values: NDArray[np.float64]) -> list[float]:
    known = _known(values)
    if not known.size:
        return [math.nan] * 5
    return [known.min(), known.mean(), known.max(), known.sum(), known.size]
