"""Two boxes with one identity: told once, over after `two_boxes_s` without another proof. Pure."""

from typing import Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.model import Scope
from gateway.incidents.topology import Topology

TWO_BOXES: Final = "two-boxes"


class Impostors:
    """The incidents about identities that speak from two boxes."""

    def __init__(self, rules: EngineRules, book: Book, topology: Topology) -> None:
        self._rules = rules
        self._book = book
        self._topology = topology
        self._agenda: Agenda[str] = Agenda()

    @property
    def next_s(self) -> float:
        """When one may be over."""
        return self._agenda.next_s

    def seen(self, device: str, now_s: float) -> None:
        """A run came back after another. Maintenance does not silence it: it is no outage."""
        scope = Scope("device", device)
        entry = self._book.find(TWO_BOXES, scope)
        if entry is None:
            entry = self._book.open(TWO_BOXES, scope, "critical", now_s, now_s)
            entry.incident.devices[device] = now_s
            if spot := self._topology.spots.get(device):
                entry.incident.sites.add(spot.site)
            self._book.tell("opened", entry, now_s)
        entry.last_back_s = now_s
        self._agenda.put(device, now_s + self._rules.two_boxes_s)

    def due(self, now_s: float) -> None:
        """Who was quiet for long enough."""
        for at_s, device in self._agenda.over(now_s):
            entry = self._book.find(TWO_BOXES, Scope("device", device))
            if entry is None:
                continue
            over_s = entry.last_back_s + self._rules.two_boxes_s
            if at_s < over_s:
                self._agenda.put(device, over_s)
            else:
                entry.incident.back[device] = entry.last_back_s
                self._book.close(entry, at_s)

    def restore(self) -> None:
        """From the book as it was kept."""
        for entry in self._book.entries.values():
            if entry.incident.kind == TWO_BOXES:
                self._agenda.put(entry.incident.scope.name, entry.last_back_s + self._rules.two_boxes_s)
