"""Faults of cameras: words, plans, the control file."""

from pathlib import Path

import pytest

from firmware_sim.cameras.faults import CameraFaults, Switched, TransportFault, parse, parse_plan
from firmware_sim.cameras.scenes import PictureFault
from firmware_sim.faults import switch


def test_several_faults_hold_at_a_time_some_with_a_value() -> None:
    held = parse("loss=0.25,461,black")
    assert held == Switched({TransportFault.LOSS: 0.25, TransportFault.NO_TCP: 1.0}, PictureFault.BLACK)
    assert TransportFault.LOSS in held
    assert TransportFault.HANG not in held
    assert (held.value(TransportFault.LOSS), held.value(TransportFault.STALL, 7)) == (0.25, 7)


@pytest.mark.parametrize("text", ["none", "loss=0.05,461=1,black".replace("=1", ""), "wrong_clock=-37", "stall=3"])
def test_faults_are_told_in_the_words_they_are_given_in(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["balck", "loss=2", "loss=x", "loss=nan", "401=3", "slow_fps=0", "stall=-1", "", "black=1"]
)
def test_a_wrong_word_is_told_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_an_unknown_fault_lists_all() -> None:
    with pytest.raises(ValueError, match=r"balck.*refused.*wrong_clock.*frozen.*moved_small"):
        parse("balck")


def test_a_plan_goes_by_the_camera_s_age_and_its_spells_may_overlap() -> None:
    faults = CameraFaults(parse_plan("black@10+20,loss=0.5@20+20,silent@90"))
    assert [str(faults.at(age_s)) for age_s in (0, 10, 25, 35, 60, 1e9)] == [
        "none", "black", "loss=0.5,black", "loss=0.5", "none", "silent",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["black", "black@x+3", "@1+2", "loss=9@1+1"])
def test_a_wrong_plan_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault@start\+length"):
        parse_plan(text)


def test_the_control_file_overrules_the_plan_while_it_names_a_fault(tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    faults = CameraFaults(parse_plan("black@0"), control)
    assert str(faults.at(1)) == "black"
    switch(control, "stall=5")
    assert str(faults.at(1)) == "stall=5"
    switch(control, "none")
    assert str(faults.at(1)) == "none"
    switch(control, None)
    assert str(faults.at(1)) == "black"
    control.write_text("{nonsense")
    assert str(faults.at(1)) == "black"
    switch(control, "401")
    assert str(faults.at(1)) == "401"
    control.unlink()
    assert str(faults.at(1)) == "black"
