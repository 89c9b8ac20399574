"""What is no outage in the city of `kewang bench alerts`, and still leaves gaps: nobody may be told of any of it."""

import math
import random
from collections.abc import Iterator
from typing import Final

from kewang.bench.alerts_city import BEAT_S, City, Link
from kewang.bench.alerts_truth import CALM_S, DAY_S, Silence
from kewang.wire.state import Why

BLIP_S: Final = (10.0, 75.0)
"""A short loss of the link or of power: of a device, a site, a feeder (dips that make boxes start again)."""
BLIPS_PER_DAY: Final = {"wired": 0.4, "cellular": 1.2}
SITE_BLIPS_PER_DAY: Final = 0.2
DIPS_PER_DAY: Final = 0.1
BLIP_SPREAD_S: Final = 8.0
BURSTS_PER_DAY: Final = {"wired": 0.1, "cellular": 1.0}
"""Gilbert-Elliott: how often a link turns bad, for how long on average, and what is lost meanwhile."""
BURST_S: Final = {"wired": 10.0, "cellular": 20.0}
BURST_LOSS: Final = 0.8
UPDATES_PER_30_DAYS: Final = 1.0
RESTARTS_PER_30_DAYS: Final = 6.0
RESTART_S: Final = (2.0, 20.0)
UPGRADES_PER_30_DAYS: Final = 6.0
UPGRADE_S: Final = (3.0, 30.0)
SESSION_BEATS: Final = 2
"""Beats in a row that a bad link must swallow before the session breaks with it."""


def noise_of(city: City, device: str, days: float, loss: float, seed: int) -> Iterator[Silence]:
    """The silences of one device that are its own business."""
    rng = random.Random(f"noise/{device}/{seed}")
    link, end_s = city.devices[device].link, days * DAY_S
    for start_s in moments(BLIPS_PER_DAY[link] / DAY_S, end_s, rng):
        yield _blip(start_s, rng.choices(("link", "power"), (0.8, 0.2))[0], rng)
    for start_s in moments(BURSTS_PER_DAY[link] / DAY_S, end_s, rng):
        yield from _burst(start_s, link, rng)
    for start_s in moments(UPDATES_PER_30_DAYS / 30 / DAY_S, end_s, rng):
        yield Silence(start_s, start_s + rng.uniform(40, 75), "update", will=False, bye=True)
    yield from _lost(loss, end_s, rng)


def shared_noise(city: City, days: float, seed: int) -> Iterator[tuple[str, Silence]]:
    """Blips of whole sites, and dips of feeders: device and silence."""
    for name in city.sites:
        yield from _shared(city, "site", name, SITE_BLIPS_PER_DAY, days, seed)
    for name in city.feeders:
        yield from _shared(city, "feeder", name, DIPS_PER_DAY, days, seed)


def _shared(city: City, level: str, name: str, per_day: float, days: float, seed: int) -> Iterator[tuple[str, Silence]]:
    rng = random.Random(f"blip/{level}/{name}/{seed}")
    devices = city.devices_of(level, name, installed=False)
    for start_s in moments(per_day / DAY_S, days * DAY_S, rng):
        blip = _blip(start_s, "link" if level == "site" else "power", rng)
        for device in devices:
            late_s = rng.uniform(0, BLIP_SPREAD_S)
            yield device, Silence(blip.start_s, blip.back_s + late_s, blip.why)


def restarts_of(days: float, seed: int) -> list[tuple[float, float]]:
    """When the broker is started again: from, until."""
    return _spans("restarts", RESTARTS_PER_30_DAYS, RESTART_S, days, seed)


def upgrades_of(days: float, seed: int) -> list[tuple[float, float]]:
    """When the gateway itself is started again: from, until."""
    return _spans("upgrades", UPGRADES_PER_30_DAYS, UPGRADE_S, days, seed)


def _spans(
    name: str, per_30_days: float, lasts_s: tuple[float, float], days: float, seed: int
) -> list[tuple[float, float]]:
    rng = random.Random(f"{name}/{seed}")
    starts = moments(per_30_days / 30 / DAY_S, days * DAY_S, rng)
    return [(start_s, start_s + rng.uniform(*lasts_s)) for start_s in starts]


def moments(rate_per_s: float, end_s: float, rng: random.Random) -> list[float]:
    """When something happens that happens at this rate, after the first calm hour."""
    found, now_s = [], CALM_S
    while rate_per_s > 0 and (now_s := now_s + rng.expovariate(rate_per_s)) < end_s:
        found.append(now_s)
    return found


def _blip(start_s: float, why: Why, rng: random.Random) -> Silence:
    return Silence(start_s, start_s + rng.uniform(*BLIP_S), why)


def _burst(start_s: float, link: Link, rng: random.Random) -> Iterator[Silence]:
    """The link is bad: most is lost until it is good again, and with two beats in a row the session."""
    beats = math.floor(rng.expovariate(1 / BURST_S[link]) / BEAT_S + rng.random())
    in_row, number = 0, 0
    while number <= beats:
        if number < beats and rng.random() < BURST_LOSS:
            in_row += 1
        else:
            from_s, until_s = (start_s + each * BEAT_S for each in (number - in_row, number))
            if in_row:
                yield Silence(from_s, until_s, *(("link", True) if in_row >= SESSION_BEATS else (None, False)))
            in_row = 0
        number += 1


def _lost(loss: float, end_s: float, rng: random.Random) -> Iterator[Silence]:
    """Beats that are lost one by one, each with probability `loss`. The session lives on."""
    for start_s in moments((1 - loss) * loss / BEAT_S, end_s, rng):
        beats = 1
        while rng.random() < loss:
            beats += 1
        yield Silence(start_s, start_s + beats * BEAT_S, will=False)
