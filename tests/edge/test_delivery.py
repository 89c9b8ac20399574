"""When which batch goes, without a network and without waiting."""

import json
import random
import zlib
from collections.abc import Iterable

import pytest

from edge.delivery import Delivery, Outgoing
from edge.ports import Draft, Entry, OutboxFull
from kewang.wire.ack import MAX_ACK_BYTES, Ack
from kewang.wire.batch import MAX_REWIND, decode
from kewang.wire.timers import Timers
from tests.fake_outbox import ManualClock, MemoryDisk, MemoryOutbox

TIMERS = Timers()
NOW_MS = 1_785_000_000_000


class Device:
    """A delivery over an outbox in memory, with a clock that is moved by hand."""

    def __init__(
        self,
        *,
        synchronised: bool = True,
        disk: MemoryDisk | None = None,
        boot: str = "boot-1",
        budget_bytes: int = 10_000_000,
    ) -> None:
        self.disk = disk or MemoryDisk()
        self.clock = ManualClock(mono_ms=50_000, wall_ms=NOW_MS, synchronised=synchronised)
        self.outbox = MemoryOutbox(self.disk, budget_bytes, boot)
        self.delivery = Delivery(self.outbox, self.clock, TIMERS, random.Random(4))
        self.delivery.tick()

    def read(self, count: int = 1, source: str = "env-1") -> list[Entry]:
        """`count` readings, each committed alone."""
        entries = []
        for _ in range(count):
            entries += self.delivery.commit([Draft("env", source, ("temp_c",), ((self.clock.now_ms, (29.5,)),))])
        return entries

    def beat(self) -> Entry:
        (entry,) = self.delivery.commit([Draft("sys", "box", ("cpu_pct",), ((self.clock.now_ms, (3.0,)),))])
        return entry

    def due(self) -> list[int]:
        return orders(self.delivery.due())

    def ack(self, *named: Entry, credit: int = 20, retained: bool = False, **parts: object) -> Ack | None:
        ok = tuple((entry.run, entry.number, entry.number) for entry in named)
        ack = Ack.model_validate({"ok": ok, "cr": credit, **parts})
        return self.delivery.take(ack.encode(), retained)


def orders(out: Iterable[Outgoing]) -> list[int]:
    return [each.entry.order for each in out]


def backlog(batches: int) -> MemoryDisk:
    """A disk with batches of a process that is gone."""
    device = Device()
    device.read(batches)
    return device.disk


def test_what_is_sent_carries_the_stamp_of_its_sending() -> None:
    device = Device()
    (entry,) = device.read()
    device.ack(credit=5, rw=17)
    device.clock.pass_s(7)
    (out,) = device.delivery.due()
    assert (out.channel, out.entry) == ("d/env", entry)
    found = decode(out.payload)
    assert (found.run, found.number, found.rewind, found.up_ms) == (device.outbox.run, 1, 17, 7000)


def test_before_the_first_ack_only_the_newest_heartbeat_goes_and_once() -> None:
    device = Device(disk=backlog(3))
    device.read(2)
    device.beat()
    beat = device.beat()
    assert device.due() == [beat.order]
    assert device.due() == []
    device.clock.pass_s(3600)
    assert device.due() == []
    newer = device.beat()
    assert device.due() == [newer.order]


def test_with_credit_everything_live_goes_at_once_outside_the_credit() -> None:
    device = Device()
    live = device.read(50)
    device.ack(credit=1)
    assert device.due() == [entry.order for entry in live]


def test_the_backlog_goes_oldest_first_within_the_credit() -> None:
    device = Device(disk=backlog(30))
    device.ack(credit=4)
    first = device.delivery.due()
    assert orders(first) == [1, 2, 3, 4]
    assert device.due() == []
    device.ack(first[1].entry, credit=4)
    assert device.due() == [5]
    device.ack(credit=8)
    assert device.due() == [6, 7, 8, 9]


def test_live_batches_do_not_use_up_the_credit() -> None:
    device = Device(disk=backlog(30))
    live = device.read(10)
    device.ack(credit=2)
    assert device.due() == [*(entry.order for entry in live), 1, 2]


