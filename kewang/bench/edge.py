"""What the agent costs on a device: memory, processor, start and disk; ten boards over Modbus, the whole line behind.

The real agent, `kewang edge run`, on real boards' protocol; broker and gateway (SQLite) answer it as in the field.
"""

import importlib.metadata
import re
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firmware_sim.layout import map_file
from kewang.bench.cpu import MB, cost
from kewang.bench.envelope import envelope
from kewang.bench.line import Line
from kewang.bench.process import READY_LIMIT_S, PartFailed
from kewang.bench.programs import Attached, BoardsProgram, EdgeProgram

MAP: Final = "market-env"
DEVICE: Final = "bench-edge"
FLUSH_S: Final = 10.0
"""The agent commits this often, as in the field: at both ends of the measurement some readings wait for that."""
_POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What must hold."""

    rss_mb: float = 60.0
    cpu_percent: float = 2.0
    start_s: float = 1.5


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """Ten sources every ten seconds, unless told otherwise; `starts` of the agent are timed, the median counts."""

    sources: int = 10
    interval_s: float = 10.0
    seconds: float = 60.0
    starts: int = 5
    settle_s: float = 5.0
    """After the last start, before it is measured."""


def measure(plan: EdgePlan, limits: EdgeLimits | None = None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    limits, started_s = limits or EdgeLimits(), time.monotonic()
    with Line("sqlite") as line, BoardsProgram(line.folder / "boards", [MAP] * plan.sources) as boards:
        attached = [Attached(f"env-{n}", map_file(MAP), port, plan.interval_s) for n, port in enumerate(boards.ports)]
        starts = [_start(line, attached, n) for n in range(plan.starts - 1)]
        edge = _edge(line, attached, plan.starts)
        starts.append(_timed_start(edge))
        with edge:
            time.sleep(plan.settle_s)
            figures = _while_running(edge, plan)
    figures |= {
        "start_s": round(statistics.median(start.wall_s for start in starts), 2),
        "start_cpu_s": round(statistics.median(start.cpu_s for start in starts), 2),
        "venv_mb": round(installed_bytes("kewang", "edge") / MB, 1),
    }
    failed = [
        f"{name} {figures[name]}, more than {limit}"
        for name, limit in (("rss_mb", limits.rss_mb), ("cpu_percent", limits.cpu_percent), ("start_s", limits.start_s))
        if figures[name] > limit
    ]
    due = plan.sources * (plan.seconds - 2 * FLUSH_S) / plan.interval_s
    if figures["readings_per_s"] * plan.seconds < due:
        failed.append(f"only {figures['readings_per_s']} readings a second were committed")
    parts = ["mosquitto", "sqlite", "aiomqtt", "pymodbus", "psutil", "pydantic"]
    return envelope("bench edge", seed=1, parts=parts, started_s=started_s, failed=failed, figures=figures)


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of the process to its first commit: seconds, and processor seconds."""

    wall_s: float
    cpu_s: float


def _while_running(edge: EdgeProgram, plan: EdgePlan) -> dict[str, Any]:
    before, rows_before, began_s = cost(edge), _rows(edge), time.monotonic()
    time.sleep(plan.seconds)
    after, took_s = cost(edge), time.monotonic() - began_s
    return {
        "rss_mb": round(after.rss_bytes / MB, 1),
        "cpu_percent": round(100 * (after.cpu_s - before.cpu_s) / took_s, 2),
        "sources": plan.sources,
        "interval_s": plan.interval_s,
        "readings_per_s": round((_rows(edge) - rows_before) / took_s, 2),
    }


def _start(line: Line, attached: list[Attached], number: int) -> Start:
    edge = _edge(line, attached, number)
    try:
        return _timed_start(edge)
    finally:
        edge.kill9()


def _edge(line: Line, attached: list[Attached], number: int) -> EdgeProgram:
    """An agent with an outbox of its own."""
    folder, device = line.folder / f"edge-{number}", f"{DEVICE}-{number}"
    return EdgeProgram(folder, device, line.broker.port, attached, flush_s=FLUSH_S)


def _timed_start(edge: EdgeProgram) -> Start:
    """Start it and wait for its first commit. Raises PartFailed."""
    began_s = time.monotonic()
    starting = threading.Thread(target=edge.start)
    starting.start()
    try:
        while not _rows(edge):
            if time.monotonic() - began_s > READY_LIMIT_S:
                raise PartFailed(f"the agent committed nothing within {READY_LIMIT_S} s:\n{edge.log_tail()}")
            time.sleep(_POLL_S)
        return Start(time.monotonic() - began_s, cost(edge).cpu_s)
    finally:
        starting.join()


def _rows(edge: EdgeProgram) -> int:
    """Rows committed to the outbox so far; 0 while there is none."""
    if not edge.outbox.exists():
        return 0
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{edge.outbox.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT coalesce(sum(rows), 0) FROM batch").fetchone()[0])
    return 0


def installed_bytes(distribution: str, extra: str) -> int:
    """What `distribution[extra]` and all it needs take on disk, from what is installed here."""
    names = {_plain(distribution)} | set(_needs(distribution, extra, set()))
    return sum(path.stat().st_size for name in names for path in _files(name))


def _files(name: str) -> Iterator[Path]:
    if name == "kewang":
        root = Path(__file__).resolve().parents[2]
        for folder in ("kewang", "edge", "gateway", "firmware_sim", "provisioning", "dashboards"):
            yield from (
                path for path in (root / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
            )
        return
    for file in importlib.metadata.files(name) or ():
        path = Path(str(file.locate()))
        if path.is_file():
            yield path


def _needs(name: str, extra: str, seen: set[str]) -> Iterator[str]:
    """Names of the installed distributions that `name[extra]` needs, and that they need."""
    from packaging.requirements import Requirement

    for text in importlib.metadata.requires(name) or ():
        need = Requirement(text)
        plain = _plain(need.name)
        if (need.marker and not need.marker.evaluate({"extra": extra})) or (plain in seen and not need.extras):
            continue
        seen.add(plain)
        yield plain
        for inner in ("", *need.extras):
            yield from _needs(plain, inner, seen)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
