"""What the devices say about a silence, counted once for all who ask about the same time. Pure.

When a city goes dark, thousands ask within moments about silences that began within a minute: each asking on its own
would walk the whole city again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.incidents.book import Entry
from gateway.incidents.engine_rules import RANK, EngineRules
from gateway.incidents.hearing import Hearing
from gateway.incidents.maintenance import Maintenance
from gateway.incidents.model import Scope
from gateway.incidents.topology import Topology
from gateway.incidents.vote import Ballot, Count, Of, Vote, quota

_MOST: Final = 0.8


@dataclass(slots=True)
class Silence:
    """A device that is late or worse. `base_s`: from when it counts; `gone_s`: since when the device is gone.

    `deferred_s`: since when its neighbours are waited for, once that began.
    """

    base_s: float
    heard_s: float
    hearing: Hearing
    hinted: bool
    unstable: bool = False
    gone_s: float | None = None
    deferred_s: float | None = None


def explains(entry: Entry | None) -> bool:
    """Whether its devices have no vote about anything else: it is larger than a site."""
    return entry is not None and RANK[entry.incident.scope.level] > RANK["site"]


class Poll:
    """The ballots about silences that began about one time. `late`: votes in which who is only late counts too."""

    def __init__(self, rules: EngineRules, topology: Topology, silences: Mapping[str, Silence], of: Of) -> None:
        self._topology = topology
        self._silences = silences
        self.of = of
        self._count = Count(topology, of)
        self.late, self.silent = (Vote(rules, topology, self._count, least) for least in (Ballot.LATE, Ballot.SILENT))
        self._most_s: dict[Scope, float] = {}

    def most_s(self, scope: Scope) -> float:
        """When most of those that are silent below `scope` had fallen silent."""
        if scope not in self._most_s:
            found = (device for device in self._topology.below(scope) if self.of(device) is Ballot.SILENT)
            bases = sorted(self._silences[device].base_s for device in found)
            self._most_s[scope] = bases[quota(_MOST, len(bases)) - 1]
        return self._most_s[scope]

    def forget(self, scopes: Iterable[Scope]) -> None:
        """Some devices below these have another ballot now."""
        self._count.forget(scopes)
        for scope in scopes:
            self._most_s.pop(scope, None)


class Polls:
    """The polls of a moment, from `begin` to the next one. `explained` says what changes meanwhile."""

    def __init__(
        self,
        rules: EngineRules,
        topology: Topology,
        maintenance: Maintenance,
        silences: Mapping[str, Silence],
        entry: Callable[[str], Entry | None],
    ) -> None:
        self._rules = rules
        self._topology = topology
        self._maintenance = maintenance
        self._silences = silences
        self._entry = entry
        self._now_s = 0.0
        self._bases: list[float] | None = None
        self._polls: dict[tuple[int, int], Poll] = {}

    def begin(self, now_s: float) -> None:
        """Time goes on; devices may have come, gone or moved."""
        self._now_s, self._bases, self._polls = now_s, None, {}

    def explained(self, entry: Entry, devices: Iterable[str]) -> None:
        """These devices have become part of `entry`."""
        if explains(entry) and self._polls:
            scopes = {scope for device in devices for scope in self._topology.scopes(device)}
            for poll in self._polls.values():
                poll.forget(scopes)

    def about(self, base_s: float) -> Poll:
        """What the devices say about a silence that began at `base_s`: the same for all with the same others around."""
        if self._bases is None:
            free = (silence.base_s for device, silence in self._silences.items() if not explains(self._entry(device)))
            self._bases = sorted(free)
        low = bisect_left(self._bases, -self._rules.vote_s, key=lambda each: each - base_s)
        high = bisect_right(self._bases, self._rules.vote_s, key=lambda each: each - base_s)
        if (low, high) not in self._polls:
            self._polls[low, high] = Poll(self._rules, self._topology, self._silences, self._ballots(base_s))
        return self._polls[low, high]

    def _ballots(self, base_s: float) -> Of:
        vote_s, silences, worked_on = self._rules.vote_s, self._silences, self._maintenance.until_s

        def ballot(device: str) -> Ballot:
            silence = silences.get(device)
            if silence is None:
                return Ballot.ALIVE
            if abs(silence.base_s - base_s) > vote_s or explains(self._entry(device)):
                return Ballot.ABSENT
            if worked_on(device) > self._now_s:
                return Ballot.ABSENT
            return Ballot.SILENT if silence.hearing >= Hearing.SILENT else Ballot.LATE

        return ballot
