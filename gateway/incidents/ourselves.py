"""What may be wrong with us: the broker, the loop through it, and what others report (database, disk, backup). Pure.

While the broker is away, or most devices are silent and our loop-back message does not come either, nobody's silence
is believed. Trouble is told after a hold, and its end after a recovery.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.model import Scope, Severity

SELF: Final = "self"
BROKER: Final = "broker"
LOOP: Final = "loop"
_NEVER_S: Final = -1e12
_WARNINGS: Final = frozenset({"backup", "certificate", "clock", "office", "ping"})
"""Troubles that can wait for the morning; all others are critical."""


class Ourselves:
    """Our own state, and the incidents about it. `troubles`: kind -> in words, those of now."""

    def __init__(self, rules: EngineRules, book: Book) -> None:
        self._rules = rules
        self._book = book
        self.connected = True
        self.suspected = False
        self.hears_s = _NEVER_S
        self.looped_s = _NEVER_S
        self.troubles: dict[str, str] = {}
        self._since_s: dict[str, float] = {}
        self.agenda: Agenda[str] = Agenda()

    @property
    def next_s(self) -> float:
        """When `due` has something next."""
        return self.agenda.next_s

    def broker(self, connected: bool, now_s: float) -> None:
        """Our connection to the broker came or went."""
        if connected == self.connected:
            return
        self.connected = connected
        if connected:
            self.hears_s = now_s
        self.own(BROKER, None if connected else "no connection to the broker", now_s)

    def looped(self, now_s: float) -> None:
        """Our loop-back message came."""
        self.looped_s = max(self.looped_s, now_s)

    def doubted(self) -> bool:
        """Whether nobody's silence is to be believed."""
        return self.suspected or not self.connected

    def proven(self, now_s: float) -> bool:
        """Whether a message is known to come through just now."""
        return self.connected and now_s <= self.looped_s + self._rules.loop_s

    def suspect(self, suspected: bool, now_s: float) -> None:
        """Most devices are silent and our loop is too, or no longer."""
        if suspected != self.suspected:
            self.suspected = suspected
            self.own(LOOP, "no message comes through the broker" if suspected else None, now_s)
            if not suspected:
                self.hears_s = now_s

    def own(self, kind: str, trouble: str | None, now_s: float) -> None:
        """`trouble` in words; None: it is over."""
        if trouble is None:
            if self.troubles.pop(kind, None) is not None:
                self._since_s[kind] = now_s
                self.agenda.put(kind, now_s + self._rules.own_recovery_s)
            return
        if kind not in self.troubles:
            self._since_s[kind] = now_s
            self.agenda.put(kind, now_s + self._rules.own_hold_s)
        self.troubles[kind] = trouble

    def due(self, now_s: float) -> None:
        """What has lasted long enough."""
        for at_s, kind in self.agenda.over(now_s):
            self._look(kind, at_s)

    def _look(self, kind: str, now_s: float) -> None:
        entry = self._book.find(SELF, Scope("gateway", kind))
        trouble = self.troubles.get(kind)
        since_s = self._since_s.get(kind, now_s)
        ripe_s = since_s + (self._rules.own_hold_s if trouble else self._rules.own_recovery_s)
        if now_s < ripe_s:
            self.agenda.put(kind, ripe_s)
        elif trouble is not None and entry is None:
            severity: Severity = "warning" if kind in _WARNINGS else "critical"
            entry = self._book.open(SELF, Scope("gateway", kind), severity, since_s, now_s)
            self._book.tell("opened", entry, now_s, {"trouble": trouble})
        elif trouble is None and entry is not None:
            self._book.close(entry, now_s)
        if trouble is None and now_s >= ripe_s:
            self._since_s.pop(kind, None)

    def kept(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "troubles": dict(self.troubles),
            "since_s": dict(self._since_s),
            "connected": self.connected,
            "suspected": self.suspected,
            "hears_s": self.hears_s,
            "looped_s": self.looped_s,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """As `kept`: incidents about ourselves are looked at again."""
        self.troubles, self._since_s = dict(kept["troubles"]), dict(kept["since_s"])
        self.connected, self.suspected = kept["connected"], kept["suspected"]
        self.hears_s, self.looped_s = kept["hears_s"], kept["looped_s"]
        for kind, since_s in self._since_s.items():
            hold_s = self._rules.own_hold_s if kind in self.troubles else self._rules.own_recovery_s
            self.agenda.put(kind, since_s + hold_s)

    def restarted(self, now_s: float) -> None:
        """Trouble that was not told before our end is held anew: a start has not reached everything yet."""
        for kind in self.troubles:
            if self._book.find(SELF, Scope("gateway", kind)) is None:
                self._since_s[kind] = now_s
