"""Looking at cameras: what it costs the agent, that each fault gets its own reason, that no session stays open, and
that the figures are true; against simulated cameras and against servers that others wrote."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kewang.bench import probes_agent, probes_faults, probes_sessions, probes_truth
from kewang.bench.camera_servers import compare
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.envelope import envelope
from kewang.bench.probes_agent import AgentPlan

PARTS: Final = ("mosquitto", "sqlite", "av", "numpy", "aiohttp", "aio-rtsp-toolkit")
_QUICK: Final = ("--scene", "pattern", "--loop-s", "2", "--keyframe-interval-s", "0.5")
_CLIP: Final = ("--scene", "market", "--loop-s", "2", "--hour", "12")
_LARGE: Final = (*_CLIP, "--size", "1280x720", "--codec", "h264,h265")
"""Pictures of many packets: none is lost as a whole, so that the frame rate stays what it is."""


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """What must hold."""

    cpu_ms_per_camera_minute: float = 100.0
    rss_mb: float = 150.0
    leaked_sessions: int = 0
    sensor_late_s: float = 1.0
    """So much later than its interval a sensor may be read."""


@dataclass(frozen=True, slots=True)
class ProbesPlan:
    """`others`: compare with the servers that others wrote too."""

    agent: AgentPlan = field(default_factory=AgentPlan)
    probes: int = 1000
    others: bool = True
    seed: int = 1


def measure(plan: ProbesPlan, limits: ProbeLimits | None = None, say: Callable[[str], None] = print) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kewang-bench-") as folder:
        place, figures = Path(folder), dict[str, Any]()
        say("a fault for each reason")
        with CamerasProgram(place / "faults", len(probes_faults.CASES), *_CLIP) as cameras:
            figures["by_fault"] = probes_faults.rows(cameras)
        say("figures beside their truth")
        with CamerasProgram(place / "truth", len(probes_truth.CASES), *_LARGE) as cameras:
            figures["by_metric"] = [*probes_truth.rows(cameras), *(compare.rows() if plan.others else [])]
        say(f"{plan.probes} probes in a row")
        with CamerasProgram(place / "sessions", 16, *_QUICK) as cameras:
            figures |= probes_sessions.figures(cameras, plan.probes, plan.seed)
    say(f"{plan.agent.cameras} cameras at one agent")
    figures = probes_agent.figures(plan.agent) | figures
    failed = failures(figures, limits or ProbeLimits())
    return envelope("bench probes", seed=plan.seed, parts=PARTS, started_s=started_s, failed=failed, figures=figures)


def failures(figures: dict[str, Any], limits: ProbeLimits) -> list[str]:
    """A sentence for each figure that is not as it must be."""
    failed = [
        f"{name} {figures[name]}, more than {limit}"
        for name in ("cpu_ms_per_camera_minute", "rss_mb", "leaked_sessions")
        if figures[name] > (limit := getattr(limits, name))
    ]
    waited_s, interval_s = figures["sensor_longest_wait_s"], figures["sensor_interval_s"]
    if waited_s > interval_s + limits.sensor_late_s:
        failed.append(f"a sensor that is read every {interval_s:g} s was left for {waited_s:g} s")
    if figures["cameras_well_in_database"] < figures["cameras"]:
        failed.append(f"only {figures['cameras_well_in_database']} cameras had their frame rate in the database")
    failed += [
        f"{row['fault']} ({row['over']}) was told as {row['found']}, not {row['expected']}"
        for row in figures["by_fault"]
        if not row["ok"]
    ]
    failed += [
        f"{row['metric']} of {row['server']} {row['stream']}: {row['measured']} beside {row['truth']}"
        for row in figures["by_metric"]
        if not row["ok"]
    ]
    return failed
