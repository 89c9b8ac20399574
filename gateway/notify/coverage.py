"""Who is told of what, looked over: what nobody is told of, and what is not used."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from gateway.incidents.model import Incident, Level, Scope, Severity
from gateway.incidents.rules import RESERVED, Rule
from gateway.notify.budget import SEVERITIES
from gateway.notify.routes import NotifySettings

ANY_SITE: Final = "\x7f"
"""A site that only * fits."""
_OWN: Final[tuple[tuple[str, Level, Severity], ...]] = (
    ("outage", "site", "critical"),
    ("outage", "device", "warning"),
    ("sources", "device", "warning"),
    ("unstable", "device", "warning"),
    ("two-boxes", "device", "critical"),
    ("self", "gateway", "critical"),
    ("maintenance", "site", "info"),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """`uncovered`: (kind, severity) -> the sites where nobody is told of it; none: nowhere is anybody.

    The rest: names that stand in the file and lead nowhere."""

    uncovered: dict[tuple[str, Severity], list[str]]
    channels: list[str]
    recipients: list[str]
    sites: list[str]
    kinds: list[str]

    @property
    def well(self) -> bool:
        """Whether everything is told to somebody, and everything is used."""
        return not (self.uncovered or self.channels or self.recipients or self.sites or self.kinds)

    def by_sites(self) -> dict[tuple[str, ...], list[str]]:
        """The same the other way round, for people: sites -> `kind (severity)`."""
        found: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for (kind, severity), sites in self.uncovered.items():
            found[tuple(sites)].append(f"{kind} ({severity})")
        return dict(found)


def coverage(settings: NotifySettings, rules: Collection[Rule], sites: Collection[str]) -> Coverage:
    """What `settings` leave out. `sites`: those that are known, if any are."""
    uncovered: defaultdict[tuple[str, Severity], list[str]] = defaultdict(list)
    for incident in _kinds(rules):
        own = incident.scope.level == "gateway"
        places = [""] if own else sorted(sites) or [ANY_SITE]
        missed = [place for place in places if not _heard(settings, incident, place)]
        if missed:
            uncovered[incident.kind, incident.severity] = [] if len(missed) == len(places) else missed
    used = {channel for route in settings.routes for channel in route.by}
    used |= {channel for by in (settings.office.by.values() if settings.office else ()) for channel in by}
    told = {name for route in settings.routes for name in route.to}
    return Coverage(
        dict(uncovered),
        [name for name in settings.channels if name not in used],
        [name for name in settings.recipients if name not in told],
        _fit_nothing((name for route in settings.routes for name in route.sites), sites) if sites else [],
        _fit_nothing((name for route in settings.routes for name in route.kinds), RESERVED | {r.name for r in rules}),
    )


def _fit_nothing(patterns: Iterable[str], names: Collection[str]) -> list[str]:
    """A mistyped name makes its route deaf, and nothing else would say so."""
    return [one for one in dict.fromkeys(patterns) if not any(fnmatchcase(name, one) for name in names)]


def _heard(settings: NotifySettings, incident: Incident, site: str) -> bool:
    """By a route, or by the office's contacts: where a district has none, all of them are told."""
    office = settings.office
    if office and office.by and SEVERITIES.index(incident.severity) >= SEVERITIES.index(office.at_least):
        return True
    incident.sites = {site} if site else set()
    return any(route.fits(incident) for route in settings.routes if not route.escalation)


def _kinds(rules: Iterable[Rule]) -> Iterator[Incident]:
    """One incident of each kind, as severe as it begins."""
    for kind, level, severity in _OWN:
        yield Incident(0, kind, Scope(level, ""), severity, 0.0, 0.0)
    for rule in rules:
        yield Incident(0, rule.name, Scope("source", ""), rule.severity, 0.0, 0.0)
