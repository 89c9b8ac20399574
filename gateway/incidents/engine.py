"""The engine of incidents: told what happens and when, it says what people may want to hear. No I/O, no clock.

Everything it knows can be kept and restored; a restart tells nothing again and forgets nothing.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Self

from gateway.incidents.book import Book, Entry
from gateway.incidents.causes import Causes
from gateway.incidents.conditions import Conditions
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.impostors import Impostors
from gateway.incidents.maintenance import Maintenance, Window
from gateway.incidents.model import Acknowledged, Assigned, Change, Incident, Scope, What
from gateway.incidents.ourselves import Ourselves
from gateway.incidents.outages import Outages
from gateway.incidents.restored import not_ahead
from gateway.incidents.rules import Rule
from gateway.incidents.source_outages import SourceOutages
from gateway.incidents.topology import Topology
from kewang.wire.placement import Place
from kewang.wire.state import Why

__all__ = ["Engine", "EngineRules"]


class Engine:
    """Outages, conditions, trouble of our own, two boxes: one book."""

    def __init__(
        self, rules: EngineRules, next_number: int = 1, conditions: Iterable[Rule] = (), next_window: int = 1
    ) -> None:
        self._rules = rules
        self._book = Book(next_number)
        self._topology = Topology(rules.canary)
        self.maintenance = Maintenance(self._topology, next_window)
        self.windows: list[Window] = []
        """Copies of those that began or ended since they were taken off."""
        self._ourselves = Ourselves(rules, self._book)
        self._outages = Outages(rules, self._book, self._topology, self.maintenance, self._ourselves)
        recovery = self._outages.recovery
        self._sources = SourceOutages(rules, self._book, self._topology, self.maintenance, recovery)
        self._causes = Causes(self._book, recovery)
        self._conditions = Conditions(conditions, self._book, self._topology, self.maintenance)
        self._impostors = Impostors(rules, self._book, self._topology)
        self._placed_s = math.inf
        """After a start: when all placements are here."""

    @property
    def open(self) -> Mapping[int, Incident]:
        """Incidents that are not over, by number."""
        return {number: entry.incident for number, entry in self._book.entries.items()}

    def place(self, device: str, place: Place | None, now_s: float) -> None:
        """Where the device is from now on; None: nowhere we know of."""
        was = device in self._topology.spots
        self._topology.place(device, place)
        if was:  # somebody may have worked where it was, and nobody where it is
            self._sources.look(device, now_s)
        if was and device not in self._topology.spots:
            self._removed(device, now_s)

    def _removed(self, device: str, now_s: float) -> None:
        self._sources.removed(device, now_s)
        self._conditions.removed(device, now_s)
        self.maintenance.removed(device)

    def _look_for_removed(self, now_s: float) -> None:
        """Who was taken away while we did not run has no placement that tells so: nobody waits for it any longer."""
        self._placed_s = now_s + self._rules.return_s
        placed, hears_s = self._topology.spots, self._ourselves.hears_s
        if self._ourselves.doubted() or not placed or now_s < hears_s + self._rules.return_s:
            return
        self._placed_s = math.inf
        named = {name.partition("/")[0] for each in self._book.entries.values() for name in each.incident.missing}
        for device in (named | self._outages.silences.keys()) - placed.keys():
            self._outages.removed(device, now_s)
            self._removed(device, now_s)

    def attached(self, device: str, sources: Collection[str], now_s: float) -> None:
        """The device has these sources and no others: what the others told is over."""
        self._sources.removed(device, now_s, sources)
        self._conditions.removed(device, now_s, sources)

    def told(self, transition: Transition) -> list[Change]:
        """A device or source changed."""
        if transition.source is None:
            self.maintenance.told(transition)
            self._outages.told(transition)
        else:
            self._sources.told(transition)
        return self._book.taken()

    def born(self, device: str, why: Why | None, now_s: float) -> list[Change]:
        """A device says why it was away."""
        if why is not None:
            self._causes.born(device, why, now_s)
        return self._book.taken()

    def broker(self, connected: bool, now_s: float) -> list[Change]:
        """Our own connection to the broker came or went."""
        self._ourselves.broker(connected, now_s)
        return self._book.taken()

    def proven(self, now_s: float) -> bool:
        """Whether a message is known to come through the broker just now."""
        return self._ourselves.proven(now_s)

    def looped(self, now_s: float) -> None:
        """Our loop-back message came through the broker."""
        self._ourselves.looped(now_s)

    def measured(self, device: str, source: str, values: Mapping[str, float], now_s: float) -> list[Change]:
        """A live row. Late rows are never given: what is over alerts nobody."""
        self._conditions.measured(device, source, values, now_s)
        return self._book.taken()

    def own(self, kind: str, trouble: str | None, now_s: float) -> list[Change]:
        """About ourselves: `trouble` in words; None: it is over."""
        self._ourselves.own(kind, trouble, now_s)
        return self._book.taken()

    def two_boxes(self, device: str, now_s: float) -> list[Change]:
        """One identity speaks from two boxes."""
        self._impostors.seen(device, now_s)
        return self._book.taken()

    def acknowledge(self, number: int, by: str, note: str, now_s: float) -> list[Change]:
        """Somebody has taken it on. Nothing for a number that is not open."""
        entry = self._book.entries.get(number)
        if entry is not None:
            self._taken_on(entry, by, note, now_s)
        return self._book.taken()

    def note(self, number: int, by: str, note: str, now_s: float) -> list[Change]:
        """Somebody writes something down of it. Nothing for one that is not known any more."""
        self._book.noted(number, now_s, {"by": by, "note": note})
        return self._book.taken()

    def _taken_on(self, entry: Entry, by: str, note: str, now_s: float) -> None:
        entry.incident.acknowledged = Acknowledged(by, now_s, note)
        self._book.tell("acknowledged", entry, now_s, {"by": by, "note": note})

    def assign(self, number: int, assigned: Assigned, now_s: float) -> list[Change]:
        """It is a technician's task: who gave it has taken it on. Nothing for a number that is not open."""
        entry = self._book.entries.get(number)
        if entry is not None:
            entry.incident.assigned = assigned
            if entry.incident.acknowledged is None:
                self._taken_on(entry, assigned.by, "", now_s)
            self._book.tell("assigned", entry, now_s, {"by": assigned.by, "to": assigned.to})
        return self._book.taken()

    def progress(self, number: int, assigned: Assigned, note: str, now_s: float) -> list[Change]:
        """The technician took the task, or says that it is done."""
        entry = self._book.entries.get(number)
        if entry is not None:
            entry.incident.assigned = assigned
            what: What = "done" if assigned.state == "done" else "taken"
            self._book.tell(what, entry, now_s, {"by": assigned.to, "note": note})
        return self._book.taken()

    def maintain(self, scope: Scope, from_s: float, until_s: float, by: str, note: str, now_s: float) -> Window:
        """Work is done on `scope` in between. Raises NoWindow when too much is planned already."""
        window = self.maintenance.plan(scope, from_s, until_s, by, note)
        self._begin_works(now_s)
        return window

    def end_maintenance(self, number: int, now_s: float) -> bool:
        """The work is done, or called off; False if there is no such window."""
        window = self.maintenance.windows.get(number)
        if window is not None:
            self._end_work(window, now_s)
        return window is not None

    def _begin_works(self, now_s: float) -> None:
        """Who is away already is noted; what is open there is taken on by who planned the work."""
        for window in self.maintenance.begin(now_s):
            devices, silences = self.maintenance.devices(window), self._outages.silences
            gone = [one for one in devices if one in silences and silences[one].hearing is Hearing.GONE]
            window.away = {device: silences[device].heard_s for device in gone}
            self.windows.append(window.copied())
            below = set(devices)
            for entry in list(self._book.entries.values()):
                missing = {name.partition("/")[0] for name in entry.incident.missing}
                if missing and missing <= below and entry.incident.acknowledged is None:
                    self._taken_on(entry, window.by, window.note, now_s)

    def _end_works(self, now_s: float) -> None:
        """Those whose time is over, but while we doubt ourselves nobody could say who is back."""
        for window in self.maintenance.over(now_s):
            if self._ourselves.doubted():
                window.until_s = now_s + self._rules.return_s
            else:
                self._end_work(window, now_s)

    def _end_work(self, window: Window, now_s: float) -> None:
        self.maintenance.end(window.number, now_s)
        devices, spots = self.maintenance.devices(window) if window.begun else [], self._topology.spots
        window.sites = tuple(sorted({spots[device].site for device in devices if device in spots}))
        self.windows.append(window.copied())
        for device in devices:
            self._outages.look(device, now_s)
            self._sources.look(device, now_s)

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: never."""
        parts = (self._outages, self._ourselves, self._sources, self._conditions, self._impostors, self.maintenance)
        return min(self._placed_s, *(part.next_s for part in parts))

    def due(self, now_s: float) -> list[Change]:
        """What is ripe, and what is over, up to now."""
        if now_s >= self._placed_s:
            self._look_for_removed(now_s)
        self._end_works(now_s)
        self._begin_works(now_s)
        self._outages.due(now_s)
        self._ourselves.due(now_s)
        self._sources.due(now_s)
        self._conditions.due(now_s)
        self._impostors.due(now_s)
        return self._book.taken()

    def kept(self) -> dict[str, Any]:
        """Everything but the placements, JSON-able."""
        return {
            "book": self._book.kept(),
            "outages": self._outages.kept(),
            "sources": self._sources.kept(),
            "conditions": self._conditions.kept(),
            "ourselves": self._ourselves.kept(),
            "maintenance": self.maintenance.kept(),
        }

    def restarted(self, now_s: float) -> None:
        """We were away until now: what we had not told of ourselves is held anew, and nobody knows yet who is back."""
        self._ourselves.restarted(now_s)
        self._placed_s = now_s + self._rules.return_s
        self.maintenance.restarted(now_s, now_s + self._rules.return_s)

    @classmethod
    def restored(
        cls, kept: Mapping[str, Any], rules: EngineRules, now_s: float, conditions: Iterable[Rule] = ()
    ) -> Self:
        """As `kept`, but no time of the past is ahead. Say `place` of every device again, and that our loop comes."""
        engine = cls(rules, conditions=conditions)
        past = {part: not_ahead(kept[part], now_s) for part in ("book", "ourselves", "sources", "conditions")}
        engine._book.restore(past["book"])
        engine.maintenance.restore(kept["maintenance"])
        engine._ourselves.restore(past["ourselves"])
        engine._outages.restore(not_ahead(kept["outages"], now_s, within_s=rules.longest_s))
        engine._sources.restore(past["sources"], now_s)
        engine._conditions.restore(past["conditions"], now_s)
        engine._impostors.restore()
        return engine
