"""What every outbox must state of what it made and dropped, and how its ring makes room."""

from kewang.wire.tally import HOUR_MS
from tests.outbox_places import ANCHOR_MS, Place, batch, batch_bytes, env, everything, heartbeat, store


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
    outbox.commit([env(HOUR_MS - 20, HOUR_MS - 10, HOUR_MS)])
    (beat,) = outbox.commit([heartbeat(HOUR_MS)])
    tallies = {t.hour: t.made for t in batch(outbox, beat).tallies if t.source == "env-1"}
    assert tallies == {start_ms // HOUR_MS: 2, start_ms // HOUR_MS + 1: 1}


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


def test_a_budget_for_less_than_one_batch_holds_nothing_and_says_so(place: Place) -> None:
    outbox = place.open(budget_bytes=10)
    outbox.date(ANCHOR_MS, 2)
    (entry,) = outbox.commit([env(1000)])
    assert outbox.body(entry.order) is None
    assert outbox.status().dropped_rows == 1
