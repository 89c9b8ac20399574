"""Production's watch and budget of notices in a simulated city: only the clock and the events are not real.

The one module of this bench that knows what it judges.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from kewang.bench.alerts_city import City, Device
from kewang.bench.alerts_score import Notice, Part, Told
from kewang.bench.alerts_world import Event, World
from kewang.wire.placement import Place
from kewang.wire.state import Why

if TYPE_CHECKING:
    from gateway.incidents.model import Change, Incident
    from gateway.incidents.watch import WatchRules
    from gateway.notify.budget import Notice as Message

START_S: Final = 1_800_000_000.0
TICK_S: Final = 1.0
"""Production looks at its deadlines so often."""
SABOTAGES: Final = ("none", "impatient", "no-votes", "no-closings", "deaf", "forgets")
"""A spoilt engine, to be found out: tells after one missed beat; never asks for a common cause; never says that
something is over; never hears its loop-back message; remembers nothing when it is started again."""


def driven(world: World, sabotage: str = "none", changed: Mapping[str, float] | None = None) -> Told:
    """What production would have sent in this world, with some of its rules `changed` (`presence.wired_beats`)."""
    return _Drive(world, spoilt(sabotage, rules_of(changed or {})), sabotage).run()


def rules_of(changed: Mapping[str, float]) -> WatchRules:
    """The shipped rules, some `changed`."""
    from gateway.incidents.watch import WatchRules

    tree: dict[str, dict[str, float]] = {}
    for name, value in changed.items():
        part, _, key = name.partition(".")
        tree.setdefault(part, {})[key] = value
    return WatchRules.model_validate(tree)


def spoilt(sabotage: str, rules: WatchRules) -> WatchRules:
    """The rules, spoilt as asked for: beyond what their model lets anybody set."""
    if sabotage == "impatient":
        hasty = rules.presence.model_copy(update={"wired_beats": 1, "cellular_beats": 1, "more_beats": 0})
        return rules.model_copy(update={"presence": hasty})
    if sabotage == "no-votes":
        never = dict.fromkeys((name for name in type(rules.engine).model_fields if name.endswith("_share")), 2.0)
        return rules.model_copy(update={"engine": rules.engine.model_copy(update=never)})
    return rules


def place_of(city: City, device: Device) -> Place:
    """Its placement."""
    site = city.sites[device.site]
    where = {"site": site.name, "feeder": site.feeder, "uplink": site.uplink, "link": device.link}
    return Place.model_validate({"from": 0, **where, "life": "installed" if device.installed else "maintenance"})


@dataclass
class _Notes:
    """What was sent, in the scorer's words. An incident is remembered as the last change told it."""

    notices: list[Notice] = field(default_factory=list)
    incidents: dict[int, Incident] = field(default_factory=dict)

    def changed(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.incidents[change.incident.number] = change.incident

    def sent(self, messages: Iterable[Message], open_now: Mapping[int, Incident]) -> None:
        for message in messages:
            if message.kind == "acknowledged" or message.kind == "maintenance" or message.kind == "escalated":
                continue
            parts = tuple(self._part(number, message, open_now) for number in message.incidents)
            self.notices.append(Notice(message.created_s - START_S, message.kind, parts))

    def _part(self, number: int, message: Message, open_now: Mapping[int, Incident]) -> Part:
        incident = open_now.get(number) or self.incidents[number]
        stragglers = frozenset(incident.stragglers) if message.kind == "resolved" else frozenset[str]()
        scope, devices = incident.scope, frozenset(incident.devices)
        return Part(number, scope.level, scope.name, devices, stragglers, number in message.over)


class _Drive:
    """One world from its start to its end."""

    def __init__(self, world: World, rules: WatchRules, sabotage: str) -> None:
        from gateway.incidents.watch import Watch
        from gateway.notify.budget import Budget, BudgetRules

        self._world, self._rules, self._sabotage = world, rules, sabotage
        self._watch, self._budget = Watch(rules, START_S), Budget(BudgetRules())
        self._notes, self._now_s, self._budget_s = _Notes(), START_S, math.inf

    def run(self) -> Told:
        self._begin(START_S)
        for event in self._world.events:
            self._until(START_S + event.at_s)
            self._happens(event, START_S + event.at_s)
        self._until(START_S + self._world.end_s)
        return Told(self._notes.notices, {number: one.cause for number, one in self._notes.incidents.items()})

    def _begin(self, now_s: float) -> None:
        """A gateway runs: it is told the placements, and its loop-back message comes."""
        for device in self._world.city.devices.values():
            self._watch.place(device.name, place_of(self._world.city, device), now_s)
        self._loop(now_s)

    def _restart(self, until_s: float) -> None:
        """All that goes on is what was kept, as it is read from a file."""
        from gateway.incidents.watch import Watch
        from gateway.notify.budget import Budget, BudgetRules

        if self._sabotage == "forgets":
            number = 1 + max(self._notes.incidents, default=0)
            self._watch, self._budget = Watch(self._rules, until_s, number), Budget(BudgetRules())
        else:
            watch, budget = (json.loads(json.dumps(each.kept())) for each in (self._watch, self._budget))
            self._watch = Watch.restored(watch, self._rules, until_s)
            self._budget = Budget.restored(budget, BudgetRules(), until_s)
        self._budget_s, self._now_s = self._budget.next_s, until_s
        self._begin(until_s)

    def _until(self, at_s: float) -> None:
        """Let production look at its deadlines, as often as it does, before what happens at `at_s`."""
        while (next_s := min(self._watch.next_s, self._budget_s)) < at_s:
            due_s = max(self._now_s + TICK_S, next_s if math.isfinite(next_s) else -math.inf)
            due_s = math.ceil(due_s / TICK_S) * TICK_S
            if due_s >= at_s:
                return
            self._now_s = due_s
            changes = self._watch.due(due_s)
            if changes or self._budget_s <= due_s:
                self._tell(changes, due_s)

    def _tell(self, changes: Sequence[Change], now_s: float) -> None:
        self._notes.changed(changes)
        told = [each for each in changes if self._sabotage != "no-closings" or each.what != "resolved"]
        self._notes.sent(self._budget.take(told, now_s), self._watch.open)
        self._budget_s = self._budget.next_s

    def _happens(self, event: Event, now_s: float) -> None:
        if event.what == "heard":
            self._watch.heard(event.device, now_s, START_S + event.value)
        elif event.what == "born":
            self._watch.born(event.device, cast(Why, event.why), now_s)
        elif event.what == "left":
            self._watch.left(event.device, now_s, deliberate=bool(event.value))
        elif event.what == "restart":
            self._restart(START_S + event.value)
        else:
            up = bool(event.value) is (event.what == "broker")
            if event.what == "broker":
                self._watch.broker(up, now_s)
            if up and not self._cut(event.at_s):
                self._loop(now_s)

    def _cut(self, at_s: float) -> bool:
        return any(from_s <= at_s < until_s for from_s, until_s in self._world.cut)

    def _loop(self, from_s: float) -> None:
        """Our loop-back message comes from now on until nothing reaches us."""
        if self._sabotage == "deaf":
            return
        ends = (START_S + cut_s for cut_s, _ in self._world.cut if START_S + cut_s > from_s)
        self._watch.looped(from_s, max(from_s, min(ends, default=START_S + self._world.end_s)))
