"""Thin, don't drop."""

from typing import TYPE_CHECKING, Final

from kewang.model.kernel import RAW, SENT, Batch, Row

if TYPE_CHECKING:
    from kewang.model.outbox import Outbox

WIDTHS_MS: Final = (60_000, 300_000, 1_800_000)
_LEVELS: Final = (RAW, *WIDTHS_MS)
_MARGIN_MS: Final = 300_000
_BATCHES: Final = 64
_ROWS: Final = 40
_FAR_MS: Final = 2**62


class Thinning:
    """Makes the oldest batches of an outbox fewer, inside the transaction that needs their room."""

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox, self._without = outbox, outbox.without

    def step(self, mono_ms: int) -> bool:
        """Thin some of the oldest batches of the lowest level; whether there were any."""
        outbox = self._outbox
        if outbox.anchor_ms is None and "own-boot" not in self._without:
            outbox.date_older_boots()
        undated_ms = mono_ms - _MARGIN_MS
        dated_ms = _FAR_MS if outbox.anchor_ms is None else undated_ms + outbox.anchor_ms
        for level, width_ms in zip(_LEVELS, WIDTHS_MS, strict=False):
            while group := self._group(level, width_ms, undated_ms, dated_ms):
                if len(group) > 1:
                    self._thin(group, width_ms)
                    return True
                self._mark(group[0], width_ms)
        return False

    def _group(self, level: int, width_ms: int, undated_ms: int, dated_ms: int) -> list[Batch]:
        """The oldest batches of a level, of one source and kind, whose spans are over and make a batch together."""
        group, spans = list[Batch](), set[int]()
        for batch in self._oldest(level, dated_ms + 2 * _MARGIN_MS):
            limit_ms = dated_ms if batch.dated else undated_ms
            over_ms = (abs(batch.rows[-1].ms) // width_ms + 1) * width_ms
            if over_ms > limit_ms or (group and (batch.dated, batch.source) != (group[0].dated, group[0].source)):
                break
            spans |= {abs(row.ms) // width_ms for row in batch.rows}
            if group and len(spans) > _ROWS:
                break
            group.append(batch)
        return group

    def _oldest(self, level: int, ahead_ms: int) -> list[Batch]:
        """Those of the level that can be thinned."""
        found = []
        for batch in self._outbox.open_ones():
            if batch.level == level or (level == RAW and batch.level == SENT and self._takes_all(batch)):
                believed = "refused-whole" in self._without or not any(row.refused for row in batch.rows)
                if believed and batch.rows[-1].ms <= ahead_ms:
                    found.append(batch)
                else:
                    self._mark(batch, SENT)
        return found[:_BATCHES]

    def _takes_all(self, batch: Batch) -> bool:
        if batch.source == "sys":
            return "heartbeats-whole" in self._without
        return "thin-unsent" in self._without and not any(row.of for row in batch.rows)

    def _mark(self, batch: Batch, level: int) -> None:
        self._outbox.disk.batches.put(batch.name, batch._replace(level=level))

    def _thin(self, group: list[Batch], width_ms: int) -> None:
        """One batch in place of `group`."""
        outbox, journal = self._outbox, self._outbox.journal
        spans: dict[int, list[Row]] = {}
        for row in (row for batch in group for row in batch.rows):
            spans.setdefault(abs(row.ms) // width_ms, []).append(row)
        rows = tuple(self._row(spans[span], span * width_ms) for span in sorted(spans))
        for batch in group:
            if batch.dated and "thinned-is-dropped" not in self._without:
                outbox.count(batch.run, batch.rows, dropped=1)
            journal.dropped.update(row.reading for row in batch.rows)
            outbox.forget(batch)
        outbox.replacement(rows, group[0], width_ms)
        journal.thinnings += 1
        journal.thinned_rows += sum(len(batch.rows) for batch in group)
        if group[0].dated:
            outbox.count(outbox.run, rows, made=1)
            for row in rows:
                outbox.disk.taken.put((row.source, row.ms), True)

    def _row(self, rows: list[Row], begins_ms: int) -> Row:
        """The row in place of those of one span."""
        journal, first = self._outbox.journal, rows[0]
        of = tuple(reading for row in rows for reading in (row.reading, *row.of))
        told = len(rows) + (sum(row.told for row in rows) if "sum-of-thinned" not in self._without else 0)
        ms = first.ms if "first-date" not in self._without else (begins_ms if first.ms >= 0 else -max(begins_ms, 1))
        made = Row(first.source, ms, journal.new(), any(row.refused for row in rows), of, told)
        journal.rows[made.reading] = made
        boots = [journal.boots[row.reading] for row in rows]
        journal.boots[made.reading] = max(boots, key=len) if first.ms >= 0 else set().union(*boots)
        return made
