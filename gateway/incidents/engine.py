"""The engine of incidents: told what happens and when, it says what people may want to hear. No I/O, no clock.

Everything it knows can be kept and restored; a restart tells nothing again and forgets nothing.
"""

from collections.abc import Mapping
from typing import Any, Self

from gateway.incidents.book import Book
from gateway.incidents.causes import Causes
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.hearing import Transition
from gateway.incidents.maintenance import Maintenance
from gateway.incidents.model import Acknowledged, Change, Incident, Scope
from gateway.incidents.ourselves import Ourselves
from gateway.incidents.outages import Outages
from gateway.incidents.topology import Topology
from kewang.wire.placement import Place
from kewang.wire.state import Why

__all__ = ["Engine", "EngineRules"]


class Engine:
    """Outages, conditions, trouble of our own, two boxes: one book."""

    def __init__(self, rules: EngineRules, next_number: int = 1) -> None:
        self._rules = rules
        self._book = Book(next_number)
        self._topology = Topology()
        self._maintenance = Maintenance(self._topology)
        self._ourselves = Ourselves(rules, self._book)
        self._outages = Outages(rules, self._book, self._topology, self._maintenance, self._ourselves)
        self._causes = Causes(self._book, self._outages.recovery)

    @property
    def open(self) -> Mapping[int, Incident]:
        """Incidents that are not over, by number."""
        return {number: entry.incident for number, entry in self._book.entries.items()}

    def place(self, device: str, place: Place | None, now_s: float) -> None:
        """Where the device is from now on; None: nowhere we know of."""
        self._topology.place(device, place)

    def told(self, transition: Transition) -> list[Change]:
        """A device or source changed."""
        if transition.source is None:
            self._outages.told(transition)
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

    def looped(self, now_s: float) -> None:
        """Our loop-back message came through the broker."""
        self._ourselves.looped(now_s)

    def measured(self, device: str, source: str, values: Mapping[str, float], now_s: float) -> list[Change]:
        """A live row."""
        return self._book.taken()

    def own(self, kind: str, trouble: str | None, now_s: float) -> list[Change]:
        """About ourselves: `trouble` in words; None: it is over."""
        self._ourselves.own(kind, trouble, now_s)
        return self._book.taken()

    def two_boxes(self, device: str, now_s: float) -> list[Change]:
        """One identity speaks from two boxes."""
        return self._book.taken()

    def acknowledge(self, number: int, by: str, note: str, now_s: float) -> list[Change]:
        """Somebody has taken it on. Nothing for a number that is not open."""
        entry = self._book.entries.get(number)
        if entry is not None:
            entry.incident.acknowledged = Acknowledged(by, now_s, note)
            self._book.tell("acknowledged", entry, now_s, {"by": by, "note": note})
        return self._book.taken()

    def maintain(self, scope: Scope, until_s: float | None, now_s: float) -> list[Change]:
        """Work is done on `scope` until then; None ends it."""
        self._maintenance.maintain(scope, until_s, now_s)
        return self._book.taken()

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: never."""
        return min(self._outages.next_s, self._ourselves.next_s)

    def due(self, now_s: float) -> list[Change]:
        """What is ripe, and what is over, up to now."""
        self._outages.due(now_s)
        self._ourselves.due(now_s)
        self._maintenance.due(now_s)
        return self._book.taken()

    def kept(self) -> dict[str, Any]:
        """Everything but the placements, JSON-able."""
        return {
            "book": self._book.kept(),
            "silences": self._outages.kept(),
            "ourselves": self._ourselves.kept(),
            "maintenance": self._maintenance.kept(),
        }

    @classmethod
    def restored(cls, kept: Mapping[str, Any], rules: EngineRules, now_s: float) -> Self:
        """As `kept`. Say `place` of every device again."""
        engine = cls(rules)
        engine._book.restore(kept["book"])
        engine._maintenance.restore(kept["maintenance"])
        engine._ourselves.restore(kept["ourselves"])
        engine._outages.restore(kept["silences"], now_s)
        return engine
