"""Outages of sources while their device is up: one is told as itself, several of one device as that device's. Pure.

Sources that send seldom are missed one after the other, long after one cause. So one that fell silent within the time
in which it is missed makes the incident of another that of the device.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book, Entry
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.maintenance import Maintenance
from gateway.incidents.model import Scope
from gateway.incidents.recovery import OUTAGE, Recovery
from gateway.incidents.topology import Topology

SOURCES: Final = "sources"
_AGAIN_S: Final = 60.0


class SourceOutages:
    """`_down`: device -> its sources that are down, with when each was heard last."""

    def __init__(
        self, rules: EngineRules, book: Book, topology: Topology, maintenance: Maintenance, recovery: Recovery
    ) -> None:
        self._rules = rules
        self._book = book
        self._topology = topology
        self._maintenance = maintenance
        self._recovery = recovery
        self._down: dict[str, dict[str, float]] = {}
        self._members: dict[str, int] = {}
        self._checks: Agenda[str] = Agenda()
        self._ends: Agenda[str] = Agenda()

    @property
    def next_s(self) -> float:
        """When `due` has something next."""
        return min(self._checks.next_s, self._ends.next_s)

    def told(self, transition: Transition) -> None:
        """A source changed."""
        device, source = transition.device, transition.source or ""
        name = f"{device}/{source}"
        if transition.hearing is Hearing.GONE:
            self._down.setdefault(device, {})[source] = transition.heard_s
            self._checks.put(device, transition.at_s + self._rules.wired_hold_s)
            return
        self._up(device, source)
        if name in self._members:
            self._back(self._book.entries[self._members[name]], name, transition.at_s)

    def _up(self, device: str, source: str) -> None:
        down = self._down.get(device, {})
        down.pop(source, None)
        if not down:
            self._down.pop(device, None)

    def _back(self, entry: Entry, name: str, now_s: float) -> None:
        entry.incident.back.setdefault(name, now_s)
        entry.last_back_s = now_s
        self._ends.put(str(entry.incident.number), now_s + self._rules.device_recovery_s)

    def removed(self, device: str, now_s: float, staying: Collection[str] = ()) -> None:
        """The device is not installed any more, or has the sources `staying` alone."""
        for source in [source for source in self._down.get(device, ()) if source not in staying]:
            self._up(device, source)
            if (number := self._members.get(f"{device}/{source}")) is not None:
                self._back(self._book.entries[number], f"{device}/{source}", now_s)

    def due(self, now_s: float) -> None:
        """What is ripe, and what is over."""
        for at_s, device in self._checks.over(now_s):
            self._check(device, at_s)
        for at_s, number in self._ends.over(now_s):
            entry = self._book.entries.get(int(number))
            if entry is None or len(entry.incident.back) < len(entry.incident.devices):
                continue
            if at_s < (over_s := entry.last_back_s + self._rules.device_recovery_s):
                self._ends.put(number, over_s)
                continue
            for name in entry.incident.devices:
                self._members.pop(name, None)
            self._book.close(entry, at_s)

    def look(self, device: str, now_s: float) -> None:
        """Nobody works on it any more."""
        if device in self._down:
            self._checks.put(device, now_s)

    def _check(self, device: str, now_s: float) -> None:
        down = self._down.get(device, {})
        for source in down:
            if (number := self._members.get(f"{device}/{source}")) is not None:
                self._book.entries[number].incident.back.pop(f"{device}/{source}", None)
        new = [source for source in down if f"{device}/{source}" not in self._members]
        until_s = self._maintenance.until_s(device)
        if not new or device not in self._topology.spots:
            return
        if until_s > now_s or self._recovery.missing(device):
            self._checks.put(device, max(until_s, now_s + _AGAIN_S))
            return
        self._tell(device, {source: down[source] for source in new}, now_s)

    def _tell(self, device: str, new: Mapping[str, float], now_s: float) -> None:
        entry = self._book.find(SOURCES, Scope("device", device)) or self._beside(device, new, now_s)
        told = entry is not None
        if entry is None:
            only = next(iter(new)) if len(new) == 1 else None
            kind, scope = (SOURCES, Scope("device", device)) if only is None else (OUTAGE, _scope(device, only))
            entry = self._book.open(kind, scope, "warning", min(new.values()), now_s)
        for source, heard_s in new.items():
            name = f"{device}/{source}"
            entry.incident.devices[name] = heard_s
            self._members[name] = entry.incident.number
        entry.incident.sites.add(self._topology.spots[device].site)
        if not told:
            self._book.tell("opened", entry, now_s)
        elif len(entry.incident.missing) >= 2 * entry.told_devices:
            self._book.tell("worsened", entry, now_s, {"sources": str(len(entry.incident.missing))})

    def _beside(self, device: str, new: Mapping[str, float], now_s: float) -> Entry | None:
        """The outage of another source of the device that may have the same cause: from now on it is the device's."""
        since_s = min(2 * heard_s - now_s for heard_s in new.values())
        for source, heard_s in self._down[device].items():
            number = self._members.get(f"{device}/{source}")
            if number is not None and heard_s >= since_s:
                entry = self._book.entries[number]
                self._book.rename(entry, SOURCES, Scope("device", device))
                return entry
        return None

    def kept(self) -> dict[str, dict[str, float]]:
        """JSON-able."""
        return self._down

    def restore(self, kept: Mapping[str, Any], now_s: float) -> None:
        """As `kept`. The sources say again how they are when their intervals are known."""
        self._down = {device: dict(down) for device, down in kept.items()}
        for device in self._down:
            self._checks.put(device, now_s + self._rules.wired_hold_s)
        for entry in self._book.entries.values():
            kind, level = entry.incident.kind, entry.incident.scope.level
            if kind == SOURCES or (kind == OUTAGE and level == "source"):
                self._members.update(dict.fromkeys(entry.incident.devices, entry.incident.number))
                self._ends.put(str(entry.incident.number), now_s)


def _scope(device: str, source: str) -> Scope:
    return Scope("source", f"{device}/{source}")
