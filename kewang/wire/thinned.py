"""Thinned readings: what a box sends in place of readings that it had no room for any more.

A thinned row holds what a roll-up holds of one source and span: `temp_c_min`, `temp_c_mean`, `temp_c_max` and
`temp_c_count` for each metric, how often each state of a camera was told, `camera_state_1_count`, and `thinned`: how
many rows of the tally it stands for.
"""

from collections.abc import Iterator
from typing import Final

from kewang.wire.catalogue import METRICS, Metric
from kewang.wire.names import STREAMS

WIDTHS_S: Final = (60, 300, 1800)
"""Spans of thinned rows, from first to last resort."""
STANDS_FOR: Final = "thinned"
COUNTED: Final = frozenset({"camera_state"})
"""Enumerations whose values are counted one by one: a mean of states is none."""
_MOST: Final = 2**53


def is_thinned(metrics: list[str]) -> bool:
    """Whether rows of these metrics are thinned ones."""
    return STANDS_FOR in metrics


def code_field(metric: str, code: int) -> str:
    """The name under which a code of an enumeration is counted."""
    return f"{metric}_{code}_count"


def fields_of(metric: Metric) -> list[str]:
    """What a thinned row tells of `metric`."""
    counted = [code_field(metric.name, code) for code, *_ in metric.codes] if metric.name in COUNTED else []
    return [*(f"{metric.name}_{function}" for function in ("min", "mean", "max", "count")), *counted]


def _all() -> Iterator[tuple[tuple[str, str], Metric]]:
    """Of each field of a thinned row, by stream and name: its unit and the values that are believed."""
    for stream in STREAMS:
        words = "Baris yang diringkas", "Rows thinned"
        yield (stream, STANDS_FOR), Metric(STANDS_FOR, stream, "", 0, _MOST, 0, *words)
    for one in METRICS:
        for name in fields_of(one):
            count = name.endswith("_count")
            low, high, unit = (0.0, float(_MOST), "") if count else (one.low, one.high, one.unit)
            meaning = one.meaning_id, one.meaning_en
            yield (one.stream, name), Metric(name, one.stream, unit, low, high, 0 if count else one.decimals, *meaning)


THINNED: Final = dict(_all())
"""(stream, name) -> field of a thinned row."""
