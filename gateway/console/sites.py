"""The sites as map and table show them: how each is, by the rule of the boards' `fleet`. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from gateway.console.live import Overview
from gateway.console.overview import Device, Site
from gateway.fleet import state_of
from gateway.notify.phrases import place
from kewang.ui.city import Spot
from kewang.ui.states import STATES, State

BY_KEY: Final = {state.key: state for state in STATES}
FIRST: Final = ("down", "degraded", "unknown", "maintenance", "normal")
"""What is looked at first."""
_COUNTED: Final = ("installed", "maintenance")
_WORDS: Final = {"normal": "up"}
"""What `fleet` calls it, where that is another word."""


@dataclass(frozen=True, slots=True)
class SiteNow:
    """One site. `counts`: key of a state -> devices that are so, those that count; `at`: where, None if nobody said."""

    name: str
    state: State
    counts: Mapping[str, int]
    devices: tuple[Device, ...]
    at: Spot | None

    @property
    def rank(self) -> int:
        """What is looked at first has the lowest."""
        return FIRST.index(self.state.key)


def how(device: Device) -> str:
    """The key of a device's state: `degraded` is one that is heard and of which something is not well."""
    if device.in_maintenance:
        return "maintenance"
    if device.condition == "never":
        return "unknown"
    if device.condition == "silent":
        return "down"
    return "degraded" if device.troubled else "normal"


def sites_now(overview: Overview) -> tuple[SiteNow, ...]:
    """All sites that have a name, those that are looked at first before the others."""
    return tuple(sorted(map(_site, _named(overview.sites)), key=lambda site: (site.rank, site.name)))


def counted(sites: Iterable[SiteNow]) -> dict[str, int]:
    """Key of a state -> how many sites are so; every key is there."""
    counts = Counter(site.state.key for site in sites)
    return {key: counts[key] for key in FIRST}


def _named(sites: Iterable[Site]) -> Iterable[tuple[str, tuple[Device, ...]]]:
    return ((site.name, site.devices) for site in sites if site.name is not None)


def _site(named: tuple[str, tuple[Device, ...]]) -> SiteNow:
    name, devices = named
    counts = Counter(how(device) for device in devices if device.place and device.place.life in _COUNTED)
    words = Counter({_WORDS.get(key, key): count for key, count in counts.items()})
    state = STATES[state_of(words)] if counts else BY_KEY["unknown"]
    return SiteNow(name, state, counts, devices, _where(devices))


def _where(devices: Iterable[Device]) -> Spot | None:
    """The mean of its devices' places."""
    spots = [
        (device.place.lon, device.place.lat)
        for device in devices
        if device.place and device.place.lon is not None and device.place.lat is not None
    ]
    return (fmean(lon for lon, _ in spots), fmean(lat for _, lat in spots)) if spots else None


def matches(name: str, text: str) -> bool:
    """Whether somebody who types `text` looks for `name`."""
    wanted = text.lower().replace("-", " ")
    return wanted in name.lower().replace("-", " ") or wanted in place(name).lower()
