"""From a message to work: what is dropped and counted, what is kept whole, what reaches the registry."""

import base64
import json
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.acks import Acks
from gateway.intake import Intake, Work
from gateway.metrics import GatewayMetrics
from gateway.ports import Message, Refused, Rewind, SeriesId
from gateway.registry import MAX_SOURCES, Registry
from kewang.wire import topics
from kewang.wire.batch import Batch, encode
from kewang.wire.placement import Place, Placement
from kewang.wire.state import State
from kewang.wire.timers import Timers
from tests.fake_outbox import ManualClock

DEVICE, RUN = "ambon-m1", "4f1e0c9a77d2"
NOW_MS = 1_785_000_000_000


class Told:
    """An onlooker that writes down what it is told."""

    def __init__(self) -> None:
        self.all: list[tuple[object, ...]] = []

    def placed(self, device: str, placement: Placement | None) -> None:
        self.all.append(("placed", device, placement and placement.now.site))

    def heard(self, device: str) -> None:
        self.all.append(("heard", device))

    def born(self, device: str, birth: State, two_boxes: bool) -> None:
        self.all.append(("born", device, birth.why, two_boxes))

    def left(self, device: str, deliberate: bool) -> None:
        self.all.append(("left", device, deliberate))

    def measured(self, device: str, source: str, values: Mapping[str, float]) -> None:
        self.all.append(("measured", device, source, dict(values)))

    def looped(self) -> None:
        self.all.append(("looped",))


class Desk:
    """An intake with all it works with."""

    def __init__(self, *, synchronised: bool = True, raw_days: int = 14) -> None:
        self.clock = ManualClock(wall_ms=NOW_MS, synchronised=synchronised)
        self.acks = Acks("gw1", 1000)
        self.acks.rewinds = [Rewind(5, 0)]
        self.registry, self.metrics = Registry(), GatewayMetrics()
        self.told = Told()
        self.intake = Intake(self.acks, self.registry, self.clock, Timers(), raw_days, self.metrics, self.told)

    def take(self, channel: str, payload: bytes, *, device: str = DEVICE, retained: bool = False) -> Work | None:
        return self.intake.take(Message(topics.build(device, channel), payload, retained))

    def dropped(self, reason: str) -> float:
        return self.metrics.snapshot().get(f"dropped_{reason}", 0.0)

    def answered(self) -> tuple[str, int] | None:
        return self.acks.ack(DEVICE, 20, 0, None).re


def batch(number: int = 1, source: str = "env-1", t0: int = NOW_MS, value: float = 29.0) -> bytes:
    return encode(Batch(RUN, number, source, 2, t0, ["temp_c"], [[0, value]], rewind=5, up_ms=1234))


def test_a_batch_becomes_work_named_by_run_and_number() -> None:
    desk = Desk()
    work = desk.take("d/env", batch(17))
    assert work is not None
    assert (work.device, work.name, work.rows, work.refused) == (DEVICE, (RUN, 17), 1, [])
    assert work.tables[0].rows == [(NOW_MS, 29.0)]
    assert desk.answered() == (RUN, 1234)
    assert desk.registry.devices[DEVICE].heard_ms == desk.clock.mono_ms()


@pytest.mark.parametrize(
    "topic", ["kewang/1/0/ambon-m1/d/env", "kewang/1/b/AMBON/d/env", "kewang/2/b/ambon-m1/d/env", "x", "", "a/b/c/d/e"]
)
def test_a_topic_that_does_not_parse_is_dropped_and_counted(topic: str) -> None:
    desk = Desk()
    assert desk.intake.take(Message(topic, batch(), False)) is None
    assert desk.dropped("topic") == 1
    assert not desk.registry.devices


def test_identity_comes_from_the_topic() -> None:
    body = json.loads(zlib.decompress(batch())) if batch()[:1] == b"x" else json.loads(batch())
    work = Desk().take("d/env", json.dumps(body | {"device": "someone-else", "id": "x"}).encode())
    assert work is not None
    assert work.device == DEVICE
    assert work.tables[0].tags == (("device", DEVICE), ("source", "env-1"))


@pytest.mark.parametrize(
    ("life", "stays"), [("revoked", 0), ("retired", 0), ("quarantined", 0), ("maintenance", 1), ("installed", 1)]
)
def test_what_a_revoked_or_retired_device_sends_is_dropped(life: str, stays: int) -> None:
    desk = Desk()
    desk.take("p", Placement.model_validate({"h": ({"from": 1, "site": "mardika", "life": life},)}).encode())
    assert (desk.take("d/env", batch()) is not None) == bool(stays)
    desk.take("s", State(st="on", bt=RUN, n=1, up=1, rw=0).encode())
    assert desk.dropped("life") == (0 if stays else 2)
    assert bool(desk.acks.due(10**9)) == bool(stays), "a refused device is not answered"


