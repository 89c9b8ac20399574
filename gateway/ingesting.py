"""One ingest process of several: a pipeline for some of the shards, no watch and no page. Started by gateway.crew."""

import asyncio
import os
import sys
from typing import Final

from gateway.assembly import pipeline_of
from gateway.crew import Told
from gateway.metrics import STUCK_S
from gateway.pipeline import Pipeline
from gateway.settings import GatewaySettings
from gateway.stores import open_settings_store
from kewang.runtime.clock import SystemClock
from kewang.runtime.program import collect_rarely, run_until_signalled, set_up_logging

TELL_S: Final = 1.0


async def ingest(settings: GatewaySettings, stopping: asyncio.Event) -> None:
    """Take and store until `stopping`, or until nobody holds our standard input any more."""
    store, clock = open_settings_store(settings.store), SystemClock(settings.clock)
    pipeline = pipeline_of(settings, store, clock)
    try:
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(_watch_input(stopping), name="input"),
                group.create_task(_tell(pipeline), name="tell"),
            ]
            await pipeline.run(stopping)
            for task in others:
                task.cancel()
    finally:
        await store.close()


def told(pipeline: Pipeline) -> Told:
    """How `pipeline` is now."""
    now_ms, wall_ms = pipeline.clock.mono_ms(), pipeline.clock.wall_ms()
    floods = pipeline.intake.floods.now(now_ms)
    return Told(
        broker_connected=pipeline.subscription.connected,
        rewinds_read=pipeline.rewinds.known.is_set(),
        devices_ahead=pipeline.acks.devices_ahead,
        store_trouble=pipeline.health.failing,
        queue=len(pipeline.queue),
        readings_per_s=pipeline.metrics.readings_per_s(),
        floods=[
            {"device": one.device, "since_ms": wall_ms - (now_ms - one.since_ms), "dropped": one.dropped}
            for one in floods
        ],
        stuck=pipeline.metrics.stuck(STUCK_S),
        metrics=pipeline.metrics.text().decode(),
    )


async def _watch_input(stopping: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", 0))
    await reader.read()
    stopping.set()


async def _tell(pipeline: Pipeline) -> None:
    """Once a second; nothing while nobody reads, so that we wait for nobody."""
    loop = asyncio.get_running_loop()
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(1), "wb", 0))
    while True:
        if not out.get_write_buffer_size():
            out.write(told(pipeline).encode())
        await asyncio.sleep(TELL_S)


def main() -> int:
    """Until SIGTERM, or until whoever started us is gone."""
    settings = GatewaySettings.model_validate_json(_line())
    set_up_logging(who=settings.id)
    collect_rarely()
    return run_until_signalled(lambda stopping: ingest(settings, stopping))


def _line() -> bytes:
    """The first line of standard input, and no byte more."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
