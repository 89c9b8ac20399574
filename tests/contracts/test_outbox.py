"""What every outbox must do, on disk or in memory: names, marks, rewinds, bodies."""

import pytest

from kewang.wire.ack import Ack
from tests.outbox_places import ANCHOR_MS, Place, batch, dates, env, everything, heartbeat, store


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


def test_what_no_gateway_can_read_is_counted_and_sent_again_only_after_a_rewind(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    bad, good = outbox.commit([env(1000, 2000), env(3000)])
    applied = outbox.apply(Ack(bad=(77, 88)), {77: bad.order, 99: good.order})
    assert applied is not None
    assert applied.marked == {bad.order}
    assert everything(outbox) == [good]
    assert outbox.status().dropped_rows == 2
    assert outbox.apply(Ack(bad=(77,)), {77: bad.order}) is not None
    assert everything(outbox) == [good]
    assert outbox.status().dropped_rows == 2
    assert outbox.apply(Ack(rw=5), {}) is not None
    assert everything(outbox) == [bad, good]
    assert outbox.status().dropped_rows == 0
    assert outbox.apply(Ack(bad=(78,), rw=5), {78: bad.order}) is not None
    assert outbox.status().dropped_rows == 2
    (beat,) = outbox.commit([heartbeat()])
    assert [tally.dropped for tally in batch(outbox, beat).tallies if tally.source == "env-1"] == [2]


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
    entries = outbox.commit([env(*range(1000, 26_000, 10))])
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry.rows <= 1000 for entry in entries)
    assert sum(entry.rows for entry in entries) == 2500
    assert [ms for entry in entries for ms in dates(outbox, entry)] == [
        ANCHOR_MS + ms for ms in range(1000, 26_000, 10)
    ]


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
