"""`kewang bench probes` at a tiny size, part by part, and how it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.cameras.faults import TransportFault
from kewang.bench import probes_agent, probes_faults, probes_sessions, probes_truth
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.probes import ProbeLimits, failures
from kewang.bench.probes_agent import AgentPlan
from kewang.bench.probes_faults import CASES, Case
from kewang.wire.cameras import CameraReason

SMALL = ("--scene", "pattern", "--loop-s", "2", "--keyframe-interval-s", "0.5", "--size", "160x96")


@contextmanager
def served(folder: Path, count: int) -> Iterator[CamerasProgram]:
    with CamerasProgram(folder / "cameras", count, *SMALL) as cameras:
        yield cameras


def good() -> dict[str, Any]:
    """Figures as they should be."""
    return {
        "cameras": 16,
        "cameras_well_in_database": 16,
        "cpu_ms_per_camera_minute": 40.0,
        "rss_mb": 100.0,
        "leaked_sessions": 0,
        "sensor_interval_s": 2.0,
        "sensor_longest_wait_s": 2.1,
        "by_fault": [{"over": "rtsp", "fault": "401", "expected": "AUTH", "found": "AUTH", "ok": True}],
        "by_metric": [{"server": "x", "stream": "y", "metric": "fps", "measured": 10.0, "truth": 10, "ok": True}],
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu_ms_per_camera_minute": 100.1}, "cpu_ms_per_camera_minute 100.1, more than 100"),
        ({"rss_mb": 151}, "rss_mb 151"),
        ({"leaked_sessions": 1}, "leaked_sessions 1"),
        ({"sensor_longest_wait_s": 3.5}, "was left for 3.5 s"),
        ({"cameras_well_in_database": 15}, "only 15 cameras"),
        (
            {"by_fault": [good()["by_fault"][0] | {"found": "NONE", "ok": False}]},
            "401 (rtsp) was told as NONE, not AUTH",
        ),
        ({"by_metric": [good()["by_metric"][0] | {"measured": 9.0, "ok": False}]}, "fps of x y: 9.0 beside 10"),
    ],
)
def test_each_figure_fails_it(change: dict[str, Any], says: str) -> None:
    assert failures(good(), ProbeLimits()) == []
    (failed,) = failures(good() | change, ProbeLimits())
    assert says in failed


def test_every_fault_of_the_wire_has_its_case() -> None:
    named = {case.fault.partition("=")[0] for case in CASES if case.over == "rtsp"} - {"none"}
    assert named == set(TransportFault)


def test_a_fault_is_told_by_its_reason_and_a_wrong_expectation_is_seen(tmp_path: Path) -> None:
    cases = [
        Case("none", CameraReason.NONE),
        Case("404", CameraReason.NOT_FOUND),
        Case("401", CameraReason.AUTH, "snapshot"),
        Case("453", CameraReason.NOT_FOUND),
    ]
    with served(tmp_path, len(cases)) as cameras:
        rows = probes_faults.rows(cameras, cases)
    assert [row["ok"] for row in rows] == [True, True, True, False]
    assert (rows[3]["expected"], rows[3]["found"]) == ("NOT_FOUND", "BUSY")


def test_probes_leave_no_session_and_one_that_stays_is_counted(tmp_path: Path) -> None:
    import av

    with served(tmp_path, 8) as cameras:
        figures = probes_sessions.figures(cameras, 40, seed=1)
        assert figures["leaked_sessions"] == 0
        assert 20 < figures["sessions"] <= figures["probes"] == 40
        cameras.switch(0, None)
        with av.open(cameras.rtsp(0), "r", options={"rtsp_transport": "tcp"}, timeout=(10, 10)):
            assert probes_sessions.figures(cameras, 1, seed=1, settle_s=1.5)["leaked_sessions"] == 1


@pytest.mark.slow
def test_figures_are_beside_what_the_camera_counted(tmp_path: Path) -> None:
    with served(tmp_path, len(probes_truth.CASES)) as cameras:
        rows = probes_truth.rows(cameras)
    clocks = [row for row in rows if row["metric"] == "clock_offset_s"]
    assert [row["truth"] for row in clocks if row["truth"]] == [300, -37, -30_000.5]
    assert all(row["ok"] for row in clocks)
    lost = [row["truth"] for row in rows if row["metric"] == "loss_pct"]
    assert min(lost) == 0 < max(lost)


@pytest.mark.slow
def test_the_agent_with_cameras_is_measured() -> None:
    plan = AgentPlan(cameras=2, seconds=10, settle_s=5, sensor_interval_s=1, pace={"reach_s": 1, "picture_s": 2})
    figures = probes_agent.figures(plan)
    assert figures["cameras"] == 2
    assert figures["cameras_well_in_database"] == 2
    assert figures["cpu_ms_per_camera_minute"] > 0 < figures["rss_mb"]
    assert figures["agent_cpu_percent"] > figures["agent_without_cameras_cpu_percent"] > 0
    assert figures["sensor_longest_wait_s"] >= 0.5
