"""Maintenance windows: below them nothing alerts until they end; then people hear who was away. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Literal

from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Acknowledged, Incident, Level, Scope
from gateway.incidents.topology import Topology
from kewang.wire.placement import Place

MAINTENANCE: Final = "maintenance"
LEVELS: Final[tuple[Level, ...]] = ("device", "site", "uplink", "feeder")
LONGEST_S: Final = 30 * 86_400.0
AHEAD_S: Final = 366 * 86_400.0
"""A window may begin so long from now."""
MAX_WINDOWS: Final = 200
_PLACING_S: Final = 30.0
"""After a start the placements come within so long."""
Unplannable = Literal["unknown", "past", "long", "ahead", "many"]


@dataclass(slots=True)
class Window:
    """Work on `scope`, planned by `by`. Numbers count up and are never used again.

    `sites`: of the devices below it at its end. `away`: devices that were gone in it, with when each was heard last;
    `back`: those of them that were heard again. `ended_s`: None until it is over, or was called off before it began.
    """

    number: int
    scope: Scope
    from_s: float
    until_s: float
    by: str
    note: str = ""
    begun: bool = False
    sites: tuple[str, ...] = ()
    away: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    ended_s: float | None = None

    @property
    def missing(self) -> list[str]:
        """Devices that were gone and are not back."""
        return sorted(self.away.keys() - self.back.keys())

    def copied(self) -> "Window":
        """As it is now."""
        return window_of(asdict(self))

    def report(self) -> Incident:
        """What is told at its end, in the form of an incident: its devices are those that were away."""
        end_s = self.until_s if self.ended_s is None else self.ended_s
        severity: Literal["warning", "info"] = "warning" if self.missing else "info"
        told = Incident(self.number, MAINTENANCE, self.scope, severity, self.from_s, self.from_s)
        told.devices, told.back, told.sites = dict(self.away), dict(self.back), set(self.sites)
        told.stragglers, told.ended_s = tuple(self.missing), end_s
        told.acknowledged = Acknowledged(self.by, self.from_s, self.note)
        return told


def window_of(facts: Mapping[str, Any]) -> Window:
    """The inverse of `dataclasses.asdict`, also after it was JSON."""
    return Window(**{**facts, "scope": Scope(**facts["scope"]), "sites": tuple(facts["sites"])})


class NoWindow(ValueError):
    """No window can be planned like that; the text says why. `near`: names like the one that nothing is called."""

    def __init__(self, code: Unplannable, text: str, near: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.code, self.near = code, tuple(near)


def check(scope: Scope, from_s: float, until_s: float, now_s: float, places: Mapping[str, Place]) -> None:
    """Raise NoWindow unless there is something to work on and the times make sense."""
    known = names(scope.level, places)
    if scope.name not in known:
        near = get_close_matches(scope.name, sorted(known), 5, 0.5)
        hint = f": did you mean {', '.join(near)}?" if near else ": see the placements"
        raise NoWindow("unknown", f"no {scope.level} is called {scope.name!r}{hint}", near)
    if until_s <= max(from_s, now_s):
        raise NoWindow("past", "it would be over before it begins: give a later end")
    if until_s - max(from_s, now_s) > LONGEST_S:
        raise NoWindow("long", f"{LONGEST_S / 86_400:.0f} days at most: plan another one after it")
    if from_s > now_s + AHEAD_S:
        raise NoWindow("ahead", "it would begin more than a year from now")


def names(level: Level, places: Mapping[str, Place]) -> set[str]:
    """What is called something at this level."""
    if level == "device":
        return set(places)
    return {name for place in places.values() if (name := getattr(place, level)) is not None}


class Maintenance:
    """The windows that are planned or open, by number."""

    def __init__(self, topology: Topology, next_number: int = 1) -> None:
        self._topology = topology
        self._next_number = next_number
        self.windows: dict[int, Window] = {}
        self._open: dict[Scope, float] = {}
        """Until when, of those that have begun."""

    def plan(self, scope: Scope, from_s: float, until_s: float, by: str, note: str) -> Window:
        """A new window. Raises NoWindow when there are too many."""
        if len(self.windows) >= MAX_WINDOWS:
            raise NoWindow("many", f"there are {MAX_WINDOWS} windows already: end some first")
        window = Window(self._next_number, scope, from_s, until_s, by, note)
        self._next_number += 1
        self.windows[window.number] = window
        return window

    def until_s(self, device: str) -> float:
        """Until when this device is worked on; -inf: it is not."""
        if not self._open:
            return -math.inf
        return max(self._open.get(scope, -math.inf) for scope in self._topology.scopes(device))

    def covers(self, device: str) -> bool:
        """Whether it is worked on now."""
        return bool(self._open) and self.until_s(device) > -math.inf

    def devices(self, window: Window) -> list[str]:
        """The devices below it."""
        scope = window.scope
        return [scope.name] if scope.level == "device" else list(self._topology.below(scope))

    @property
    def next_s(self) -> float:
        """When a window begins or ends."""
        return min((w.until_s if w.begun else w.from_s for w in self.windows.values()), default=math.inf)

    def over(self, now_s: float) -> list[Window]:
        """Those that end by now; take each off with `end`."""
        return [window for window in self.windows.values() if window.begun and window.until_s <= now_s]

    def begin(self, now_s: float) -> Iterator[Window]:
        """Those that begin by now."""
        for window in self.windows.values():
            if not window.begun and window.from_s <= now_s:
                window.begun = True
                self._sum_up()
                yield window

    def end(self, number: int, ended_s: float) -> Window | None:
        """Take one off; None if there is none of this number."""
        if (window := self.windows.pop(number, None)) is not None:
            window.ended_s = ended_s
            self._sum_up()
        return window

    def told(self, moved: Transition) -> None:
        """A device (not one of its sources) changed."""
        scopes = self._topology.scopes(moved.device) if self._open else ()
        for window in self.windows.values() if self._open else ():
            if not window.begun or window.scope not in scopes:
                continue
            if moved.hearing is Hearing.GONE:
                window.away.setdefault(moved.device, moved.heard_s)
                window.back.pop(moved.device, None)
            elif moved.hearing is Hearing.HEARD and moved.device in window.away:
                window.back.setdefault(moved.device, moved.at_s)

    def removed(self, device: str) -> None:
        """It is not installed any more: nobody waits for it."""
        for window in self.windows.values():
            window.away.pop(device, None)
            window.back.pop(device, None)

    def _sum_up(self) -> None:
        self._open = {}
        for window in self.windows.values():
            if window.begun:
                self._open[window.scope] = max(window.until_s, self._open.get(window.scope, -math.inf))

    def kept(self) -> dict[str, Any]:
        """JSON-able."""
        return {"next": self._next_number, "windows": [asdict(window) for window in self.windows.values()]}

    def restore(self, kept: Mapping[str, Any] | list[Any]) -> None:
        """As `kept`. A list is of an older gateway, in which nobody could plan any."""
        if isinstance(kept, list):
            return
        self._next_number = kept["next"]
        self.windows = {window.number: window for window in map(window_of, kept["windows"])}
        self._sum_up()

    def restarted(self, now_s: float, hears_s: float) -> None:
        """None ends before `hears_s`, when it is known again who is away, nor begins before all are placed; one that
        began by a clock which was ahead lasts as long as was planned."""
        for window in self.windows.values():
            if window.begun:
                ahead_s = max(0.0, window.from_s - now_s)
                window.from_s, window.until_s = window.from_s - ahead_s, window.until_s - ahead_s
            else:
                window.from_s = max(window.from_s, now_s + _PLACING_S)
            until_s = min(window.until_s, max(window.from_s, now_s) + LONGEST_S)
            window.until_s = max(until_s, hears_s)
        self._sum_up()
