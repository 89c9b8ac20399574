"""What really happened to every reading, seen at the disk and at the database, unknown to the programs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Reading = tuple[str, int]
"""(stream, running number): every row carries its number as a metric."""

Identity = tuple[str, str, int]
"""(stream, source, date) of a point; there is one device."""

NUMBER_METRIC = {"env": "sim_n", "sys": "uptime_s"}
"""The metric that carries the running number, first of its source."""


@dataclass
class Excuses:
    """Why a reading may be missing, or the ledger inexact; each by name."""

    dropped: set[Reading] = field(default_factory=set)
    """Left the ring unacknowledged: declared."""
    left_the_ring: set[Reading] = field(default_factory=set)
    """Left the ring acknowledged; gone if the database is restored later."""
    undone: set[Reading] = field(default_factory=set)
    """A disk that lied took the transaction back."""
    thrown_away: set[Reading] = field(default_factory=set)
    """Was in an outbox that was replaced by an empty one."""
    restored: bool = False
    lied: bool = False
    recreated: bool = False
    twin: bool = False

    def excuse(self, reading: Reading) -> bool:
        """Whether `reading` may be missing."""
        gone_with_the_database = self.restored and reading in self.left_the_ring
        return gone_with_the_database or reading in self.dropped | self.undone | self.thrown_away

    @property
    def ledger_exact(self) -> bool:
        """Whether the ledger must balance to the row."""
        return not (self.restored or self.lied or self.recreated or self.twin)


@dataclass
class Truth:
    """The journal of a world. Times are the loop's seconds."""

    excuses: Excuses = field(default_factory=Excuses)
    committed_s: dict[Reading, float] = field(default_factory=dict)
    first_stored_s: dict[Reading, float] = field(default_factory=dict)
    identity: dict[Reading, Identity] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """What must never happen and did."""
    collisions: int = 0
    """Readings of two boxes with one identity in the same ms: nothing but the alarm helps."""
    numbers: int = 0
    thinned_batches: int = 0
    told: dict[Reading, int] = field(default_factory=dict)
    """Thinned rows that arrived -> readings in them."""

    def next_number(self) -> int:
        """The number of the next reading."""
        self.numbers += 1
        return self.numbers

    def arrived(self, reading: Reading, identity: Identity, beside: set[Reading], now_s: float) -> None:
        """`reading` was written at `identity`, where `beside` are all readings written there (itself too)."""
        if len(beside) > 1:
            self.collisions += 1
            if not self.excuses.twin:
                self.broken.append(f"I5 overwritten: {sorted(beside)} all at {identity}")
        known = self.identity.setdefault(reading, identity)
        if known != identity:
            self.broken.append(f"I5 one reading, two identities: {reading} at {known} and {identity}")
        self.first_stored_s.setdefault(reading, now_s)


def thinned_reading(stream: str, fields: Mapping[str, Any]) -> Reading:
    """The name of a thinned row: the least number of its readings, and how many rows it stands for."""
    return f"{stream} thinned", int(fields[f"{NUMBER_METRIC[stream]}_min"]) * 10**6 + int(fields["thinned"])


Contents = dict[Identity, set[Reading]]


def copy_of(contents: Contents) -> Contents:
    """A copy that later writes do not change."""
    return defaultdict(set, {identity: set(readings) for identity, readings in contents.items()})
