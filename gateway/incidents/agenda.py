"""What is to be looked at when: one entry a key, the earliest time asked for. Pure."""

import heapq
import math
from collections.abc import Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[str, str], tuple[str, str, str])


class Agenda(Generic[Key]):
    """Keys by time. Entries that were overtaken stay in the heap until their time and are passed over."""

    def __init__(self) -> None:
        self._times: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []

    @property
    def next_s(self) -> float:
        """The earliest time; inf: nothing is to be done. Never late, maybe early."""
        return self._heap[0][0] if self._heap else math.inf

    def put(self, key: Key, at_s: float) -> None:
        """Look at `key` at `at_s`, or earlier if that was asked for already."""
        if at_s < self._times.get(key, math.inf):
            self._times[key] = at_s
            heapq.heappush(self._heap, (at_s, key))

    def kept(self) -> list[tuple[Key, float]]:
        """All keys with their times. JSON-able."""
        return list(self._times.items())

    def over(self, now_s: float) -> Iterator[tuple[float, Key]]:
        """(time, key) of each whose time is over, the earliest first; they are taken off before they are given."""
        while self._heap and self._heap[0][0] <= now_s:
            at_s, key = heapq.heappop(self._heap)
            if self._times.get(key) == at_s:
                del self._times[key]
                yield at_s, key