def test_a_device_comes_back_when_its_placement_is_taken_away() -> None:
    desk = Desk()
    desk.take("p", b'{"v":1,"h":[{"from":1,"site":"mardika","life":"revoked"}]}', retained=True)
    assert desk.take("d/env", batch()) is None
    desk.take("p", b"", retained=True)
    assert desk.take("d/env", batch()) is not None


def test_a_placement_that_does_not_parse_changes_nothing() -> None:
    desk = Desk()
    desk.take("p", b'{"v":1,"h":[{"from":1,"site":"mardika","life":"revoked"}]}')
    desk.take("p", b"{}")
    assert desk.dropped("placement") == 1
    assert desk.registry.refuses(DEVICE)


def test_retained_data_is_dropped() -> None:
    desk = Desk()
    assert desk.take("d/env", batch(), retained=True) is None
    assert desk.dropped("retained") == 1
    assert desk.answered() is None


@pytest.mark.parametrize("payload", [b"", b"not json", b"\x78\x9cbroken", b"[1]", b"{" * 70_000, batch()[:-1]])
def test_what_cant_be_read_is_kept_whole_at_the_time_of_its_crc(payload: bytes) -> None:
    desk = Desk()
    work = desk.take("d/cam", payload)
    assert work is not None
    assert work.name == zlib.crc32(payload)
    assert not work.tables
    (refused,) = work.refused
    assert (refused.series, refused.date_ms) == (SeriesId("cam", DEVICE, "-"), zlib.crc32(payload))
    assert base64.b64decode(refused.row) == payload
    assert refused.reason.isprintable()
    assert desk.metrics.snapshot()["bad"] == 1
    assert desk.answered() is None, "what was not understood is not answered"


@given(st.binary(max_size=200), st.sampled_from(["s", "r", "x/r", "a", "c", "x", "p", "d/env", "d/sys"]), st.booleans())
def test_no_message_raises(payload: bytes, channel: str, retained: bool) -> None:
    Desk().take(channel, payload, retained=retained)


def test_the_65th_source_goes_to_quarantine() -> None:
    desk = Desk()
    for index in range(MAX_SOURCES):
        work = desk.take("d/env", batch(index + 1, f"env-{index}"))
        assert work is not None
        assert not work.refused
    work = desk.take("d/env", batch(65, "env-64"))
    assert work is not None
    assert not work.tables
    assert work.name == (RUN, 65)
    assert work.refused[0].reason.startswith("source: more than 64")
    known = desk.take("d/env", batch(66, "env-0"))
    assert known is not None
    assert known.tables
    assert desk.take("d/env", batch(1, "env-64"), device="ambon-m2") is not None


@pytest.mark.parametrize(("t0", "reason"), [(NOW_MS + 300_001, "ahead"), (NOW_MS - 14 * 86_400_000 - 1, "older")])
def test_dates_are_judged_by_a_synchronised_gateway_alone(t0: int, reason: str) -> None:
    work = Desk().take("d/env", batch(t0=t0))
    assert work is not None
    assert reason in work.refused[0].reason
    unsure = Desk(synchronised=False).take("d/env", batch(t0=t0))
    assert unsure is not None
    assert not unsure.refused


def test_rows_kept_for_ever_are_never_too_old() -> None:
    work = Desk(raw_days=0).take("d/env", batch(t0=946_684_800_000))
    assert work is not None
    assert not work.refused


def test_a_birth_is_answered_and_a_retained_one_is_not() -> None:
    desk = Desk()
    birth = State(st="on", bt=RUN, n=1, up=777, rw=5)
    desk.take("s", birth.encode(), retained=True)
    assert desk.acks.due(10**9) == []
    assert desk.registry.devices.get(DEVICE) is None
    assert not desk.told.all
    desk.take("s", birth.encode())
    assert desk.acks.due(10**9) == [DEVICE]
    assert desk.answered() == (RUN, 777)
    assert desk.registry.devices[DEVICE].birth == birth


def test_a_retained_birth_says_how_the_device_sends_until_it_does_so_itself() -> None:
    """A gateway that starts anew would else call a box silent that reads its sources rarely, to save its battery."""
    desk = Desk()
    before, now = (State(st="on", bt=RUN, n=n, up=1, stretch=stretch) for n, stretch in ((1, 10.0), (2, None)))
    desk.take("s", before.encode(), retained=True)
    assert desk.registry.birth(DEVICE) == before
    desk.take("s", now.encode())
    desk.take("s", before.encode(), retained=True)
    assert desk.registry.birth(DEVICE) == now


@pytest.mark.parametrize("st_", ["bye", "off"])
def test_an_end_is_no_birth(st_: str) -> None:
    desk = Desk()
    desk.take("s", State.model_validate({"st": st_, "bt": RUN, "n": 1}).encode())
    assert desk.acks.due(10**9) == []


def test_a_state_that_does_not_parse_is_dropped() -> None:
    desk = Desk()
    desk.take("s", b"{}")
    assert desk.dropped("state") == 1


