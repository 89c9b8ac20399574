"""Days of readings wait on many devices: they drain, and what is read meanwhile is stored at once.

Real outbox files, filled through the outbox itself with dates in the past; real agents in a few processes; the real
gateway. The delay of a live reading is counted from the return of its commit until a query of our own finds it.
"""

import json
import sqlite3
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.outbox import SqliteOutbox
from edge.ports import Draft
from firmware_sim.truth import DEFAULT_METRICS, Truth
from kewang.bench.agents import BUDGET_BYTES, LIVE
from kewang.bench.envelope import envelope
from kewang.bench.line import DATABASE, Line, StoreKind
from kewang.bench.process import Part, PartFailed

DELAY_S: Final = 2.0
SOURCE: Final = "env-1"
DAY_S: Final = 86_400
_ROWS: Final = 30
_BATCHES_A_COMMIT: Final = 50
_PROCESSES: Final = 2
_POLL_S: Final = 0.1
_COUNT_S: Final = 1.0
"""Counting the backlog costs the database something, so it is done more rarely."""
_LIMIT_S: Final = 400.0

Found = dict[tuple[str, int], float]


@dataclass(frozen=True, slots=True)
class BacklogPlan:
    """`days` of one source of 3 metrics every `interval_s` on each device, in batches of 30 rows."""

    devices: int = 20
    days: float = 3.0
    interval_s: float = 10.0
    live_interval_s: float = 1.0
    store: StoreKind = "influxd"
    seed: int = 1
    after_s: float = 5.0
    """Live readings go on for so long after the backlog is through."""

    @property
    def rows(self) -> int:
        """Of each device."""
        return int(self.days * DAY_S / self.interval_s)

    def names(self) -> list[str]:
        """The device ids."""
        return [f"backlog-{n:03d}" for n in range(1, self.devices + 1)]


class Agents(Part):
    """Some of the agents, in one process."""

    name = "agents"

    def __init__(self, folder: Path, port: int, plan: BacklogPlan, outboxes: Path, devices: Sequence[str]) -> None:
        super().__init__(folder)
        self._words = [str(port), str(plan.live_interval_s), str(outboxes), *devices]
        self._commits = [outboxes / f"{device}.commits" for device in devices]

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "kewang.bench.agents", *self._words]

    def is_ready(self) -> bool:
        return all(file.exists() for file in self._commits)


