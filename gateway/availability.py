"""How long each device was how, on a day, from the points of its changes. Pure."""

from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise
from typing import Final, get_args

from gateway.incidents.model import Word
from gateway.ports import Span, Table, WordChange

_SHOWN: Final = tuple(word for word in get_args(Word) if word != "unplaced")


def availability(before: Mapping[str, str], changes: Iterable[WordChange], span: Span) -> dict[str, dict[str, float]]:
    """Device -> word -> seconds of `span`. `before`: the words at its start; a device that is not there is known from
    its first change in the span on, as what it says to have been before."""
    found: dict[str, dict[str, float]] = {}
    for device, some in groupby(sorted(changes, key=lambda one: (one.device, one.date_ms)), lambda one: one.device):
        steps = list(some)
        found[device] = _lasted([(span[0], before.get(device, steps[0].before)), *_moments(steps), (span[1], "")])
    for device, word in before.items():
        found.setdefault(device, _lasted([(span[0], word), (span[1], "")]))
    return {device: lasted for device, lasted in found.items() if lasted}


def availability_tables(found: Mapping[str, Mapping[str, float]], date_ms: int) -> list[Table]:
    """A point of measurement `availability_1d` for each device: seconds by word."""
    fields = tuple(f"{word}_s" for word in _SHOWN)
    rows = ((device, [lasted.get(word, 0.0) for word in _SHOWN]) for device, lasted in sorted(found.items()))
    return [Table("availability_1d", (("device", device),), fields, [(date_ms, *row)]) for device, row in rows]


def _moments(steps: Iterable[WordChange]) -> list[tuple[int, str]]:
    return [(one.date_ms, one.word) for one in steps]


def _lasted(moments: list[tuple[int, str]]) -> dict[str, float]:
    lasted: dict[str, float] = {}
    for (from_ms, word), (to_ms, _) in pairwise(moments):
        if word in _SHOWN and to_ms > from_ms:
            lasted[word] = lasted.get(word, 0.0) + (to_ms - from_ms) / 1000
    return lasted
