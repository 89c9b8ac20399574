"""A simulated city under a production gateway with its files: watch, chronicle, notifier, outbox, and who is sent what.

Only the clock, the events and the far ends of the channels are not real. The gateway is killed and started again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from kewang.bench.alerts_drive import START_S, place_of
from kewang.bench.alerts_world import Event, World
from kewang.wire.placement import Placement
from kewang.wire.state import Why

if TYPE_CHECKING:
    from gateway.notify.outbox import Outbox
    from gateway.notify.routes import NotifySettings
    from gateway.watched import Watched

LATE_S: Final = 0.4
"""A turn comes so late at most after its second is over."""
KEPT_S: Final = 30.0
"""A kill comes so long at most after the gateway has kept what it knows."""
TAKEN_ON: Final = 0.3
"""Of the incidents: somebody takes them on."""
HOT_A_DAY: Final = 2.0
"""Boxes that are too hot for half an hour, in a day: what rules make."""
MOVED_A_DAY: Final = 0.5
"""Boxes that are put up elsewhere at their site, in a day."""
WORKS_A_DAY: Final = 0.7
"""Sites that somebody works at for two hours, in a day."""
WORK_S: Final = 7_200.0
_DAY_S: Final = 86_400.0
_NOTIFY: Final[dict[str, Any]] = {
    "links": {"console": "https://kewang.example"},
    "channels": {
        "chat": {"kind": "webhook", "url": "https://chat.example/"},
        "mail": {"kind": "mail", "host": "mail.example", "sender": "kewang@kota.example"},
    },
    "recipients": {
        "shift": {"language": "id", "addresses": {"chat": "shift", "mail": "shift@kota.example"}},
        "office": {"language": "en", "addresses": {"mail": "office@kota.example"}},
        "north": {"language": "id", "addresses": {"chat": "north"}},
    },
    "routes": [
        {"to": ["shift"], "by": ["chat", "mail"], "at_least": "warning"},
        {"to": ["office"], "by": ["mail"], "kinds": ["maintenance"]},
        {"to": ["office"], "by": ["mail"], "at_least": "critical", "escalation": True},
        {"to": ["office"], "by": ["mail"], "at_least": "critical"},
        {"to": ["north"], "by": ["chat"], "sites": ["site-1*", "site-2*"], "kinds": ["outage", "box-*"]},
    ],
    "quiet": [{"channels": ["chat"], "below": "critical"}],
}


def notify_settings() -> NotifySettings:
    """Three recipients on two channels, in two languages, with quiet hours."""
    from gateway.notify.routes import NotifySettings

    return NotifySettings.model_validate(_NOTIFY)


@dataclass
class _Clock:
    """gateway.ports.Clock, which stands where it is put."""

    now_ms: int = round(START_S * 1000)

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def synchronised(self) -> bool:
        return True


class _Act(NamedTuple):
    """Something that happens beside the world's events: `hot` (a reading), `moved`, `work` (at the device's site)."""

    at_s: float
    what: str
    device: str
    value: float = 0.0


class Month:
    """One world from its start to its end, in the files of `folder`."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._rng = random.Random(f"month/{world.plan.seed}")
        self._clock, self._now_s = _Clock(), START_S
        self._spots = {name: self._rng.random() for name in world.city.devices}
        self._seen: set[int] = set()
        self._deliver_s = math.inf
        self.restarts = 0

    @property
    def incidents(self) -> int:
        """How many there were."""
        return len(self._seen)

    async def live(self) -> None:
        """Live it to its end; the files are closed."""
        watched = self._started(START_S)
        story: list[Event | _Act] = [*self._world.events, *_acts(self._world, self._rng)]
        for event in sorted(story, key=lambda one: one.at_s):
            at_s = START_S + event.at_s
            await self._until(watched, at_s)
            if event.what == "restart":
                await self._killed(watched, at_s)
                watched = self._started(START_S + event.value)
            elif isinstance(event, _Act):
                self._done(watched, event, at_s)
            else:
                self._happens(watched, event, at_s)
        await self._until(watched, START_S + self._world.end_s)
        await self._turn(watched, START_S + self._world.end_s + _DAY_S)
        watched.close()

    def _started(self, now_s: float) -> Watched:
        from gateway.incidents.rules import load_rules
        from gateway.incidents.watch import WatchRules
        from gateway.watched import open_watched

        self._put(now_s)
        watched = open_watched(self._folder, WatchRules(conditions=load_rules(None)), notify_settings(), self._clock)
        watched.watching.wake = self._woken
        for device in self._spots:
            self._place(watched, device)
        self._loop(watched, now_s)
        return watched

    async def _killed(self, watched: Watched, at_s: float) -> None:
        """Some seconds after it has kept what it knows."""
        kept_s = at_s - self._rng.uniform(0, KEPT_S)
        if kept_s > self._now_s:
            await self._turn(watched, kept_s, keep=True)
        watched.close()
        self.restarts += 1

    def _place(self, watched: Watched, device: str) -> None:
        city, spot = self._world.city, self._spots[device]
        known = place_of(city, city.devices[device]).model_dump(mode="json", by_alias=True)
        placement = {"h": [known | {"lat": -3.6 - spot / 10, "lon": 128.1 + spot / 7}]}
        watched.watching.placed(device, Placement.model_validate(placement, strict=False))

    def _put(self, now_s: float) -> None:
        self._now_s = now_s
        self._clock.now_ms = round(now_s * 1000)

    async def _until(self, watched: Watched, at_s: float) -> None:
        """The turns that have something to do before what happens at `at_s`."""
        watch, notifier = watched.watching._watch, watched.watching._notifier
        while (next_s := min(watch.next_s, notifier.next_s)) < at_s:
            due_s = max(self._now_s + 1.0, next_s if math.isfinite(next_s) else -math.inf)
            due_s += self._rng.uniform(0.0, LATE_S)
            if due_s >= at_s:
                return
            await self._turn(watched, due_s)

    async def _turn(self, watched: Watched, now_s: float, *, keep: bool = False) -> None:
        """The gateway's turn, and what goes out then. What it `keeps` every 30 s matters here before a kill alone."""
        self._put(now_s)
        watched.watching._kept_s = -math.inf if keep else now_s
        await watched.watching.turn(now_s)
        for number in watched.watching.open.keys() - self._seen:
            self._seen.add(number)
            if self._rng.random() < TAKEN_ON:
                watched.watching.acknowledge(number, "ina", "on my way")
        if now_s >= self._deliver_s:
            self._deliver(watched.outbox, now_s)

    def _deliver(self, outbox: Outbox, now_s: float) -> None:
        """Whoever carries the messages takes each at once."""
        for channel in _NOTIFY["channels"]:
            while (claimed := outbox.claim(channel, now_s)) is not None:
                outbox.delivered(claimed.row, "taken", now_s)
        self._deliver_s = min(map(outbox.next_s, _NOTIFY["channels"]))

    def _woken(self) -> None:
        self._deliver_s = -math.inf

    def _happens(self, watched: Watched, event: Event, now_s: float) -> None:
        """What the gateway notices of the world."""
        watch, device = watched.watching._watch, event.device
        self._put(max(now_s, self._now_s))
        match event.what:
            case "heard":
                watch.heard(device, now_s, START_S + event.value)
            case "born":
                watch.born(device, cast(Why, event.why), now_s)
            case "left":
                watch.left(device, now_s, deliberate=bool(event.value))
            case "broker":
                watch.broker(bool(event.value), now_s)
                if event.value:
                    self._loop(watched, now_s)
            case "deaf":
                if not event.value:
                    self._loop(watched, now_s)

    def _done(self, watched: Watched, act: _Act, now_s: float) -> None:
        """What happens at a device, or somebody does there."""
        from gateway.incidents.model import Scope

        self._put(max(now_s, self._now_s))
        match act.what:
            case "hot":
                watched.watching._watch.measured(act.device, "box", {"box_temp_c": act.value}, now_s)
            case "work":
                site = Scope("site", self._world.city.devices[act.device].site)
                watched.works.plan(site, None, now_s + WORK_S, "ina", "new cable")
            case "moved":
                self._spots[act.device] = act.value
                self._place(watched, act.device)

    def _loop(self, watched: Watched, from_s: float) -> None:
        """Our loop-back message comes from now on until nothing reaches us."""
        ends = (START_S + cut_s for cut_s, _ in self._world.cut if START_S + cut_s > from_s)
        watched.watching._watch.looped(from_s, max(from_s, min(ends, default=START_S + self._world.end_s)))


def _acts(world: World, rng: random.Random) -> Iterator[_Act]:
    """Boxes that are too hot, boxes that are put up elsewhere, and sites that are worked at."""
    devices, days = [*world.city.devices], world.plan.days
    for _ in range(math.ceil(HOT_A_DAY * days)):
        device, from_s = rng.choice(devices), rng.uniform(0, days * _DAY_S)
        yield from (_Act(from_s + 60 * minute, "hot", device, 85 if minute < 30 else 50) for minute in range(45))
    for _ in range(math.ceil(MOVED_A_DAY * days)):
        yield _Act(rng.uniform(0, days * _DAY_S), "moved", rng.choice(devices), rng.random())
    for _ in range(math.ceil(WORKS_A_DAY * days)):
        yield _Act(rng.uniform(0, days * _DAY_S), "work", rng.choice(devices))
