"""What others would have sent, from the same events: a message for each device, or grouped as Alertmanager does.

None of them knows a cause or a place above the site.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from kewang.bench.alerts_city import BEAT_S
from kewang.bench.alerts_score import Kind, Notice, Part, Told
from kewang.bench.alerts_world import World

K: Final = 3
GROUP_WAIT_S: Final = 30.0
GROUP_INTERVAL_S: Final = 300.0
REPEAT_INTERVAL_S: Final = 4 * 3_600.0


@dataclass(frozen=True, slots=True)
class Down:
    """A device was thought to be down."""

    device: str
    from_s: float
    until_s: float


def by_will(world: World) -> Iterator[Down]:
    """From its will until it is heard."""
    since: dict[str, float] = {}
    for event in world.events:
        if event.what == "left":
            since.setdefault(event.device, event.at_s)
        elif event.what in ("heard", "born") and event.device in since:
            yield Down(event.device, since.pop(event.device), event.at_s)


def by_missed_beats(world: World, k: int = K) -> Iterator[Down]:
    """From `k` missed beats and half of one until it is heard."""
    last: dict[str, float] = {}
    for event in world.events:
        if event.what == "heard":
            suspect_s = last.get(event.device, event.at_s) + (k + 0.5) * BEAT_S
            if event.at_s > suspect_s:
                yield Down(event.device, suspect_s, event.at_s)
            last[event.device] = event.value


def each_alone(world: World, downs: Iterator[Down]) -> Told:
    """A message for each device, and one when it is back. Devices that are not installed are muted."""
    numbers, notices = count(1), []
    for down in downs:
        if world.city.devices[down.device].installed:
            part = Part(next(numbers), "device", down.device, frozenset([down.device]))
            notices += [Notice(down.from_s, "opened", (part,)), Notice(down.until_s, "resolved", (part,))]
    return Told(notices)


def grouped(world: World, downs: Iterator[Down]) -> Told:
    """As Alertmanager groups by site: the first message of a group waits 30 s, the next follow every 5 minutes."""
    by_site: defaultdict[str, list[Down]] = defaultdict(list)
    for down in downs:
        if world.city.devices[down.device].installed:
            by_site[world.city.devices[down.device].site].append(down)
    numbers, notices = count(1), list[Notice]()
    for site, own in by_site.items():
        notices += _Group(site, numbers).notices(sorted(own, key=lambda down: down.from_s))
    return Told(notices)


class _Group:
    """One group: it lives from its first alert until a flush finds it empty."""

    def __init__(self, site: str, numbers: Iterator[int]) -> None:
        self._site, self._numbers = site, numbers

    def notices(self, downs: Sequence[Down]) -> Iterator[Notice]:
        place = 0
        while place < len(downs):
            flush_s, number = downs[place].from_s + GROUP_WAIT_S, next(self._numbers)
            told, sent_s = frozenset[str](), 0.0
            while True:
                # resolved before its first flush: never told
                firing = frozenset(each.device for each in downs[place:] if each.from_s <= flush_s < each.until_s)
                kind = _kind(firing, told, flush_s - sent_s)
                if kind:
                    yield Notice(flush_s, kind, (Part(number, "site", self._site, firing or told),))
                    sent_s = flush_s
                told = firing
                if not firing:
                    break
                flush_s += GROUP_INTERVAL_S
            place = next((n for n in range(place, len(downs)) if downs[n].from_s > flush_s), len(downs))


def _kind(firing: frozenset[str], told: frozenset[str], since_s: float) -> Kind | None:
    if not firing:
        return "resolved" if told else None
    if not told:
        return "opened"
    return "worsened" if firing != told or since_s >= REPEAT_INTERVAL_S else None


BASELINES: Final[Mapping[str, Callable[[World], Told]]] = {
    "will": lambda world: each_alone(world, by_will(world)),
    "k3": lambda world: each_alone(world, by_missed_beats(world)),
    "k3 grouped": lambda world: grouped(world, by_missed_beats(world)),
}

__all__ = ["BASELINES", "Down", "by_missed_beats", "by_will", "each_alone", "grouped"]
