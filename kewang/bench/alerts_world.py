"""The events of a simulated city for `kewang bench alerts`, as a gateway would meet them, and the truth behind them.

It simulates gaps, not beats: between two gaps a device is known to beat every 30 s. A month of 1,000 devices is some
hundred thousand events.
"""

import math
import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from kewang.bench.alerts_city import BEAT_S, City, Device, city_of
from kewang.bench.alerts_noise import noise_of, restarts_of, shared_noise, upgrades_of
from kewang.bench.alerts_truth import DAY_S, Outage, Silence, outages_of, silences

KEEPALIVE_S: Final = 30.0
WILL_AFTER_S: Final = 1.5 * KEEPALIVE_S
"""After the last packet."""
WILL_LOST: Final = 0.02
"""Wills that a broker loses for no reason; those due while it restarts are all lost."""
TAIL_S: Final = 3 * 3_600.0
"""After the last outage: time to close everything."""
DOWN_TO_RECONNECT_S: Final = 10.0
"""Mean time until a device is back at a broker that was away; 60 s at most."""
_RANK: Final = {"power": 3, "watchdog": 2, "update": 1, "config": 1, "link": 1}

APART_S: Final = 120.0
"""The gateway is not started again so soon before or after it is cut off otherwise."""
Spans = Sequence[tuple[float, float]]
"""(from, until)"""
What = Literal["heard", "born", "left", "broker", "deaf", "restart"]


class Event(NamedTuple):
    """Something that a gateway notices at `at_s`.

    `heard`: every 30 s from `at_s` until `value`. `born`: its `why`, followed by a `heard`. `left`: the will (0) or its
    leave (1). `broker`: our connection is gone (0) or back (1). `deaf`: nothing comes through it, though it is up, from
    now on (1) or no more (0). `restart`: the gateway is started again, and runs from `value` on.
    """

    at_s: float
    what: What
    device: str = ""
    value: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """Size and roughness. `loss`: of single beats, wherever."""

    devices: int = 1_000
    days: float = 30.0
    seed: int = 1
    loss: float = 0.01


@dataclass(frozen=True)
class World:
    """`events` by time, until `end_s`, when all is well again. `cut`: when nothing reached us, from and until."""

    plan: WorldPlan
    city: City
    outages: Sequence[Outage]
    events: Sequence[Event]
    cut: Spans
    end_s: float


def world_of(plan: WorldPlan) -> World:
    """The world of a plan: always the same one."""
    city = city_of(plan.devices, plan.seed)
    outages = outages_of(city, plan.days, plan.seed)
    return staged(plan, city, outages, restarts_of(plan.days, plan.seed), upgrades_of(plan.days, plan.seed))


def staged(
    plan: WorldPlan,
    city: City,
    outages: Sequence[Outage],
    restarts: Spans = (),
    upgrades: Spans = (),
    *,
    noisy: bool = True,
) -> World:
    """A world with these outages. `restarts`: of the broker; `upgrades`: of the gateway. Not `noisy`: nothing else."""
    end_s = max([plan.days * DAY_S, *(outage.back_s for outage in outages)]) + TAIL_S
    deaf = united((each.start_s, each.end_s) for each in outages if each.why == "deaf")
    away = united([*restarts, *((each.start_s, each.end_s) for each in outages if each.why == "broker")])
    ended = [span for span in united(upgrades) if not any(_near(span, other) for other in (*deaf, *away))]
    stories = _Stories(plan, city, away, united([*deaf, *ended]), end_s)
    own = _own_silences(plan, city, outages, noisy)
    events = [event for device in city.devices.values() for event in stories.of(device, own[device.name])]
    events += [Event(at_s, "broker", value=up) for span in away for at_s, up in zip(span, (0.0, 1.0), strict=True)]
    events += [Event(at_s, "deaf", value=on) for span in deaf for at_s, on in zip(span, (1.0, 0.0), strict=True)]
    events += [Event(from_s, "restart", value=until_s) for from_s, until_s in ended]
    events.sort(key=lambda event: event.at_s)
    return World(plan, city, outages, events, united([*away, *deaf, *ended]), end_s)


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] + APART_S and other[0] <= one[1] + APART_S


