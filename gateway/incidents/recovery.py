"""Who belongs to which outage, who is back, and when an outage is over. Pure.

An outage is over when all are back for `recovery_s`, or most are for `straggler_s`: then who is not back is listed
once, and goes on as a quiet incident, over as soon as all are back. Who falls again before the end is part of the same.
"""

from collections.abc import Callable, Container, Iterable
from typing import Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book, Entry
from gateway.incidents.canary import CANARY
from gateway.incidents.engine_rules import RANK, EngineRules
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Incident
from gateway.incidents.topology import Topology

OUTAGE: Final = "outage"
UNSTABLE: Final = "unstable"
_AGAIN_S: Final = 30.0
_CLEARED_SHARE: Final = 0.4
"""With no more than this share missing, an outage of many is clearing."""


class Recovery:
    """`members`: device -> number of the open outage it is part of, missing or back."""

    def __init__(
        self,
        rules: EngineRules,
        book: Book,
        topology: Topology,
        late: Container[str],
        left_over: Callable[[Entry, list[str], float], None],
    ) -> None:
        self._rules = rules
        self._late = late
        self._book = book
        self._topology = topology
        self._left_over = left_over
        self.members: dict[str, int] = {}
        self._agenda: Agenda[str] = Agenda()

    @property
    def next_s(self) -> float:
        """When an outage may be over."""
        return self._agenda.next_s

    def entry(self, device: str) -> Entry | None:
        """The open outage the device is part of."""
        number = self.members.get(device)
        return None if number is None else self._book.entries[number]

    def missing(self, device: str) -> bool:
        """Whether the device is part of an open outage and not back."""
        entry = self.entry(device)
        return entry is not None and device not in entry.incident.back

    def join(self, entry: Entry, silent: Iterable[tuple[str, float]]) -> None:
        """Devices with the times they were heard last become part of it, or fall again."""
        incident = entry.incident
        for device, heard_s in silent:
            incident.devices.setdefault(device, heard_s)
            incident.back.pop(device, None)
            if spot := self._topology.spots.get(device):
                incident.sites.add(spot.site)
            self.members[device] = incident.number
            incident.since_s = min(incident.since_s, incident.devices[device])
        if not self._clearing(incident):
            entry.cleared_s = None

    def told(self, transition: Transition) -> None:
        """A device changed: it may be back."""
        entry = self.entry(transition.device)
        if entry is None:
            return
        away = transition.device not in self._topology.spots
        heard = transition.hearing is Hearing.HEARD and not transition.proving
        if entry.incident.kind == UNSTABLE:
            heard = heard and transition.word == "up"
            if transition.word == "down":
                self._book.rename(entry, OUTAGE)
        if away or heard:
            entry.relapses = max(entry.relapses, transition.downs - 1)
            self._back(entry, transition.device, transition.at_s)

    def removed(self, device: str, now_s: float) -> None:
        """It is not installed any more: nobody waits for it."""
        if (entry := self.entry(device)) is not None:
            self._back(entry, device, now_s)

    def _back(self, entry: Entry, device: str, now_s: float) -> None:
        incident = entry.incident
        if device in incident.back:
            return
        incident.back[device] = entry.last_back_s = now_s
        if entry.cleared_s is None and self._clearing(incident):
            entry.cleared_s = now_s
        self.plan(entry, now_s)

    def _clearing(self, incident: Incident) -> bool:
        missing = len(incident.devices) - len(incident.back)
        return missing <= _CLEARED_SHARE * len(incident.devices)

    def _over_s(self, entry: Entry) -> float | None:
        """When it is over if nothing else happens."""
        incident = entry.incident
        if len(incident.back) == len(incident.devices):
            return entry.last_back_s + self._hold_s(entry)
        return None if entry.cleared_s is None else entry.cleared_s + self._rules.straggler_s

    def _hold_s(self, entry: Entry) -> float:
        if entry.incident.kind == UNSTABLE or entry.quiet:
            return 0.0
        if RANK[entry.incident.scope.level] > 1:
            return self._rules.recovery_s
        return self._rules.relapse_recovery_s if entry.relapses else self._rules.device_recovery_s

    def plan(self, entry: Entry, now_s: float) -> None:
        """Look at it when it may be over."""
        over_s = self._over_s(entry)
        if over_s is not None:
            self._agenda.put(str(entry.incident.number), max(now_s, over_s))

    def due(self, now_s: float) -> None:
        """What is over by now."""
        for at_s, number in self._agenda.over(now_s):
            entry = self._book.entries.get(int(number))
            over_s = None if entry is None else self._over_s(entry)
            if entry is None or over_s is None:
                continue
            if at_s < over_s:
                self._agenda.put(number, over_s)
            elif self._falls(entry.incident):
                self._agenda.put(number, at_s + _AGAIN_S)
            else:
                self._resolve(entry, at_s)

    def _falls(self, incident: Incident) -> bool:
        """Whether most of who is back is late already: then it is not told as over to be opened again."""
        back = incident.back
        return bool(back) and 2 * sum(device in self._late for device in back) > len(back)

    def _resolve(self, entry: Entry, now_s: float) -> None:
        missing = entry.incident.missing
        entry.incident.stragglers = tuple(missing)
        self.close(entry, now_s)
        if missing:
            self._left_over(entry, missing, now_s)

    def absorb(self, entry: Entry, child: Entry, now_s: float) -> None:
        """`child` turns out to be part of `entry`."""
        self.close(child, now_s, part_of=entry.incident.number)
        entry.incident.since_s = min([entry.incident.since_s, *child.incident.devices.values()])
        entry.incident.devices |= child.incident.devices
        entry.incident.back |= child.incident.back
        entry.incident.sites |= child.incident.sites
        self.members.update(dict.fromkeys(child.incident.devices, entry.incident.number))

    def close(self, entry: Entry, now_s: float, part_of: int | None = None) -> None:
        """It is over, or part of a larger one."""
        for device in entry.incident.devices:
            if self.members.get(device) == entry.incident.number:
                del self.members[device]
        self._book.close(entry, now_s, {} if part_of is None else {"part_of": str(part_of)})

    def kept(self) -> list[tuple[str, float]]:
        """When each is looked at. JSON-able."""
        return self._agenda.kept()

    def restore(self, kept: Iterable[tuple[str, float]]) -> None:
        """As `kept`, and from the book as it was kept."""
        for number, at_s in kept:
            self._agenda.put(number, at_s)
        for entry in self._book.entries.values():
            if entry.incident.kind in (OUTAGE, UNSTABLE, CANARY) and entry.incident.scope.level != "source":
                self.members.update(dict.fromkeys(entry.incident.devices, entry.incident.number))
