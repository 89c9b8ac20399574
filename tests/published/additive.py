"""What may change in version 1 of the contract: new keys that nobody needs. Everything else breaks somebody's edge."""

from collections.abc import Iterator
from typing import Any

_PROSE = {"description", "title"}


def breaks(released: Any, now: Any, where: str = "") -> Iterator[str]:
    """Where `now` is not `released` plus optional keys: a sentence each."""
    if isinstance(released, dict) and isinstance(now, dict):
        yield from _of_objects(released, now, where)
    elif isinstance(released, list) and isinstance(now, list) and len(released) == len(now):
        for index, (before, after) in enumerate(zip(released, now, strict=True)):
            yield from breaks(before, after, f"{where}/{index}")
    elif released != now or type(released) is not type(now):
        yield f"{where}: was {released!r}, is {now!r}"


def _of_objects(released: dict[str, Any], now: dict[str, Any], where: str) -> Iterator[str]:
    may_grow = where.endswith(("/properties", "/$defs"))
    for key in released.keys() - now.keys() - (set() if may_grow else _PROSE):
        yield f"{where}/{key}: is gone"
    for key in now.keys() - released.keys() - (set() if may_grow else _PROSE):
        if not may_grow:
            yield f"{where}/{key}: is new: {now[key]!r}"
    for key in sorted(released.keys() & now.keys()):
        if may_grow or key not in _PROSE:
            yield from breaks(released[key], now[key], f"{where}/{key}")
