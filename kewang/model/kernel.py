"""Events in time, and a disk."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Name = tuple[int, int]
"""Of a batch: (run, number)."""
Cell = tuple[int, str, int]
"""Of the tally: (run, source, hour)."""
Point = tuple[str, int]
"""(source, ms): what the database takes for one reading."""
_ABSENT: Final = object()

OPEN: Final = 0
STORED: Final = 1
QUARANTINED: Final = 2
SENT: Final = -1
RAW: Final = 0
"""Levels of an open batch: perhaps sent, never sent, else the width in ms that it was thinned to."""


class Row(NamedTuple):
    """A reading. `ms` is its date, or minus its monotonic ms while it has none."""

    source: str
    ms: int
    reading: int
    refused: bool = False
    """The gateway's rule does not take it (until the rule is mended)."""
    of: tuple[int, ...] = ()
    """Of a thinned row: the rows of the tally it stands for. For the oracles."""
    told: int = 0
    """How many the row itself says they are."""


class Batch(NamedTuple):
    """A batch in the outbox."""

    run: int
    number: int
    order: int
    boot: int
    source: str
    rows: tuple[Row, ...]
    state: int = OPEN
    acked_ms: int = 0
    level: int = SENT

    @property
    def name(self) -> Name:
        """Unique for ever."""
        return self.run, self.number

    @property
    def dated(self) -> bool:
        """Whether its boot had a date."""
        return self.rows[0].ms >= 0


class Events:
    """Time in ms, and what happens in it."""

    def __init__(self) -> None:
        self.now_ms, self._queue, self._count = (
            10**9,
            list[tuple[int, int, Callable[..., object], tuple[Any, ...]]](),
            0,
        )

    def at(self, delay_ms: int, what: Callable[..., object], *given: Any) -> None:
        """Do `what` after `delay_ms`."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._count, what, given))

    def run_until(self, ms: int) -> None:
        """Let time pass."""
        while self._queue and self._queue[0][0] <= ms:
            self.now_ms, _, what, given = heapq.heappop(self._queue)
            what(*given)
        self.now_ms = ms


class Table(dict[K, V], Generic[K, V]):
    """A table of a disk: `put` and `take` can be undone."""

    def __init__(self, disk: "Disk") -> None:
        super().__init__()
        self._disk = disk

    def put(self, key: K, value: V) -> None:
        """Insert or replace."""
        self._disk.log.append((self, key, self.get(key, _ABSENT)))
        self[key] = value

    def take(self, key: K) -> None:
        """Delete."""
        self._disk.log.append((self, key, self.pop(key)))


@dataclass
class Disk:
    """An outbox's tables. A power cut undoes what came after the last commit; on a disk that lies, that too."""

    commits: int = 0
    _last: list[tuple[Table[Any, Any], Any, Any]] = field(default_factory=list)
    _soft: list[tuple[Table[Any, Any], Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = self._last
        self.batches: Table[Name, Batch] = Table(self)
        self.meta: Table[str, int] = Table(self)
        self.anchors: Table[int, int] = Table(self)
        """Boot -> Unix ms at monotonic 0."""
        self.last: Table[str, int] = Table(self)
        self.taken: Table[Point, bool] = Table(self)
        self.tally: Table[Cell, tuple[int, int]] = Table(self)
        self.changed: Table[Cell, bool] = Table(self)

    def begin(self, *, durable: bool = True) -> None:
        """What follows is one transaction. Without `durable` it is kept by the next durable one."""
        if durable:
            self.commits += 1
            self._last.clear()
            self._soft.clear()
        self.log = self._last if durable else self._soft

    def cut(self, *, lying: bool) -> set[int]:
        """Undo what a power cut takes; the readings that are gone."""
        before = {row.reading for batch in self.batches.values() for row in batch.rows}
        for log in (self._soft, self._last) if lying else (self._soft,):
            for table, key, old in reversed(log):
                if old is _ABSENT:
                    table.pop(key, None)
                else:
                    table[key] = old
            log.clear()
        return before - {row.reading for batch in self.batches.values() for row in batch.rows}

    def clone(self) -> "Disk":
        """A copy of the card."""
        copy = Disk(self.commits)
        for mine, other in zip(self._tables, copy._tables, strict=True):
            other.update(mine)
        return copy

    @property
    def _tables(self) -> tuple[Table[Any, Any], ...]:
        return (self.batches, self.meta, self.anchors, self.last, self.taken, self.tally, self.changed)
