"""What cameras cost the real agent, beside a sensor: processor, memory, and whether the sensor has to wait.

Two cameras more are looked at that never answer or never send: they must delay nobody.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from firmware_sim.journal import read_journal
from firmware_sim.layout import map_file
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.cpu import MB, Cost, cost
from kewang.bench.line import Line
from kewang.bench.programs import Attached, BoardsProgram, EdgeProgram

_MAP: Final = "market-env"
_TROUBLED: Final = ("hang", "silent")
_FPS: Final = (9.8, 10.2)


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """`seconds` of measuring, after `settle_s` in which every agent has started and every camera was looked at."""

    cameras: int = 16
    seconds: float = 180.0
    settle_s: float = 60.0
    sensor_interval_s: float = 2.0
    pace: Mapping[str, float] = field(default_factory=dict)
    """How often a camera is looked at, by name of the setting; what is not named is as in the field."""


def figures(plan: AgentPlan) -> dict[str, Any]:
    """The figures of the agent. Raises MissingPart, PartFailed."""
    with (
        Line("sqlite") as line,
        BoardsProgram(line.folder / "boards", [_MAP, _MAP]) as boards,
        _cameras(line.folder / "cameras", plan) as cameras,
        _agent(line, "bench-base", boards.ports[1], plan) as base,
        _agent(line, "bench-cameras", boards.ports[0], plan, cameras) as agent,
    ):
        time.sleep(plan.settle_s)
        began = _look(agent, base)
        time.sleep(plan.seconds)
        told = _told(began, _look(agent, base), plan)
        told |= _waits(boards.journal(0), began.unix_ms, plan)
        arrived = _sources_with_fps(line.sqlite_file) & {each["name"] for each in _watched(cameras, plan)}
        return told | {"cameras_well_in_database": len(arrived)}


def _cameras(folder: Path, plan: AgentPlan) -> CamerasProgram:
    made = CamerasProgram(folder, plan.cameras + len(_TROUBLED), "--scene", "market", "--loop-s", "4", "--hour", "10")
    for index, fault in enumerate(_TROUBLED, start=plan.cameras):
        made.switch(index, fault)
    return made


def _watched(cameras: CamerasProgram, plan: AgentPlan) -> list[dict[str, object]]:
    """The settings of all cameras."""
    return [{"name": f"cam-{index:02}", "url": cameras.rtsp(index), **plan.pace} for index in range(cameras.count)]


def _agent(
    line: Line, device: str, board_port: int, plan: AgentPlan, cameras: CamerasProgram | None = None
) -> EdgeProgram:
    """An agent with a sensor of its own, and cameras if any."""
    sensor = [Attached("env", map_file(_MAP), board_port, plan.sensor_interval_s)]
    watched = _watched(cameras, plan) if cameras else []
    return EdgeProgram(line.folder / device, device, line.broker.port, sensor, cameras=lambda: watched)


@dataclass(frozen=True, slots=True)
class Look:
    """What both agents have cost until now: `base`, the one without cameras, tells what the other would cost anyway."""

    agent: Cost
    base: Cost
    monotonic_s: float
    unix_ms: float


def _look(agent: EdgeProgram, base: EdgeProgram) -> Look:
    return Look(cost(agent), cost(base), time.monotonic(), time.time() * 1000)


def _told(began: Look, ended: Look, plan: AgentPlan) -> dict[str, Any]:
    """Both agents over the same time: whatever else this machine does makes both dearer."""
    took_s = ended.monotonic_s - began.monotonic_s
    minutes = plan.cameras * took_s / 60
    spent_s, base_s = ended.agent.cpu_s - began.agent.cpu_s, ended.base.cpu_s - began.base.cpu_s
    return {
        "cameras": plan.cameras,
        "camera_minutes": round(minutes, 1),
        "cpu_ms_per_camera_minute": round(1000 * (spent_s - base_s) / minutes, 1),
        "agent_cpu_percent": round(100 * spent_s / took_s, 2),
        "agent_without_cameras_cpu_percent": round(100 * base_s / took_s, 2),
        "rss_mb": round(ended.agent.rss_bytes / MB, 1),
    }


def _waits(journal: Path, began_ms: float, plan: AgentPlan) -> dict[str, Any]:
    """How late the sensor was read: the longest time between two readings, beside the interval."""
    times = [given.unix_ms for given in read_journal(journal) if given.unix_ms >= began_ms]
    gaps = sorted((after - before) / 1000 for before, after in pairwise(times[: int(plan.seconds)]))
    longest_s = gaps[-1] if gaps else plan.seconds
    return {"sensor_interval_s": plan.sensor_interval_s, "sensor_longest_wait_s": round(longest_s, 2)}


def _sources_with_fps(database: Path) -> set[str]:
    """The sources whose frame rate arrived in the database as the cameras have it."""
    found: set[str] = set()
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
        for table, column in db.execute("SELECT tab, col FROM field WHERE name = 'fps'").fetchall():
            asked = (
                f'SELECT DISTINCT source FROM "{table}" JOIN series ON id = series_id WHERE "{column}" BETWEEN ? AND ?'
            )
            found |= {str(source) for (source,) in db.execute(asked, _FPS)}
    return found
