"""From what happens to what people may want to hear: presence, causes and rules, wired. No I/O, no clock of its own.

The gateway and `kewang bench alerts` drive exactly this. Say what happened with its time, then ask `due`: it must be
called when `next_s` is over (each second is often enough). Times never step back; an event at a time goes before `due`
at that time.
"""

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from gateway.incidents.engine import Engine, EngineRules
from gateway.incidents.hearing import PresenceRules, Transition
from gateway.incidents.maintenance import Window
from gateway.incidents.model import Assigned, Change, Incident, Scope, Word
from gateway.incidents.presence import Presence
from gateway.incidents.restored import not_ahead
from gateway.incidents.rules import Rule
from kewang.runtime.settings import Settings
from kewang.wire.placement import Place
from kewang.wire.state import Why


class WatchRules(Settings):
    """All numbers of the watch."""

    presence: PresenceRules = Field(default_factory=PresenceRules)
    engine: EngineRules = Field(default_factory=EngineRules)
    conditions: tuple[Rule, ...] = ()


class Watch:
    """Presence -> engine. `moved`: the transitions of the last `due`. `windows`: of maintenance that began or ended."""

    def __init__(
        self, rules: WatchRules | None = None, started_s: float = 0.0, next_number: int = 1, next_window: int = 1
    ) -> None:
        self._rules = rules or WatchRules()
        self.presence = Presence(self._rules.presence, started_s)
        self.engine = Engine(self._rules.engine, next_number, self._rules.conditions, next_window)
        self.presence.worked_on = self.engine.maintenance.covers
        self.moved: list[Transition] = []
        self.windows: list[Window] = []
        self._changes: list[Change] = []

    @property
    def open(self) -> Mapping[int, Incident]:
        """Incidents that are not over, by number."""
        return self.engine.open

    def word(self, device: str, source: str | None = None) -> Word:
        """How a device or one of its sources is."""
        if source is not None and self.engine.maintenance.covers(device):
            return "maintenance"
        return self.presence.word(device, source)

    def place(self, device: str, place: Place | None, now_s: float) -> None:
        """Where the device is from now on; None: nowhere we know of. Sources it lists no more are over."""
        before = self.presence.place(device, place, now_s)
        self.engine.place(device, place, now_s)
        if place is not None and place != before and (place.sources or (before is not None and before.sources)):
            self.presence.attached(device, place.sources)
            self.engine.attached(device, place.sources, now_s)

    def heard(self, device: str, now_s: float, until_s: float | None = None) -> None:
        """A message came. `until_s`: it is known to be heard at least each heartbeat up to then."""
        self.presence.heard(device, now_s, until_s)

    def source_heard(self, device: str, source: str, now_s: float) -> None:
        """A row of one source came. Its device was heard too: say that as well."""
        self.presence.source_heard(device, source, now_s)

    def left(self, device: str, now_s: float, *, deliberate: bool) -> None:
        """A will or bye that counts (`bt` and `n` of the last birth)."""
        self.presence.left(device, now_s, deliberate=deliberate)

    def born(self, device: str, why: Why | None, now_s: float, until_s: float | None = None) -> None:
        """A birth: the device is heard, and says why it was away."""
        self.presence.heard(device, now_s, until_s)
        self._changes += self.engine.born(device, why, now_s)

    def paced(self, device: str, flush_s: float, stretch: float) -> None:
        """Rows wait so long on the device, and its sources are read at so many times their usual periods."""
        self.presence.paced(device, flush_s, stretch)

    def measured(self, device: str, source: str, values: Mapping[str, float], now_s: float) -> None:
        """A live row. Late rows are never given: what is over alerts nobody."""
        self._changes += self.engine.measured(device, source, values, now_s)

    def broker(self, connected: bool, now_s: float) -> None:
        """Our own connection to the broker came or went."""
        if connected:
            self.presence.hears(now_s)
        else:
            self.presence.deaf()
        self._changes += self.engine.broker(connected, now_s)

    def looped(self, now_s: float, until_s: float | None = None) -> None:
        """Our loop-back message came through the broker. `until_s`: it is known to come regularly up to then."""
        self.engine.looped(now_s if until_s is None else until_s)

    def proven(self, now_s: float) -> bool:
        """Whether a message is known to come through the broker just now."""
        return self.engine.proven(now_s)

    def own(self, kind: str, trouble: str | None, now_s: float) -> None:
        """About ourselves: `trouble` in words, None when it is over."""
        self._changes += self.engine.own(kind, trouble, now_s)

    def two_boxes(self, device: str, now_s: float) -> None:
        """One identity speaks from two boxes."""
        self._changes += self.engine.two_boxes(device, now_s)

    def acknowledge(self, number: int, by: str, note: str, now_s: float) -> None:
        """Somebody has taken the incident on."""
        self._changes += self.engine.acknowledge(number, by, note, now_s)

    def assign(self, number: int, assigned: Assigned, now_s: float) -> None:
        """It is a technician's task now, or another's."""
        self._changes += self.engine.assign(number, assigned, now_s)

    def progress(self, number: int, assigned: Assigned, note: str, now_s: float) -> None:
        """The technician took the task or ended it, with a `note`."""
        self._changes += self.engine.progress(number, assigned, note, now_s)

    def note(self, number: int, by: str, note: str, now_s: float) -> bool:
        """Somebody writes something down of an incident; False if it is not known any more."""
        changes = self.engine.note(number, by, note, now_s)
        self._changes += changes
        return bool(changes)

    def maintain(
        self, scope: Scope, until_s: float, now_s: float, from_s: float = 0.0, by: str = "", note: str = ""
    ) -> Window:
        """Work is done on `scope` until then, from now or a later `from_s`: nothing below it alerts.

        Raises NoWindow when too much is planned already.
        """
        return self.engine.maintain(scope, max(from_s, now_s), until_s, by, note, now_s)

    def end_maintenance(self, number: int, now_s: float) -> bool:
        """The work is done, or called off; False if there is no such window."""
        return self.engine.end_maintenance(number, now_s)

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: never, -inf: at once."""
        return -math.inf if self._changes or self.engine.windows else min(self.presence.next_s, self.engine.next_s)

    def due(self, now_s: float) -> list[Change]:
        """Everything new up to now, in order."""
        changes, self._changes = self._changes, []
        self._looked_at(now_s)
        self.moved = self.presence.due(now_s)
        for transition in self.moved:
            changes += self.engine.told(transition)
        changes += self.engine.due(now_s)
        self._looked_at(now_s)
        return changes

    def _looked_at(self, now_s: float) -> None:
        """Whose maintenance began or ended has another word now."""
        windows, self.engine.windows = self.engine.windows, []
        self.windows += windows
        for device in {device for window in windows for device in self.engine.maintenance.devices(window)}:
            self.presence.look(device, now_s)

    def kept(self) -> dict[str, Any]:
        """What a restart must not forget. JSON-able."""
        return {"presence": self.presence.kept(), "engine": self.engine.kept()}

    @classmethod
    def restored(cls, kept: Mapping[str, Any], rules: WatchRules | None, started_s: float) -> Self:
        """As `kept`, with patience from `started_s`: nothing is told again, nothing forgotten."""
        watch = cls(rules, started_s)
        presence = not_ahead(kept["presence"], math.nextafter(started_s, -math.inf))
        watch.presence = Presence.restored(presence, watch._rules.presence, started_s)
        watch.engine = Engine.restored(kept["engine"], watch._rules.engine, started_s, watch._rules.conditions)
        watch.engine.restarted(started_s)
        watch.presence.worked_on = watch.engine.maintenance.covers
        return watch
