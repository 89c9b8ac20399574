"""Sources of a device (a camera, a bus): each has an interval of its own, learned from its rows. Pure.

A source is down after `source_intervals` of its usual ones and at least `source_min_s`, counted only while its device
is well: a camera may be down while its device is up, and when the device is silent nothing is known of the camera.
A device may say that its rows wait, or that it reads its sources more rarely to save its battery.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.hearing import Hearing, PresenceRules, Transition
from gateway.incidents.model import Word

MAX_SOURCES: Final = 64
_LEARNED_ROWS: Final = 4
_WEIGHT: Final = 0.1
"""Of the newest interval in the usual one."""
_OUTLIER: Final = 3.0
"""An interval counts as at most so many usual ones."""
_AGAIN_S: Final = 60.0
_AS_USUAL: Final = (0.0, 1.0)


@dataclass(slots=True)
class _Source:
    heard_s: float
    usual_s: float = 0.0
    rows: int = 1
    word: Word = "unknown"
    back: bool = False
    """A row came after it was down, not yet told."""


class Sources:
    """All sources of all devices."""

    def __init__(self, rules: PresenceRules) -> None:
        self._rules = rules
        self._devices: dict[str, dict[str, _Source]] = {}
        self._paces: dict[str, tuple[float, float]] = {}
        """Of devices that said so: how long rows wait (s), and by how much periods are stretched."""
        self._agenda: Agenda[tuple[str, str]] = Agenda()

    @property
    def next_s(self) -> float:
        """When `due` has something next."""
        return self._agenda.next_s

    def word(self, device: str, source: str) -> Word:
        """How the source is."""
        one = self._devices.get(device, {}).get(source)
        return one.word if one else "unknown"

    def forget(self, device: str) -> None:
        """The device is no more."""
        self._devices.pop(device, None)
        self._paces.pop(device, None)

    def paced(self, device: str, flush_s: float, stretch: float) -> None:
        """What the device says of itself; 0 and 1: nothing."""
        if (flush_s, stretch) == _AS_USUAL:
            self._paces.pop(device, None)
        else:
            self._paces[device] = (flush_s, stretch)

    def only(self, device: str, staying: Collection[str]) -> None:
        """The device has these sources alone: any other is learned anew if it is heard again."""
        sources = self._devices.get(device, {})
        for source in sources.keys() - set(staying):
            del sources[source]

    def heard(self, device: str, source: str, now_s: float) -> None:
        """A row of it came."""
        sources = self._devices.setdefault(device, {})
        one = sources.get(source)
        if one is None:
            if len(sources) < MAX_SOURCES:
                sources[source] = _Source(now_s)
            return
        if one.word == "down":
            one.back = True
            self._agenda.put((device, source), now_s)
        elif (stretch := self._pace(device)[1]) == 1 or one.rows < _LEARNED_ROWS:
            gap_s = (now_s - one.heard_s) / stretch
            if one.rows == 1:
                one.usual_s = gap_s
            one.usual_s += _WEIGHT * (min(gap_s, _OUTLIER * one.usual_s) - one.usual_s)
        one.heard_s = now_s
        one.rows += 1
        if one.rows == _LEARNED_ROWS:
            self._agenda.put((device, source), now_s)

    def _pace(self, device: str) -> tuple[float, float]:
        return self._paces.get(device, _AS_USUAL)

    def due(self, now_s: float, fit_s: Callable[[str], float]) -> Iterator[Transition]:
        """What changed. `fit_s`: since when a device is well, inf: it is not."""
        for _, (device, source) in self._agenda.over(now_s):
            one = self._devices.get(device, {}).get(source)
            if one is None:
                continue
            base_s = max(one.heard_s, fit_s(device))
            flush_s, stretch = self._pace(device)
            usual_s = max(one.usual_s * stretch, flush_s)
            over_s = base_s + max(self._rules.source_min_s, self._rules.source_intervals * usual_s)
            word: Word = "down" if (one.word == "down" and not one.back) or over_s <= now_s else "up"
            before, one.word, one.back = one.word, word, False
            if word == "up":
                self._agenda.put((device, source), now_s + _AGAIN_S if over_s == math.inf else over_s)
            if word != before:
                hearing = Hearing.HEARD if word == "up" else Hearing.GONE
                yield Transition(device, source, word, before, now_s, one.heard_s, min(base_s, now_s), hearing)