def test_an_unnamed_batch_comes_again_later_and_later() -> None:
    device = Device()
    device.read()
    device.ack(credit=5)
    waits: list[int] = []
    passed = 0
    assert len(device.due()) == 1
    while len(waits) < 7:
        device.clock.pass_s(1)
        passed += 1
        device.ack(credit=5)
        if device.due():
            waits.append(passed)
            passed = 0
    for wait_s, base_s in zip(waits, (30, 60, 120, 240, 480, 600, 600), strict=True):
        assert 0.8 * base_s <= wait_s <= 1.2 * base_s + 1
    assert waits != [30, 60, 120, 240, 480, 600, 600]


def test_a_named_batch_never_comes_again() -> None:
    device = Device()
    device.ack(credit=5)
    (entry,) = device.read()
    device.due()
    device.ack(entry)
    device.clock.pass_s(60)
    device.ack()
    assert device.due() == []
    assert device.delivery.live_unnamed == 0


def test_credit_ends_after_two_minutes_without_an_ack() -> None:
    device = Device(disk=backlog(30))
    device.ack(credit=3)
    device.clock.pass_s(TIMERS.credit_life_s)
    assert len(device.due()) == 3
    device.clock.pass_s(1)
    assert device.delivery.credit == 0
    device.read()
    assert device.due() == []


def test_at_credit_zero_the_live_lane_is_silent() -> None:
    device = Device(disk=backlog(3))
    device.ack(credit=0)
    device.read(3)
    beat = device.beat()
    assert device.due() == [beat.order]


def test_after_five_minutes_a_live_batch_belongs_to_the_backlog() -> None:
    device = Device()
    live = device.read(5)
    device.clock.pass_s(TIMERS.live_s + 1)
    device.ack(credit=2)
    assert device.due() == [live[0].order, live[1].order]


def test_a_rewind_sends_again_what_was_stored() -> None:
    device = Device()
    device.ack(credit=5)
    entries = device.read(3)
    device.due()
    device.ack(*entries)
    assert device.due() == []
    device.ack(rw=99, rf=0, credit=5)
    assert device.due() == [entry.order for entry in entries]


def test_acks_to_ignore() -> None:
    device = Device()
    device.ack(rw=50, credit=3)
    (entry,) = device.read()
    assert device.ack(entry, retained=True, rw=50) is None
    assert device.ack(entry, rw=49) is None
    for payload in (
        b"",
        b"[]",
        b'{"v":2}',
        b'{"v":1,"cr":"7"}',
        b'{"v":1,"ok":[["x",1]]}',
        json.dumps({"v": 1, "rw": MAX_REWIND + 1}).encode(),
        b'{"v":1,"g":"' + b"x" * MAX_ACK_BYTES + b'"}',
    ):
        assert device.delivery.take(payload, False) is None
    assert device.delivery.credit == 3
    assert device.due() == [entry.order]


def test_an_ack_the_disk_can_not_take_is_ignored() -> None:
    device = Device()
    (entry,) = device.read()
    device.outbox.full = True
    assert device.ack(entry) is None
    device.outbox.full = False
    assert device.ack(entry) is not None


def test_what_no_gateway_can_read_is_found_by_its_checksum() -> None:
    device = Device()
    device.ack(credit=5)
    entries = device.read(2)
    sent = device.delivery.due()
    device.ack(credit=5, bad=(zlib.crc32(sent[0].payload), 12345))
    device.clock.pass_s(60)
    device.ack(credit=5)
    assert device.due() == [entries[1].order]
    assert device.outbox.status().dropped_rows == 1


def test_a_checksum_of_an_earlier_sending_still_counts() -> None:
    device = Device()
    device.ack(credit=5)
    device.read()
    (first,) = device.delivery.due()
    device.clock.pass_s(40)
    (again,) = device.delivery.due()
    assert first.payload != again.payload
    device.ack(credit=5, bad=(zlib.crc32(first.payload),))
    assert device.outbox.status().dropped_rows == 1


def test_a_commit_on_a_full_disk_is_the_callers_to_repeat() -> None:
    device = Device()
    device.outbox.full = True
    with pytest.raises(OutboxFull):
        device.read()
    device.outbox.full = False
    assert device.delivery.live_unnamed == 0


def test_an_undated_box_sends_nothing_until_a_commit_after_its_date() -> None:
    device = Device(synchronised=False)
    (early,) = device.read()
    device.ack(credit=5)
    assert device.due() == []
    device.clock.pass_s(2)
    device.ack(credit=5, gt=NOW_MS + 9000, re=(device.outbox.run, 1000))
    assert device.outbox.anchor_ms == NOW_MS + 9000 - 52_000
    assert device.delivery.dated
    assert device.due() == []
    (late,) = device.read()
    assert device.due() == [early.order, late.order]


