"""The city that `kewang dashboards check` is tried with: who stands where, what they measure, what went wrong."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

from gateway.incidents.model import Acknowledged, Change, Incident, Level, Scope, Word
from kewang.wire.catalogue import METRICS, Metric
from kewang.wire.placement import Place
from kewang.wire.state import Why

DEVICES_PER_SITE: Final = 50
SITES_PER_FEEDER: Final = 7
SITES_PER_UPLINK: Final = 5
CAMERAS_PER_100: Final = 5
CAMERA: Final = "cam-1"
ENV: Final = "env-1"
_ORDINARY: Final = {
    "env": ("temp_c", "pm25_ugm3"),
    "sys": ("cpu_pct", "disk_pct", "box_temp_c", "supply_v", "outbox_bytes", "clock_synced"),
    "cam": (
        "camera_state",
        "camera_reason",
        "fps_ratio",
        "loss_pct",
        "keyframe_interval_s",
        "clock_offset_s",
        "dirt_pct",
    ),
}
_THIRD: Final = ("noise_dba", "nh3_ppm", "h2s_ppm", "water_level_cm", "bin_fill_pct", "rh_pct")
"""Of the ordinary devices each measures one of these too."""
_USUAL: Final = {
    "temp_c": (26, 34),
    "pm25_ugm3": (5, 60),
    "noise_dba": (45, 80),
    "nh3_ppm": (0, 12),
    "h2s_ppm": (0, 4),
    "water_level_cm": (20, 140),
    "supply_v": (11.6, 12.6),
    "outbox_bytes": (1e5, 2e6),
    "cert_days": (20, 80),
    "clock_offset_s": (-2, 2),
    "keyframe_interval_s": (1, 4),
    "fps_ratio": (0.8, 1.1),
    "loss_pct": (0, 2),
    "uptime_s": (1e4, 1e6),
}


@dataclass(frozen=True, slots=True)
class Town:
    """`shown`: the device whose board is looked at; it measures everything."""

    places: dict[str, Place]
    cameras: tuple[str, ...]
    shown: str

    def metrics(self, device: str, stream: str) -> list[Metric]:
        """What a device measures."""
        of_stream = [one for one in METRICS if one.stream == stream and one.name != "sim_n"]
        if device == self.shown:
            return of_stream
        third = _THIRD[hash_of(device) % len(_THIRD)] if stream == "env" else ""
        return [one for one in of_stream if one.name in (*_ORDINARY[stream], third)]


def hash_of(name: str) -> int:
    """A number from a name, the same in every run."""
    return sum(ord(letter) * (at + 1) for at, letter in enumerate(name))


def town(devices: int) -> Town:
    """A town of so many devices, at least one."""
    places = {}
    for number in range(devices):
        site = number // DEVICES_PER_SITE
        places[f"kotak-{number:05d}"] = Place.model_validate(
            {
                "from": 0,
                "site": f"pasar-{site:03d}",
                "lat": -3.70 + 0.004 * (site % 15),
                "lon": 128.16 + 0.006 * (site // 15),
                "uplink": f"fo-{site // SITES_PER_UPLINK}",
                "feeder": f"pln-{site // SITES_PER_FEEDER}",
            }
        )
    names = list(places)
    return Town(places, tuple(names[:: 100 // CAMERAS_PER_100]), names[0])


def value(metric: Metric, dice: random.Random) -> float:
    """A plausible one."""
    if metric.codes:
        return float(dice.choice(metric.codes)[0])
    low, high = _USUAL.get(metric.name, (metric.low, min(metric.high, metric.low + 100)))
    return round(dice.uniform(low, high), metric.decimals)


def words_at(town_: Town, step: int) -> dict[str, Word]:
    """How every device is in a step of five minutes: whole sites fall and come back, single ones do anything."""
    dice = random.Random(step)
    sites = sorted({place.site for place in town_.places.values()})
    down = {*dice.sample(sites, min(len(sites), 1 + len(sites) // 40))}
    worked_on = {*dice.sample(sites, len(sites) // 100)}
    odd: tuple[Word, ...] = ("up",) * 96 + ("degraded", "unstable", "unknown", "down")
    found: dict[str, Word] = {}
    for device, place in town_.places.items():
        found[device] = dice.choice(odd)
        if place.site in down:
            found[device] = "down"
        elif place.site in worked_on:
            found[device] = "maintenance"
    return found


def over(town_: Town, from_s: float, to_s: float) -> Iterator[Change]:
    """Incidents of every level and cause that began and ended between these times (Unix s)."""
    scopes = _scopes(town_)
    whys: Sequence[Why | None] = (*get_args(Why), None)
    count = max(60, 6 * len(whys))
    for number in range(count):
        scope = scopes[number % len(scopes)]
        since_s = from_s + (to_s - from_s) * (number + 0.1) / count
        ended_s = min(to_s, since_s + 600 + 60 * (number % 50))
        devices = dict.fromkeys(list(town_.places)[: 1 + number % 40], since_s)
        one = Incident(number + 1, "outage", scope, "warning", since_s, min(since_s + 90, ended_s), devices)
        yield Change("opened", replace(one), one.opened_s)
        one.cause, one.ended_s = whys[number % len(whys)], ended_s
        one.back = dict.fromkeys(devices, ended_s)
        yield Change("resolved", one, ended_s)


def open_now(town_: Town, now_s: float) -> list[Incident]:
    """What is not over: outages, and cameras in each kind of trouble."""
    outages = [("outage", scope) for scope in _scopes(town_)]
    kinds = ("camera-lost", "camera-covered", "camera-moved", "camera-recording")
    sources = [Scope("source", f"{name}/{CAMERA}") for name in town_.cameras[:8]]
    troubles = [(kind, sources[at % len(sources)]) for at, kind in enumerate(kinds)]
    found = []
    for number, (kind, scope) in enumerate([*outages, *troubles], start=1000):
        since_s = now_s - 300 - 60 * (number - 1000)
        one = Incident(number, kind, scope, "critical" if kind == "outage" else "warning", since_s, now_s - 200)
        one.devices = dict.fromkeys([town_.shown], since_s)
        if number % 2:
            one.acknowledged, one.cause = Acknowledged("ani", now_s - 100), "power"
        found.append(one)
    return found


def _scopes(town_: Town) -> list[Scope]:
    place = town_.places[town_.shown]
    named: dict[Level, str] = {"feeder": place.feeder or "-", "uplink": place.uplink or "-", "site": place.site}
    return [*(Scope(level, name) for level, name in named.items()), Scope("device", town_.shown), Scope("city", "")]
