"""Which changes become a notice of their own, which wait for a digest: few enough that people go on reading them.

At most 10 notices in 10 minutes (EEMUA 191, the first ten minutes of an upset): 7 single ones, an eighth for something
critical of a kind not told of yet, digests. Nothing is dropped: what finds no room is in the next digest. Closings
are counted apart by the same rules, and only what was told is closed. What maintenance comes to is counted with them,
all that waits in one notice. Pure: times come as arguments.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from gateway.incidents.model import Change, Incident, Severity
from gateway.notify.budget_rules import BudgetRules, Sent, after

__all__ = ["SEVERITIES", "Budget", "BudgetRules", "Kind", "Notice"]

Kind = Literal["opened", "worsened", "acknowledged", "resolved", "digest", "maintenance", "escalated"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
"""The worst last."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell. The same thing said again has the same `key`. A `resolved` may close several incidents.
    `incidents` of a `maintenance` are numbers of windows.

    `over`: those of a digest's incidents that it opens and closes at once. `part_of`: of those closed because they are
    part of a larger one, its number. `waited_s`: for so long at least nobody has taken those of an `escalated` on.
    """

    key: str
    kind: Kind
    incidents: tuple[int, ...]
    severity: Severity
    created_s: float
    over: tuple[int, ...] = ()
    part_of: tuple[tuple[int, int], ...] = ()
    waited_s: float = 0.0


@dataclass(slots=True)
class _News:
    """What is to be told of an incident, since when; `over`: it ended before anybody was told."""

    what: Literal["opened", "worsened", "acknowledged", "resolved"]
    severity: Severity
    kind: str
    since_s: float
    over: bool = False
    part_of: int | None = None


@dataclass(slots=True)
class _Told:
    """What people know of an open incident: when they last heard of it, and of its acknowledgement."""

    last_s: float
    notices: int = 1
    acknowledged_s: float = -math.inf


class Budget:
    """Takes changes, gives notices. `name` begins every key: of this life of the database, so that a number which is
    used again after its loss is not taken for the old one."""

    def __init__(self, rules: BudgetRules, name: str = "") -> None:
        self._rules, self.name = rules, name
        self._told: dict[int, _Told] = {}
        self._news: dict[int, _News] = {}
        self._closings: dict[int, _News] = {}
        self.reports: dict[int, Severity] = {}
        """Windows of maintenance that are over and not told of."""
        self._kinds: dict[str, float] = {}
        self._sent, self._closed = Sent(rules), Sent(rules)
        self._bound_s, self._exact = math.inf, True
        """Nothing is due before; `_exact`: something is due then."""

    def take(self, changes: Iterable[Change], now_s: float) -> list[Notice]:
        """The notices that `changes` make now."""
        for change in changes:
            self._note(change, now_s)
        return self.due(now_s)

    def report(self, reports: Mapping[int, Severity]) -> None:
        """Windows of maintenance are over: the next `due` or `take` tells of them, or a later one."""
        if reports:
            self.reports |= reports
            self._exact, self._bound_s = False, min(self._bound_s, self._closing_s)

    def due(self, now_s: float) -> list[Notice]:
        """The notices whose time has come."""
        if now_s < self._bound_s:
            return []
        notices = [*self._reported(now_s), *self._singles(now_s), *self._digest(now_s), *self._resolved(now_s)]
        self._exact = False
        self._bound_s = self.next_s
        return notices

    def knows(self, incidents: Iterable[Incident]) -> None:
        """People were told of these open incidents: from now on of what is new."""
        self._told |= {one.number: _Told(one.opened_s) for one in incidents}

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: only after another change."""
        if not self._exact:
            reports_s = [self._closing_s] if self.reports else []
            self._bound_s = min([*reports_s, *map(self._due_s, {**self._news, **self._closings})], default=math.inf)
            self._exact = True
        return self._bound_s

    @property
    def speaks_of(self) -> frozenset[int]:
        """Incidents that later notices may be about: who writes the texts keeps them."""
        return frozenset(self._told.keys() | self._news.keys() | self._closings.keys())

    def kept(self) -> dict[str, Any]:
        """What outlives a restart, as JSON takes it. Keep it in the transaction that puts the notices."""
        numbered: dict[str, Mapping[int, _Told | _News]] = {"told": self._told, "news": self._news}
        numbered["closings"] = self._closings
        sent = {name: [one.single_s, one.several_s, one.all_s] for name, one in self._lanes()}
        entries = {name: [[n, _finite(asdict(one))] for n, one in each.items()] for name, each in numbered.items()}
        reports = list(self.reports.items())
        return {"name": self.name, "kinds": self._kinds, "reports": reports, **sent, **entries}

    @classmethod
    def restored(cls, kept: Mapping[str, Any], rules: BudgetRules, now_s: float) -> Self:
        """As it was. Times later than now are now: the clock was set back in between."""
        budget = cls(rules, kept["name"])
        budget._told = {n: _Told(**_past(one, now_s)) for n, one in kept["told"]}
        budget._news = {n: _News(**_past(one, now_s)) for n, one in kept["news"]}
        budget._closings = {n: _News(**_past(one, now_s)) for n, one in kept["closings"]}
        budget.reports = dict(kept.get("reports", ()))
        budget._kinds = {kind: min(at_s, now_s) for kind, at_s in kept["kinds"].items()}
        for name, sent in budget._lanes():
            times = ([min(at_s, now_s) for at_s in one] for one in kept[name])
            sent.single_s, sent.several_s, sent.all_s = times
        budget._exact = False
        budget._bound_s = budget.next_s
        return budget

    def _lanes(self) -> list[tuple[str, Sent]]:
        return [("sent", self._sent), ("closed", self._closed)]

    def _note(self, change: Change, now_s: float) -> None:
        number, told = change.incident.number, change.incident.number in self._told
        if change.what == "resolved":
            self._end(number, change, now_s)
        elif change.what == "acknowledged" and told:
            self._news[number] = _news(change, "acknowledged", now_s)
        elif change.what in ("opened", "worsened") and number in self._news:
            self._news[number].severity = change.incident.severity
        elif change.what in ("opened", "worsened"):
            self._news[number] = _news(change, "worsened" if told else "opened", now_s)
        due_s = self._due_s(number)
        self._exact = self._exact and due_s <= self._bound_s
        self._bound_s = min(self._bound_s, due_s)

    def _end(self, number: int, change: Change, now_s: float) -> None:
        """A told one is closed; one nobody heard of is told as over, unless a larger one tells of it."""
        news = self._news.get(number)
        if self._told.pop(number, None) is not None:
            self._news.pop(number, None)
            self._closings[number] = _news(change, "resolved", now_s)
        elif news is not None and "part_of" in change.why:
            del self._news[number]
        elif news is not None:
            news.over = True

    def _singles(self, now_s: float) -> list[Notice]:
        if self._sent.single_at_s(max(self._rules.single, self._rules.first_critical)) > now_s:
            return []
        waiting = sorted(self._news.items(), key=lambda item: _urgency(*item))
        return [self._single(number, news, now_s) for number, news in waiting if self._single_s(number, news) <= now_s]

    def _single(self, number: int, news: _News, now_s: float) -> Notice:
        key = self._tell(number, now_s)
        self._sent.went(self._sent.single_s, now_s)
        return Notice(self.name + key, news.what, (number,), news.severity, now_s)

    def _digest(self, now_s: float) -> list[Notice]:
        ready = {n: one for n, one in self._news.items() if self._ready_s(n, one) <= now_s}
        if not any(self._digest_s(n, one) <= now_s for n, one in ready.items()):
            return []
        order = sorted(ready, key=lambda n: _urgency(n, ready[n]))
        over = tuple(n for n in order if ready[n].over)
        keys = " ".join(self._tell(n, now_s) for n in order)
        self._sent.went(self._sent.several_s, now_s)
        return [Notice(self.name + several_key("digest", keys), "digest", tuple(order), _worst(ready), now_s, over)]

    def _resolved(self, now_s: float) -> list[Notice]:
        notices = []
        for number, news in list(self._closings.items()):
            if self._closing_s <= now_s:
                del self._closings[number]
                self._closed.went(self._closed.single_s, now_s)
                notices.append(_closing(f"{self.name}{number}-resolved", {number: news}, now_s))
        waiting, self._closings = self._closings, {}
        if any(self._closed.several_at_s(one.since_s) <= now_s for one in waiting.values()):
            self._closed.went(self._closed.several_s, now_s)
            key = self.name + several_key("resolved", " ".join(map(str, waiting)))
            return [*notices, _closing(key, waiting, now_s)]
        self._closings = waiting
        return notices

    def _reported(self, now_s: float) -> list[Notice]:
        if not self.reports or self._closing_s > now_s:
            return []
        reports, self.reports = self.reports, {}
        self._closed.went(self._closed.single_s, now_s)
        key = self.name + several_key("maintenance", " ".join(map(str, reports)))
        return [Notice(key, "maintenance", tuple(reports), max(reports.values(), key=SEVERITIES.index), now_s)]

    def _tell(self, number: int, now_s: float) -> str:
        """Note that people are told what is new of this incident; the key of saying so."""
        news, told = self._news.pop(number), self._told.get(number)
        self._kinds[news.kind] = now_s
        if news.over:
            return f"{number}-over"
        if told is None:
            self._told[number] = _Told(now_s)
            return f"{number}-opened"
        told.last_s, told.notices = now_s, told.notices + 1
        if news.what == "acknowledged":
            told.acknowledged_s = now_s
        return f"{number}-{news.what}-{told.notices}"

    def _due_s(self, number: int) -> float:
        """When something is told of this incident, as things are."""
        found = math.inf
        if (news := self._news.get(number)) is not None:
            found = min(self._single_s(number, news), self._digest_s(number, news))
        if (closing := self._closings.get(number)) is not None:
            found = min(found, self._closing_s, self._closed.several_at_s(closing.since_s))
        return found

    def _ready_s(self, number: int, news: _News) -> float:
        """When it may be told, as far as the time between notices about one incident goes."""
        told = self._told.get(number)
        if told is None:
            return news.since_s
        last_s = told.acknowledged_s if news.what == "acknowledged" else told.last_s
        return max(news.since_s, last_s + self._rules.update_every_s)

    def _single_s(self, number: int, news: _News) -> float:
        """When it may have a notice of its own."""
        if news.over:
            return math.inf
        room_s = self._sent.single_at_s(self._rules.single)
        if news.severity == "critical":
            first_s = after(self._kinds.get(news.kind, -math.inf) + self._rules.window_s)
            room_s = min(room_s, max(first_s, self._sent.single_at_s(self._rules.first_critical)))
        return max(self._ready_s(number, news), room_s)

    def _digest_s(self, number: int, news: _News) -> float:
        return self._sent.several_at_s(self._ready_s(number, news))

    @property
    def _closing_s(self) -> float:
        return self._closed.single_at_s(self._rules.single)


