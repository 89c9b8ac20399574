"""An outbox in memory: the same answers as the one on disk, for tests of what stands on it."""

import copy
import itertools
import json
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge.dating import SourceDates, by_hour, grid, next_date, with_digit
from edge.ports import Applied, Draft, Entry, OutboxFull, OutboxStatus
from kewang.wire.ack import Ack
from kewang.wire.batch import MAX_ROWS, MIN_DATE_MS, Batch, Row, fixed
from kewang.wire.tally import MAX_TALLIES, Tally
from kewang.wire.timers import Timers

Cell = tuple[str, str, int]


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, mono_ms: int = 1000, wall_ms: int = 1_785_000_000_000, synchronised: bool = False) -> None:
        self.now_ms, self.offset_ms, self.trusted = mono_ms, wall_ms - mono_ms, synchronised

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.offset_ms + self.now_ms

    def synchronised(self) -> bool:
        return self.trusted

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ms += int(seconds * 1000)


@dataclass
class Kept:
    """A batch: the draft it was, and once it is dated its body."""

    entry: Entry
    boot: str
    draft: Draft
    held: int | None
    state: str = "open"
    acked_ms: int | None = None
    dates: list[int] = field(default_factory=list)
    body: bytes = b""
    spoiled: bool = False

    @property
    def sendable(self) -> bool:
        return self.state == "open" and bool(self.dates)

    @property
    def size(self) -> int:
        return 100 + 30 * self.entry.rows


@dataclass
class MemoryDisk:
    """What outlives a process."""

    batches: dict[int, Kept] = field(default_factory=dict)
    anchors: dict[str, tuple[int, int]] = field(default_factory=dict)
    last: dict[str, SourceDates] = field(default_factory=dict)
    tally: dict[Cell, list[int]] = field(default_factory=dict)
    changed: dict[Cell, None] = field(default_factory=dict)
    orders: int = 0
    wall_ms: int = MIN_DATE_MS
    datings: int = 0
    rewind: int = 0
    dropped_rows: int = 0
    damaged: int = 0


