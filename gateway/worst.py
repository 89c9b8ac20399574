"""The worst of the whole city, step by step: what a wall reads instead of the roll-ups of all devices. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from gateway.ports import Point, Table, Value

_END: Final = "_mean"


def worst(points: Iterable[Point]) -> list[Table]:
    """A point of `worst_5m` for each step in these roll-ups of all devices: of each metric the highest mean,
    `temp_c_mean`, and where it was measured, `temp_c_device`."""
    steps: dict[int, dict[str, tuple[float, str]]] = defaultdict(dict)
    for point in points:
        found = steps[point.date_ms]
        for name, value in point.fields.items():
            if name.endswith(_END):
                metric, here = name.removesuffix(_END), (float(value), point.series.device)
                found[metric] = max(found.get(metric, here), here)
    return [_table(date_ms, found) for date_ms, found in sorted(steps.items()) if found]


def _table(date_ms: int, found: dict[str, tuple[float, str]]) -> Table:
    fields: dict[str, Value] = {}
    for metric, (value, device) in sorted(found.items()):
        fields |= {f"{metric}{_END}": value, f"{metric}_device": device}
    return Table("worst_5m", (), tuple(fields), [(date_ms, *fields.values())])
