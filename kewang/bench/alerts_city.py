"""The city of `kewang bench alerts`: devices at sites, sites on feeders and uplinks. Nothing fails here yet."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

Link = Literal["wired", "cellular"]

BEAT_S: Final = 30.0
SITES_PER_1000: Final = 60
CELLULAR: Final = 0.6
"""Of the sites."""
SITES_PER_FEEDER: Final = 7.5
SITES_PER_FIBRE: Final = 5.0
SITES_PER_TOWER: Final = 4.0
ON_BATTERY: Final = 0.08
"""Of the sites: they do not notice when their feeder fails."""
NOT_INSTALLED: Final = 0.01
"""Of the devices: being set up or repaired. Nobody wants to hear of them."""
_CROWDED: Final = 0.8
"""How unevenly devices are spread over sites: sigma of a lognormal."""


@dataclass(frozen=True, slots=True)
class Device:
    """A box. `phase_s`: when it beats first, from then on every 30 s."""

    name: str
    site: str
    link: Link
    phase_s: float
    installed: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """A place. All its boxes have the same kind of link."""

    name: str
    link: Link
    feeder: str
    uplink: str
    on_battery: bool


@dataclass(frozen=True)
class City:
    """Everything that stands somewhere, by name."""

    devices: dict[str, Device]
    sites: dict[str, Site]

    @cached_property
    def _at(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.sites}
        for device in self.devices.values():
            found[device.site].append(device.name)
        return found

    @property
    def feeders(self) -> list[str]:
        """Names, in order."""
        return sorted({site.feeder for site in self.sites.values()})

    @property
    def uplinks(self) -> list[str]:
        """Names, in order."""
        return sorted({site.uplink for site in self.sites.values()})

    def sites_of(self, level: str, name: str) -> list[Site]:
        """The sites below a feeder, uplink or the whole city; of a site, itself."""
        if level == "city":
            return list(self.sites.values())
        return [
            site for site in self.sites.values() if name == {"site": site.name}.get(level, getattr(site, level, ""))
        ]

    def devices_of(self, level: str, name: str, *, installed: bool = True) -> list[str]:
        """The devices below a place, those that are not installed only on request; of a device, itself."""
        if level in ("device", "source"):
            return [name.partition("/")[0]]
        below = (device for site in self.sites_of(level, name) for device in self._at[site.name])
        return [device for device in below if self.devices[device].installed or not installed]


def city_of(devices: int, seed: int) -> City:
    """A city of so many devices."""
    rng = random.Random(f"city/{seed}")
    count = max(1, round(devices * SITES_PER_1000 / 1000))
    sites = {site.name: site for site in _sites(count, rng)}
    crowds = [rng.lognormvariate(0, _CROWDED) for _ in sites]
    homes = [*sites, *rng.choices([*sites], crowds, k=max(0, devices - count))][:devices]
    made = (_device(number, sites[home], rng) for number, home in enumerate(homes))
    return City({device.name: device for device in made}, sites)


def _sites(count: int, rng: random.Random) -> Iterable[Site]:
    cellular = round(count * CELLULAR)
    feeders = max(1, round(count / SITES_PER_FEEDER))
    fibres = max(1, round((count - cellular) / SITES_PER_FIBRE))
    towers = max(1, round(cellular / SITES_PER_TOWER))
    for number in range(count):
        wired = number >= cellular
        uplink = f"fo-{rng.randrange(fibres)}" if wired else f"bts-{rng.randrange(towers)}"
        feeder = f"pln-{rng.randrange(feeders)}"
        yield Site(f"site-{number}", "wired" if wired else "cellular", feeder, uplink, rng.random() < ON_BATTERY)


def _device(number: int, site: Site, rng: random.Random) -> Device:
    return Device(f"box-{number}", site.name, site.link, rng.uniform(0, BEAT_S), rng.random() >= NOT_INSTALLED)
