"""What is known of devices: births that prove two boxes, lives, sources; bounded."""

import pytest

from gateway.registry import MAX_DEVICES, MAX_SOURCES, Registry
from kewang.wire.placement import Life, Place, Placement
from kewang.wire.state import State

DEVICE = "ambon-m1"


def birth(run: str, n: int = 1) -> State:
    return State(st="on", bt=run, n=n)


def test_a_restart_is_a_new_run_and_no_second_box() -> None:
    known = Registry()
    assert [known.born(DEVICE, birth(run)) for run in ("a", "a", "b", "b", "c")] == [False] * 5
    assert known.devices[DEVICE].runs == ["a", "b", "c"]
    assert known.devices[DEVICE].birth == birth("c")


def test_a_run_born_again_after_another_is_a_second_box_each_time() -> None:
    known = Registry()
    assert [known.born(DEVICE, birth(run)) for run in ("a", "b", "a", "b", "b")] == [False, False, True, True, False]
    assert known.devices[DEVICE].two_boxes == 2
    assert not known.born("ambon-m2", birth("a")), "another device may even have the same run"


def test_runs_remembered_are_bounded() -> None:
    known = Registry()
    for index in range(100):
        known.born(DEVICE, birth(f"{index}"))
    assert len(known.devices[DEVICE].runs) == 16
    assert known.born(DEVICE, birth("90"))


@pytest.mark.parametrize(("life", "refused"), [("revoked", True), ("retired", True), ("approved", False)])
def test_lives(life: Life, refused: bool) -> None:
    known = Registry()
    assert not known.refuses(DEVICE), "an unplaced device is stored too"
    earlier = Place(from_ms=1, site="mardika", life="revoked")
    known.device(DEVICE).placement = Placement(h=(earlier, Place(from_ms=2, site="mardika", life=life)))
    assert known.refuses(DEVICE) == refused


def test_64_sources_have_room() -> None:
    known = Registry()
    assert all(known.has_room(DEVICE, f"s{index}") for index in range(MAX_SOURCES))
    assert not known.has_room(DEVICE, "one-more")
    assert known.has_room(DEVICE, "s0")
    assert known.has_room("ambon-m2", "one-more")
    assert len(known.devices[DEVICE].sources) == MAX_SOURCES


def test_the_devices_unheard_longest_are_forgotten() -> None:
    known = Registry()
    for index in range(MAX_DEVICES):
        known.heard(f"d{index}", 1)
    known.heard("d0", 2)
    known.heard("new", 3)
    assert len(known.devices) == MAX_DEVICES
    assert "d1" not in known.devices
    assert {"d0", "d2", "new"} <= known.devices.keys()


def test_two_boxes_are_marked_for_a_while() -> None:
    known = Registry()
    for now_ms, run in enumerate(("a", "b", "a")):
        known.heard(DEVICE, now_ms)
        known.born(DEVICE, birth(run))
    assert known.two_boxes(since_ms=2) == {DEVICE}
    assert known.two_boxes(since_ms=3) == set()
