"""The gateway put together from its settings; the only module of the gateway that knows the concrete classes."""

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

import uvicorn

from gateway.console.app import create_app
from gateway.console.facts import Options
from gateway.pipeline import Pipeline
from gateway.ports import Store
from gateway.settings import GatewaySettings
from gateway.stores import open_settings_store
from gateway.subscription import MqttSubscription
from kewang.runtime.clock import SystemClock
from kewang.web.server import Server, config_of
from kewang.wire.placement import Placement

log = logging.getLogger(__name__)

STUCK_S: Final = 45.0
"""A loop that has not gone round for so long is stuck."""
TWO_BOXES_MS: Final = 3_600_000
"""A device is marked for so long after two boxes used its identity."""


class LiveFacts:
    """gateway.console.facts.Facts of a running pipeline."""

    def __init__(self, gateway: str, pipeline: Pipeline) -> None:
        self.gateway = gateway
        self._pipeline = pipeline

    def placements(self) -> Mapping[str, Placement]:
        """Of every device that has one."""
        devices = self._pipeline.registry.devices
        return {name: device.placement for name, device in devices.items() if device.placement}

    def broker_connected(self) -> bool:
        return self._pipeline.subscription.connected

    def rewinds_read(self) -> bool:
        return self._pipeline.rewinds.known.is_set()

    def rewind(self) -> int:
        return self._pipeline.acks.rewind

    def clock_synchronised(self) -> bool:
        return self._pipeline.clock.synchronised()

    def devices_ahead(self) -> int:
        return self._pipeline.acks.devices_ahead

    def two_boxes(self) -> set[str]:
        """Within the last hour."""
        return self._pipeline.registry.two_boxes(self._pipeline.clock.mono_ms() - TWO_BOXES_MS)

    def store_trouble(self) -> str | None:
        return self._pipeline.health.failing

    def queue(self) -> int:
        return len(self._pipeline.queue)

    def readings_per_s(self) -> float:
        return self._pipeline.metrics.readings_per_s()

    def stuck(self) -> list[str]:
        return self._pipeline.metrics.stuck(STUCK_S)


async def serve(settings: GatewaySettings, stopping: asyncio.Event, pipeline_class: type[Pipeline] = Pipeline) -> None:
    """Run pipeline and console until `stopping`. Raises SettingsError or OSError before it starts.

    `pipeline_class`: the bench runs a spoilt one, to see that it notices.
    """
    timers = settings.times()
    store = open_settings_store(settings.store)
    pipeline = pipeline_class(
        settings.id,
        MqttSubscription(settings.broker, settings.id, settings.shards, timers.keepalive_s),
        store,
        SystemClock(settings.clock),
        timers=timers,
        raw_days=settings.store.raw_days,
        credit=settings.credit,
        queue_batches=settings.queue_batches,
        writers=settings.store.writers,
        write_rows=settings.store.write_rows,
    )
    console = _console(settings, pipeline, store, stopping)
    listening = socket.create_server((settings.console.host, settings.console.port))
    log.info("live page: %s", page_address(listening))
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(console.serve([listening]), name="console")
            await pipeline.run(stopping)
            console.should_exit = True
            await serving
    finally:
        await store.close()


def page_address(listening: socket.socket) -> str:
    """URL of the page that is served on `listening`."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _console(settings: GatewaySettings, pipeline: Pipeline, store: Store, stopping: asyncio.Event) -> uvicorn.Server:
    facts = LiveFacts(settings.id, pipeline)
    shown = settings.console
    options = Options(shown.language, ZoneInfo(shown.time_zone), silent_s=shown.silent_s, stale_s=shown.stale_s)
    app = create_app(store, facts, pipeline.metrics, pipeline.clock, options, stopping)
    return Server(config_of(app))
