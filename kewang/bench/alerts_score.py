"""What notices are worth, against the truth of a simulated city. It shares no code with what it judges.

Each part of a notice belongs to the outage whose devices it names best, of those that went on at its time. An outage
without one may be `covered` (another notice named all its devices meanwhile), `straggled` (a closing listed it),
`masked` (its devices are in the place of a larger one that was told and stayed open to its end), or `continued`
(what had named its devices lately, or when they fell silent, stayed open to its end). The rest is missed.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from kewang.bench.alerts_city import City
from kewang.bench.alerts_truth import Outage

LATE_S: Final = 300.0
"""So long after its devices are back an outage may still be told: late, not false."""
RECOVERY_S: Final = 300.0
"""So long after the devices of a larger outage are back, its incident may still be open, and mask what begins."""
LATELY_S: Final = 600.0
"""So long before an outage its devices may have been named, be it by mistake, so that it needs no other notice."""

Fate = Literal["direct", "covered", "straggled", "masked", "continued", "missed", "untold"]
Kind = Literal["opened", "worsened", "digest", "resolved"]


@dataclass(frozen=True, slots=True)
class Part:
    """One incident in a notice: its number, the place it names, its devices then; in a closing: who was not back."""

    number: int
    level: str
    name: str
    devices: frozenset[str]
    stragglers: frozenset[str] = frozenset()
    over: bool = False
    """A digest tells at once that it was and that it is over: no closing follows."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to people."""

    at_s: float
    kind: Kind
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """All that was said of a city. `causes`: by number of the incident, what was named in the end."""

    notices: Sequence[Notice]
    causes: Mapping[int, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an outage was told. `notices`: how many were about it. `told_s`: the first time; None: never by a notice."""

    outage: Outage
    fate: Fate
    """`untold`: it was too short to matter, and was not told."""
    told_s: float | None = None
    part: Part | None = None
    notices: int = 0
    right_place: bool = False
    right_why: bool = False


@dataclass
class Score:
    """Of one city. `false`: first parts of incidents about nothing; `short`: about what was over too soon."""

    verdicts: list[Verdict]
    told: int
    false: list[tuple[float, Part]]
    short: int
    notices: list[float]
    """When each opened, worsened or digest was sent."""
    closings: list[float]
    closed: int
    """Closings, by incident; those that were told as over count."""
    unclosed: int
    closed_unopened: int
    opened_twice: int


_About = Sequence[tuple[Notice, Part, Outage | None]]


class _Truth:
    """The outages by device, for looking up what went on at a time."""

    def __init__(self, city: City, outages: Sequence[Outage]) -> None:
        self.city, self._by_device = city, defaultdict[str, list[Outage]](list)
        self._ours = [outage for outage in outages if outage.level == "gateway"]
        for outage in outages:
            for device in outage.silent:
                self._by_device[device].append(outage)

    def best(self, part: Part, at_s: float) -> Outage | None:
        """The outage this part is about; None: about nothing."""
        if part.level == "gateway":
            return next((each for each in self._ours if each.start_s <= at_s <= each.end_s + LATE_S), None)
        common: defaultdict[int, int] = defaultdict(int)
        found = {}
        for device in part.devices:
            for outage in self._by_device[device]:
                from_s, until_s = outage.silent[device]
                if from_s <= at_s <= until_s + LATE_S:
                    common[outage.number] += 1
                    found[outage.number] = outage

        def likeness(outage: Outage) -> tuple[float, bool, float]:
            both = common[outage.number]
            either = len(part.devices) + len(outage.silent) - both
            return both / either, (outage.level, outage.name) == (part.level, part.name), outage.start_s

        return max(found.values(), key=likeness, default=None)

    def silent_since(self, outage: Outage, device: str) -> float:
        """Since when the device was silent when this outage began: an earlier one may have run into it."""
        since_s = outage.silent[device][0]
        spans = [each.silent[device] for each in self._by_device[device] if each is not outage]
        for from_s, until_s in sorted(spans, reverse=True):
            if from_s <= since_s <= until_s:
                since_s = from_s
        return since_s

    def silent_already(self, outage: Outage) -> bool:
        """Whether earlier outages ran into it for all its devices."""
        own = outage.silent
        return bool(own) and all(self.silent_since(outage, device) < own[device][0] for device in own)

    def right_place(self, outage: Outage, part: Part) -> bool:
        """The right place by name, or one with just the devices that fell silent: a site of one box is that box."""
        if part.level == "gateway" or (outage.level, outage.name) == (part.level, part.name):
            return outage.level == part.level
        return bool(outage.silent) and self.below(part) == outage.silent.keys()

    def below(self, part: Part) -> set[str]:
        """All installed devices of the place it names."""
        return set() if part.level == "gateway" else set(self.city.devices_of(part.level, part.name))


def score(city: City, outages: Sequence[Outage], told: Told) -> Score:
    """Judge all that was told."""
    truth = _Truth(city, outages)
    sent = sorted((each for each in told.notices if each.kind != "resolved"), key=lambda notice: notice.at_s)
    closings = [each for each in told.notices if each.kind == "resolved"]
    about = [(notice, part, truth.best(part, notice.at_s)) for notice in sent for part in notice.parts]
    numbers = {part.number for _, part, _ in about}
    over = {part.number for _, part, _ in about if part.over}
    closed = {part.number for each in closings for part in each.parts}
    opened = Counter(part.number for notice, part, _ in about if notice.kind == "opened")
    return Score(
        _verdicts(truth, outages, about, closings, told),
        len(numbers),
        _false(about),
        _short(about),
        [notice.at_s for notice in sent],
        [notice.at_s for notice in closings],
        sum(len(each.parts) for each in closings) + len(over),
        len(numbers - closed - over),
        len(closed - numbers),
        sum(count - 1 for count in opened.values()),
    )


def _verdicts(
    truth: _Truth, outages: Sequence[Outage], about: _About, closings: Sequence[Notice], told: Told
) -> list[Verdict]:
    """One for each outage."""
    direct: defaultdict[int, list[tuple[Notice, Part]]] = defaultdict(list)
    for notice, part, outage in about:
        if outage:
            direct[outage.number].append((notice, part))
    verdicts = [_direct(truth, outage, direct[outage.number], told) for outage in outages if outage.number in direct]
    rest = _Rest(truth, about, closings, verdicts)
    verdicts += [rest.verdict(outage) for outage in outages if outage.number not in direct]
    return sorted(verdicts, key=lambda verdict: verdict.outage.number)


def _direct(truth: _Truth, outage: Outage, own: Sequence[tuple[Notice, Part]], told: Told) -> Verdict:
    notice, part = own[0]
    place = truth.right_place(outage, part)
    named = outage.why not in ("power", "link", "watchdog") or told.causes.get(part.number) == outage.why
    count = len({id(each) for each, _ in own})
    return Verdict(outage, "direct", notice.at_s, part, count, place, named)


def _false(about: _About) -> list[tuple[float, Part]]:
    real = {part.number for _, part, outage in about if outage}
    first: dict[int, tuple[float, Part]] = {}
    for notice, part, _ in about:
        if part.number not in real:
            first.setdefault(part.number, (notice.at_s, part))
    return [*first.values()]


def _short(about: _About) -> int:
    matched = {part.number for _, part, outage in about if outage}
    return len(matched - {part.number for _, part, outage in about if outage and outage.true})


class _Rest:
    """Outages without a notice of their own."""

    def __init__(self, truth: _Truth, about: _About, closings: Iterable[Notice], told: Sequence[Verdict]) -> None:
        self._truth, self._told = truth, told
        self._naming = defaultdict[str, list[tuple[float, Part]]](list)
        for notice, part, _ in about:
            for device in part.devices:
                self._naming[device].append((notice.at_s, part))
        self._stragglers = defaultdict[str, list[float]](list)
        self._closed_s: dict[int, float] = {}
        for notice in closings:
            for part in notice.parts:
                self._closed_s[part.number] = notice.at_s
                for device in part.stragglers:
                    self._stragglers[device].append(notice.at_s)

    def verdict(self, outage: Outage) -> Verdict:
        """What became of it."""
        covering = next(self._covering(outage), None)
        if covering:
            return Verdict(outage, "covered", *covering)
        fate: Fate = "missed" if outage.true else "untold"
        listed = sum(self._listed(outage, device) for device in outage.silent)
        if listed and 2 * listed >= len(outage.silent):
            fate = "straggled"
        elif any(self._masks(verdict, outage) for verdict in self._told):
            fate = "masked"
        elif self._open_throughout(outage):
            fate = "continued"
        return Verdict(outage, fate)

    def _covering(self, outage: Outage) -> Iterator[tuple[float, Part]]:
        for at_s, part in self._naming[next(iter(outage.silent), "")]:
            if outage.start_s <= at_s <= outage.end_s and outage.silent.keys() <= part.devices:
                yield at_s, part

    def _listed(self, outage: Outage, device: str) -> bool:
        """Whether a closing told that it is not back yet, since it is silent."""
        from_s, until_s = self._truth.silent_since(outage, device), outage.silent[device][1]
        return any(from_s <= at_s <= until_s for at_s in self._stragglers[device])

    def _masks(self, verdict: Verdict, inner: Outage) -> bool:
        """Whether `inner` lies wholly inside an outage that was told, while its incident was open."""
        outer = verdict.outage
        if verdict.part is None or verdict.told_s is None or verdict.told_s > inner.end_s or not inner.silent:
            return False
        closed_s = self._closed_s.get(verdict.part.number, outer.back_s + RECOVERY_S)
        if not outer.start_s <= inner.start_s <= outer.back_s + RECOVERY_S or inner.end_s > closed_s:
            return False
        named = outer.silent.keys() | self._truth.below(verdict.part)
        return len(outer.silent) > len(inner.silent) and inner.silent.keys() <= named

    def _open_throughout(self, outage: Outage) -> bool:
        """Whether each device was named before, lately or in the silence that ran into this, and that stayed open."""
        lately_s = outage.start_s - (math.inf if self._truth.silent_already(outage) else LATELY_S)

        def known(device: str) -> bool:
            named = ((at_s, self._closed_s.get(part.number, 0.0)) for at_s, part in self._naming[device])
            return any(lately_s <= at_s <= outage.start_s and outage.end_s <= closed_s for at_s, closed_s in named)

        return bool(outage.silent) and all(known(device) for device in outage.silent)
