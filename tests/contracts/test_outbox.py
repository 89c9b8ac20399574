"""What every outbox must do, on disk or in memory."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import SqliteOutbox
from edge.ports import Draft, Entry, Outbox, OutboxFull
from kewang.wire.ack import Ack
from kewang.wire.batch import MAX_MESSAGE_BYTES, Batch, decode, stamp
from kewang.wire.tally import HOUR_MS
from tests.fake_outbox import MemoryDisk, MemoryOutbox

ANCHOR_MS = 1_785_000_000_000
PLENTY_BYTES = 50_000_000


class Place(Protocol):
    """Where an outbox lives longer than its process."""

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        """A new process with the outbox that is here; the one before has ended."""

    def spoil(self, order: int) -> None:
        """A bit of a batch's body flips."""

    def close(self) -> None: ...


class InMemory:
    def __init__(self, _: Path) -> None:
        self.disk = MemoryDisk()

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        return MemoryOutbox(self.disk, budget_bytes, boot)

    def spoil(self, order: int) -> None:
        self.disk.batches[order].spoiled = True

    def close(self) -> None:
        """Nothing to close."""


class OnDisk:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.outbox: SqliteOutbox | None = None

    def open(self, boot: str = "boot-1", budget_bytes: int = PLENTY_BYTES) -> Outbox:
        self.close()
        self.outbox = SqliteOutbox(self.path, budget_bytes, boot)
        return self.outbox

    def spoil(self, order: int) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            body = bytearray(db.execute("SELECT body FROM body WHERE ord = ?", (order,)).fetchone()[0])
            body[-3] ^= 1
            db.execute("UPDATE body SET body = ? WHERE ord = ?", (bytes(body), order))
            db.commit()

    def close(self) -> None:
        if self.outbox is not None:
            self.outbox.close()
            self.outbox = None


@pytest.fixture(params=[InMemory, OnDisk])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place: Place = request.param(tmp_path)
    yield place
    place.close()


def env(*monos_ms: int, source: str = "env-1") -> Draft:
    return Draft("env", source, ("temp_c",), tuple((mono_ms, (29.5,)) for mono_ms in monos_ms))


def heartbeat(mono_ms: int = 1000) -> Draft:
    return Draft("sys", "box", ("cpu_pct",), ((mono_ms, (3.0,)),))


def batch(outbox: Outbox, entry: Entry) -> Batch:
    body = outbox.body(entry.order)
    assert body is not None
    return decode(stamp(body, 0, 0))


def dates(outbox: Outbox, entry: Entry) -> list[int]:
    found = batch(outbox, entry)
    return [found.t0_ms + row[0] for row in found.rows]


def everything(outbox: Outbox) -> list[Entry]:
    return outbox.oldest_open(10_000, ())


def store(outbox: Outbox, *entries: Entry, at_ms: int | None = ANCHOR_MS, rewind: int = 0) -> None:
    ok = tuple((entry.run, entry.number, entry.number) for entry in entries)
    assert outbox.apply(Ack(ok=ok, gt=at_ms, rw=rewind), {}) is not None


def test_a_batch_is_there_after_its_commit(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000, 2000)])
    assert (entry.number, entry.stream, entry.source, entry.rows) == (1, "env", "env-1", 2)
    found = batch(outbox, entry)
    assert (found.run, found.number, found.source, found.time_quality) == (outbox.run, 1, "env-1", 2)
    assert dates(outbox, entry) == [ANCHOR_MS + 1000, ANCHOR_MS + 2000]


def test_a_new_process_has_a_new_run_and_the_same_batches(place: Place) -> None:
    first = place.open()
    first.date(ANCHOR_MS, 2)
    committed = first.commit([env(1000), env(2000, source="env-2")])
    bodies = [first.body(entry.order) for entry in committed]
    second = place.open()
    assert second.run != first.run
    assert everything(second) == committed
    assert [second.body(entry.order) for entry in committed] == bodies
    (after,) = second.commit([env(3000)])
    assert after.number == 1
    assert after.order > committed[-1].order


