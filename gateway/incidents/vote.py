"""The vote: which cause explains the silences best. Pure, of what it is given.

Each place is counted once, by site; the votes of all who ask rest on that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate, islice
from math import ceil

from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.model import Scope
from gateway.incidents.topology import CITY, Topology


class Ballot(IntEnum):
    """What a device says in a vote. ABSENT: nothing, as it is explained otherwise, or under maintenance."""

    ABSENT = 0
    ALIVE = 1
    LATE = 2
    SILENT = 3


Of = Callable[[str], Ballot]
Tally = list[int]
"""By ballot: how many devices say it or worse; all who vote are ALIVE or worse."""
_ALL_BUT_CHANCE = 0.95
"""A place where this share of the silent devices is explains them: one in twenty may be silent by chance."""


def quota(share: float, of: int) -> int:
    """How many of `of` are at least `share` of them."""
    return ceil(share * of - 1e-9)


@dataclass(slots=True)
class Counted:
    """How a place voted: by site, and in all. `dark`: dark sites and score, by the ballots that count as silent."""

    sites: Mapping[str, Tally]
    total: Tally
    dark: dict[Ballot, tuple[frozenset[str], int | None]] = field(default_factory=dict)


class Count:
    """The ballots of one moment."""

    def __init__(self, topology: Topology, of: Of) -> None:
        self._topology = topology
        self._of = of
        self._places: dict[Scope, Counted] = {}

    def place(self, scope: Scope) -> Counted:
        """How the devices below `scope` voted."""
        known = self._places.get(scope)
        if known is None:
            sites = {site: self._tally(devices) for site, devices in self._topology.sites(scope).items()}
            total = [sum(column) for column in zip([0] * len(Ballot), *sites.values(), strict=True)]
            known = self._places[scope] = Counted(sites, total)
        return known

    def forget(self, scopes: Iterable[Scope]) -> None:
        """Some devices below these have another ballot now."""
        for scope in scopes:
            self._places.pop(scope, None)

    def _tally(self, devices: Iterable[str]) -> Tally:
        said = [0] * len(Ballot)
        for device in devices:
            said[self._of(device)] += 1
        return [*accumulate(reversed(said))][::-1]


@dataclass(slots=True)
class Vote:
    """One vote. `least`: the ballots that count as silent, from this one up."""

    rules: EngineRules
    topology: Topology
    count: Count
    least: Ballot = Ballot.SILENT

    def group(self, device: str) -> Scope | None:
        """The smallest place, larger than the device, that explains its silence; None: it is alone. Never the city."""
        spot = self.topology.spots.get(device)
        if spot is None or not spot.scopes:
            return None
        best, best_score = None, 0
        for scope in spot.scopes[1:-1]:
            dark, score = self._parent(scope)
            if score is not None and spot.site in dark and (best is None or score >= best_score):
                best, best_score = scope, score
        site = spot.scopes[0]
        return best or (site if self._site(site) else None)

    def _site(self, site: Scope) -> bool:
        """Whether the whole site is silent: `site_share` of its devices, at least two."""
        total = self.count.place(site).total
        return total[self.least] >= max(2, quota(self.rules.site_share, total[Ballot.ALIVE]))

    def _parent(self, scope: Scope) -> tuple[frozenset[str], int | None]:
        """The dark sites of a parent, and how well it explains them: dark ones less bright ones; None: it does not."""
        place = self.count.place(scope)
        if self.least not in place.dark:
            place.dark[self.least] = self._scored(place.sites)
        return place.dark[self.least]

    def _scored(self, sites: Mapping[str, Tally]) -> tuple[frozenset[str], int | None]:
        share, voting = self.rules.site_share, {site: tally for site, tally in sites.items() if tally[Ballot.ALIVE]}
        dark = frozenset(
            site for site, tally in voting.items() if tally[self.least] >= max(1, quota(share, tally[Ballot.ALIVE]))
        )
        needed = max(3 if len(voting) > 5 else 2, quota(self.rules.parent_share, len(voting)))
        return dark, 2 * len(dark) - len(voting) if len(dark) >= needed else None

    def mass(self) -> bool:
        """Whether so many are silent that we must suspect ourselves."""
        total = self.count.place(CITY).total
        return total[self.least] >= max(1, quota(self.rules.city_share, total[Ballot.ALIVE]))

    def city(self, device: str) -> Scope | None:
        """The cause when most are silent and we are well: the city, or a smaller place where all the silent are."""
        city, smaller = self.count.place(CITY), self.group(device)
        if smaller is not None:
            inside = self.count.place(smaller).total[self.least]
            if inside >= quota(_ALL_BUT_CHANCE, city.total[self.least]):
                return smaller
        silent = (site for site, tally in city.sites.items() if tally[self.least])
        return CITY if len([*islice(silent, 2)]) > 1 else smaller
