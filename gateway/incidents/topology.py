"""Which devices share a site, an uplink, a feeder: from their placements. Pure.

Levels are names of different kinds, so no placement can make a cycle: a feeder called as its own site is another
place. A parent nobody names does not exist; a site whose devices name different parents is a part of each, with those
devices that name it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway.incidents.model import Scope
from kewang.wire.placement import Place

CITY: Final = Scope("city", "")
PARENTS: Final = ("uplink", "feeder")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an installed device hangs: `scopes` from its site up to the city."""

    site: str
    link: Literal["wired", "cellular"]
    scopes: tuple[Scope, ...]


def spot(place: Place) -> Spot:
    """The spot of a placement."""
    scopes = [Scope("site", place.site)]
    if place.uplink is not None:
        scopes.append(Scope("uplink", place.uplink))
    if place.feeder is not None:
        scopes.append(Scope("feeder", place.feeder))
    return Spot(place.site, place.link, (*scopes, CITY))


class Topology:
    """The devices that may alert, by what they hang on. `canary`: one that hangs on nothing, for it is a test."""

    def __init__(self, canary: str = "") -> None:
        self._canary = canary
        self.spots: dict[str, Spot] = {}
        self._groups: dict[Scope, dict[str, dict[str, None]]] = {}

    def place(self, device: str, place: Place | None) -> None:
        """Where the device is now. Only installed ones count; the rest is taken out."""
        new = spot(place) if place is not None and place.life == "installed" else None
        if new is not None and device == self._canary:
            new = Spot(new.site, new.link, ())
        old = self.spots.get(device)
        if new == old:
            return
        if old is not None:
            self._leave(device, old)
        if new is not None:
            self.spots[device] = new
            for scope in new.scopes:
                self._groups.setdefault(scope, {}).setdefault(new.site, {})[device] = None

    def _leave(self, device: str, old: Spot) -> None:
        del self.spots[device]
        for scope in old.scopes:
            sites = self._groups[scope]
            del sites[old.site][device]
            if not sites[old.site]:
                del sites[old.site]
            if not sites:
                del self._groups[scope]

    @property
    def voters(self) -> int:
        """How many devices have a vote."""
        return len(self.spots) - (self._canary in self.spots)

    def sites(self, scope: Scope) -> dict[str, dict[str, None]]:
        """The devices below `scope`, by site."""
        return self._groups.get(scope, {})

    def below(self, scope: Scope) -> Iterator[str]:
        """The devices below `scope`."""
        return (device for devices in self.sites(scope).values() for device in devices)

    def scopes(self, device: str) -> tuple[Scope, ...]:
        """What the device is a part of, itself first; only itself if it may not alert."""
        known = self.spots.get(device)
        return (Scope("device", device), *(known.scopes if known else ()))
