"""What cameras cost the real agent, beside a sensor: processor, memory, and whether the sensor has to wait.

Two cameras more are looked at that never answer or never send: they must delay nobody.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
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
    """`seconds` of measuring, after `settle_s` in which every camera was looked at; `base_s` without cameras."""

    cameras: int = 16
    seconds: float = 180.0
    settle_s: float = 60.0
    base_s: float = 30.0
    sensor_interval_s: float = 2.0


def figures(plan: AgentPlan) -> dict[str, Any]:
    """The figures of the agent. Raises MissingPart, PartFailed."""
    with (
        Line("sqlite") as line,
        BoardsProgram(line.folder / "boards", [_MAP]) as boards,
        _cameras(line.folder / "cameras", plan) as cameras,
    ):
        sensor = [Attached("env", map_file(_MAP), boards.ports[0], plan.sensor_interval_s)]
        base_ms = _base_ms_per_s(line, sensor, plan)
        watched = [{"name": f"cam-{index:02}", "url": cameras.rtsp(index)} for index in range(cameras.count)]
        with EdgeProgram(
            line.folder / "edge", "bench-cameras", line.broker.port, sensor, cameras=lambda: watched
        ) as edge:
            time.sleep(plan.settle_s)
            before, began_s, began_ms = cost(edge), time.monotonic(), time.time() * 1000
            time.sleep(plan.seconds)
            after, took_s = cost(edge), time.monotonic() - began_s
        told = _told(before, after, took_s, base_ms, plan)
        told |= _waits(boards.journal(0), began_ms, plan)
        arrived = _sources_with_fps(line.sqlite_file) & {each["name"] for each in watched}
        return told | {"cameras_well_in_database": len(arrived)}


def _cameras(folder: Path, plan: AgentPlan) -> CamerasProgram:
    made = CamerasProgram(folder, plan.cameras + len(_TROUBLED), "--scene", "market", "--loop-s", "4", "--hour", "10")
    for index, fault in enumerate(_TROUBLED, start=plan.cameras):
        made.switch(index, fault)
    return made


def _base_ms_per_s(line: Line, sensor: Sequence[Attached], plan: AgentPlan) -> float:
    """Processor ms a second of an agent without cameras, once it has started."""
    with EdgeProgram(line.folder / "base", "bench-base", line.broker.port, sensor) as edge:
        time.sleep(plan.base_s / 3)
        before, began_s = cost(edge), time.monotonic()
        time.sleep(plan.base_s)
        return 1000 * (cost(edge).cpu_s - before.cpu_s) / (time.monotonic() - began_s)


def _told(before: Cost, after: Cost, took_s: float, base_ms: float, plan: AgentPlan) -> dict[str, Any]:
    minutes = plan.cameras * took_s / 60
    spent_ms = 1000 * (after.cpu_s - before.cpu_s)
    return {
        "cameras": plan.cameras,
        "camera_minutes": round(minutes, 1),
        "cpu_ms_per_camera_minute": round((spent_ms - base_ms * took_s) / minutes, 1),
        "agent_cpu_percent": round(spent_ms / 10 / took_s, 2),
        "agent_without_cameras_cpu_percent": round(base_ms / 10, 2),
        "rss_mb": round(after.rss_bytes / MB, 1),
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
