"""The database, and the journal of what really happened."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kewang.model.kernel import Cell, Events, Point, Row
from kewang.model.network import Weather

Contents = dict[Point, set[int]]


@dataclass
class Journal:
    """What no program knows: every row that was made, where it went, and why one may be missing."""

    rows: dict[int, Row] = field(default_factory=dict)
    """As committed; of a thinned row, what it stands for."""
    made_ms: dict[int, int] = field(default_factory=dict)
    boots: dict[int, set[int]] = field(default_factory=dict)
    """Of each row: the boots of the rows in it that were put together without a date."""
    statements: dict[int, dict[Cell, tuple[int, int]]] = field(default_factory=dict)
    """Heartbeat -> the counts it carries."""
    stored_ms: dict[int, int] = field(default_factory=dict)
    points: dict[int, Point] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    left_the_ring: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    thrown_away: set[int] = field(default_factory=set)
    lied: bool = False
    twin: bool = False
    recreated: bool = False
    restored: bool = False
    thinnings: int = 0
    thinned_rows: int = 0
    collisions: int = 0
    """Rows of two boxes of one identity in one ms: nothing but the alarm helps."""
    faults: list[str] = field(default_factory=list)
    """What must never happen and did."""
    _count: int = 0

    def new(self) -> int:
        """The next number."""
        self._count += 1
        return self._count

    @property
    def exact(self) -> bool:
        """Whether the ledger must balance to the row."""
        return not (self.lied or self.twin or self.recreated or self.restored)


@dataclass
class Database:
    """Points by identity, in the stream or in quarantine; the rewinds."""

    events: Events
    weather: Weather
    rng: random.Random
    journal: Journal
    failing: float
    down: int = 0
    raw: Contents = field(default_factory=dict)
    quarantine: Contents = field(default_factory=dict)
    rewinds: list[tuple[int, int]] = field(default_factory=list)
    backups: list[tuple[int, Contents, Contents, list[tuple[int, int]]]] = field(default_factory=list)

    @property
    def up(self) -> bool:
        """Whether it answers."""
        return self.down == 0

    def write(self, good: Sequence[Row], bad: Sequence[Row]) -> bool:
        """Whether it said that all is written; if not, some, all or nothing is."""
        if not self.up:
            return False
        what = [(self.quarantine, row) for row in bad] + [(self.raw, row) for row in good]
        if not self.weather.calm and self.rng.random() < self.failing:
            self._put(what[: self.rng.randint(0, len(what))])
            return False
        self._put(what)
        return True

    def _put(self, what: Iterable[tuple[Contents, Row]]) -> None:
        journal = self.journal
        for where, row in what:
            point = (row.source, row.ms)
            there = where.setdefault(point, set())
            there.add(row.reading)
            if len(there) > 1:
                journal.collisions += 1
                if not journal.twin:
                    journal.faults.append(f"I5 overwritten: {sorted(there)} at {point}")
            if (known := journal.points.setdefault(row.reading, point)) != point:
                journal.faults.append(f"I5 one reading, two identities: {row.reading} at {known} and {point}")
            if where is self.raw:
                journal.stored_ms.setdefault(row.reading, self.events.now_ms)

    def back_up(self) -> None:
        """Remember what is there now."""
        self.backups.append((self.events.now_ms, _copy(self.raw), _copy(self.quarantine), list(self.rewinds)))

    def restore(self) -> int:
        """Some backup, or nothing, in place of what is there; the time it was made."""
        backup = self.rng.choice(self.backups) if self.backups and self.rng.random() < 0.8 else (1, {}, {}, [])
        self.raw, self.quarantine, self.rewinds = _copy(backup[1]), _copy(backup[2]), list(backup[3])
        self.journal.restored = True
        return backup[0]

    def rewind(self, backup_ms: int) -> None:
        """The field shall send again what was acknowledged since then."""
        self.rewinds.append((self.events.now_ms, max(0, backup_ms - 1)))


def _copy(contents: Contents) -> Contents:
    return {point: set(readings) for point, readings in contents.items()}
