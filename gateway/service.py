"""The gateway put together from its settings; the only module of the gateway that knows the concrete classes."""

import asyncio
import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import uvicorn

from gateway.console import ledger_points
from gateway.console.app import create_app
from gateway.console.facts import Access, Options
from gateway.console.history import weight
from gateway.console.live import Live
from gateway.household import Household
from gateway.incidents.canary import CANARY
from gateway.metrics import STUCK_S
from gateway.notify import phrases
from gateway.pipeline import Pipeline
from gateway.ports import Store
from gateway.rollups import Rollups
from gateway.settings import ConsoleSettings, GatewaySettings, IncidentSettings
from gateway.stores import folder_of, open_settings_store
from gateway.subscription import MqttSubscription
from gateway.watched import Watched, watched_of
from kewang.runtime.clock import SystemClock
from kewang.runtime.settings import SettingsError, secret
from kewang.ui.words import Language
from kewang.web.server import Server, config_of
from kewang.wire.placement import Placement
from kewang.wire.session import key_of
from kewang.wire.state import State

log = logging.getLogger(__name__)

TWO_BOXES_MS: Final = 3_600_000
"""A device is marked for so long after two boxes used its identity."""


class LiveFacts:
    """gateway.console.facts.Facts of a running pipeline."""

    def __init__(self, gateway: str, pipeline: Pipeline, watched: Watched | None = None) -> None:
        self.gateway, self._watched = gateway, watched
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

    def heard_ms(self) -> Mapping[str, int]:
        """On this server's clock."""
        devices = self._pipeline.registry.devices
        return {name: self._wall_ms(device.heard_ms) for name, device in devices.items() if device.heard_ms is not None}

    def birth(self, device: str) -> State | None:
        known = self._pipeline.registry.devices.get(device)
        return known.birth if known else None

    def floods(self) -> list[dict[str, int | str]]:
        found = self._pipeline.intake.floods.now(self._pipeline.clock.mono_ms())
        return [
            {"device": one.device, "since_ms": self._wall_ms(one.since_ms), "dropped": one.dropped} for one in found
        ]

    def _wall_ms(self, mono_ms: int) -> int:
        clock = self._pipeline.clock
        return clock.wall_ms() - (clock.mono_ms() - mono_ms)

    def store_trouble(self) -> str | None:
        return self._pipeline.health.failing

    def open_incidents(self) -> int | None:
        return None if self._watched is None else self._watched.open_incidents()

    def worst_incident(self, language: Language) -> str:
        open_ = self._watched.watching.open.values() if self._watched else ()
        worst = max((one for one in open_ if one.kind != CANARY), key=weight, default=None)
        return phrases.headline(worst, self._watched.kinds, language) if self._watched and worst else ""

    def doubt(self) -> str | None:
        if self._watched is None:
            return "another gateway watches"
        return self._watched.doubt(self.broker_connected(), self.store_trouble(), self.stuck())

    def worked_on(self) -> frozenset[str]:
        return frozenset() if self._watched is None else self._watched.works.devices()

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
    store, clock = open_settings_store(settings.store), SystemClock(settings.clock)
    watched = watched_of(settings.incidents, clock, settings.timers.faster) if settings.incidents else None
    if watched and settings.incidents:
        watched.household = _household(settings, settings.incidents, clock)
    pipeline = pipeline_class(
        settings.id,
        MqttSubscription(settings.broker, settings.id, settings.shards, timers.keepalive_s),
        store,
        clock,
        timers=timers,
        lives=settings.store.lives(),
        credit=settings.credit,
        queue_batches=settings.queue_batches,
        writers=settings.store.writers,
        write_rows=settings.store.write_rows,
        onlooker=watched.watching if watched else None,
    )
    facts = LiveFacts(settings.id, pipeline, watched)
    console, live = _console(settings, facts, pipeline, store, stopping, watched)
    listening = socket.create_server((settings.console.host, settings.console.port))
    log.info("live page: %s", page_address(listening))
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(console.serve([listening]), name="console")
            watching = watched.start(group, pipeline, settings.shards, facts.doubt) if watched else []
            watching += _derived(group, settings, pipeline, live)
            await pipeline.run(stopping)
            for task in watching:
                task.cancel()
            console.should_exit = True
            await serving
    finally:
        await store.close()
        if watched:
            watched.close()


def _household(settings: GatewaySettings, incidents: IncidentSettings, clock: SystemClock) -> Household:
    database = folder_of(settings.store.url)
    certificate = settings.broker.tls.cert_file if settings.broker.tls else None
    return Household(incidents.own, [incidents.folder, *([database] if database else [])], certificate, clock)


def _derived(
    group: asyncio.TaskGroup, settings: GatewaySettings, pipeline: Pipeline, live: Live
) -> list[asyncio.Task[None]]:
    """Tasks that make for the boards what follows from the readings."""
    work = {"rollups": _rollups(settings, pipeline), "ledger": _ledger(settings, pipeline, live)}
    return [group.create_task(each, name=name) for name, each in work.items()]


async def _rollups(settings: GatewaySettings, pipeline: Pipeline) -> None:
    """Roll-ups, once the database is known to be there; nothing if another gateway makes them."""
    if not settings.makes_rollups():
        return
    await pipeline.rewinds.known.wait()
    zone = ZoneInfo(settings.console.time_zone)
    await Rollups(pipeline.store, pipeline.clock, zone, settings.store.raw_days).run()


async def _ledger(settings: GatewaySettings, pipeline: Pipeline, live: Live) -> None:
    """The ledger's points, by the gateway that makes the roll-ups."""
    if settings.makes_rollups():
        await pipeline.rewinds.known.wait()
        await ledger_points.keep_writing(live, pipeline.store, settings.id, pipeline.clock)


def page_address(listening: socket.socket) -> str:
    """URL of the page that is served on `listening`."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _access(shown: ConsoleSettings) -> Access:
    """Raises SettingsError for a secret that can't be used."""
    token, key = shown.service_token_file, shown.session_key_file
    return Access(secret(token) if token else None, _session_key(key) if key else None, shown.login_url)


def _session_key(file: Path) -> bytes:
    try:
        return key_of(secret(file))
    except ValueError as error:
        raise SettingsError(f"console.session_key_file: {file}: {error}: copy session.key of provisioning") from None


def _console(
    settings: GatewaySettings,
    facts: LiveFacts,
    pipeline: Pipeline,
    store: Store,
    stopping: asyncio.Event,
    watched: Watched | None,
) -> tuple[uvicorn.Server, Live]:
    shown = settings.console
    options = Options(shown.language, ZoneInfo(shown.time_zone), silent_s=shown.silent_s, stale_s=shown.stale_s)
    app = create_app(store, facts, pipeline.metrics, pipeline.clock, options, stopping, _access(shown), watched)
    return Server(config_of(app)), app.state.live
