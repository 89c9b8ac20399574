"""The vote: which cause explains the silences best. Pure, of what it is given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
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
_ALL_BUT_CHANCE = 0.95
"""A place where this share of the silent devices is explains them: one in twenty may be silent by chance."""


def quota(share: float, of: int) -> int:
    """How many of `of` are at least `share` of them."""
    return ceil(share * of - 1e-9)


@dataclass(slots=True)
class Vote:
    """One vote. `least`: the ballots that count as silent, from this one up."""

    rules: EngineRules
    topology: Topology
    of: Of
    least: Ballot = Ballot.SILENT

    def group(self, device: str) -> Scope | None:
        """The smallest place, larger than the device, that explains its silence; None: it is alone. Never the city."""
        spot = self.topology.spots.get(device)
        if spot is None:
            return None
        best, best_score = None, 0
        for scope in spot.scopes[1:-1]:
            score = self._parent(scope, spot.site)
            if score is not None and (best is None or score >= best_score):
                best, best_score = scope, score
        site = spot.scopes[0]
        return best or (site if self._site(site) else None)

    def _tally(self, devices: Iterable[str]) -> tuple[int, int]:
        """(silent, counted)"""
        silent = counted = 0
        for device in devices:
            ballot = self.of(device)
            counted += ballot is not Ballot.ABSENT
            silent += ballot >= self.least
        return silent, counted

    def _site(self, site: Scope) -> bool:
        """Whether the whole site is silent: `site_share` of its devices, at least two."""
        silent, counted = self._tally(self.topology.below(site))
        return silent >= max(2, quota(self.rules.site_share, counted))

    def _parent(self, scope: Scope, site: str) -> int | None:
        """How well this parent explains it: dark sites less bright ones; None: it does not, or not this site."""
        dark = bright = 0
        for name, devices in self.topology.sites(scope).items():
            silent, counted = self._tally(devices)
            is_dark = silent >= max(1, quota(self.rules.site_share, counted))
            if name == site and not is_dark:
                return None
            dark += is_dark
            bright += counted > 0 and not is_dark
        needed = max(3 if dark + bright > 5 else 2, quota(self.rules.parent_share, dark + bright))
        return dark - bright if dark >= needed else None

    def mass(self) -> bool:
        """Whether so many are silent that we must suspect ourselves."""
        silent, counted = self._tally(self.topology.spots)
        return silent >= max(1, quota(self.rules.city_share, counted))

    def city(self, device: str) -> Scope | None:
        """The cause when most are silent and we are well: the city, or a smaller place where all the silent are."""
        silent = [each for each in self.topology.spots if self.of(each) >= self.least]
        smaller = self.group(device)
        spots = [self.topology.spots[each] for each in silent]
        inside = sum(smaller in each.scopes for each in spots)
        if smaller is not None and inside >= quota(_ALL_BUT_CHANCE, len(silent)):
            return smaller
        return CITY if len({each.site for each in spots}) > 1 else smaller
