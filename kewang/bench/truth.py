"""Truth from outside: what the boards gave out, by their own journals, against what the database holds, row by row.

Every reading given out is exactly one of: stored, quarantined, dropped (declared by the device), still in an outbox,
unflushed, excused by name, or lost. Kewang's own counters are not asked, but for what a device declares as dropped.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from firmware_sim.journal import Given, read_journal
from kewang.bench.stored import Held, StoredPoint
from kewang.wire.catalogue import metric

Series = tuple[str, str]
"""(device, source)."""

COMMIT_MS: Final = 500
"""How long a commit may take on a busy machine: added to `flush_s`."""
_IN_FLIGHT_MS: Final = 300
"""A board answers a request this long after the asking agent ended, at most."""
_BEHIND_MS: Final = 15_000
"""A box dated by the gateway may be this far behind: an answer of 5 s and a correction not made below 10 s."""
_AHEAD_MS: Final = 5_000
"""No date is ahead of the truth; so late may a busy agent look at what it was answered."""
_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Ending:
    """An agent was ended, by `kill -9` or SIGTERM, between `began_ms` and `unix_ms` (Unix ms)."""

    device: str
    began_ms: int
    unix_ms: int
    killed: bool
    told: int = 0
    """Up to this running number the agent had said that it has committed: whatever a disk forgot of that is lost."""

    def explains(self, given_ms: int, window_ms: int) -> bool:
        """Whether a reading given out then may have been in memory only.

        A killed agent loses what it had not flushed; a stopped one commits first, but for an answer on its way.
        """
        since_ms = self.began_ms - (window_ms if self.killed else _IN_FLIGHT_MS)
        return since_ms <= given_ms <= self.unix_ms + _IN_FLIGHT_MS


@dataclass(slots=True)
class Truth:
    """The figures. `examples` names some of the lost, duplicate and wrong readings."""

    produced: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped_declared: int = 0
    in_outbox: int = 0
    lost: int = 0
    duplicates: int = 0
    wrong: int = 0
    unflushed: int = 0
    excused: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: "Truth") -> None:
        """Count `other` in."""
        for each in fields(Truth):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        del self.examples[_EXAMPLES:]

    def figures(self) -> dict[str, int]:
        """The counts, under the names of figures.md."""
        renamed = {"produced": "readings_produced", "stored": "readings_stored"}
        counts = (each.name for each in fields(Truth) if each.name != "examples")
        return {renamed.get(name, name): getattr(self, name) for name in counts}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known from outside. `flush_s`: how long an agent may hold readings in memory."""

    journals: Mapping[Series, Path]
    points: Iterable[StoredPoint]
    held: Mapping[str, Sequence[Held]]
    """Rows in each device's outbox."""
    dropped: Mapping[Series, int] = field(default_factory=dict)
    endings: Sequence[Ending] = ()
    excused: Mapping[Series, set[int]] = field(default_factory=dict)
    """Running numbers whose loss has a name: an outbox destroyed by the bench."""
    flush_s: float = 10.0
    well_dated: frozenset[str] = frozenset()
    """Devices whose clock was never wrong, or never asked: their dates must be near the journal's."""


def compare(evidence: Evidence) -> dict[Series, Truth]:
    """The truth about each board; what nobody gave out counts as wrong under its own name."""
    points: dict[Series, dict[int, list[StoredPoint]]] = defaultdict(lambda: defaultdict(list))
    found: dict[Series, Truth] = defaultdict(Truth)
    for point in evidence.points:
        series = point.device, point.source
        if series in evidence.journals:
            points[series][point.number].append(point)
        else:
            found[series].wrong += 1
            found[series].examples.append(f"wrong: {point.device}/{point.source} {point.number}: nobody gave it out")
    return dict(found) | {series: _Board(evidence, series, points[series]).truth() for series in evidence.journals}


def summed(truths: Iterable[Truth]) -> Truth:
    """All of it together."""
    total = Truth()
    for truth in truths:
        total.add(truth)
    return total


