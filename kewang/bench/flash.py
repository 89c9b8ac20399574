"""What the agent writes to its card for a reading, by profile, as the kernel counts it.

The real agent with ten sensors on every kind of bus, real Mosquitto, the real gateway acknowledging. Everything is
quicker by one factor (sensors, periods, commits, the protocol's times): what is written for a reading stays the same.
The outbox is as after weeks: full of stored batches, so that each commit makes room, over days of tallies. What is
measured is a whole turn of the write-ahead log, with the writing back that it ends in.

Counted is what reaches the card (/sys/block/*/stat), the file system's own writes among it. Without root there is no
card of its own, and what counts is write_bytes of the process (/proc/*/io). Where the kernel keeps files in large
folios (ext4 since Linux 6.16) that is a whole folio for each byte changed in it, far more than is written.
"""

import os
import random
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.outbox import SqliteOutbox
from edge.outbox_schema import WAL_BYTES
from edge.ports import Draft
from edge.settings import PROFILES, Profile, Rhythm
from edge.status import ask, socket_path
from kewang.bench.buses import AgentOnBuses, SensorsProgram
from kewang.bench.cpu import MB, cost
from kewang.bench.envelope import envelope
from kewang.bench.flash_disk import CardDisk, Written, written
from kewang.bench.line import Line
from kewang.bench.parts import Mosquitto
from kewang.bench.process import Part, PartFailed, wait_for
from kewang.bench.stored import SqliteDatabase
from kewang.wire.ack import Ack
from kewang.wire.names import BOX_SOURCE

INTERVAL_S: Final = 10.0
BEAT_S: Final = 30.0
BUDGET_MB: Final = 8.0
_DAYS: Final = 35
_APART_MS: Final = 900_000
"""Between the flushes of the past that the outbox is filled with: more than it has room for."""
_AT_ONCE: Final = 8
_WARM_UP_FLUSHES: Final = 4
_FEW_OPEN: Final = 40
_LIMIT_S: Final = 300.0
_ENOUGH: Final = 0.9
"""Of the readings that were due: fewer make commits smaller and a reading dearer."""


@dataclass(frozen=True, slots=True)
class FlashLimits:
    """What must hold. Syncs a minute as the box lives, MB resident."""

    bytes_per_reading: Mapping[str, float] = field(default_factory=lambda: {"cellular": 800.0, "card": 120.0})
    syncs_per_minute: float = 10.0
    rss_mb: float = 60.0


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """`faster`: how many times as quick as in the field. `turns`: of the log, each with one writing back.

    `budget_mb`: of the ring, which is full.
    """

    profiles: tuple[Profile, ...] = tuple(PROFILES)
    faster: float = 50.0
    turns: float = 1.0
    budget_mb: float = BUDGET_MB