def test_the_rewind_of_a_device_is_learned_from_births_and_batches() -> None:
    desk = Desk()
    desk.acks.rewinds = [Rewind(5, 500), Rewind(6, 400)]
    desk.take("s", State(st="on", bt=RUN, n=1, up=1, rw=5).encode())
    assert desk.acks.ack(DEVICE, 20, 0, None).rf == 400
    desk.take("d/env", encode(Batch(RUN, 1, "env-1", 2, NOW_MS, ["temp_c"], [[0, 29.0]], rewind=6)))
    assert desk.acks.ack(DEVICE, 20, 0, None).rf == 0


def test_two_boxes_with_one_identity_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    for run in ("aaaa", "bbbb", "aaaa"):
        desk.take("s", State(st="on", bt=run, n=1, up=1, rw=5).encode())
    assert desk.registry.devices[DEVICE].two_boxes == 1
    assert "two boxes" in caplog.text


def birth(run: str = RUN, number: int = 1, st: str = "on") -> bytes:
    return State.model_validate({"st": st, "bt": run, "n": number, "up": 1, "why": "power"}).encode()


def test_the_onlooker_hears_births_and_the_end_of_the_last_one() -> None:
    desk = Desk()
    desk.take("s", birth(number=2))
    desk.take("s", birth(number=1, st="off"))
    desk.take("s", birth("0f1e0c9a77d2", number=2, st="bye"))
    desk.take("s", birth(number=2, st="off"), retained=True)
    assert desk.told.all == [("born", DEVICE, "power", False)]
    desk.take("s", birth(number=2, st="off"))
    desk.take("s", birth(number=2, st="bye"))
    assert desk.told.all[1:] == [("left", DEVICE, False), ("left", DEVICE, True)]


def test_a_birth_that_is_said_again_is_a_sign_of_life_and_no_return() -> None:
    desk = Desk()
    for payload in (birth(number=1), birth(number=1), birth(number=2), birth(number=2)):
        desk.take("s", payload)
    assert [each[2] for each in desk.told.all] == ["power", None, "power", None]
    assert desk.registry.devices[DEVICE].heard_ms == desk.clock.mono_ms()


@pytest.mark.parametrize(("ago_ms", "told"), [(0, True), (299_000, True), (301_000, False), (-301_000, False)])
def test_the_onlooker_is_told_values_of_now_alone(ago_ms: int, told: bool) -> None:
    desk = Desk()
    desk.take("d/env", batch(t0=NOW_MS - ago_ms))
    assert desk.told.all == [("heard", DEVICE), ("measured", DEVICE, "env-1", {"temp_c": 29.0} if told else {})]


@pytest.mark.parametrize("set_ms", [-7_200_000, 7_200_000])
def test_our_clock_set_by_hours_silences_no_source_and_tells_no_values(set_ms: int) -> None:
    desk = Desk()
    desk.take("d/env", batch(1))
    desk.clock.offset_ms += set_ms
    desk.told.all.clear()
    desk.take("d/env", batch(2, t0=NOW_MS + 10_000))
    assert desk.told.all == [("heard", DEVICE), ("measured", DEVICE, "env-1", {})]


def test_a_backlog_says_nothing_of_its_sources_until_the_box_begins_anew() -> None:
    desk = Desk()
    desk.take("s", birth())
    desk.take("d/sys", batch(9, "box"))
    desk.told.all.clear()
    desk.take("d/env", batch(1, t0=NOW_MS - 7_200_000))
    assert desk.told.all == [("heard", DEVICE)]
    desk.take("s", birth("0f1e0c9a77d2"))
    desk.told.all.clear()
    desk.take("d/env", batch(2, t0=NOW_MS - 7_200_000))
    assert desk.told.all[1:] == [("measured", DEVICE, "env-1", {})]


def test_the_onlooker_hears_of_places_and_not_of_who_is_refused() -> None:
    desk = Desk()
    place = Place.model_validate({"from": NOW_MS, "site": "mardika", "life": "revoked"})
    desk.take("p", Placement(h=(place,)).encode(), retained=True)
    desk.take("d/env", batch())
    desk.take("s", birth())
    assert desk.told.all == [("placed", DEVICE, "mardika")]
    desk.take("p", b"", retained=True)
    assert desk.told.all[1:] == [("placed", DEVICE, None)]


def test_what_we_said_ourselves_comes_back_and_is_no_work() -> None:
    desk = Desk()
    for retained in (True, False):
        assert desk.intake.take(Message(topics.gateway("gw1"), b"{}", retained)) is None
    assert desk.told.all == [("looped",)]
    assert desk.dropped("topic") == 0


def test_refused_rows_take_the_room_of_their_text() -> None:
    """By the number of rows 200 batches of one device passed for nothing, and were gigabytes."""
    large = Refused(SeriesId("env", DEVICE, "env-1"), NOW_MS, "empty: no value", "x" * 40_000)
    assert Work(DEVICE, (RUN, 1), [], [large] * 10).values == 10 * 1001
