"""The outbox on disk and the one in memory say the same, step by step, and their ledgers balance."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ports import Draft, Entry, OutboxFull
from kewang.wire.ack import Ack
from kewang.wire.batch import MAX_MESSAGE_BYTES
from kewang.wire.tally import HOUR_MS
from tests.fake_outbox import MemoryDisk, MemoryOutbox
from tests.outbox_places import ANCHOR_MS, PLENTY_BYTES, InMemory, OnDisk, batch, env, everything, heartbeat, store


def test_memory_full_changes_nothing() -> None:
    outbox = MemoryOutbox(MemoryDisk(), PLENTY_BYTES, "boot-1")
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    outbox.full = True
    with pytest.raises(OutboxFull):
        outbox.commit([env(2000)])
    with pytest.raises(OutboxFull):
        store(outbox, entry)
    outbox.full = False
    assert everything(outbox) == [entry]
    assert outbox.commit([env(2000)])[0].number == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 3)),
        st.tuples(st.just("beat"), st.just(0)),
        st.tuples(st.just("store"), st.integers(1, 8)),
        st.tuples(st.just("rewind"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("boot"), st.just(0)),
        st.tuples(st.just("date"), st.integers(-4, 4)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", [InMemory, OnDisk])
@given(steps=STEPS, budget_batches=st.integers(3, 12))
@settings(max_examples=60, deadline=None)
def test_the_ledger_balances(
    kind: type[InMemory] | type[OnDisk],
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    budget_batches: int,
) -> None:
    """Made minus dropped, as stated by heartbeats, are the rows that can be found in the store or the outbox."""
    place = kind(tmp_path_factory.mktemp("ledger"))
    try:
        Balance(place, budget_batches).walk(steps)
    finally:
        place.close()


class Balance:
    """A device under random events, and a store that takes what it is sent."""

    def __init__(self, place: InMemory | OnDisk, budget_batches: int) -> None:
        self.place, self.boots, self.mono_ms, self.rewinds = place, 1, 1000, 0
        self.budget_bytes = budget_batches * 330
        self.outbox = place.open("boot-1", self.budget_bytes)
        self.found: dict[tuple[str, int], tuple[str, int]] = {}
        self.stated: dict[tuple[str, str, int], tuple[int, int]] = {}
        self.committed = 0

    def walk(self, steps: list[tuple[str, int]]) -> None:
        for step, amount in steps:
            self.mono_ms += 700
            getattr(self, f"on_{step}")(amount)
        self.on_date(0)
        for _ in range(40):
            self.mono_ms += 700
            self.on_beat(0)
            self.on_store(50)
        made = sum(made for made, _ in self.stated.values())
        dropped = sum(dropped for _, dropped in self.stated.values())
        status = self.outbox.status()
        assert made == self.committed if not status.thinned_rows else self.committed < made
        assert dropped == status.dropped_rows + status.thinned_rows
        assert made - dropped <= len(self.found)
        if not self.rewinds:
            # After a rewind a batch may be dropped that the store had all along.
            assert made - dropped == len(self.found)

    def on_commit(self, rows: int) -> None:
        self.outbox.commit([env(*[self.mono_ms] * rows)])
        self.committed += rows

    def on_beat(self, _: int) -> None:
        self.outbox.commit([heartbeat(self.mono_ms)])
        self.committed += 1

    def on_store(self, limit: int) -> None:
        if not self.outbox.sendable:
            return
        for entry in self.outbox.oldest_open(limit, ()):
            found = batch(self.outbox, entry)
            for tally in found.tallies:
                cell = (tally.run, tally.source, tally.hour)
                made, dropped = self.stated.get(cell, (0, 0))
                self.stated[cell] = (max(made, tally.made), max(dropped, tally.dropped))
            for row in found.rows:
                name = (found.run, found.number)
                assert self.found.setdefault((found.source, found.t0_ms + row[0]), name) == name
            store(self.outbox, entry, rewind=self.rewinds)

    def on_rewind(self, _: int) -> None:
        self.rewinds += 1
        assert self.outbox.apply(Ack(rw=self.rewinds, rf=0), {}) is not None

    def on_restart(self, _: int) -> None:
        self.outbox = self.place.open(f"boot-{self.boots}", self.budget_bytes)

    def on_boot(self, _: int) -> None:
        self.boots += 1
        self.mono_ms = 1000
        self.on_restart(0)

    def on_date(self, hours: int) -> None:
        self.outbox.date(ANCHOR_MS + self.boots * 60_000 + hours * HOUR_MS, 2)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_memory_and_disk_say_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """The fake behaves as the real one does, body by body."""
    folder = tmp_path_factory.mktemp("pair")
    pair = [Told(InMemory(folder)), Told(OnDisk(folder))]
    try:
        for step, amount in steps:
            memory, disk = (told.do(step, amount) for told in pair)
            assert memory == disk
    finally:
        for told in pair:
            told.place.close()


class Told:
    """One of two outboxes that are told the same; `do` gives what can be seen of it, with its runs numbered."""

    def __init__(self, place: InMemory | OnDisk) -> None:
        self.place, self.boots, self.mono_ms, self.rewinds = place, 1, 1000, 0
        self.runs: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.outbox = self.place.open(f"boot-{self.boots}")
        self.runs.append(self.outbox.run)

    def do(self, step: str, amount: int) -> object:
        self.mono_ms += 700
        match step:
            case "commit":
                self.outbox.commit([env(*[self.mono_ms] * amount)])
            case "beat":
                self.outbox.commit([heartbeat(self.mono_ms)])
            case "store":
                every_other = everything(self.outbox)[::2][:amount]
                at_ms = ANCHOR_MS + self.mono_ms
                store(self.outbox, *every_other, at_ms=at_ms, rewind=self.rewinds)
            case "rewind":
                self.rewinds += 1
                assert self.outbox.apply(Ack(rw=self.rewinds, rf=ANCHOR_MS + self.mono_ms - 3000), {}) is not None
            case "restart":
                self.restart()
            case "boot":
                self.boots, self.mono_ms = self.boots + 1, 1000
                self.restart()
            case "date":
                self.outbox.date(ANCHOR_MS + self.boots * 60_000 + amount * HOUR_MS, 2)
        return self.seen()

    def seen(self) -> object:
        status = self.outbox.status()
        return (
            [self.batch(entry) for entry in everything(self.outbox)],
            self.outbox.sendable,
            self.outbox.anchor_ms,
            (status.open_batches, status.held_rows, status.undated_batches, status.rewind, status.oldest_open_ms),
        )

    def batch(self, entry: Entry) -> object:
        found = batch(self.outbox, entry)
        tallies = sorted((self.runs.index(t.run), t.source, t.hour, t.made, t.dropped) for t in found.tallies)
        name = (entry.order, self.runs.index(found.run), found.number, found.source, found.time_quality)
        return (*name, found.t0_ms, found.rows, found.held, tallies)


def test_every_message_fits(tmp_path: Path) -> None:
    place = OnDisk(tmp_path)
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    metrics = tuple(f"m{number}" for number in range(64))
    rows = tuple((ms, (0.1234567890123 + ms,) * 64) for ms in range(300))
    entries = outbox.commit([Draft("env", "wide", metrics, rows)])
    for entry in entries:
        body = outbox.body(entry.order)
        assert body is not None
        assert len(body) <= MAX_MESSAGE_BYTES - 64
    assert sum(entry.rows for entry in entries) == 300
    place.close()
