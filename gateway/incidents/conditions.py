"""What readings tell: rules with two limits and a hold, looked at with each live row. Pure.

A rule's hold runs while its rows say so: a value that clears it, or a pause in the rows, begins it anew. What was told
ends after rows have cleared it for a while. A source that says nothing for an hour beyond the rule's hold holds it up
no longer: it is a straggler, for nobody knows how it is there. Where many sites meet one rule together (smoke over the
town), it is one incident of the city.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book, Entry
from gateway.incidents.maintenance import Maintenance
from gateway.incidents.model import Scope
from gateway.incidents.rules import RESERVED, Rule
from gateway.incidents.topology import CITY, Topology

_PAUSE_S: Final = 300.0
"""Rows further apart than this, and than the hold, are not one course."""
_CLEAR_S: Final = 300.0
"""A rule is over after so long without, or after its hold if that is shorter."""
_WIDE_SITES: Final = 4
"""At so many sites within `_WIDE_S` it is the city's."""
_WIDE_S: Final = 7200.0
_MUTE_S: Final = 3600.0
MAX_COURSES: Final = 500_000


@dataclass(slots=True)
class Course:
    """One rule at one source: bad (or, once told, clear) since `since_s`; its last row was at `seen_s`."""

    since_s: float
    seen_s: float