def several_key(kind: str, keys: str) -> str:
    """The key of a notice about several."""
    first = keys.partition(" ")[0]
    return f"{kind}-{first}-{zlib.crc32(keys.encode()):08x}"


def _news(change: Change, what: Literal["opened", "worsened", "acknowledged", "resolved"], now_s: float) -> _News:
    incident, larger = change.incident, change.why.get("part_of")
    kind = f"{incident.kind} {incident.scope.level}"
    return _News(what, incident.severity, kind, now_s, part_of=None if larger is None else int(larger))


def _closing(key: str, closings: Mapping[int, _News], now_s: float) -> Notice:
    part_of = tuple((number, one.part_of) for number, one in closings.items() if one.part_of is not None)
    return Notice(key, "resolved", tuple(closings), _worst(closings), now_s, part_of=part_of)


def _urgency(number: int, news: _News) -> tuple[int, float, int]:
    """The worst first, then the oldest."""
    return -SEVERITIES.index(news.severity), news.since_s, number


def _worst(news: Mapping[int, _News]) -> Severity:
    return max((one.severity for one in news.values()), key=SEVERITIES.index)


def _finite(entry: dict[str, Any]) -> dict[str, Any]:
    """Without what JSON has no word for: it is the default."""
    return {name: value for name, value in entry.items() if value != -math.inf}


def _past(entry: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    return {name: min(value, now_s) if name.endswith("_s") else value for name, value in entry.items()}
