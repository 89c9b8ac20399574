"""What every outbox must do with dates: ties, steps, undated boots."""

from tests.outbox_places import ANCHOR_MS, PLENTY_BYTES, Place, batch, batch_bytes, dates, env, everything, heartbeat


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
    assert dates(outbox, entry) == [ANCHOR_MS + 1000, ANCHOR_MS + 1010, ANCHOR_MS + 1020]


def test_a_small_step_back_goes_on_after_the_last_date(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(100_000)])
    outbox.date(ANCHOR_MS - 60_000, 2)
    (entry,) = outbox.commit([env(100_000)])
    assert dates(outbox, entry) == [ANCHOR_MS + 100_010]


def test_a_new_run_goes_on_and_a_new_boot_has_the_next_digit(place: Place) -> None:
    place.open("boot-1").date(ANCHOR_MS, 2)
    outbox = place.open("boot-1")
    outbox.commit([env(100_000)])
    again = place.open("boot-1")
    (entry,) = again.commit([env(100_000, 100_019)])
    assert dates(again, entry) == [ANCHOR_MS + 100_010, ANCHOR_MS + 100_020]
    other = place.open("boot-2")
    other.date(ANCHOR_MS, 2)
    assert other.anchor_ms == ANCHOR_MS - 9
    (entry,) = other.commit([env(100_000, 100_100)])
    assert dates(other, entry) == [ANCHOR_MS + 100_021, ANCHOR_MS + 100_091]
    other.date(ANCHOR_MS + 60_000, 2)
    assert other.anchor_ms == ANCHOR_MS + 59_991


def test_a_boot_that_was_dated_in_vain_leaves_its_digit_to_nobody(place: Place) -> None:
    """What it sent may be forgotten, its dating not: so the next boot meets none of its dates."""
    digits = []
    for boot in range(12):
        outbox = place.open(f"boot-{boot}")
        outbox.date(ANCHOR_MS, 2)
        digits.append((outbox.anchor_ms or 0) % 10)
    assert digits == [*range(10), 0, 1]


def test_a_large_step_back_is_believed_between_the_held_batches(place: Place) -> None:
    outbox = place.open()
    outbox.date(ANCHOR_MS, 2)
    outbox.commit([env(0, 5000)])
    outbox.commit([env(10_000, 20_000)])
    outbox.commit([env(7_200_000)])
    outbox.date(ANCHOR_MS - 7_200_000, 2)
    (entry,) = outbox.commit([env(7_202_000, 7_207_000, 7_207_000, 7_212_000, 7_221_000)])
    assert dates(outbox, entry) == [ANCHOR_MS + ms for ms in (5010, 7000, 7010, 20_010, 21_000)]


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
    assert second == first + 7000
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
    status = outbox.status()
    assert sum(t.dropped for t in tallies) == status.dropped_rows + status.thinned_rows
    made = sum(t.made for t in tallies)
    assert made >= 1 + 2 + 5 + 1
    # What was thinned was made twice: the readings, and the row in their place. One batch, of `batch_bytes`, is marked.
    assert made - sum(t.dropped for t in tallies) == status.held_rows + 1
