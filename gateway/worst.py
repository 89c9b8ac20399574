"""The worst of the whole city, step by step: what a wall reads instead of the roll-ups of all devices. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from gateway.ports import Point, Table, Value

_END: Final = "_mean"


class Worst:
    """Of each step of the roll-ups that it sees, of each metric the highest mean and where it was measured."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[str, tuple[float, str]]] = defaultdict(dict)

    def see(self, points: Iterable[Point]) -> None:
        """Some more of all devices."""
        for point in points:
            found = self._steps[point.date_ms]
            for name, value in point.fields.items():
                if name.endswith(_END):
                    metric, here = name.removesuffix(_END), (float(value), point.series.device)
                    found[metric] = max(found.get(metric, here), here)

    def with_others(self, known: Iterable[Point], devices: Collection[str]) -> list[int]:
        """What was seen is all of `devices`: see what is `known` of the other ones, points of `worst_5m`. The steps
        (Unix ms) in which that is not enough: one of `devices` was the worst and is better now."""
        stale = []
        for point in known:
            if found := self._steps.get(point.date_ms):
                for metric, before in _worsts(point):
                    if before[1] not in devices:
                        found[metric] = max(found.get(metric, before), before)
                    elif found.get(metric, before) < before or metric not in found:
                        stale.append(point.date_ms)
        return sorted(set(stale))

    def tables(self) -> list[Table]:
        """A point of `worst_5m` for each step: `temp_c_mean` and `temp_c_device`."""
        return [_table(date_ms, found) for date_ms, found in sorted(self._steps.items()) if found]


def _worsts(point: Point) -> Iterator[tuple[str, tuple[float, str]]]:
    """(metric, (mean, device)) of a point of `worst_5m`."""
    for name, value in point.fields.items():
        if name.endswith(_END):
            metric = name.removesuffix(_END)
            yield metric, (float(value), str(point.fields[f"{metric}_device"]))


def _table(date_ms: int, found: dict[str, tuple[float, str]]) -> Table:
    fields: dict[str, Value] = {}
    for metric, (value, device) in sorted(found.items()):
        fields |= {f"{metric}{_END}": value, f"{metric}_device": device}
    return Table("worst_5m", (), tuple(fields), [(date_ms, *fields.values())])
