"""The agent put together from its settings; the only module of the edge that knows the concrete classes."""

import asyncio
import random

from edge.agent import Agent
from edge.commands import Commands, Memory
from edge.delivery import Delivery
from edge.outbox import SqliteOutbox
from edge.settings import EdgeSettings, build_sources
from edge.status import answer, socket_path
from edge.uplink import MqttUplink
from kewang import __version__
from kewang.runtime.clock import boot_id


async def serve(settings: EdgeSettings, stopping: asyncio.Event) -> None:
    """Run the agent until `stopping`. Raises OutboxBusy, SettingsError, OSError before it starts."""
    timers = settings.protocol_times()
    clock = settings.system_clock()
    settings.outbox.path.parent.mkdir(parents=True, exist_ok=True)
    outbox = SqliteOutbox(settings.outbox.path, settings.outbox.budget_bytes, boot_id(), timers=timers)
    try:
        sources = build_sources(
            settings,
            outbox_bytes=lambda: float(settings.outbox.path.stat().st_size),
            sources_failing=lambda: float(agent.failing),
        )
        agent = Agent(
            sources,
            Delivery(outbox, clock, timers, random.Random()),
            MqttUplink(settings.broker, settings.device, timers.keepalive_s),
            clock,
            timers=timers,
            commands=Commands(sources, Memory(settings.outbox.path.with_suffix(".commands.json"))),
            flush_s=settings.outbox.flush_s,
            flush_rows=settings.outbox.flush_rows,
            firmware=f"kewang {__version__}",
        )
        async with asyncio.TaskGroup() as group:
            status = group.create_task(answer(agent, settings.device, socket_path(settings.outbox.path)), name="status")
            await agent.run(stopping)
            status.cancel()
    finally:
        outbox.close()