def test_nothing_is_sendable_before_a_commit_after_the_date(place: Place) -> None:
    outbox = place.open()
    (early,) = outbox.commit([env(1000)])
    assert not outbox.sendable
    assert everything(outbox) == []
    assert outbox.body(early.order) is None
    outbox.date(ANCHOR_MS, 1)
    assert not outbox.sendable
    outbox.commit([env(2000)])
    assert outbox.sendable
    assert [entry.order for entry in everything(outbox)] == [early.order, early.order + 1]


def test_a_restart_in_a_dated_boot_may_send_at_once(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 1)
    outbox.commit([env(1000)])
    again = place.open()
    assert again.sendable
    assert again.anchor_ms == ANCHOR_MS
    assert not place.open(boot="boot-2").sendable


def test_the_same_moment_twice_gets_two_dates(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000, 1000, 1000)])
    assert dates(outbox, entry) == [ANCHOR_MS + 1000, ANCHOR_MS + 1001, ANCHOR_MS + 1002]


def test_a_small_step_back_goes_on_after_the_last_date(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(100_000)])
    outbox.date(ANCHOR_MS - 60_000, 2)
    (entry,) = outbox.commit([env(100_000)])
    assert dates(outbox, entry) == [ANCHOR_MS + 100_001]


def test_the_first_row_of_a_run_leaves_a_second(place: Place) -> None:
    place.open().date(ANCHOR_MS, 2)
    outbox = place.open()
    outbox.commit([env(100_000)])
    again = place.open()
    (entry,) = again.commit([env(100_000, 100_000)])
    assert dates(again, entry) == [ANCHOR_MS + 101_000, ANCHOR_MS + 101_001]


def test_a_large_step_back_is_believed_between_the_held_batches(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(0, 5000)])
    outbox.commit([env(10_000, 20_000)])
    outbox.commit([env(7_200_000)])
    outbox.date(ANCHOR_MS - 7_200_000, 2)
    (entry,) = outbox.commit([env(7_202_000, 7_207_000, 7_207_000, 7_212_000, 7_221_000)])
    assert dates(outbox, entry) == [ANCHOR_MS + ms for ms in (5001, 7000, 7001, 20_001, 21_000)]


def test_older_boots_are_dated_first_and_chained(place: Place) -> None:
    outbox = place.open("boot-1")
    (one,) = outbox.commit([env(5000)])
    outbox = place.open("boot-2")
    (two,) = outbox.commit([env(7000)])
    outbox = place.open("boot-3")
    (three,) = outbox.commit([env(1000)])
    outbox.date(ANCHOR_MS, 1)
    outbox.commit([env(2000)])
    qualities = [batch(outbox, entry).time_quality for entry in (one, two, three)]
    first, second, third = (dates(outbox, entry)[0] for entry in (one, two, three))
    assert qualities == [0, 0, 1]
    assert second == first + 1 + 7000
    assert third == ANCHOR_MS + 1000
    assert [entry.order for entry in everything(outbox)][:3] == [one.order, two.order, three.order]


def test_a_chained_boot_goes_on_from_the_last_date_known(place: Place) -> None:
    outbox = place.open("boot-1")
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(4000, source="env-9")])
    outbox = place.open("boot-2")
    (waiting,) = outbox.commit([env(300)])
    outbox = place.open("boot-3")
    outbox.date(ANCHOR_MS + 9_000_000, 2)
    assert dates(outbox, waiting) == [ANCHOR_MS + 4001 + 300]


def test_a_correction_is_for_rows_not_yet_committed(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 1)
    (before,) = outbox.commit([env(1000)])
    outbox.date(ANCHOR_MS + 60_000, 2)
    assert outbox.sendable
    (after,) = outbox.commit([env(2000)])
    assert dates(outbox, before) == [ANCHOR_MS + 1000]
    assert dates(outbox, after) == [ANCHOR_MS + 62_000]
    assert batch(outbox, after).time_quality == 2


