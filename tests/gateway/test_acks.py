"""What the gateway remembers, forgets and says; an ack always fits."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.acks import MAX_UNREADABLE, Acks
from gateway.ports import Rewind
from kewang.wire.ack import MAX_ACK_BYTES, MAX_LABELS, Ack, decode_ack

DEVICE, RUN = "ambon-m1", "4f1e0c9a77d2"
SINCE_MS = 1_785_000_000_000


def acks(*rewinds: Rewind) -> Acks:
    made = Acks("gw1", interval_ms=1000)
    made.rewinds = list(rewinds)
    return made


def said(made: Acks, device: str = DEVICE, now_ms: int = 0) -> Ack:
    return made.ack(device, credit=20, now_ms=now_ms, time_ms=None)


def covered(ack: Ack) -> set[tuple[str, int]]:
    return {(run, number) for run, low, high in ack.ok for number in range(low, high + 1)}


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 30)), max_size=60))
def test_ranges_are_united_and_name_exactly_what_was_stored(names: list[tuple[str, int]]) -> None:
    made = acks(Rewind(5, 0))
    for run, number in names:
        made.stored(DEVICE, run, number, rewind=5)
    ack = said(made)
    assert covered(ack) == set(names)
    assert len(ack.ok) == len({(run, n) for run, n in names if (run, n - 1) not in names})


def test_of_too_many_ranges_the_32_changed_last_are_kept() -> None:
    made = acks(Rewind(5, 0))
    for number in range(2, 200, 2):
        made.stored(DEVICE, RUN, number, rewind=5)
    assert said(made).ok == tuple((RUN, number, number) for number in range(136, 200, 2))
    made.stored(DEVICE, RUN, 137, rewind=5)
    assert said(made).ok[-2:] == ((RUN, 198, 198), (RUN, 136, 138))


@given(st.lists(st.integers(1, 300), max_size=80))
def test_labels_lie_inside_ranges_of_the_same_ack(numbers: list[int]) -> None:
    made = acks(Rewind(5, 0))
    for number in numbers:
        made.stored(DEVICE, RUN, 2 * number, rewind=5, why=f"range: rh_pct={number}")
    ack = said(made)
    assert len(ack.nk) <= MAX_LABELS
    assert {(run, number) for run, number, _ in ack.nk} <= covered(ack)
    assert bool(ack.nk) == bool(numbers)


def test_of_too_many_labels_the_last_16_are_kept() -> None:
    made = acks(Rewind(5, 0))
    for number in range(1, 41):
        made.stored(DEVICE, RUN, number, rewind=5, why=f"{number}")
    assert [why for _, _, why in said(made).nk] == [str(number) for number in range(25, 41)]
    assert said(made).ok == ((RUN, 1, 40),)


@given(st.data())
def test_the_longest_ack_fits(data: st.DataObject) -> None:
    made = acks(Rewind(2**33, 0))
    for index in range(40):
        run = f"{index:032x}"
        why = data.draw(st.text(min_size=200, max_size=200)) if index < 2 else "µ" * 200
        made.stored(DEVICE, run, 2**53, rewind=2**33, why=why)
    for crc in range(2**32 - 20, 2**32):
        made.unreadable(DEVICE, crc)
    made.heard(DEVICE, "f" * 32, 2**53, 0)
    payload = made.ack(DEVICE, 20, 0, 7_000_000_000_000).fitted()
    assert len(payload) <= MAX_ACK_BYTES
    sent = decode_ack(payload)
    assert sent.ok[-1][0] == f"{39:032x}", "what changed last is said"
    assert sent.re == ("f" * 32, 2**53)


def test_a_higher_rewind_makes_the_gateway_forget() -> None:
    made = acks(Rewind(5, 0))
    made.stored(DEVICE, RUN, 1, rewind=5, why="range")
    made.unreadable(DEVICE, 77)
    made.rewinds = [Rewind(5, 0), Rewind(6, SINCE_MS)]
    ack = said(made)
    assert (ack.ok, ack.nk, ack.bad, ack.rw) == ((), (), (), 6)
    made.stored(DEVICE, RUN, 2, rewind=6)
    assert said(made).ok == ((RUN, 2, 2),)


def test_a_write_counts_for_the_rewind_known_when_it_began() -> None:
    made = acks(Rewind(5, 0))
    began = made.rewind
    made.rewinds = [Rewind(5, 0), Rewind(6, SINCE_MS)]
    made.stored(DEVICE, RUN, 1, rewind=began)
    assert said(made).ok == ()
    assert acks().rewind == 0


def test_unreadable_messages_are_named_by_their_crc_once_and_boundedly() -> None:
    made = acks(Rewind(5, 0))
    for crc in [1, 1, *range(100, 100 + MAX_UNREADABLE)]:
        made.unreadable(DEVICE, crc)
    assert said(made).bad == tuple(range(100, 100 + MAX_UNREADABLE))


def test_rf_is_the_lowest_of_all_rewinds_the_device_has_missed() -> None:
    made = acks(Rewind(5, 500), Rewind(6, 300), Rewind(7, 400), Rewind(8, 450))
    for device_rewind, lowest in [(5, 300), (6, 400), (7, 450), (8, 0)]:
        made.heard(DEVICE, RUN, 0, device_rewind)
        assert (said(made).rw, said(made).rf) == (8, lowest)


def test_rf_is_0_for_a_device_that_obeyed_a_rewind_the_database_does_not_know() -> None:
    made = acks(Rewind(5, 500), Rewind(8, 450))
    for device_rewind in (0, 4, 6, 7, 9):
        made.heard(DEVICE, RUN, 0, device_rewind)
        assert said(made).rf == 0
    made.heard(DEVICE, RUN, 0, 5)
    assert said(made).rf == 450


def test_an_ack_says_what_it_answers_to_whom() -> None:
    made = acks(Rewind(5, 0))
    made.heard(DEVICE, RUN, 1234, 5)
    ack = made.ack(DEVICE, credit=7, now_ms=0, time_ms=SINCE_MS)
    assert (ack.g, ack.re, ack.cr, ack.gt) == ("gw1", (RUN, 1234), 7, SINCE_MS)
    other = said(made, "ambon-m2")
    assert (other.ok, other.re, other.gt) == ((), None, None)


def test_at_most_one_ack_a_second_for_each_device() -> None:
    made = acks(Rewind(5, 0))
    made.want(DEVICE, now_ms=100)
    made.want("ambon-m2", now_ms=100)
    assert made.due(100) == [DEVICE, "ambon-m2"]
    said(made, now_ms=100)
    made.want(DEVICE, now_ms=150)
    made.want(DEVICE, now_ms=900)
    assert made.due(1099) == []
    assert made.wait_ms(1050) == 50
    assert made.due(1100) == [DEVICE]
    assert made.wait_ms(1100) == 0
    assert made.due(5000) == [], "nothing is said to a device that said nothing"


@given(st.lists(st.integers(0, 700), max_size=40))
def test_acks_of_a_device_are_a_second_apart_however_often_they_are_wanted(pauses_ms: list[int]) -> None:
    made, told, now_ms = acks(Rewind(5, 0)), [], 0
    for pause_ms in pauses_ms:
        now_ms += pause_ms
        made.want(DEVICE, now_ms)
        if made.due(now_ms):
            said(made, now_ms=now_ms)
            told.append(now_ms)
    assert all(later - earlier >= 1000 for earlier, later in pairwise(told))
    made.want(DEVICE, now_ms)
    assert made.due(now_ms + 1000) == [DEVICE], "a wish is never lost"


def test_devices_ahead_of_the_database_are_counted_when_the_rewinds_are_read() -> None:
    made = acks(Rewind(5, 0))
    for device, number in (("d1", 9), ("d2", 7), ("d3", 5), ("d4", 2**34)):
        made.heard(device, RUN, 1, number)
    assert made.devices_ahead == 0, "another gateway may have written a rewind since"
    made.rewinds = [Rewind(5, 0)]
    assert made.devices_ahead == 2
    made.heard("d1", RUN, 2, 5)
    made.rewinds = [Rewind(5, 0)]
    assert made.devices_ahead == 1
    made.rewinds = [Rewind(5, 0), Rewind(8, 1)]
    assert made.devices_ahead == 0