def measure(plan: FlashPlan, limits: FlashLimits | None = None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    limits, started_s = limits or FlashLimits(), time.monotonic()
    line = Line("sqlite")
    line.gateway.faster = plan.faster
    with line, ExitStack() as stack:
        boxes = [Box(line, stack, profile, plan) for profile in plan.profiles]
        with ThreadPoolExecutor(len(boxes)) as pool:
            by_profile = list(pool.map(Box.measured, boxes))
    figures = {"sources": 10, "interval_s": INTERVAL_S, "faster": plan.faster, "profiles": by_profile}
    parts = ["mosquitto", "sqlite", "aiomqtt", "pymodbus", "pyserial", "smbus2"]
    failed = failures(by_profile, limits)
    return envelope("bench flash", seed=1, parts=parts, started_s=started_s, failed=failed, figures=figures)


def failures(by_profile: Sequence[Mapping[str, Any]], limits: FlashLimits) -> list[str]:
    """What is not as it must be, a sentence each."""
    failed = []
    for each in by_profile:
        name, most = each["profile"], limits.bytes_per_reading.get(each["profile"])
        if most is not None and each["bytes_per_reading"] > most:
            failed.append(f"{name}: {each['bytes_per_reading']} bytes written for a reading, more than {most:g}")
        if each["syncs_per_minute"] is None:
            failed.append(f"{name}: syncs were not counted: run as root where loop devices can be mounted")
        elif each["syncs_per_minute"] > limits.syncs_per_minute:
            failed.append(f"{name}: {each['syncs_per_minute']} syncs a minute, more than {limits.syncs_per_minute:g}")
        if each["rss_mb"] > limits.rss_mb:
            failed.append(f"{name}: {each['rss_mb']} MB resident, more than {limits.rss_mb:g}")
        if each["read_share"] < _ENOUGH:
            failed.append(f"{name}: only {each['read_share']} of the readings were made: the machine is too busy")
    return failed


class Box:
    """A box of one profile: its card, its sensors, its agent."""

    def __init__(self, line: Line, stack: ExitStack, profile: Profile, plan: FlashPlan) -> None:
        self.profile, self.rhythm, self.plan = profile, PROFILES[profile], plan
        folder = line.folder / profile
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        self.sensors = stack.enter_context(SensorsProgram(folder / "sensors", broker.port, plan.faster))
        self.agent = AgentOnBuses(
            folder / "edge",
            f"bench-{profile}",
            line.broker.port,
            self.sensors.sources(),
            INTERVAL_S / plan.faster,
            profile=profile,
            flush_s=self.rhythm.flush_s / plan.faster,
            faster=plan.faster,
            box_interval_s=BEAT_S / plan.faster,
            budget_mb=plan.budget_mb,
        )
        self.card = stack.enter_context(CardDisk(folder / "card.img", self.agent.data_folder, plan.faster))
        line.mounted(self.agent.data_folder)
        names = [str(source["name"]) for source in self.sensors.sources()]
        rewind = rewind_of(SqliteDatabase(line.sqlite_file), line.gateway)
        fill(self.agent.outbox, self.rhythm, names, rewind, plan.budget_mb)
        stack.enter_context(self.agent)

    def measured(self) -> dict[str, Any]:
        """Its figures. Raises PartFailed."""
        flush_s = self.rhythm.flush_s / self.plan.faster
        self._wait(lambda: self._readings()[1] >= 10, "not every sensor was read")
        self._wait(lambda: self._report()["outbox"]["open_batches"] < _FEW_OPEN, "what is committed is not stored")
        time.sleep(_WARM_UP_FLUSHES * flush_s)
        before, (began, _), began_s = self._written(), self._readings(), time.monotonic()
        log, turns = Log(self.agent.outbox), 0.0
        while turns < self.plan.turns:
            time.sleep(min(flush_s, 1.0) / 2)
            turns = log.turned()
        after, (ended, _), lived_s = self._written(), self._readings(), time.monotonic() - began_s
        return self._figures(after - before, ended - began, lived_s * self.plan.faster)

    def _figures(self, wrote: Written, readings: int, lived_s: float) -> dict[str, Any]:
        minutes = lived_s / 60
        return {
            "profile": self.profile,
            "flush_s": self.rhythm.flush_s,
            "readings": readings,
            "read_share": round(readings / (10 * lived_s / INTERVAL_S), 2),
            "bytes_per_reading": round((wrote.by_agent if wrote.on_card is None else wrote.on_card) / readings, 1),
            "bytes_by_process": round(wrote.by_agent / readings, 1),
            "syncs_per_minute": None if wrote.syncs is None else round(wrote.syncs / minutes, 2),
            "rss_mb": round(cost(self.agent).rss_bytes / MB, 1),
        }

    def _written(self) -> Written:
        return written(self.agent, self.card)

    def _readings(self) -> tuple[int, int]:
        """How many rows of sensors are committed, and of how many sensors."""
        sources = [each for each in self._report()["sources"] if each["name"] != BOX_SOURCE]
        rows = [each["readings"] - each["pending_rows"] for each in sources]
        return sum(rows), sum(row > 0 for row in rows)

    def _report(self) -> dict[str, Any]:
        return ask(socket_path(self.agent.outbox))

    def _wait(self, condition: Any, otherwise: str) -> None:
        try:
            wait_for(condition, _LIMIT_S)
        except TimeoutError:
            raise PartFailed(f"{self.profile}: {otherwise}:\n{self.agent.log_tail()}") from None


def rewind_of(database: SqliteDatabase, gateway: Part) -> int:
    """The rewind that the gateway wrote into its new database. Raises PartFailed."""
    try:
        wait_for(lambda: any(True for _ in database.rows("rewind")), _LIMIT_S)
    except TimeoutError:
        raise PartFailed(f"no rewind was written:\n{gateway.log_tail()}") from None
    return max(int(fields["rw"]) for _, _, fields in database.rows("rewind"))


class Log:
    """How far the write-ahead log of an outbox has come since now, in turns (sqlite.org/fileformat2.html, 4)."""

    def __init__(self, outbox: Path) -> None:
        self._file = outbox.with_name(outbox.name + "-wal")
        self._salt, self._from = self._now()
        self._seen, self._before = self._from, 0.0

    def _now(self) -> tuple[bytes, float]:
        """Salt of this turn, and the share of it that is written."""
        content = self._file.read_bytes()
        page = int.from_bytes(content[8:12], "big")
        salt, frame, frames = content[16:24], 24 + page, 0
        while content[32 + frames * frame + 8 : 32 + frames * frame + 16] == salt:
            frames += 1
        return salt, frames / (WAL_BYTES // page)

    def turned(self) -> float:
        """Turns since then."""
        salt, at = self._now()
        if salt != self._salt:
            self._salt, self._before = salt, self._before + self._seen - self._from
            self._from = 0.0
        self._seen = at
        return self._before + at - self._from


def fill(outbox: Path, rhythm: Rhythm, sources: Sequence[str], rewind: int, budget_mb: float) -> None:
    """An outbox as it is after weeks of work: no room is left, all is stored, and its log has had its full length.

    `rewind`: that of the database, which is not to ask for all of it once more.
    """
    making = outbox.with_name("filling") / outbox.name
    making.parent.mkdir()
    with closing(SqliteOutbox(making, int(budget_mb * 1e6), "boot-before", packs=rhythm.sparing)) as held:
        dicing, rows, start_ms = random.Random(1), max(1, int(rhythm.flush_s / INTERVAL_S)), 0
        until_ms = int(_DAYS * 86_400_000 * budget_mb / BUDGET_MB)
        held.date(int((time.time() - (_DAYS + 1) * 86_400) * 1000), 2)
        while start_ms < until_ms:
            drafts = []
            for _ in range(_AT_ONCE):
                drafts += [_draft(source, rows, start_ms, dicing) for source in (BOX_SOURCE, *sources)]
                start_ms += _APART_MS
            last = held.commit(drafts)[-1]
            held.apply(Ack(rw=rewind, ok=((last.run, 1, last.number),)), {})
        for end in ("", "-wal"):
            shutil.copyfile(making.with_name(making.name + end), outbox.with_name(outbox.name + end))
    with outbox.with_name(outbox.name + "-wal").open("ab") as log:
        # After its first turn it never grows again: that would cost the file system's journal with each commit.
        log.write(bytes(max(0, WAL_BYTES - log.tell())))
    shutil.rmtree(making.parent)
    os.sync()


def _draft(source: str, rows: int, start_ms: int, dicing: random.Random) -> Draft:
    """Three values with the noise of a digit or two."""
    metrics = ("cpu_pct", "mem_pct", "disk_pct") if source == BOX_SOURCE else ("temp_c", "rh_pct", "pm25_ugm3")
    apart_ms = int(1000 * (BEAT_S if source == BOX_SOURCE else INTERVAL_S))
    count = max(1, rows // 3) if source == BOX_SOURCE else rows
    taken = tuple(
        (start_ms + row * apart_ms, tuple(round(dicing.gauss(middle, 0.3), 1) for middle in (29, 78, 14)))
        for row in range(count)
    )
    return Draft("sys" if source == BOX_SOURCE else "env", source, metrics, taken)