def test_an_ack_marks_the_named_batches_only(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    entries = outbox.commit([env(ms) for ms in range(1000, 6000, 1000)])
    applied = outbox.apply(Ack(ok=((outbox.run, 2, 3), ("someoneelse", 1, 9), (outbox.run, 5, 5))), {})
    assert applied is not None
    assert applied.marked == {entries[1].order, entries[2].order, entries[4].order}
    assert everything(outbox) == [entries[0], entries[3]]
    assert outbox.body(entries[1].order) is None
    again = outbox.apply(Ack(ok=((outbox.run, 2, 3),)), {})
    assert again is not None
    assert again.marked == frozenset()


@pytest.mark.parametrize(("low", "high"), [(0, 2**53), (2**53, 2**53), (2**53, 0), (0, 0), (3, 1)])
def test_absurd_ranges_mark_what_they_cover_and_no_more(place: Place, low: int, high: int) -> None:
    other = place.open()
    other.date(ANCHOR_MS, 2)
    before = other.commit([env(500)])
    outbox = place.open()
    entries = outbox.commit([env(1000), env(2000)])
    applied = outbox.apply(Ack(ok=((outbox.run, low, high),)), {})
    assert applied is not None
    assert applied.marked == {entry.order for entry in entries if low <= entry.number <= high}
    assert before[0] in everything(outbox)


def test_batches_of_an_earlier_run_are_marked_by_its_name(place: Place) -> None:
    first = place.open()
    first.date(ANCHOR_MS, 2)
    entries = first.commit([env(1000), env(2000)])
    second = place.open()
    (own,) = second.commit([env(3000)])
    store(second, entries[1])
    assert everything(second) == [entries[0], own]
    assert second.apply(Ack(ok=((first.run, 0, 2**53),)), {}) is not None
    assert everything(second) == [own]


def test_a_rewind_reopens_what_no_longer_counts(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    old, late, undated, quarantined = outbox.commit([env(ms) for ms in (1000, 2000, 3000, 4000)])
    store(outbox, old, at_ms=ANCHOR_MS + 10)
    store(outbox, late, at_ms=ANCHOR_MS + 20)
    store(outbox, undated, at_ms=None)
    label = (outbox.run, quarantined.number, "range: temp_c=99")
    name = (outbox.run, quarantined.number, quarantined.number)
    assert outbox.apply(Ack(ok=(name,), nk=(label,), gt=ANCHOR_MS + 30), {}) is not None
    assert everything(outbox) == []
    applied = outbox.apply(Ack(rw=7, rf=ANCHOR_MS + 20), {})
    assert applied is not None
    assert applied.rewound
    assert everything(outbox) == [late, undated, quarantined]
    assert outbox.rewind == 7


def test_a_rewind_of_everything(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    entries = outbox.commit([env(1000), env(2000)])
    store(outbox, *entries)
    applied = outbox.apply(Ack(rw=7, rf=0, ok=((outbox.run, 2, 2),)), {})
    assert applied is not None
    assert applied.marked == {entries[1].order}
    assert everything(outbox) == [entries[0]]


def test_an_ack_from_before_the_rewind_is_ignored_by_every_process(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    assert outbox.apply(Ack(rw=7), {}) is not None
    for _ in range(2):
        assert outbox.apply(Ack(rw=6, ok=((entry.run, 1, 1),)), {}) is None
        assert everything(outbox) == [entry]
        assert outbox.rewind == 7
        outbox = place.open()


def test_the_same_rewind_reopens_once(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    store(outbox, entry, rewind=7)
    applied = outbox.apply(Ack(rw=7, rf=0), {})
    assert applied is not None
    assert not applied.rewound
    assert everything(outbox) == []


def test_what_no_gateway_can_read_is_counted_and_never_sent_again(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    bad, good = outbox.commit([env(1000, 2000), env(3000)])
    applied = outbox.apply(Ack(bad=(77, 88)), {77: bad.order, 99: good.order})
    assert applied is not None
    assert applied.marked == {bad.order}
    assert everything(outbox) == [good]
    assert outbox.status().dropped_rows == 2
    assert outbox.apply(Ack(bad=(77,), rw=5), {77: bad.order}) is not None
    assert everything(outbox) == [good]
    assert outbox.status().dropped_rows == 2
    (beat,) = outbox.commit([heartbeat()])
    assert [tally.dropped for tally in batch(outbox, beat).tallies if tally.source == "env-1"] == [2]


def test_a_heartbeat_states_what_is_held_and_what_changed(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(1000, 2000)])
    one, two = outbox.commit([heartbeat(3000), heartbeat(4000)])
    first, second = batch(outbox, one), batch(outbox, two)
    assert (first.held, second.held) == (2, 3)
    hour = ANCHOR_MS // HOUR_MS
    assert sorted((t.source, t.hour, t.made, t.dropped) for t in first.tallies) == [
        ("box", hour, 1, 0),
        ("env-1", hour, 2, 0),
    ]
    assert [(t.source, t.made) for t in second.tallies] == [("box", 2)]
    assert {t.run for t in first.tallies} == {outbox.run}


def test_a_heartbeat_states_at_most_fifty_and_the_rest_later(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(1000, source=f"s-{number}") for number in range(60)])
    said = [batch(outbox, beat).tallies for beat in outbox.commit([heartbeat(ms) for ms in (2000, 3000, 4000)])]
    assert [len(tallies) for tallies in said] == [50, 11, 1]
    assert len({t.source for tallies in said for t in tallies}) == 61


def test_rows_of_an_undated_boot_are_tallied_when_dated(place: Place) -> None:
    outbox = place.open()
    early = outbox.commit([env(1000), heartbeat(1500)])
    outbox.date(ANCHOR_MS, 1)
    (beat,) = outbox.commit([heartbeat(2000)])
    late = batch(outbox, early[1])
    assert (late.held, late.tallies) == (1, [])
    assert sorted((t.source, t.made) for t in batch(outbox, beat).tallies) == [("box", 2), ("env-1", 1)]


def test_rows_are_tallied_in_their_own_hours(place: Place) -> None:
    outbox = place.open()
    start_ms = (ANCHOR_MS // HOUR_MS + 1) * HOUR_MS
    outbox.date(start_ms, 2)
    outbox.commit([env(HOUR_MS - 2, HOUR_MS - 1, HOUR_MS)])
    (beat,) = outbox.commit([heartbeat(HOUR_MS)])
    tallies = {t.hour: t.made for t in batch(outbox, beat).tallies if t.source == "env-1"}
    assert tallies == {start_ms // HOUR_MS: 2, start_ms // HOUR_MS + 1: 1}


def batch_bytes(place: Place) -> int:
    """What one batch of one row takes."""
    outbox = place.open("boot-0")
    outbox.date(ANCHOR_MS - 1_000_000, 2)
    (entry,) = outbox.commit([env(1000)])
    used = outbox.status().used_bytes
    store(outbox, entry)
    return used


def test_marked_batches_make_room_first(place: Place) -> None:
    size = batch_bytes(place)
    outbox = place.open(budget_bytes=4 * size + size // 2)
    outbox.date(ANCHOR_MS, 2)
    first, second, third = outbox.commit([env(ms) for ms in (1000, 2000, 3000)])
    store(outbox, second)
    outbox.commit([env(4000), env(5000)])
    assert [entry.order for entry in everything(outbox)] == [first.order, third.order, third.order + 1, third.order + 2]
    assert outbox.status().dropped_rows == 0
    outbox.commit([env(6000)])
    assert everything(outbox)[0] == third
    assert outbox.status().dropped_rows == 1
    assert outbox.body(first.order) is None


def test_dropped_rows_are_stated(place: Place) -> None:
    size = batch_bytes(place)
    outbox = place.open(budget_bytes=3 * size)
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(ms) for ms in (1000, 2000, 3000)])
    outbox.commit([env(4000), env(5000)])
    (beat,) = outbox.commit([heartbeat(6000)])
    (tally,) = [t for t in batch(outbox, beat).tallies if (t.run, t.source) == (outbox.run, "env-1")]
    assert (tally.made, tally.dropped) == (5, 2)


def test_what_a_dropped_heartbeat_stated_is_stated_again(place: Place) -> None:
    size = batch_bytes(place)
    outbox = place.open(budget_bytes=3 * size)
    outbox.date(ANCHOR_MS, 2)
    (stored,) = outbox.commit([env(1000, source="env-2")])
    outbox.commit([heartbeat(2000)])
    store(outbox, stored)
    for mono_ms in range(3000, 8000, 1000):
        outbox.commit([env(mono_ms)])
    (beat,) = outbox.commit([heartbeat(9000)])
    stated = {t.source: (t.made, t.dropped) for t in batch(outbox, beat).tallies}
    assert stated["env-2"] == (1, 0)
    assert stated["box"] == (2, 1)


def test_a_boot_dated_to_drop_its_rows_sends_one_commit_later(place: Place) -> None:
    size = batch_bytes(place)
    outbox = place.open(boot="boot-2", budget_bytes=3 * size)
    for mono_ms in range(1000, 20_000, 1000):
        outbox.commit([env(mono_ms)])
        if outbox.anchor_ms is not None:
            break
    assert outbox.anchor_ms is not None
    assert not outbox.sendable
    outbox.commit([env(30_000)])
    assert outbox.sendable


def test_undated_rows_are_dated_before_they_are_dropped(place: Place) -> None:
    size = batch_bytes(place)
    outbox = place.open(boot="boot-1", budget_bytes=PLENTY_BYTES)
    outbox.commit([env(1000), env(2000)])
    outbox = place.open(boot="boot-2", budget_bytes=3 * size)
    for mono_ms in range(1000, 6000, 1000):
        outbox.commit([env(mono_ms)])
    status = outbox.status()
    assert status.dropped_rows >= 3
    assert outbox.anchor_ms is not None
    outbox = place.open(boot="boot-2")
    (beat,) = outbox.commit([heartbeat(7000)])
    tallies = batch(outbox, beat).tallies
    assert sum(t.dropped for t in tallies) == outbox.status().dropped_rows
    assert sum(t.made for t in tallies) == 1 + 2 + 5 + 1


def test_a_budget_for_less_than_one_batch_holds_nothing_and_says_so(place: Place) -> None:
    outbox = place.open(budget_bytes=10)
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    assert outbox.body(entry.order) is None
    assert outbox.status().dropped_rows == 1


def test_a_batch_that_fails_its_checksum_is_dropped_and_counted(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    spoiled, sound = outbox.commit([env(1000, 2000), env(3000)])
    place.spoil(spoiled.order)
    assert outbox.body(spoiled.order) is None
    assert everything(outbox) == [sound]
    status = outbox.status()
    assert (status.dropped_rows, status.damaged_batches, status.open_batches) == (2, 1, 1)


def test_a_spoiled_batch_that_is_stored_is_no_loss(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    place.spoil(entry.order)
    store(outbox, entry)
    assert outbox.body(entry.order) is None
    assert outbox.status().dropped_rows == 0


def test_a_draft_too_long_for_a_message_becomes_several(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    entries = outbox.commit([env(*range(1000, 3500))])
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry.rows <= 1000 for entry in entries)
    assert sum(entry.rows for entry in entries) == 2500
    assert [ms for entry in entries for ms in dates(outbox, entry)] == [ANCHOR_MS + ms for ms in range(1000, 3500)]


def test_status_counts_what_is_there(place: Place) -> None:
    outbox = place.open()
    outbox.commit([env(1000)])
    assert outbox.status().undated_batches == 1
    assert outbox.status().oldest_open_ms is None
    outbox.date(ANCHOR_MS, 2)
    (entry, _) = outbox.commit([env(2000, 3000), heartbeat(4000)])
    before = outbox.status()
    assert (before.open_batches, before.held_rows, before.undated_batches) == (3, 4, 0)
    assert before.oldest_open_ms == ANCHOR_MS + 1000
    store(outbox, entry)
    after = outbox.status()
    assert (after.open_batches, after.held_rows) == (2, 2)
    assert after.open_bytes < before.open_bytes
    assert after.used_bytes == before.used_bytes
    assert place.open().status() == after


def test_oldest_open_leaves_out_what_is_on_its_way(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    entries = outbox.commit([env(ms) for ms in range(1000, 7000, 1000)])
    assert outbox.oldest_open(2, {entries[0].order, entries[2].order}) == [entries[1], entries[3]]
    assert outbox.oldest_open(0, ()) == []


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
        assert made == self.committed
        assert dropped == self.outbox.status().dropped_rows
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
