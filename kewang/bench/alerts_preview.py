"""Whether `kewang notify preview` agrees with what was sent: a month lived, then gone through once more."""

import asyncio
import dataclasses
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kewang.bench.alerts_drive import START_S
from kewang.bench.alerts_month import Month, notify_settings
from kewang.bench.alerts_world import World, WorldPlan, world_of

if TYPE_CHECKING:
    from gateway.notify.sent import Sent

_AFTER_S: Final = 2 * 86_400.0
_EXAMPLES: Final = 5


def preview_of(plan: WorldPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one city. `say` is told of what differs."""
    world = world_of(plan)
    with tempfile.TemporaryDirectory() as folder:
        figures = lived(world, Path(folder), say)
    say(f"preview: {figures}")
    return figures


def lived(world: World, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The same for a world, whose files stay in `folder`."""
    month = Month(world, folder)
    asyncio.run(month.live())
    sizes = {"turns": 0, "turns_bytes": 0, "restarts": month.restarts, "incidents": month.incidents}
    with closing(sqlite3.connect(folder / "incidents.db")) as db:
        sizes["turns"], sizes["turns_bytes"] = db.execute("SELECT count(*), sum(length(content)) FROM turn").fetchone()
    return {"devices": world.plan.devices, "days": world.plan.days} | sizes | agreement(folder, world.end_s, say)


def agreement(folder: Path, end_s: float, say: Callable[[str], None]) -> dict[str, Any]:
    """What was sent from these files beside what the preview says: key, address, times, subject and text of each."""
    began_s = time.perf_counter()
    span = START_S, START_S + end_s + _AFTER_S
    would = {one.address: one for one in _would(folder, span)}
    took_s = time.perf_counter() - began_s
    was = {one.address: one for one in _was(folder, span)}
    different = [key for key in was.keys() & would.keys() if _plain(was[key]) != _plain(would[key])]
    for sign, keys in (("-", was.keys() - would.keys()), ("+", would.keys() - was.keys()), ("~", different)):
        for key in sorted(keys)[:_EXAMPLES]:
            say(f"  {sign} {key}: {would.get(key) or was[key]}")
    differs = {"missing": len(was.keys() - would.keys()), "extra": len(would.keys() - was.keys())}
    same = len(was) - differs["missing"] - len(different)
    undelivered = sum(one.state != "delivered" for one in was.values())
    told = {"messages": len(was), "same": same, **differs, "different": len(different), "undelivered": undelivered}
    kinds = Counter(one.kind for one in was.values())
    return told | {
        "kinds": dict(kinds),
        "held": sum(one.due_s > one.created_s for one in was.values()),
        "preview_s": round(took_s, 1),
    }


def preview_shortfalls(figures: Mapping[str, Any]) -> list[str]:
    """A sentence for what does not agree, or does not prove anything."""
    found = [
        f"preview: {figures[key]} {key}" for key in ("missing", "extra", "different", "undelivered") if figures[key]
    ]
    return found + [f"preview: no {key}" for key in ("messages", "restarts", "held") if not figures[key]]


def _would(folder: Path, span: tuple[float, float]) -> "list[Sent]":
    from gateway.chronicle import Chronicle
    from gateway.incidents.rules import load_rules
    from gateway.preview import preview
    from gateway.watched import CHRONICLE_FILE, words_of

    chronicle = Chronicle(folder / CHRONICLE_FILE, read_only=True)
    with closing(chronicle), tempfile.TemporaryDirectory() as outbox:
        return preview(chronicle, notify_settings(), words_of(load_rules()), Path(outbox), span).messages


def _was(folder: Path, span: tuple[float, float]) -> "list[Sent]":
    from gateway.notify.outbox_file import SCHEMA_VERSION, open_to_read
    from gateway.notify.sent import sent
    from gateway.watched import OUTBOX_FILE

    with closing(open_to_read(folder / OUTBOX_FILE, SCHEMA_VERSION)) as db:
        return list(sent(db, *span))


def _plain(one: "Sent") -> "Sent":
    return dataclasses.replace(one, state="waiting")
