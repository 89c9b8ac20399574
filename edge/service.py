"""The agent put together from its settings; the only module of the edge that knows the concrete classes."""

import asyncio
import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.agent import Agent
from edge.commands import Commands, Memory
from edge.delivery import Delivery
from edge.files import journal_s
from edge.outbox import SqliteOutbox
from edge.ports import Source
from edge.power import BatteryPace
from edge.settings import EdgeSettings, Start, build_sources, read_settings, read_start
from edge.status import answer, socket_path
from edge.upgrade.guard import TRIAL, Outcome, guard
from edge.upkeep import Upkeep
from edge.uplink import MqttUplink
from edge.watchdog import Watchdog, notify, stuck
from kewang import __version__
from kewang.runtime.clock import boot_id
from kewang.wire.state import Why
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)

SPARING_JOURNAL_S: Final = 600.0
"""A journal that waits for at least so long costs next to nothing."""


async def serve(
    settings: EdgeSettings,
    stopping: asyncio.Event,
    upkeep: Upkeep | None = None,
    why: Why | None = None,
    watchdog: Watchdog | None = None,
) -> None:
    """Run the agent until `stopping`, or until `upkeep` finds that the office wants other sources.

    `why`: what made this start. Raises OutboxBusy, SettingsError, OSError before it starts.
    """
    timers = settings.protocol_times()
    clock = settings.system_clock()
    rhythm = settings.outbox.rhythm
    outbox = _outbox(settings, timers)
    others = [upkeep] if upkeep else []
    dated = clock.synchronised if settings.enrolment else lambda: True
    try:
        sources = build_sources(
            settings,
            outbox_bytes=lambda: float(settings.outbox.path.stat().st_size),
            sources_failing=lambda: float(agent.failing),
        )
        agent = Agent(
            sources,
            Delivery(outbox, clock, timers, random.Random()),
            MqttUplink(settings.broker, settings.device, timers.keepalive_s, dated),
            clock,
            timers=timers,
            commands=Commands([*sources, *others], Memory(settings.outbox.path.with_suffix(".commands.json"))),
            pace=BatteryPace(settings.power) if settings.power else None,
            flush_s=rhythm.flush_s,
            flush_rows=rhythm.flush_rows,
            firmware=f"kewang {__version__}",
            why=why,
        )
        _say_start(settings, sources, agent.delivery)
        if watchdog:
            watchdog.stuck = lambda: stuck(agent)
        async with asyncio.TaskGroup() as group:
            status = group.create_task(
                answer(agent, settings.device, socket_path(settings.outbox.path), settings.outbox.profile),
                name="status",
            )
            keeping = group.create_task(upkeep.run(sources, stopping), name="upkeep") if upkeep else None
            await agent.run(upkeep.leaving if upkeep else stopping)
            status.cancel()
            if keeping:
                keeping.cancel()
    finally:
        if watchdog:
            watchdog.stuck = str
        outbox.close()


def _say_start(settings: EdgeSettings, sources: Sequence[Source], delivery: Delivery) -> None:
    """A start that is well is in the log too, and why readings of a box without time do not come."""
    names = ", ".join(source.name for source in sources)
    log.info("device %s reads %s; profile %s", settings.device, names, settings.outbox.profile)
    if not delivery.dated and not settings.system_clock().synchronised():
        log.warning("clock not synchronised: readings wait for network time or the gateway's answer")


def _outbox(settings: EdgeSettings, timers: Timers) -> SqliteOutbox:
    folder, sparing = settings.outbox.path.parent, settings.outbox.rhythm.sparing
    outbox = SqliteOutbox(
        settings.outbox.path,
        settings.outbox.budget_bytes,
        boot_id(),
        timers=timers,
        packs=sparing,
        # Who guards a trial reads along.
        alone=sparing and TRIAL not in os.environ,
    )
    waits_s = journal_s(folder) if sparing else None
    if waits_s is not None and waits_s < SPARING_JOURNAL_S:
        log.warning(
            "%s is on ext4 that writes its journal every %g s, 12 KB after each commit: mount it with commit=3600 "
            "(docs/en/raspberry-pi.md)",
            folder,
            waits_s,
        )
    return outbox


async def run(file: Path, stopping: asyncio.Event) -> None:
    """Serve by the settings in `file` until `stopping`: enrolled first, and again whenever the office wants it.

    Raises SettingsError and what `serve` raises.
    """
    # Readiness is that the program has begun: to enrol, or to prove a new version, may take as long as it takes.
    notify("READY=1")
    start, watchdog = read_start(file), Watchdog()
    feeding = asyncio.create_task(watchdog.feed(), name="watchdog")
    try:
        if await guard(file, start.outbox.path, stopping) is Outcome.END:
            return
        await _serve_on(file, start, stopping, watchdog)
    finally:
        feeding.cancel()


async def _serve_on(file: Path, start: Start, stopping: asyncio.Event, watchdog: Watchdog) -> None:
    upkeep = Upkeep(file, start.enrolment.folder) if start.enrolment else None
    if upkeep and not await upkeep.enrol_first(stopping):
        return
    updated: Why | None = "update" if TRIAL in os.environ else None
    await serve(read_settings(file), stopping, upkeep, updated, watchdog)
    while upkeep and upkeep.changed and not stopping.is_set():
        upkeep.begin_anew()
        await serve(read_settings(file), stopping, upkeep, "config", watchdog)
