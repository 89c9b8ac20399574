"""A fault that a camera shows is in the database with its right state: real RTSP, agent, broker, gateway, database."""

import time
from collections.abc import Iterator

import pytest

from kewang.bench.cameras_served import CameraRow
from kewang.bench.process import wait_for
from kewang.wire.cameras import CameraReason, CameraState
from tests.system.camera_town import CameraTown

BOUND_S = 120.0
"""All hard faults are told within so long, however close the looks: a fault must last to be one."""
LIMIT_S = 150.0


@pytest.fixture(scope="module")
def town() -> Iterator[CameraTown]:
    with CameraTown("sandi-pasar") as made:
        wait_for(lambda: any(is_well(each) for each in made.readings()), LIMIT_S)
        yield made


def is_well(reading: CameraRow) -> bool:
    """Nothing is wrong with it; its view may not be learned yet."""
    return reading.reason in (CameraReason.NONE, CameraReason.LEARNING)


def test_a_well_camera_is_measured(town: CameraTown) -> None:
    wait_for(lambda: any(each.values.get("fps") for each in town.readings()), LIMIT_S)
    values = [each for each in town.readings() if each.values.get("fps")][-1].values
    assert values["reachable"] == 1
    assert values["fps"] == pytest.approx(5, abs=0.7)
    assert values["loss_pct"] == 0
    assert 0 < values["tcp_ms"] < values["first_keyframe_ms"] + 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ("black", CameraState.DOWN, CameraReason.BLACK),
        ("frozen", CameraState.DOWN, CameraReason.FROZEN),
        ("silent", CameraState.DOWN, CameraReason.NO_MEDIA),
        ("refused", CameraState.DOWN, CameraReason.REFUSED),
        ("404", CameraState.DOWN, CameraReason.NOT_FOUND),
        ("453", CameraState.DEGRADED, CameraReason.BUSY),
    ],
)
def test_a_fault_is_in_the_database_with_its_state(
    town: CameraTown, fault: str, state: CameraState, reason: CameraReason
) -> None:
    wait_for(lambda: is_well(town.readings()[-1]), LIMIT_S)
    town.cameras.switch(0, fault)
    began_ms = time.time_ns() // 1_000_000

    def told() -> list[CameraRow]:
        return [each for each in town.readings(since_ms=began_ms) if (each.state, each.reason) == (state, reason)]

    try:
        wait_for(lambda: bool(told()), LIMIT_S)
    except TimeoutError:
        instead = [(each.reason.name, each.values.get("change_luma")) for each in town.readings(since_ms=began_ms)]
        pytest.fail(f"told instead: {instead}\n{town.edge.log_tail()}")
    assert (told()[0].date_ms - began_ms) / 1000 <= BOUND_S
    town.cameras.switch(0, None)
    wait_for(lambda: is_well(town.readings()[-1]), LIMIT_S)


def test_no_session_is_left_open(town: CameraTown) -> None:
    """Every session that the agent opened it also ended, but for the one under way."""
    wait_for(lambda: town.cameras.statistics()[0]["sessions_opened"] > 5, LIMIT_S)
    told = town.cameras.statistics()[0]
    assert told["sessions_open"] <= 1
    assert told["sessions_without_teardown"] == 0
    assert told["sessions_timed_out"] == 0
