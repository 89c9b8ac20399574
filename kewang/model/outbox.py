"""The outbox: dates, tallies, marks, the ring."""

from collections.abc import Iterable
from typing import Final

from kewang.model.database import Journal
from kewang.model.kernel import OPEN, QUARANTINED, RAW, SENT, STORED, Batch, Disk, Name, Row
from kewang.model.network import Ack
from kewang.model.thinning import Thinning

HOUR_MS: Final = 600_000
"""The tally's cell. Shorter than an hour, for a world lasts half of one."""
STEP_BACK_MS: Final = 300_000
DIGITS: Final = 10
_STATED: Final = 50
_FIRST_DATE: Final = 9 * 10**8


class Outbox:
    """What a run keeps on the disk. Every change is in the transaction that its caller began."""

    def __init__(self, disk: Disk, journal: Journal, without: frozenset[str], run: int, boot: int, budget: int) -> None:
        self.disk, self.journal, self.without, self.run, self.boot, self.budget = (
            disk,
            journal,
            without,
            run,
            boot,
            budget,
        )
        self.number = 0 if "new-run" not in without else disk.meta.get("number", 0)
        self.order = max((batch.order for batch in disk.batches.values()), default=0) + 1
        self.sendable_from = 0
        self._dated_in_this_run: set[str] = set()
        self._thinning = Thinning(self)

    @property
    def anchor_ms(self) -> int | None:
        """Of this boot."""
        return self.disk.anchors.get(self.boot)

    @property
    def sendable(self) -> bool:
        """Whether the boot is dated and a commit came after the one that dated it."""
        return self.anchor_ms is not None and self.disk.commits >= self.sendable_from

    def commit(self, source: str, readings: Iterable[tuple[int, bool]], mono_ms: int, *, unsent: bool) -> Name:
        """Keep a batch, in one transaction; its name. `unsent`: it is not sent before it is marked."""
        self.disk.begin()
        name, level = self._next_name(), RAW if unsent and source != "sys" else SENT
        anchor_ms = self.anchor_ms
        if anchor_ms is None and source != "sys":
            level = RAW
        rows = []
        for reading, refused in readings:
            ms = -mono_ms if anchor_ms is None else self._date(source, anchor_ms, mono_ms)
            rows.append(Row(source, ms, reading, refused))
            self.journal.boots[reading] = {self.boot} if anchor_ms is None else set()
        self.keep(Batch(*name, self.order, self.boot, source, tuple(rows), OPEN, 0, level))
        if anchor_ms is not None:
            self.count(self.run, rows, made=1)
        self._make_room(mono_ms)
        return name

    def _next_name(self) -> Name:
        self.number += 1
        if "new-run" in self.without:
            self.disk.meta.put("number", self.number)
        return self.run, self.number

    def keep(self, batch: Batch) -> None:
        """A new batch."""
        self.disk.batches.put(batch.name, batch)
        self.order += 1

    def replacement(self, rows: tuple[Row, ...], like: Batch, level: int) -> None:
        """A new batch in place of others."""
        self.keep(Batch(*self._next_name(), self.order, self.boot, like.source, rows, OPEN, 0, level))

    def state(self, heartbeat: int) -> None:
        """The counts that changed, in the transaction of the heartbeat that carries them."""
        said = list(self.disk.changed)[:_STATED]
        self.journal.statements[heartbeat] = {cell: self.disk.tally[cell] for cell in said}
        for cell in said:
            self.disk.changed.take(cell)

    # Dates

    def date(self, anchor_ms: int) -> None:
        """Date this boot, and the older ones before it; of a dated boot: correct it for rows to come."""
        self.disk.begin()
        if self.anchor_ms is not None:
            self.disk.anchors.put(self.boot, with_digit(anchor_ms, self.anchor_ms))
            return
        self._date_boots(self.boot, anchor_ms)
        self._wait()

    def _wait(self) -> None:
        self.sendable_from = self.disk.commits + ("anchor-first" not in self.without)

    def date_older_boots(self) -> None:
        """Boots before this one get no anchor of their own any more."""
        older = [boot for boot in self._undated_boots() if boot != self.boot]
        if older:
            self._date_boots(older[-1], None)

    def _undated_boots(self) -> list[int]:
        waiting = sorted((b for b in self.disk.batches.values() if not b.dated), key=lambda b: b.order)
        return list(dict.fromkeys(batch.boot for batch in waiting))

    def _date_boots(self, last: int, anchor_ms: int | None) -> None:
        """Every dating counts, for the digit; the boots before `last` go on from the last date known."""
        digit = self.disk.meta.get("datings", 0)
        self.disk.meta.put("datings", digit + 1)
        boots = self._undated_boots()
        for boot in [*(boots[: boots.index(last)] if last in boots else boots), last]:
            known_ms = self.disk.meta.get("wall", _FIRST_DATE) + 1
            given_ms = anchor_ms if boot == last and anchor_ms is not None else known_ms
            self.disk.anchors.put(boot, with_digit(given_ms, digit))
            self._date_waiting(boot)

    def _date_waiting(self, boot: int) -> None:
        anchor_ms = self.disk.anchors[boot]
        waiting = [batch for batch in self.disk.batches.values() if batch.boot == boot and not batch.dated]
        for batch in sorted(waiting, key=lambda batch: batch.order):
            rows = tuple(row._replace(ms=self._date(row.source, anchor_ms, -row.ms)) for row in batch.rows)
            self.disk.batches.put(batch.name, batch._replace(rows=rows))
            self.count(batch.run, rows, made=1)
            if "undated-counts-both" not in self.without:
                for row in rows:
                    self.count(batch.run, [row] * row.told, made=1, dropped=1)

    def _date(self, source: str, anchor_ms: int, mono_ms: int) -> int:
        """The date of a source's next row."""
        by_digit, last_ms = "digit" not in self.without, self.disk.last.get(source, 0)
        step_ms = DIGITS if by_digit else 1
        date_ms = anchor_ms + mono_ms - mono_ms % step_ms
        if date_ms <= last_ms <= date_ms + STEP_BACK_MS:
            date_ms = last_ms + (1 if by_digit or source in self._dated_in_this_run else 1000)
            date_ms += (anchor_ms - date_ms) % step_ms
        self._dated_in_this_run.add(source)
        while (source, date_ms) in self.disk.taken:
            date_ms += step_ms
        self.disk.taken.put((source, date_ms), True)
        self.disk.last.put(source, date_ms)
        self.disk.meta.put("wall", max(date_ms, self.disk.meta.get("wall", 0)))
        return date_ms

    # Tallies

    def count(self, run: int, rows: Iterable[Row], made: int = 0, dropped: int = 0) -> None:
        """Rows made, or dropped, in their hours."""
        for row in rows:
            cell = (run, row.source, row.ms // HOUR_MS)
            old = self.disk.tally.get(cell, (0, 0))
            self.disk.tally.put(cell, (old[0] + made, old[1] + dropped))
            self.disk.changed.put(cell, True)

    # Ring

    def _make_room(self, mono_ms: int) -> None:
        batches = self.disk.batches
        while len(batches) > self.budget and (marked := [b for b in batches.values() if b.state != OPEN]):
            oldest = min(marked, key=lambda batch: batch.order)
            self.journal.left_the_ring.update(row.reading for row in oldest.rows)
            self.forget(oldest)
        while len(batches) > self.budget and self._thinning.step(mono_ms):
            pass
        while len(batches) > self.budget:
            self._drop(min(batches.values(), key=lambda batch: batch.order))

    def _drop(self, batch: Batch) -> None:
        if not batch.dated:
            undated = self.anchor_ms is None
            self._date_boots(batch.boot, None)
            if undated and self.anchor_ms is not None:
                self._wait()
            batch = self.disk.batches[batch.name]
        self.count(batch.run, batch.rows, dropped=1)
        for row in batch.rows:
            self.journal.dropped.add(row.reading)
            if "state-again" not in self.without:
                for cell in self.journal.statements.get(row.reading, ()):
                    if cell in self.disk.tally:
                        self.disk.changed.put(cell, True)
        self.forget(batch)

    def forget(self, batch: Batch) -> None:
        """It leaves the outbox, and its dates are free."""
        for row in batch.rows:
            if (row.source, row.ms) in self.disk.taken:
                self.disk.taken.take((row.source, row.ms))
        self.disk.batches.take(batch.name)

    # Marks

    def going(self, names: Iterable[Name]) -> None:
        """Mark what goes for the first time, and commit once more, for a disk that lies loses the last commit."""
        raw = [batch for name in names if (batch := self.disk.batches[name]).level != SENT]
        if not raw or "mark-first" in self.without:
            return
        self.disk.begin()
        for batch in raw:
            self.disk.batches.put(batch.name, batch._replace(level=SENT))
        if "mark-kept" not in self.without:
            self.disk.begin()

    def obey(self, ack: Ack) -> bool:
        """Rewind, then marks; False if the whole ack is to be ignored."""
        rewind = self.disk.meta.get("rewind", 0)
        if ack.rewind < rewind and "ignore-lower-rewind" not in self.without:
            return False
        if ack.rewind > rewind:
            self.disk.begin()
            self.disk.meta.put("rewind", ack.rewind)
            for batch in list(self.disk.batches.values()):
                by_ack = "reopen-by-ack-time" not in self.without
                when_ms = batch.acked_ms if by_ack else batch.rows[-1].ms
                if batch.state != OPEN and when_ms >= ack.rf_ms:
                    self.disk.batches.put(batch.name, batch._replace(state=OPEN, level=SENT))
        self.disk.begin(durable=False)
        for name in self._named(ack):
            batch = self.disk.batches[name]
            state = QUARANTINED if name in ack.labels else STORED
            self.disk.batches.put(name, batch._replace(state=state, acked_ms=ack.gateway_ms))
        return True

    def _named(self, ack: Ack) -> list[Name]:
        found = []
        for run, low, high in ack.ranges:
            for name, batch in self.disk.batches.items():
                if name[0] == run and low <= name[1] <= high and batch.state == OPEN and batch.dated:
                    found.append(name)
        return found

    def open_ones(self) -> list[Batch]:
        """Open batches, oldest first."""
        return sorted((b for b in self.disk.batches.values() if b.state == OPEN), key=lambda batch: batch.order)


def with_digit(ms: int, digit: int) -> int:
    """The last moment, not after `ms`, with the last digit of `digit`."""
    return ms - (ms - digit) % DIGITS
