"""A stage for the watch: places, people's events at their times, and what came of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.incidents.model import Change
from gateway.incidents.watch import Watch, WatchRules
from kewang.wire.placement import Life, Place
from kewang.wire.state import Why

BEAT_S = 30.0


def at(
    site: str,
    *,
    uplink: str | None = None,
    feeder: str | None = None,
    cellular: bool = False,
    life: Life = "installed",
) -> Place:
    """A placement."""
    return Place(
        from_ms=0, site=site, uplink=uplink, feeder=feeder, link="cellular" if cellular else "wired", life=life
    )


@dataclass
class Stage:
    """Devices that are heard each 30 s unless they are away; events are played in the order of their times."""

    watch: Watch = field(default_factory=lambda: Watch(WatchRules(), 0.0))
    now_s: float = 0.0
    changes: list[Change] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _away: dict[str, list[tuple[float, float, Why, bool]]] = field(default_factory=dict)

    def place(self, devices: Iterable[str], place: Place) -> list[str]:
        """Put devices somewhere, from now on."""
        placed = list(devices)
        for device in placed:
            self.watch.place(device, place, self.now_s)
        self.devices += [device for device in placed if device not in self.devices]
        return placed

    def away(
        self,
        devices: Iterable[str],
        from_s: float,
        to_s: float,
        why: Why = "power",
        *,
        will: bool = True,
        stagger_s: float = 0.0,
    ) -> None:
        """Nothing comes from them in between; a will does 45 s after the last message, if so."""
        for number, device in enumerate(devices):
            self._away.setdefault(device, []).append((from_s, to_s + number * stagger_s, why, will))

    def event(self, at_s: float, do: Callable[[float], None]) -> None:
        """Something else that happens."""
        self._events.append((at_s, len(self._events), do))

    def heard_from(self, device: str, from_s: float, until_s: float, why: Why | None = None) -> None:
        """It is heard without a gap in between; `why`: that begins with a birth."""
        if until_s < from_s:
            return
        if why is None:
            self.event(from_s, lambda now_s: self.watch.heard(device, now_s, until_s))
        else:
            self.event(from_s, lambda now_s: self.watch.born(device, why, now_s, until_s))

    def play(self, end_s: float) -> list[Change]:
        """Everything up to `end_s`; what was told."""
        for number, device in enumerate(self.devices):
            self._life(device, self.now_s + (number * 7.3) % BEAT_S, end_s)
        told = len(self.changes)
        for at_s, _, do in sorted(self._events, key=lambda event: event[:2]):
            self.until(at_s)
            do(at_s)
        self._events, self._away = [], {}
        self.until(end_s)
        self.changes += self.watch.due(end_s)
        return self.changes[told:]

    def _life(self, device: str, from_s: float, end_s: float) -> None:
        phase_s, why = from_s, None
        for away_s, back_s, reason, will in sorted(self._away.get(device, [])):
            last_s = from_s + (away_s - from_s) // BEAT_S * BEAT_S
            self.heard_from(device, phase_s, last_s, why)
            if will and last_s + 45 < min(back_s, end_s):
                self.event(last_s + 45, lambda now_s: self.watch.left(device, now_s, deliberate=False))
            phase_s, from_s, why = back_s, back_s, reason
        self.heard_from(device, phase_s, end_s, why)

    def until(self, at_s: float) -> None:
        """Let the watch do what is due before `at_s`."""
        while (next_s := self.watch.next_s) < at_s:
            self.now_s = max(self.now_s, next_s)
            self.changes += self.watch.due(self.now_s)
        self.now_s = at_s


def story(changes: Iterable[Change]) -> list[tuple[str, str, str]]:
    """(what, kind, place) of each change."""
    told = ((each.what, each.incident) for each in changes)
    return [(what, one.kind, f"{one.scope.level} {one.scope.name}".strip()) for what, one in told]
