"""From silences to outages: each is held for a while, then a vote of its neighbours finds the cause. Pure.

A silence is looked at twice: when a group could be told, and when the device could be told alone. What an open outage
of its place explains joins it without a notice. While we are in doubt about ourselves, nothing opens.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from gateway.incidents.agenda import Agenda
from gateway.incidents.book import Book, Entry
from gateway.incidents.canary import CANARY
from gateway.incidents.engine_rules import RANK, EngineRules
from gateway.incidents.facts import flat
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.maintenance import Maintenance
from gateway.incidents.model import Scope, Severity
from gateway.incidents.ourselves import Ourselves
from gateway.incidents.polls import Poll, Polls, Silence, explains
from gateway.incidents.recovery import OUTAGE, UNSTABLE, Recovery
from gateway.incidents.topology import Topology
from gateway.incidents.vote import Ballot, quota

_AGAIN_S: Final = 5.0
"""How soon a silence that is waited with is looked at again."""


class Outages:
    """Silences, and the outages they are part of."""

    def __init__(
        self, rules: EngineRules, book: Book, topology: Topology, maintenance: Maintenance, ourselves: Ourselves
    ) -> None:
        self._rules = rules
        self._book = book
        self._topology = topology
        self._maintenance = maintenance
        self._ourselves = ourselves
        self.silences: dict[str, Silence] = {}
        self._checks: Agenda[str] = Agenda()
        self._doubted: dict[str, None] = {}
        self._poll_s = math.inf
        self.recovery = Recovery(rules, book, topology, self.silences, self._left_over)
        self._polls = Polls(rules, topology, maintenance, self.silences, self.recovery.entry)

    @property
    def next_s(self) -> float:
        """When `due` has something next."""
        return min(self._checks.next_s, self.recovery.next_s, self._poll_s)

    def told(self, transition: Transition) -> None:
        """A device (not one of its sources) changed."""
        if transition.hearing is Hearing.HEARD or transition.device not in self._topology.spots:
            self.silences.pop(transition.device, None)
        else:
            self._silent(transition)
        self.recovery.told(transition)

    def _silent(self, transition: Transition) -> None:
        silence = self.silences.get(transition.device)
        if silence is None or silence.base_s != transition.base_s:
            silence = Silence(transition.base_s, transition.heard_s, transition.hearing, transition.hinted)
            self.silences[transition.device] = silence
        silence.hearing, silence.hinted = transition.hearing, transition.hinted
        silence.unstable = transition.word == "unstable"
        if transition.hearing is Hearing.GONE and silence.gone_s is None:
            silence.gone_s = transition.at_s
        self._plan(transition.device, silence, transition.at_s)

    def look(self, device: str, now_s: float) -> None:
        """Nobody works on it any more."""
        if device in self.silences:
            self._checks.put(device, now_s)

    def removed(self, device: str, now_s: float) -> None:
        """It is not installed any more: nobody waits for it."""
        self.silences.pop(device, None)
        self.recovery.removed(device, now_s)

    def _plan(self, device: str, silence: Silence, now_s: float) -> None:
        """Look at the silence when it can become something."""
        if silence.hearing < Hearing.SILENT or self.recovery.missing(device):
            return
        group_s = silence.base_s + self._rules.silence_s(silence.hinted)
        if now_s < group_s:
            self._checks.put(device, group_s)
        elif (alone_s := self._alone_s(device, silence)) is not None:
            self._checks.put(device, max(alone_s, now_s))

    def _alone_s(self, device: str, silence: Silence) -> float | None:
        """When the device may be told alone; None: it is not gone yet."""
        spot = self._topology.spots.get(device)
        hold_s = self._rules.device_hold_s(spot.link if spot else "wired")
        return None if silence.gone_s is None else silence.gone_s + hold_s

    def due(self, now_s: float) -> None:
        """What is ripe, and what is over."""
        self._polls.begin(now_s)
        if now_s >= self._poll_s:
            self._poll(now_s)
        while self._doubted and not self._ourselves.doubted():
            self._checks.put(self._doubted.popitem()[0], now_s)
        for at_s, device in self._checks.over(now_s):
            silence = self.silences.get(device)
            if silence is not None and silence.hearing >= Hearing.SILENT and not self.recovery.missing(device):
                self._check(device, silence, at_s)
        self.recovery.due(now_s)

    def _poll(self, now_s: float) -> None:
        """Are we well again: does our own message come, or are most devices heard?"""
        if self._ourselves.suspected and (self._ourselves.proven(now_s) or not self._many()):
            self._ourselves.suspect(False, now_s)
        self._poll_s = now_s + _AGAIN_S if self._ourselves.suspected else math.inf

    def _check(self, device: str, silence: Silence, now_s: float) -> None:
        if device not in self._topology.spots:  # after a start: its placement comes, or it was taken away
            self._checks.put(device, now_s + _AGAIN_S)
        elif (until_s := self._maintenance.until_s(device)) > now_s:
            self._checks.put(device, until_s)
        elif self._ourselves.doubted():
            self._doubted[device] = None
        elif silence.base_s < self._ourselves.hears_s and now_s < self._ourselves.hears_s + self._rules.return_s:
            self._checks.put(device, self._ourselves.hears_s + self._rules.return_s)
        elif now_s < (group_s := silence.base_s + self._rules.silence_s(silence.hinted)):
            self._checks.put(device, group_s)
        elif (entry := self._explained(device)) is not None:
            self._join(entry, device, now_s)
        else:
            self._find(device, silence, now_s)

    def _explained(self, device: str) -> Entry | None:
        """The open outage of a place that the device is in."""
        for scope in self._topology.scopes(device)[1:]:
            if entry := self._book.find(OUTAGE, scope):
                return entry
        return None

    def _find(self, device: str, silence: Silence, now_s: float) -> None:
        """Find the cause of a silence that nothing open explains."""
        poll, many = self._polls.about(silence.base_s), self._many()
        if (most_late := many and poll.late.mass()) and not self._ourselves.proven(now_s):
            self._ourselves.suspect(True, now_s)
            self._doubted[device], self._poll_s = None, now_s + _AGAIN_S
            return
        scope = poll.silent.city(device) if many and poll.silent.mass() else poll.silent.group(device)
        larger = poll.late.city(device) if most_late else poll.late.group(device)
        ripe_s = now_s if scope is None else self._ripe_s(scope, silence, poll)
        if self._defers(silence, scope, larger, now_s):
            self._checks.put(device, now_s + _AGAIN_S)
        elif ripe_s > now_s:
            self._checks.put(device, ripe_s)
        elif scope is None or not self._open(scope, poll, now_s) or not self.recovery.missing(device):
            self._alone(device, silence, now_s)

    def _ripe_s(self, scope: Scope, silence: Silence, poll: Poll) -> float:
        """When a group may be told. A device whose last message was lost would call it a heartbeat too soon: most of
        the others must have been silent for as long, less the heartbeat within which they were all heard last."""
        return poll.most_s(scope) - self._rules.spread_s + self._rules.silence_s(silence.hinted)

    def _many(self) -> bool:
        """Whether a vote of all can be one of most, without a walk: who has no vote is silent too."""
        return len(self.silences) >= quota(self._rules.city_share, self._topology.voters)

    def _defers(self, silence: Silence, scope: Scope | None, larger: Scope | None, now_s: float) -> bool:
        """Whether to wait for neighbours that are late: with them it would be the larger cause."""
        if silence.deferred_s is not None and now_s >= silence.deferred_s + self._rules.defer_s:
            return False
        waits = larger is not None and RANK[larger.level] > (1 if scope is None else RANK[scope.level])
        if waits and silence.deferred_s is None:
            silence.deferred_s = now_s
        return waits

    def _open(self, scope: Scope, poll: Poll, now_s: float) -> bool:
        """An outage of a place, with everybody in it who fell silent about then; False: nobody is free to join."""
        joining, absorbed = self._joining(scope, poll)
        if not joining:
            return False
        entry = self._book.open(OUTAGE, scope, "critical", min(joining.values()), now_s)
        for child in absorbed:
            self.recovery.absorb(entry, child, now_s)
        self.recovery.join(entry, joining.items())
        self._polls.explained(entry, entry.incident.devices)
        self._book.tell("opened", entry, now_s)
        return True

    def _joining(self, scope: Scope, poll: Poll) -> tuple[dict[str, float], list[Entry]]:
        """Who fell silent there about then, heard last when, and the outages that are part of it; others stay apart."""
        absorbed: list[Entry] = []
        found = (device for device in self._topology.below(scope) if poll.of(device) is Ballot.SILENT)
        joining = {device: self.silences[device].heard_s for device in found}
        for number in sorted({self.recovery.members[each] for each in joining if each in self.recovery.members}):
            child = self._book.entries[number]
            if child.incident.kind != UNSTABLE and joining.keys() >= set(child.incident.missing):
                absorbed.append(child)
                continue
            for device in child.incident.devices:
                joining.pop(device, None)
        return joining, absorbed

    def _alone(self, device: str, silence: Silence, now_s: float) -> None:
        """The device itself is the cause, if it is gone for long enough: a new outage, or its last one goes on."""
        alone_s = self._alone_s(device, silence)
        if alone_s is None or alone_s > now_s:
            self._plan(device, silence, now_s)
            return
        entry = self.recovery.entry(device)
        if entry is None:
            kind, severity = self._kind(device, silence)
            entry = self._book.open(kind, Scope("device", device), severity, silence.heard_s, now_s)
            self.recovery.join(entry, [(device, silence.heard_s)])
            self._book.tell("opened", entry, now_s)
            return
        entry.relapses += 1
        self.recovery.join(entry, [(device, silence.heard_s)])
        if silence.unstable and entry.incident.kind == OUTAGE and entry.incident.scope.level == "device":
            self._book.rename(entry, UNSTABLE)
            self._book.tell("worsened", entry, now_s, {"kind": UNSTABLE})

    def _kind(self, device: str, silence: Silence) -> tuple[str, Severity]:
        if device == self._rules.canary:
            return CANARY, "info"
        return (UNSTABLE if silence.unstable else OUTAGE), "warning"

    def _join(self, entry: Entry, device: str, now_s: float) -> None:
        """What is open explains this device too, unless it falls again in another outage that is not over."""
        own = self.recovery.entry(device)
        if own is not None and (own.incident.kind == UNSTABLE or own.incident.missing):
            entry = own
        elif own is not None and own is not entry:
            self.recovery.absorb(entry, own, now_s)
            if explains(own):
                self._polls.begin(now_s)
            self._polls.explained(entry, own.incident.devices)
        self.recovery.join(entry, [(device, self.silences[device].heard_s)])
        self._polls.explained(entry, [device])
        if now_s < entry.incident.opened_s + self._rules.settle_s:
            entry.note_growth(self._topology.spots[device].site)
        elif worse := self._worse(entry, device):
            self._book.tell("worsened", entry, now_s, worse)

    def _worse(self, entry: Entry, device: str) -> dict[str, str]:
        """What has become worse since people were told: twice the devices, or another site dark. Empty: nothing."""
        incident, site = entry.incident, self._topology.spots[device].site
        missing = len(incident.devices) - len(incident.back)
        if missing >= 2 * entry.told_devices:
            return {"devices": str(missing), "before": str(entry.told_devices)}
        if site in entry.told_sites:
            return {}
        beside = self._topology.sites(incident.scope).get(site, {})
        dark = sum(each in incident.devices and each not in incident.back for each in beside)
        return {"site": site} if dark >= quota(self._rules.site_share, len(beside)) else {}

    def _left_over(self, entry: Entry, missing: list[str], now_s: float) -> None:
        """Who was not back: whole sites and single devices go on as incidents nobody is told of again."""
        by_site: dict[Scope, list[str]] = {}
        for device in missing:
            site, *_ = self._topology.scopes(device)[1:] or (Scope("device", device),)
            by_site.setdefault(site, []).append(device)
        for site, devices in by_site.items():
            placed = sum(1 for _ in self._topology.below(site))
            whole = len(devices) > 1 and len(devices) >= quota(self._rules.site_share, placed)
            for scope, part in [(site, devices)] if whole else [(Scope("device", each), [each]) for each in devices]:
                heard = {device: entry.incident.devices[device] for device in part}
                severity: Severity = "critical" if whole else "warning"
                left = self._book.open(OUTAGE, scope, severity, min(heard.values()), now_s, quiet=True)
                self.recovery.join(left, heard.items())

    def kept(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "silences": {device: flat(silence) for device, silence in self.silences.items()},
            "checks": self._checks.kept(),
            "doubted": list(self._doubted),
            "poll_s": None if self._poll_s == math.inf else self._poll_s,
            "ends": self.recovery.kept(),
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """As `kept`; the devices have to be placed again."""
        for device, facts in kept["silences"].items():
            self.silences[device] = Silence(**{**facts, "hearing": Hearing(facts["hearing"])})
        for device, at_s in kept["checks"]:
            self._checks.put(device, at_s)
        self._doubted = dict.fromkeys(kept["doubted"])
        self._poll_s = math.inf if kept["poll_s"] is None else kept["poll_s"]
        self.recovery.restore(kept["ends"])