@pytest.mark.parametrize(
    "answer",
    [
        (NOW_MS, None),
        (None, ("", 0)),
        (NOW_MS, ("0123456789ab", 0)),
        (NOW_MS, ("", -6000)),
        (NOW_MS, ("", 1)),
    ],
    ids=["answers nothing", "no time", "another run", "too old", "from the future"],
)
def test_an_ack_that_does_not_answer_us_freshly_dates_nothing(
    answer: tuple[int | None, tuple[str, int] | None],
) -> None:
    device = Device(synchronised=False)
    device.clock.pass_s(60)
    gt, echo = answer
    device.ack(gt=gt, re=echo and (echo[0] or device.outbox.run, 60_000 + echo[1]))
    assert device.outbox.anchor_ms is None


def test_the_synchronised_clock_dates_and_wins() -> None:
    device = Device(synchronised=False)
    device.ack(gt=NOW_MS, re=(device.outbox.run, 0))
    assert device.outbox.anchor_ms == NOW_MS - 50_000
    device.clock.trusted, device.clock.offset_ms = True, NOW_MS - 45_000
    device.delivery.tick()
    assert device.outbox.anchor_ms == NOW_MS - 45_000
    device.ack(gt=NOW_MS + 60_000, re=(device.outbox.run, 0))
    assert device.outbox.anchor_ms == NOW_MS - 45_000
    (entry,) = device.read()
    device.ack(credit=5)
    (out,) = device.delivery.due()
    assert out.entry == entry
    assert decode(out.payload).time_quality == 2


def test_only_a_correction_above_ten_seconds_is_taken() -> None:
    device = Device()
    device.clock.offset_ms += 10_000
    device.delivery.tick()
    assert device.outbox.anchor_ms == NOW_MS - 50_000
    device.clock.offset_ms += 1
    device.delivery.tick()
    assert device.outbox.anchor_ms == NOW_MS - 40_000, "with the last digit that the boot has"


def test_a_machine_clock_outside_all_reason_is_not_believed_and_does_not_bar_the_gateway() -> None:
    device = Device(synchronised=False)
    device.clock.trusted, device.clock.offset_ms = True, 0
    device.delivery.tick()
    assert device.outbox.anchor_ms is None
    device.ack(gt=NOW_MS, re=(device.outbox.run, 0))
    assert device.outbox.anchor_ms == NOW_MS - 50_000


def test_the_pump_may_sleep_until_something_is_due() -> None:
    device = Device()
    device.read()
    device.ack(credit=5)
    device.due()
    assert 0 < device.delivery.next_due_s() <= 5
    device.clock.pass_s(23.9)
    device.due()
    assert 0 < device.delivery.next_due_s() <= 5


def test_birth_and_will() -> None:
    device = Device()
    device.read(2)
    device.ack(rw=8)
    device.clock.pass_s(3)
    birth = device.delivery.birth(4, "power", "0.1.0")
    assert (birth.st, birth.bt, birth.n, birth.up, birth.rw) == ("on", device.outbox.run, 4, 3000, 8)
    assert birth.outbox is not None
    assert birth.outbox.batches == 2
    assert birth.outbox.bytes > 0
    will, bye = device.delivery.will(4), device.delivery.bye(4)
    assert (will.st, bye.st) == ("off", "bye")
    assert {(state.bt, state.n) for state in (birth, will, bye)} == {(device.outbox.run, 4)}


def test_a_batch_that_left_the_outbox_is_not_sent() -> None:
    device = Device()
    device.ack(credit=5)
    spoiled, sound = device.read(2)
    device.outbox.spoil(spoiled.order)
    assert device.due() == [sound.order]
    assert device.delivery.live_unnamed == 1


def test_batches_that_left_the_ring_keep_nobody_awake() -> None:
    device = Device(budget_bytes=1000)
    device.ack()
    for _ in range(40):
        device.read()
        device.due()
    device.clock.pass_s(400)
    device.ack(*device.outbox.oldest_open(100, ()))
    assert device.due() == []
    assert device.delivery.next_due_s() > 1
