"""Cameras the whole way, at a tiny size: the real program of each, and a comparison that can fail."""

from typing import Any

import pytest

from firmware_sim.cameras.scenes import PictureFault
from kewang.bench.cameras_served import CameraRow
from kewang.bench.cameras_wire import Comparison, WirePlan, measure, shortfalls

PLAN = WirePlan(
    samples=6, well=1, faults=(PictureFault.BLACK,), picture_s=10, well_picture_s=5, before_s=5, limit_s=100
)
GOOD: dict[str, Any] = {"samples": 6, "alike": 1.0, "states_wrong": 0, "faults": {"black": 50.0}, "limit_s": 120.0}


@pytest.mark.slow
def test_a_camera_that_goes_black_is_black_in_the_database() -> None:
    said: list[str] = []
    figures = measure(PLAN, said.append)
    assert not figures["failed"]
    assert figures["samples"] >= 6
    assert figures["faults"]["black"] > 20
    assert len(said) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"samples": 5}, "5 samples"),
        ({"alike": 0.9}, "0.9 of the samples"),
        ({"states_wrong": 2}, "2 looks"),
        ({"faults": {"black": None}}, "black was in the database never"),
        ({"faults": {"black": 130.0}}, "black was in the database after 130 s"),
    ],
)
def test_whatever_is_wrong_is_said(wrong: dict[str, Any], told: str) -> None:
    assert not list(shortfalls(PLAN, GOOD))
    said = list(shortfalls(PLAN, {**GOOD, **wrong}))
    assert len(said) == 1
    assert told in said[0]


def test_a_stored_value_that_is_not_ours_is_noticed() -> None:
    comparison = Comparison(seed=1, started_s=1000.0)
    here = comparison.metrics(0, 36_000.0 + 60)
    other = {**here, "brightness_pct": here["brightness_pct"] + 5}
    alike = [comparison.alike([CameraRow("cam-0", 1_060_000, values)]) for values in (here, other, {})]
    assert alike == [1, 0, 0]