class MemoryOutbox:
    """ports.Outbox in a MemoryDisk. `full = True`: whatever writes raises OutboxFull and changes nothing."""

    def __init__(self, disk: MemoryDisk, budget_bytes: int, boot: str) -> None:
        self.full = False
        self._disk, self._budget, self._boot = disk, budget_bytes, boot
        self.run = secrets.token_hex(6)
        self._first = disk.orders + 1
        self._anchor_waits = False

    @contextmanager
    def _transaction(self) -> Iterator[MemoryDisk]:
        if self.full:
            raise OutboxFull("told to be full")
        before = copy.deepcopy(self._disk.__dict__)
        try:
            yield self._disk
        except BaseException:
            self._disk.__dict__.update(before)
            raise

    @property
    def rewind(self) -> int:
        return self._disk.rewind

    @property
    def anchor_ms(self) -> int | None:
        anchor = self._disk.anchors.get(self._boot)
        return anchor[0] if anchor else None

    @property
    def sendable(self) -> bool:
        return self.anchor_ms is not None and not self._anchor_waits

    def commit(self, drafts: Sequence[Draft], *, unsent: bool = False) -> list[Entry]:
        """It thins nothing: that is for the box's disk alone."""
        with self._transaction():
            undated = self.anchor_ms is None
            entries = [self._add(part) for draft in drafts for part in _parts(draft)]
            self._make_room()
            self._anchor_waits = undated and self.anchor_ms is not None
            return entries

    def _add(self, draft: Draft) -> Entry:
        self._disk.orders += 1
        order = self._disk.orders
        entry = Entry(order, self.run, order - self._first + 1, draft.stream, draft.source, len(draft.rows))
        heartbeat = (draft.stream, draft.source) == ("sys", "box")
        kept = Kept(entry, self._boot, draft, self.status().held_rows if heartbeat else None)
        self._disk.batches[order] = kept
        if self._boot in self._disk.anchors:
            self._date(kept, states=heartbeat)
        return entry

    def _date(self, kept: Kept, *, states: bool) -> None:
        disk, source = self._disk, kept.draft.source
        anchor_ms, quality = disk.anchors[kept.boot]
        last = disk.last.setdefault(source, SourceDates(0, 0))
        free, on = self._free(source), grid(anchor_ms, source)
        kept.dates = [next_date(last, anchor_ms + mono_ms, on, free, Timers()) for mono_ms, _ in kept.draft.rows]
        disk.wall_ms = max(disk.wall_ms, *kept.dates)
        self._count(kept, 0)
        rows: list[Row] = [
            [date - kept.dates[0], *row[1]] for date, row in zip(kept.dates, kept.draft.rows, strict=True)
        ]
        kept.body = fixed(
            Batch(
                run=kept.entry.run,
                number=kept.entry.number,
                source=source,
                time_quality=quality,
                t0_ms=kept.dates[0],
                metrics=list(kept.draft.metrics),
                rows=rows,
                held=kept.held,
                tallies=self._state() if states else [],
            )
        )

    def _free(self, source: str) -> Callable[[int], int]:
        spans = [
            (min(k.dates), max(k.dates)) for k in self._disk.batches.values() if k.dates and k.draft.source == source
        ]

        def free(ms: int) -> int:
            while ends := [last for first, last in spans if first <= ms <= last]:
                ms = max(ends) + 1
            return ms

        return free

    def _count(self, kept: Kept, index: int, sign: int = 1) -> None:
        for hour, rows in by_hour(kept.dates):
            cell = (kept.entry.run, kept.draft.source, hour)
            self._disk.tally.setdefault(cell, [0, 0])[index] += sign * rows
            self._disk.changed.setdefault(cell)

    def _state(self) -> list[Tally]:
        said = list(itertools.islice(self._disk.changed, MAX_TALLIES))
        for cell in said:
            del self._disk.changed[cell]
        return [Tally(*cell, *self._disk.tally[cell]) for cell in said]

    def _make_room(self) -> None:
        batches = self._disk.batches
        while batches and self.status().used_bytes > self._budget:
            marked = [order for order, kept in batches.items() if kept.state != "open"]
            self._drop(min(marked or batches))

    def _drop(self, order: int) -> None:
        kept = self._disk.batches[order]
        if kept.state == "open":
            if not kept.dates:
                self._date_boots(kept.boot)
            self._count_dropped(kept)
        del self._disk.batches[order]

    def _count_dropped(self, kept: Kept) -> None:
        self._count(kept, 1)
        self._disk.dropped_rows += kept.entry.rows
        for run, source, hour, *_ in json.loads(kept.body).get("tl", []):
            self._disk.changed.setdefault((run, source, hour))

    def date(self, anchor_ms: int, time_quality: int) -> None:
        with self._transaction() as disk:
            if self._boot in disk.anchors:
                digit = disk.anchors[self._boot][0]
                disk.anchors[self._boot] = (with_digit(anchor_ms, digit), time_quality)
            else:
                self._date_boots(self._boot, (anchor_ms, time_quality))
                self._anchor_waits = True

    def _date_boots(self, last_boot: str, anchor: tuple[int, int] | None = None) -> None:
        waiting = [kept for kept in self._disk.batches.values() if not kept.dates]
        boots = list(dict.fromkeys([*(kept.boot for kept in waiting), last_boot]))
        for boot in boots[: boots.index(last_boot) + 1]:
            given = anchor if boot == last_boot else None
            anchor_ms, quality = given or (self._disk.wall_ms + 1, 0)
            self._disk.anchors[boot] = (with_digit(anchor_ms, self._disk.datings), quality)
            for kept in waiting:
                if kept.boot == boot:
                    self._date(kept, states=False)
        self._disk.datings += 1

    def oldest_open(self, limit: int, without: Collection[int]) -> list[Entry]:
        found = (kept.entry for order, kept in self._disk.batches.items() if kept.sendable and order not in without)
        return list(itertools.islice(found, limit))

    def body(self, order: int) -> bytes | None:
        kept = self._disk.batches.get(order)
        if kept is None or not kept.sendable:
            return None
        if not kept.spoiled:
            return kept.body
        with self._transaction():
            self._drop(order)
            self._disk.damaged += 1
        return None

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        if ack.rw < self.rewind:
            return None
        with self._transaction() as disk:
            rewound = ack.rw > disk.rewind
            if rewound:
                disk.rewind = ack.rw
                self._reopen(ack.rf)
            marked = {kept.entry.order for kept in disk.batches.values() if kept.sendable and _named(kept, ack)}
            for order in marked:
                kept = disk.batches[order]
                label = any((run, number) == (kept.entry.run, kept.entry.number) for run, number, _ in ack.nk)
                kept.state, kept.acked_ms = "quarantined" if label else "stored", ack.gt
            return Applied(frozenset(marked | self._refuse(ack, unreadable)), rewound)

    def _reopen(self, since_ms: int) -> None:
        for kept in self._disk.batches.values():
            if kept.state != "open" and (kept.acked_ms is None or kept.acked_ms >= since_ms):
                if kept.state == "refused":
                    self._count(kept, 1, -1)
                    self._disk.dropped_rows -= kept.entry.rows
                kept.state, kept.acked_ms = "open", None

    def _refuse(self, ack: Ack, unreadable: Mapping[int, int]) -> set[int]:
        refused = {unreadable[crc] for crc in ack.bad if crc in unreadable}
        found = [kept for order, kept in self._disk.batches.items() if order in refused and kept.sendable]
        for kept in found:
            self._count_dropped(kept)
            kept.state, kept.acked_ms = "refused", ack.gt
        return {kept.entry.order for kept in found}

    def status(self) -> OutboxStatus:
        disk = self._disk
        waiting = [kept for kept in disk.batches.values() if kept.state == "open"]
        return OutboxStatus(
            open_batches=len(waiting),
            held_rows=sum(kept.entry.rows for kept in waiting),
            open_bytes=sum(kept.size for kept in waiting),
            used_bytes=sum(kept.size for kept in disk.batches.values()),
            budget_bytes=self._budget,
            undated_batches=sum(not kept.dates for kept in waiting),
            dropped_rows=disk.dropped_rows,
            damaged_batches=disk.damaged,
            rewind=disk.rewind,
            oldest_open_ms=min(waiting[0].dates, default=None) if waiting else None,
        )

    def going(self, orders: Sequence[int]) -> None:
        with self._transaction():
            """Nothing to mark."""

    def close(self) -> None:
        """Nothing to close."""

    def spoil(self, order: int) -> None:
        """A bit of this batch's body flips on the disk."""
        self._disk.batches[order].spoiled = True


def _parts(draft: Draft) -> Iterator[Draft]:
    for start in range(0, len(draft.rows), MAX_ROWS):
        yield Draft(draft.stream, draft.source, draft.metrics, draft.rows[start : start + MAX_ROWS])


def _named(kept: Kept, ack: Ack) -> bool:
    return any(run == kept.entry.run and low <= kept.entry.number <= high for run, low, high in ack.ok)