class Conditions:
    """All rules, at all sources."""

    def __init__(self, rules: Iterable[Rule], book: Book, topology: Topology, maintenance: Maintenance) -> None:
        self._book = book
        self._topology = topology
        self._maintenance = maintenance
        self._rules = {rule.name: rule for rule in rules}
        self._by_metric: dict[str, list[Rule]] = {}
        for rule in self._rules.values():
            self._by_metric.setdefault(rule.metric, []).append(rule)
        self._courses: dict[tuple[str, str], Course] = {}
        self._parts: dict[tuple[str, str], int] = {}
        """(rule, source) -> number of the incident it is a part of."""
        self._seen: dict[tuple[str, str], float] = {}
        """... -> when its last row came."""
        self._mute: Agenda[tuple[str, str]] = Agenda()

    @property
    def next_s(self) -> float:
        """When `due` has something next."""
        return self._mute.next_s

    def due(self, now_s: float) -> None:
        """Who has said nothing for so long that nobody knows."""
        for at_s, key in self._mute.over(now_s):
            if key not in self._parts:
                continue
            rule, entry = self._rules[key[0]], self._book.entries[self._parts[key]]
            if at_s < self._mute_s(rule, key):
                self._mute.put(key, self._mute_s(rule, key))
            elif key[1] not in entry.incident.back:
                entry.incident.stragglers = tuple(sorted({*entry.incident.stragglers, key[1]}))
                self._part(key)
                self._over(rule, entry, at_s)

    def _mute_s(self, rule: Rule, key: tuple[str, str]) -> float:
        return self._seen[key] + rule.hold_s + _MUTE_S

    def measured(self, device: str, source: str, values: Mapping[str, float], now_s: float) -> None:
        """A live row."""
        for metric, value in values.items():
            for rule in self._by_metric.get(metric, ()):
                self._row(rule, device, source, value, now_s)

    def _row(self, rule: Rule, device: str, source: str, value: float, now_s: float) -> None:
        key = (rule.name, f"{device}/{source}")
        number = self._parts.get(key)
        if number is not None:
            self._heard(rule, key, number, now_s)
            self._told(rule, key, self._book.entries[number], value, now_s)
            return
        course = self._courses.get(key)
        if course is None or now_s - course.seen_s > max(_PAUSE_S, rule.hold_s):
            if rule.bad(value):
                self._begin(key, now_s)
                course = self._courses.get(key)
            else:
                self._courses.pop(key, None)
        elif rule.clear_at(value):
            del self._courses[key]
            return
        if course is None:
            return
        course.seen_s = now_s
        if rule.bad(value) and now_s >= course.since_s + rule.hold_s:
            self._tell(rule, key, device, course.since_s, value, now_s)

    def _begin(self, key: tuple[str, str], now_s: float) -> None:
        if len(self._courses) < MAX_COURSES:
            self._courses[key] = Course(now_s, now_s)

    def _tell(self, rule: Rule, key: tuple[str, str], device: str, since_s: float, value: float, now_s: float) -> None:
        if self._maintenance.covers(device) or device not in self._topology.spots:
            return
        site = self._topology.spots[device].site
        scope = Scope("site", site) if rule.per == "site" else Scope("source", key[1])
        entry = self._book.find(rule.name, CITY) or self._book.find(rule.name, scope)
        new = entry is None
        entry = entry or self._book.open(rule.name, scope, rule.severity_at(value), since_s, now_s)
        entry.incident.metric = rule.metric
        entry.incident.devices.setdefault(key[1], since_s)
        entry.incident.back.pop(key[1], None)
        entry.incident.stragglers = tuple(name for name in entry.incident.stragglers if name != key[1])
        entry.incident.sites.add(site)
        self._heard(rule, key, entry.incident.number, now_s)
        del self._courses[key]
        if new:
            self._say_new(rule, entry, value, now_s)
        else:
            self._worse(rule, entry, value, now_s)

    def _heard(self, rule: Rule, key: tuple[str, str], number: int, now_s: float) -> None:
        """A row of a source that is part of this incident."""
        self._parts[key], self._seen[key] = number, now_s
        self._mute.put(key, self._mute_s(rule, key))

    def _part(self, key: tuple[str, str]) -> None:
        """It is part of none any more."""
        for known in (self._parts, self._seen, self._courses):
            known.pop(key, None)

    def _say_new(self, rule: Rule, entry: Entry, value: float, now_s: float) -> None:
        entry.incident.value = value
        others = [each for each in self._beside(rule, entry) if each.incident.opened_s >= now_s - _WIDE_S]
        if rule.per != "site" or len(others) + 1 < _WIDE_SITES:
            self._book.tell("opened", entry, now_s)
            return
        entry.quiet = True
        self._widen(rule, [*others, entry], now_s)

    def _beside(self, rule: Rule, entry: Entry) -> list[Entry]:
        return [
            each
            for each in self._book.entries.values()
            if each.incident.kind == rule.name and each is not entry and each.incident.scope.level == "site"
        ]

    def _widen(self, rule: Rule, parts: list[Entry], now_s: float) -> None:
        """So many sites at once: one incident of the city."""
        incidents = [part.incident for part in parts]
        severity = "critical" if any(each.severity == "critical" for each in incidents) else rule.severity
        wide = self._book.open(rule.name, CITY, severity, min(each.since_s for each in incidents), now_s)
        wide.incident.metric = rule.metric
        for part in parts:
            for name in part.incident.devices:
                self._parts[rule.name, name] = wide.incident.number
            wide.incident.devices |= part.incident.devices
            wide.incident.back |= part.incident.back
            wide.incident.sites |= part.incident.sites
            wide.incident.stragglers += part.incident.stragglers
            self._book.close(part, now_s, {"part_of": str(wide.incident.number)})
        values = [each.value for each in incidents if each.value is not None]
        wide.incident.value = min(values) if rule.when == "below" else max(values)
        self._book.tell("opened", wide, now_s)

    def _told(self, rule: Rule, key: tuple[str, str], entry: Entry, value: float, now_s: float) -> None:
        """A row of a source that is part of an open incident."""
        course = self._courses.get(key)
        if not rule.clear_at(value):
            self._courses.pop(key, None)
            entry.incident.back.pop(key[1], None)
            if not self._maintenance.covers(key[1].partition("/")[0]):
                self._worse(rule, entry, value, now_s)
        elif course is None:
            self._begin(key, now_s)
        elif now_s >= course.since_s + min(rule.hold_s, _CLEAR_S):
            entry.incident.back[key[1]] = now_s
            self._over(rule, entry, now_s)

    def _over(self, rule: Rule, entry: Entry, now_s: float) -> None:
        """End it when nobody is left who says that it lasts."""
        if entry.incident.devices.keys() <= {*entry.incident.back, *entry.incident.stragglers}:
            for name in entry.incident.devices:
                self._part((rule.name, name))
            self._book.close(entry, now_s)

    def _worse(self, rule: Rule, entry: Entry, value: float, now_s: float) -> None:
        incident = entry.incident
        if incident.value is None or rule.worse(value, incident.value):
            incident.value = value
        if incident.severity != "critical" and rule.severity_at(value) == "critical":
            incident.severity = "critical"
            self._book.tell("worsened", entry, now_s, {"value": f"{value:g}"})

    def removed(self, device: str, now_s: float, staying: Collection[str] = ()) -> None:
        """The device is not installed any more, or has the sources `staying` alone: what the others told is over."""
        for key, number in list(self._parts.items()):
            owner, _, source = key[1].partition("/")
            if owner == device and source not in staying and key in self._parts:
                entry = self._book.entries[number]
                entry.incident.back[key[1]] = now_s
                self._over(self._rules[key[0]], entry, now_s)

    def kept(self) -> list[Any]:
        """JSON-able."""
        return [[*key, *asdict(course).values()] for key, course in self._courses.items()]

    def restore(self, kept: Iterable[Any], now_s: float) -> None:
        """As `kept`. An incident of a rule that is no more is over."""
        self._courses = {
            (name, source): Course(since_s, seen_s) for name, source, since_s, seen_s in kept if name in self._rules
        }
        for entry in list(self._book.entries.values()):
            if (rule := self._rules.get(entry.incident.kind)) is not None:
                for name in entry.incident.devices.keys() - set(entry.incident.stragglers):
                    self._heard(rule, (rule.name, name), entry.incident.number, now_s)
            elif entry.incident.kind not in RESERVED:
                self._book.close(entry, now_s)
