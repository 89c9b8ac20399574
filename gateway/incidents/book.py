"""The book of incidents: numbers, who is open, what was told of each. Pure."""

import copy
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.incidents.facts import facts_of, flat, incident_of
from gateway.incidents.model import Change, Incident, Scope, Severity, What
from kewang.wire.state import Why

_REMEMBERED: Final = 1000
"""Incidents that are over and may still learn their cause."""
_NO_DETAILS: Final[Mapping[str, str]] = {}


def copied(incident: Incident) -> Incident:
    """As it is now; nothing that comes later changes it."""
    twin = copy.copy(incident)
    twin.devices, twin.back, twin.sites, twin.whys = (
        dict(incident.devices),
        dict(incident.back),
        set(incident.sites),
        dict(incident.whys),
    )
    return twin


@dataclass(slots=True)
class Entry:
    """An incident with what people know of it.

    `quiet`: nobody was told, so its end is not told either. `told_devices`, `told_sites`: what was told last.
    `cleared_s`: since when most of it is back; `last_back_s`: when something came back last. `relapses`: how often
    one that was back fell again. `whys`: what each of its devices said last of why it was away.
    """

    incident: Incident
    quiet: bool = False
    told_devices: int = 0
    told_sites: set[str] = field(default_factory=set)
    cleared_s: float | None = None
    last_back_s: float = 0.0
    relapses: int = 0
    whys: dict[str, Why] = field(default_factory=dict)

    def note(self) -> None:
        """What it is now is what people know."""
        self.note_growth(*self.incident.sites)

    def note_growth(self, *sites: str) -> None:
        """So many devices, and these sites, are what people know."""
        self.told_devices = len(self.incident.devices) - len(self.incident.back)
        self.told_sites.update(sites)


@dataclass(slots=True)
class Book:
    """All open incidents, and the last thousand that are over."""

    next_number: int = 1
    entries: dict[int, Entry] = field(default_factory=dict)
    by_scope: dict[tuple[str, Scope], int] = field(default_factory=dict)
    over: OrderedDict[int, Entry] = field(default_factory=OrderedDict)
    changes: list[Change] = field(default_factory=list)

    def find(self, kind: str, scope: Scope) -> Entry | None:
        """The open incident of this kind about `scope`."""
        number = self.by_scope.get((kind, scope))
        return None if number is None else self.entries[number]

    def open(
        self, kind: str, scope: Scope, severity: Severity, since_s: float, now_s: float, *, quiet: bool = False
    ) -> Entry:
        """A new incident. Say `tell` when its devices are in."""
        entry = Entry(Incident(self.next_number, kind, scope, severity, since_s, now_s), quiet)
        self.entries[self.next_number] = entry
        self.by_scope[kind, scope] = self.next_number
        self.next_number += 1
        return entry

    def tell(self, what: What, entry: Entry, now_s: float, why: Mapping[str, str] = _NO_DETAILS) -> None:
        """Say that something happened to it, unless nobody knows of it."""
        entry.note()
        if not entry.quiet:
            self.changes.append(Change(what, copied(entry.incident), now_s, why))

    def noted(self, number: int, now_s: float, why: Mapping[str, str]) -> None:
        """Somebody writes something down of it, open or over a short while ago."""
        if (entry := self.entries.get(number) or self.over.get(number)) is not None:
            self.changes.append(Change("noted", copied(entry.incident), now_s, why))

    def rename(self, entry: Entry, kind: str, scope: Scope | None = None) -> None:
        """It is of another kind, or about more, than was thought."""
        incident = entry.incident
        del self.by_scope[incident.kind, incident.scope]
        incident.kind, incident.scope = kind, scope or incident.scope
        self.by_scope[kind, incident.scope] = incident.number

    def close(self, entry: Entry, now_s: float, why: Mapping[str, str] = _NO_DETAILS) -> None:
        """It is over."""
        incident = entry.incident
        incident.ended_s = now_s
        del self.entries[incident.number]
        self.by_scope.pop((incident.kind, incident.scope), None)
        self.tell("resolved", entry, now_s, why)
        self.over[incident.number] = entry
        if len(self.over) > _REMEMBERED:
            self.over.popitem(last=False)

    def taken(self) -> list[Change]:
        """What was said since the last call."""
        changes, self.changes = self.changes, []
        return changes

    def kept(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "next_number": self.next_number,
            "entries": [_kept(entry) for entry in self.entries.values()],
            "over": [_kept(entry) for entry in self.over.values()],
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """As `kept`, into an empty book."""
        self.next_number = kept["next_number"]
        for facts in kept["entries"]:
            entry = _restored(facts)
            self.entries[entry.incident.number] = entry
            self.by_scope[entry.incident.kind, entry.incident.scope] = entry.incident.number
        for facts in kept["over"]:
            entry = _restored(facts)
            self.over[entry.incident.number] = entry


def _kept(entry: Entry) -> dict[str, Any]:
    known = {"incident": facts_of(entry.incident), "told_sites": sorted(entry.told_sites), "whys": dict(entry.whys)}
    return flat(entry) | known


def _restored(facts: Mapping[str, Any]) -> Entry:
    return Entry(**{**facts, "incident": incident_of(facts["incident"]), "told_sites": set(facts["told_sites"])})