class _Board:
    """One board's journal against everything else."""

    def __init__(self, evidence: Evidence, series: Series, points: Mapping[int, Sequence[StoredPoint]]) -> None:
        device, source = series
        journal = evidence.journals[series]
        self.series, self.points = series, points
        self.given = {given.number: given for given in read_journal(journal)} if journal.exists() else {}
        mine = [row for row in evidence.held.get(device, ()) if row.source == source]
        self.open = {row.number for row in mine if row.open}
        self.committed = {row.number for row in mine} | points.keys()
        self.refused = {row.number for row in mine if row.refused}
        self.dropped = evidence.dropped.get(series, 0)
        self.excused = evidence.excused.get(series, set())
        self.endings = [ending for ending in evidence.endings if ending.device == device]
        self.well_dated = device in evidence.well_dated
        self.window_ms = int(evidence.flush_s * 1000) + COMMIT_MS
        self.found = Truth()

    def truth(self) -> Truth:
        for number, points in self.points.items():
            self._judge(number, points)
        missing = [number for number in self.given if number not in self.points and not self._accounted(number)]
        found = self.found
        found.dropped_declared += min(len(missing), self.dropped)
        found.lost = max(0, len(missing) - self.dropped)
        for number in missing if found.lost else ():
            self._example("lost", number, f"given out at {self.given[number].unix_ms}")
        found.produced = found.stored + found.quarantined + found.dropped_declared + found.in_outbox + found.lost
        return found

    def _judge(self, number: int, points: Sequence[StoredPoint]) -> None:
        """Count a reading that is there, once or more often."""
        stored = [point for point in points if point.reason is None]
        self.found.stored += bool(stored)
        self.found.quarantined += not stored
        places = {(point.date_ms, point.tags) for point in points}
        if len(places) > 1:
            self.found.duplicates += len(places) - 1
            self._example("duplicate", number, f"at {sorted(places)}")
        why = next(filter(None, (self._why_wrong(point) for point in points)), None)
        if why:
            self.found.wrong += 1
            self._example("wrong", number, why)

    def _why_wrong(self, point: StoredPoint) -> str | None:
        given = self.given.get(point.number)
        if given is None:
            return "nobody gave it out"
        held = {name: value for name, value in point.values.items() if value is not None}
        said = {name: value for name, value in given.values.items() if value is not None}
        if held != said:
            return f"given {said}, stored {held}"
        if self.well_dated and not -_BEHIND_MS <= point.date_ms - given.unix_ms <= _AHEAD_MS:
            return f"given out at {given.unix_ms}, dated {point.date_ms}"
        believed = is_believed(given)
        if point.reason is None and not believed:
            return "out of range, and stored as if it were not"
        if point.reason is not None and believed and not point.reason.startswith("date"):
            return f"in quarantine for no reason: {point.reason}"
        return None

    def _accounted(self, number: int) -> bool:
        """Whether a reading that is not in the database is somewhere else, or excused."""
        if number in self.open:
            self.found.in_outbox += 1
        elif number in self.excused:
            self.found.excused += 1
        elif number not in self.committed and self._is_unflushed(number):
            self.found.unflushed += 1
        else:
            return False
        return True

    def _is_unflushed(self, number: int) -> bool:
        """After the last committed row of its run, and within the flush time before the bench ended the agent."""
        given_ms = self.given[number].unix_ms
        ending = next((each for each in self.endings if each.explains(given_ms, self.window_ms)), None)
        if ending is None or number <= ending.told:
            return False
        later = (self.given[n].unix_ms for n in self.committed if n > number and n in self.given)
        return all(later_ms > ending.unix_ms for later_ms in later)

    def _example(self, kind: str, number: int, text: str) -> None:
        if len(self.found.examples) < _EXAMPLES:
            self.found.examples.append(f"{kind}: {self.series[0]}/{self.series[1]} {number}: {text}")


def is_believed(given: Given) -> bool:
    """Whether every value is inside the range that the catalogue believes."""
    return all(value is None or metric(name).low <= value <= metric(name).high for name, value in given.values.items())