def measure(plan: BacklogPlan, delay_s: float = DELAY_S) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    with Line(plan.store) as line:
        outboxes = line.folder / "outboxes"
        outboxes.mkdir()
        _fill_all(outboxes, plan)
        watch = Watch(line, plan)
        with ExitStack() as stack:
            began_s = time.monotonic()
            for n in range(min(_PROCESSES, plan.devices)):
                devices = plan.names()[n::_PROCESSES]
                stack.enter_context(Agents(line.folder / f"agents-{n}", line.broker.port, plan, outboxes, devices))
            watch.follow()
        time.sleep(_COUNT_S)
        watch.look()
        committed = _committed(outboxes, plan)
    delays = sorted(watch.found[key] - at_s for key, at_s in committed.items() if key in watch.found)
    lost_live, lost_old = len(committed) - len(delays), plan.devices * plan.rows - watch.old
    figures = {
        "devices": plan.devices,
        "backlog_rows": plan.devices * plan.rows,
        "live_delay_p95_s": round(delays[int(0.95 * (len(delays) - 1))], 2) if delays else None,
        "live_delay_max_s": round(delays[-1], 2) if delays else None,
        "live_rows": len(committed),
        "drain_s": round(watch.drained_s - began_s, 1) if watch.drained_s else None,
        "lost": lost_live + lost_old,
        "store": plan.store,
    }
    parts = ["mosquitto", "influxd" if plan.store == "influxd" else "sqlite", "aiomqtt"]
    failed = _problems(figures, delay_s)
    return envelope("bench backlog", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _problems(figures: dict[str, Any], delay_s: float) -> list[str]:
    failed = []
    if figures["drain_s"] is None:
        failed.append(f"the backlog was not through after {_LIMIT_S:g} s")
    if figures["live_delay_p95_s"] is None or figures["live_delay_p95_s"] > delay_s:
        failed.append(
            f"live readings are stored {figures['live_delay_p95_s']} s after their commit (p95), not {delay_s}"
        )
    if figures["lost"]:
        failed.append(f"{figures['lost']} readings are lost")
    return failed


def _fill_all(folder: Path, plan: BacklogPlan) -> None:
    with ProcessPoolExecutor(_PROCESSES) as pool:
        for done in [pool.submit(fill, folder / f"{name}.db", name, plan) for name in plan.names()]:
            done.result()


def fill(path: Path, device: str, plan: BacklogPlan) -> None:
    """An outbox that an agent filled while there was no link: one boot, dated, ended now."""
    truth, step_ms = Truth(plan.seed), int(plan.interval_s * 1000)
    outbox = SqliteOutbox(path, BUDGET_BYTES, "the boot before")
    outbox.date(time.time_ns() // 1_000_000 - plan.rows * step_ms, 2)
    drafts = []
    for first in range(0, plan.rows, _ROWS):
        numbers = range(first, min(first + _ROWS, plan.rows))
        rows = tuple((number * step_ms, truth.row(device, number + 1)) for number in numbers)
        drafts.append(Draft("env", SOURCE, DEFAULT_METRICS, rows))
    for start in range(0, len(drafts), _BATCHES_A_COMMIT):
        outbox.commit(drafts[start : start + _BATCHES_A_COMMIT])
    outbox.close()


def _committed(folder: Path, plan: BacklogPlan) -> Found:
    """(device, number) of each live reading -> when its commit returned."""
    files = ((name, folder / f"{name}.commits") for name in plan.names())
    lines = ((name, json.loads(line)) for name, file in files for line in file.read_text().splitlines())
    return {(name, int(number)): entry["s"] for name, entry in lines for number in entry["n"]}


@dataclass(slots=True)
class Watch:
    """Looks into the database again and again, beside the gateway."""

    line: Line
    plan: BacklogPlan
    found: Found = field(default_factory=dict)
    """(device, number) of each live reading -> when it was first seen."""
    old: int = 0
    """Rows of the backlog that are stored."""
    drained_s: float | None = None
    _counted_s: float = 0.0

    def follow(self) -> None:
        """Look until the backlog is through, and a little longer. Raises PartFailed if a part ended."""
        deadline_s = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline_s:
            self.look()
            if self.drained_s and time.monotonic() > self.drained_s + self.plan.after_s:
                return
            if not self.line.gateway.is_running:
                raise PartFailed(f"the gateway ended:\n{self.line.gateway.log_tail()}")
            time.sleep(_POLL_S)

    def look(self) -> None:
        """What is there now."""
        count = time.monotonic() > self._counted_s + _COUNT_S
        live, self.old = self._influxd(count) if self.line.influxd else self._sqlite(count)
        now_s = time.monotonic()
        self._counted_s = now_s if count else self._counted_s
        for key in live:
            self.found.setdefault(key, now_s)
        if self.drained_s is None and self.old >= self.plan.devices * self.plan.rows:
            self.drained_s = now_s

    def _influxd(self, count: bool) -> tuple[list[tuple[str, int]], int]:
        live = self._ask(
            f"SELECT sim_n FROM \"raw\".env WHERE source = '{LIVE}' AND time > now() - 20s GROUP BY device"
        )
        old = self._ask(f"SELECT count(sim_n) FROM \"raw\".env WHERE source = '{SOURCE}'")
        return _numbers(live), sum(int(row[1]) for one in old for row in one["values"])

    def _ask(self, statement: str) -> list[dict[str, Any]]:
        assert self.line.influxd is not None
        query = urllib.parse.urlencode({"db": DATABASE, "q": statement, "epoch": "ms"})
        with urllib.request.urlopen(f"{self.line.influxd.url}/query?{query}", timeout=30) as answer:
            series: list[dict[str, Any]] = json.load(answer)["results"][0].get("series", [])
        return series

    def _sqlite(self, count: bool) -> tuple[list[tuple[str, int]], int]:
        with closing(sqlite3.connect(f"{self.line.sqlite_file.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'p_env'").fetchone():
                return [], 0
            joined = "FROM series s JOIN p_env p ON p.series_id = s.id WHERE s.source = ?"
            live = db.execute(f"SELECT s.device, p.sim_n {joined} AND p.sim_n IS NOT NULL", (LIVE,)).fetchall()
            (old,) = db.execute(f"SELECT count(*) {joined}", (SOURCE,)).fetchone() if count else (self.old,)
        return [(device, int(number)) for device, number in live], int(old)


def _numbers(live: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """(device, number) of live readings in an answer."""
    return [(one["tags"]["device"], int(row[1])) for one in live for row in one["values"]]
