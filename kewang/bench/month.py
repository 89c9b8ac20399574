"""`kewang bench month`: thirty days of a box's life in fast time, and every reading accounted for at the end."""

import asyncio
import logging
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.ports import OutboxStatus
from gateway.ledger import Total
from kewang.bench.envelope import envelope
from kewang.bench.month_line import Box, Broker, Gateway, timers_for
from kewang.bench.month_story import Story
from kewang.bench.month_truth import Found, Journal, compare, totals, unexplained
from kewang.bench.virtual_time import WALL_MS, VirtualLoop
from kewang.runtime.program import logged_from

DAYS: Final = 30
_DRAIN_S: Final = 6 * 3600
_SABOTAGED_ROWS: Final = 3
SABOTAGES: Final = ("none", "forget", "lose", "alter-mean", "alter-date", "all")
"""To be found out: batches leave the outbox untold; a point leaves the store; a mean, a date is changed there."""


@dataclass(frozen=True)
class MonthPlan:
    """What lives. The defaults end in minutes; ten sources every 10 s would take an hour."""

    seed: int = 1
    sources: int = 4
    interval_s: float = 120.0
    day_s: float = 86_400.0
    ring_bytes: int = 2_000_000
    sabotage: str = "none"


def measure(plan: MonthPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """Live the month. `say` hears what happens."""
    started_s = time.monotonic()
    random.seed(plan.seed)
    room = tempfile.TemporaryDirectory(prefix="kewang-month-", dir=_fast_folder())
    # Cuts and kills are on purpose: what the programs say of them is told below.
    with logged_from(logging.CRITICAL), room as folder, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        life = runner.run(_live(plan, Path(folder), say))
    return envelope(
        "bench month",
        seed=plan.seed,
        parts=["sqlite"],
        started_s=started_s,
        failed=[*unexplained(life.found, life.total, life.journal), *life.too_tame()],
        figures=life.figures(plan),
    )


def _fast_folder() -> str | None:
    """Time is not measured, so no disk need turn."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class Life:
    """What is known at the end."""

    story: Story
    journal: Journal
    found: Found
    total: Total
    status: OutboxStatus
    fullest_pct: float

    def too_tame(self) -> list[str]:
        """What must have happened, or the month shows nothing."""
        dates = self.found.dates
        seen = {
            "rows were thinned": self.found.thinned_rows > 0,
            "the ring was full": self.fullest_pct > 90,
            **{f"dates were {how}": dates.get(how, 0) > 0 for how in ("synchronised", "by_gateway", "chained")},
        }
        return [f"the month was too tame: it is not so that {what}" for what, happened in seen.items() if not happened]

    def figures(self, plan: MonthPlan) -> dict[str, Any]:
        """For people."""
        made, found, total = len(self.journal.values), self.found, self.total
        return {
            "days": DAYS,
            "day_s": plan.day_s,
            "sources": plan.sources,
            "interval_s": plan.interval_s,
            "ring_bytes": plan.ring_bytes,
            "fullest_pct": round(self.fullest_pct, 1),
            "sabotage": plan.sabotage,
            "boots": self.story.box.boots,
            "power_cuts": self.story.cuts,
            "clock_steps": self.story.steps,
            "gateway_restarts": self.story.gateway.restarts,
            "made": made,
            "stored_raw": found.raw,
            "in_thinned": found.in_thinned,
            "thinned_rows": found.thinned_rows,
            "absent": found.absent,
            "dates": dict(sorted(found.dates.items())),
            "ledger": {
                "made": total.made,
                "found": total.found,
                "thinned": total.thinned,
                "dropped": total.dropped,
                "missing": total.missing,
                "lost": total.lost,
                "held": total.held,
            },
            "wrong": len(found.wrong),
        }


async def _live(plan: MonthPlan, folder: Path, say: Callable[[str], None]) -> Life:
    rng, broker, journal, timers = random.Random(plan.seed), Broker(), Journal(), timers_for(plan.interval_s)
    (folder / "boot-1").mkdir()
    box = Box(broker, folder, journal, timers, plan.interval_s, plan.sources, plan.ring_bytes, rng)
    gateway = Gateway(broker, folder / "store.db", timers)
    story = Story(plan.day_s, rng, box, gateway, broker, journal)
    await gateway.start()
    story.power_on()
    fullest_pct = await _act(story, plan, say)
    journal.closed = True
    await _drain(box)
    _spoil(plan.sabotage, gateway.path)
    total = await totals(gateway.store, WALL_MS + int(box.loop_s() * 1000))
    assert box.outbox is not None
    status = box.outbox.status()
    await box.cut_power()
    await gateway.kill()
    return Life(story, journal, compare(gateway.path, journal), total, status, fullest_pct)


async def _act(story: Story, plan: MonthPlan, say: Callable[[str], None]) -> float:
    """Let the days pass; how full the ring was at the fullest, in percent."""
    box, fullest, now_s = story.box, 0.0, 0.0
    days = [(day * plan.day_s, "", None) for day in range(1, DAYS + 1)]
    for at_s, what, act in sorted([*story.plan(), *days], key=lambda each: each[0]):
        await asyncio.sleep(max(0.0, at_s - box.loop_s()))
        now_s = box.loop_s()
        box.trouble()
        story.gateway.trouble()
        if box.outbox is not None:
            fullest = max(fullest, 100 * box.outbox.status().used_bytes / plan.ring_bytes)
        if act is not None:
            say(f"day {now_s / plan.day_s:.2f}: {what}")
            await act()
        if what.startswith("no link for five") and plan.sabotage in ("forget", "all"):
            asyncio.get_running_loop().call_later(plan.day_s, _forget, box)
    return fullest


def _forget(box: Box) -> None:
    """Sabotage: a few open batches leave the outbox, and nobody is told."""
    with closing(sqlite3.connect(box.path, timeout=10)) as db, db:
        some = "SELECT ord FROM batch WHERE state = 0 AND stream = 'env' ORDER BY ord DESC LIMIT ?"
        orders = db.execute(some, (_SABOTAGED_ROWS,)).fetchall()
        db.executemany("DELETE FROM body WHERE ord = ?", orders)
        db.executemany("DELETE FROM batch WHERE ord = ?", orders)


async def _drain(box: Box) -> None:
    """Until everything is acknowledged and every count of the ledger is told. Raises RuntimeError after hours."""
    for _ in range(_DRAIN_S):
        await asyncio.sleep(1)
        box.trouble()
        assert box.outbox is not None
        if not box.outbox.status().open_batches and not _untold(box.path):
            return
    raise RuntimeError("the box is not drained hours after its sensors were switched off")


def _untold(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM tally WHERE changed > 0").fetchone()[0])


def _spoil(sabotage: str, path: Path) -> None:
    """Sabotage of the store: one point each."""
    with closing(sqlite3.connect(path, timeout=10)) as db, db:
        find = "SELECT tab, col FROM field WHERE measurement = 'env' AND name = ?"
        table, mean = db.execute(find, ("temp_c_mean",)).fetchone() or ("p_env", "temp_c_mean")
        _, value = db.execute(find, ("temp_c",)).fetchone()
        some = f"SELECT series_id, date_ms FROM {table} WHERE {value} IS NOT NULL ORDER BY date_ms DESC LIMIT 1 OFFSET"
        one = f"(series_id, date_ms) IN ({some} ?)"
        if sabotage in ("alter-mean", "all"):
            db.execute(f"UPDATE {table} SET {mean} = {mean} + 0.1 WHERE {mean} IS NOT NULL")
        if sabotage in ("lose", "all"):
            db.execute(f"DELETE FROM {table} WHERE {one}", (9,))
        if sabotage in ("alter-date", "all"):
            db.execute(f"UPDATE {table} SET date_ms = date_ms - 60001 WHERE {one}", (19,))
