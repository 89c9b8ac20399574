"""What truly goes wrong in the city of `kewang bench alerts`, when, and who falls silent by it: the ground truth.

The rates are those of the first study (research, grafana-alerting.md 5.3): about 45 true outages a day for 1,000
devices. Every kind of thing has a random stream of its own, so that one more of it leaves the others as they were.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from kewang.bench.alerts_city import City
from kewang.wire.state import Why

DAY_S: Final = 86_400.0
CALM_S: Final = 3_600.0
"""At the start, and between two outages of one thing: calm."""
LEAST_S: Final = {"wired": 240.0, "cellular": 300.0}
"""Outages shorter than this need not be told."""
LONGEST_S: Final = 12 * 3_600.0
STRAGGLERS: Final = 0.03
BETWEEN_DEVICES_S: Final = 2.0
"""All devices of one cause fall silent within this."""
PARTLY: Final = 0.2
"""Of the outages of a site: some of its boxes live on."""
OTHER_WHY: Final = 0.03
"""Of the births after an outage: they name another reason."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a thing fails, how long (median and sigma of a lognormal), and why (with weights)."""

    per_30_days: float
    median_s: float
    sigma: float
    whys: dict[Why, float]
    spread_s: float
    """Mean time after the end until a device is back."""


RATES: Final = {
    "device": Rate(1.0, 1_800, 1.1, {"power": 0.45, "link": 0.35, "watchdog": 0.2}, 5),
    "site": Rate(3.0, 2_400, 1.0, {"power": 0.55, "link": 0.45}, 15),
    "uplink": Rate(2.0, 1_800, 0.9, {"link": 1.0}, 25),
    "feeder": Rate(5.0, 2_700, 0.8, {"power": 1.0}, 60),
    "city": Rate(1.0, 3_600, 0.5, {"power": 1.0}, 240),
}
FLAPPERS_PER_1000: Final = 40
"""Episodes in 30 days."""
GATEWAY_PER_30_DAYS: Final = {"broker": 1.0, "deaf": 1.0}
"""We ourselves are cut off for minutes: `broker` is seen in the connection, `deaf` is not."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One cause: `start_s` to `end_s`. `silent`: its devices, with from and until when they were not heard."""

    number: int
    level: str
    name: str
    why: str
    """A `Why`, or `flapping`, `broker`, `deaf`."""
    start_s: float
    end_s: float
    silent: dict[str, tuple[float, float]]
    least_s: float
    others: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Like `silent`: those that are not installed, so that nobody wants to hear of them."""

    @property
    def true(self) -> bool:
        """Whether it lasted long enough that it must be told."""
        return self.end_s - self.start_s >= self.least_s

    @property
    def back_s(self) -> float:
        """When the last of its devices was back."""
        return max((until_s for _, until_s in self.silent.values()), default=self.end_s)


@dataclass(frozen=True, slots=True)
class Silence:
    """A device is not heard from `start_s` until `back_s`. `why`: of its birth afterwards; None: its session lived on.

    `will`: the broker may publish its will. `bye`: it took its leave.
    """

    start_s: float
    back_s: float
    why: Why | None = None
    will: bool = True
    bye: bool = False


def outages_of(city: City, days: float, seed: int) -> list[Outage]:
    """All outages, by start. None begins in the first hour; those near the end go on after it."""
    drawn = [*_faults(city, days, seed), *_gateway(days, seed)]
    drawn.sort(key=lambda outage: outage.start_s)
    return [replace(outage, number=number) for number, outage in enumerate(drawn)]


def _faults(city: City, days: float, seed: int) -> Iterator[Outage]:
    names = {
        "device": [device.name for device in city.devices.values() if device.installed],
        "site": [*city.sites],
        "uplink": city.uplinks,
        "feeder": city.feeders,
        "city": [""],
    }
    flappers = _flappers(city, days, seed)
    yield from flappers
    for level, things in names.items():
        for name in things:
            taken = [each for each in flappers if (each.level, each.name) == (level, name)]
            yield from _of_thing(city, level, name, days, random.Random(f"{level}/{name}/{seed}"), taken)


def _of_thing(
    city: City, level: str, name: str, days: float, rng: random.Random, taken: list[Outage]
) -> Iterator[Outage]:
    """The outages of one thing; between them it is well for an hour."""
    per_s, now_s = RATES[level].per_30_days / (30 * DAY_S), CALM_S
    # one darkness of the whole city at least: it is measured apart
    wait_s = rng.uniform(0, 0.9) * (days * DAY_S - CALM_S) if level == "city" else rng.expovariate(per_s)
    while (now_s := now_s + wait_s) < days * DAY_S:
        wait_s = rng.expovariate(per_s)
        outage = _outage(city, level, name, now_s, rng)
        if outage.silent and not any(_near(outage, other) for other in taken):
            yield outage
            now_s = outage.back_s + CALM_S


def _near(one: Outage, other: Outage) -> bool:
    return one.start_s < other.back_s + CALM_S and other.start_s < one.back_s + CALM_S


def _outage(city: City, level: str, name: str, start_s: float, rng: random.Random) -> Outage:
    rate = RATES[level]
    why = rng.choices([*rate.whys], [*rate.whys.values()])[0]
    lasts_s = min(LONGEST_S, max(20.0, rng.lognormvariate(0, rate.sigma) * rate.median_s))
    end_s = start_s + lasts_s
    silent = {}
    for device in _hit(city, level, name, rng):
        late_s = rng.uniform(600, 2_400) if level != "device" and rng.random() < STRAGGLERS else 0.0
        from_s = start_s + rng.uniform(0, BETWEEN_DEVICES_S)
        silent[device] = (from_s, end_s + rng.expovariate(1 / rate.spread_s) + late_s)
    links = {city.devices[device].link for device in silent}
    least_s = LEAST_S["wired" if "wired" in links else "cellular"]
    others = {device: silent.pop(device) for device in [*silent] if not city.devices[device].installed}
    return Outage(0, level, name, why, start_s, end_s, silent, least_s, others)


def _hit(city: City, level: str, name: str, rng: random.Random) -> list[str]:
    devices = city.devices_of(level, name, installed=False)
    if level == "feeder":
        return [device for device in devices if not city.sites[city.devices[device].site].on_battery]
    if level == "site" and rng.random() < PARTLY:
        return rng.sample(devices, max(1, round(len(devices) * rng.uniform(0.7, 1))))
    return devices


def _flappers(city: City, days: float, seed: int) -> list[Outage]:
    """Episodes of devices that come and go: silent for minutes, back for minutes, for hours."""
    rng = random.Random(f"flappers/{seed}")
    installed = [device for device in city.devices.values() if device.installed]
    found: list[Outage] = []
    for _ in range(round(FLAPPERS_PER_1000 * len(installed) / 1000 * days / 30)):
        name, start_s = rng.choice(installed).name, rng.uniform(CALM_S, days * DAY_S)
        end_s = start_s + rng.uniform(3_600, 6 * 3_600)
        outage = Outage(0, "device", name, "flapping", start_s, end_s, {name: (start_s, end_s)}, 0.0)
        if not any(other.name == name and _near(outage, other) for other in found):
            found.append(outage)
    return found


def _gateway(days: float, seed: int) -> Iterator[Outage]:
    for why, per_30_days in GATEWAY_PER_30_DAYS.items():
        rng, now_s = random.Random(f"{why}/{seed}"), CALM_S
        while (now_s := now_s + rng.expovariate(per_30_days / (30 * DAY_S))) < days * DAY_S:
            end_s = now_s + rng.uniform(120, 420)
            yield Outage(0, "gateway", "", why, now_s, end_s, {}, LEAST_S["wired"])
            now_s = end_s + CALM_S


def silences(outage: Outage, device: str, seed: int) -> list[Silence]:
    """How `device` falls silent by `outage`."""
    from_s, back_s = (outage.silent | outage.others)[device]
    rng = random.Random(f"silence/{seed}/{outage.number}/{device}")
    if outage.why != "flapping":
        why: Why = outage.why if rng.random() >= OTHER_WHY else rng.choice(("power", "link"))  # type: ignore[assignment]
        return [Silence(from_s, back_s, why)]
    found, now_s = [], from_s
    while now_s < back_s - 400:
        down_s = rng.uniform(150, 400)
        found.append(Silence(now_s, now_s + down_s, "link"))
        now_s += down_s + rng.uniform(60, 300)
    return found