def _own_silences(
    plan: WorldPlan, city: City, outages: Iterable[Outage], noisy: bool
) -> defaultdict[str, list[Silence]]:
    """Of every device: its outages, and what is no outage."""
    found: defaultdict[str, list[Silence]] = defaultdict(list)
    for outage in outages:
        for device in (*outage.silent, *outage.others):
            found[device] += silences(outage, device, plan.seed)
    if noisy:
        for device, silence in shared_noise(city, plan.days, plan.seed):
            found[device].append(silence)
        for device in city.devices:
            found[device] += noise_of(city, device, plan.days, plan.loss, plan.seed)
    return found


def merged(found: Iterable[Silence]) -> Iterator[Silence]:
    """Silences that touch are one. A box that lost its power says so, whatever else happened."""
    current: Silence | None = None
    for silence in sorted(found, key=lambda each: each.start_s):
        if current is None or silence.start_s > current.back_s:
            if current:
                yield current
            current = silence
        else:
            whys = [each.why for each in (current, silence) if each.why]
            why = max(whys, key=lambda each: _RANK[each], default=None)
            back_s = max(current.back_s, silence.back_s)
            current = Silence(current.start_s, back_s, why, current.will or silence.will, current.bye)
    if current:
        yield current


def united(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans in order; those that touch are one."""
    found: list[tuple[float, float]] = []
    for from_s, until_s in sorted(spans):
        if found and from_s <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until_s)
        else:
            found.append((from_s, until_s))
    return found


class _Stories:
    """Turns what befalls a device into what a gateway notices."""

    def __init__(
        self,
        plan: WorldPlan,
        city: City,
        away: Spans,
        deaf: Spans,
        end_s: float,
    ) -> None:
        self._plan, self._city, self._end_s = plan, city, end_s
        self._away, self._deaf = away, deaf
        self._closed = united([*away, *deaf])

    def of(self, device: Device, own: Sequence[Silence]) -> Iterator[Event]:
        """The events of one device, by time."""
        rng = random.Random(f"story/{device.name}/{self._plan.seed}")
        first_s, phase_s = device.phase_s, device.phase_s
        for silence in merged([*own, *self._gateway(rng)]):
            last_s = _beat_before(phase_s, silence.start_s)
            if silence.start_s > first_s:
                last_s = max(first_s, last_s)
                yield Event(first_s, "heard", device.name, last_s)
                yield from self._leave(device, silence, last_s, rng)
            if silence.why is None:
                first_s = _beat_before(phase_s, silence.back_s) + BEAT_S
            else:
                first_s = silence.back_s
                phase_s = phase_s if silence.why == "link" else first_s
                yield Event(first_s, "born", device.name, why=silence.why)
        yield Event(first_s, "heard", device.name, self._end_s)

    def _leave(self, device: Device, silence: Silence, last_s: float, rng: random.Random) -> Iterator[Event]:
        if silence.bye:
            yield Event(silence.start_s, "left", device.name, 1.0)
            return
        will_s = last_s + WILL_AFTER_S
        if silence.will and will_s < silence.back_s and not self._lost(last_s, will_s) and rng.random() >= WILL_LOST:
            yield Event(will_s, "left", device.name)

    def _lost(self, from_s: float, until_s: float) -> bool:
        """Whether the broker was away, or we were deaf, at any time of these."""
        place = bisect_left(self._closed, (until_s,))
        return any(until > from_s for _, until in self._closed[max(0, place - 2) : place])

    def _gateway(self, rng: random.Random) -> Iterator[Silence]:
        """What everybody suffers when we ourselves are cut off: the broker loses its wills."""
        for start_s, end_s in self._away:
            reconnect_s = min(60.0, 1 + rng.expovariate(1 / DOWN_TO_RECONNECT_S))
            yield Silence(start_s, end_s + reconnect_s, "link", will=False)
        for start_s, end_s in self._deaf:
            yield Silence(start_s, end_s, will=False)


def _beat_before(phase_s: float, at_s: float) -> float:
    """The last beat before `at_s`; before the first one, a beat that never was."""
    return phase_s + (math.ceil((at_s - phase_s) / BEAT_S) - 1) * BEAT_S
