"""The gateway put together from its settings; the only module of the gateway that knows the concrete classes."""

import asyncio
import logging
import socket
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn

from gateway.assembly import pipeline_of
from gateway.console import ledger_points
from gateway.console.app import create_app
from gateway.console.facts import Access, Options
from gateway.console.live import Live
from gateway.crew import Crew
from gateway.household import Household
from gateway.listening import Listening
from gateway.live_facts import LiveFacts
from gateway.pipeline import Pipeline
from gateway.ports import Store
from gateway.rollups import Rollups
from gateway.settings import ConsoleSettings, GatewaySettings, IncidentSettings
from gateway.stores import folder_of, open_settings_store
from gateway.subscription import CHANNELS, HEARTBEATS
from gateway.watched import Watched, watched_of
from kewang.runtime.clock import SystemClock
from kewang.runtime.settings import SettingsError, secret
from kewang.web.server import Server, config_of
from kewang.wire.session import key_of

log = logging.getLogger(__name__)


async def serve(settings: GatewaySettings, stopping: asyncio.Event, pipeline_class: type[Pipeline] = Pipeline) -> None:
    """Run pipeline and console until `stopping`. Raises SettingsError or OSError before it starts.

    `pipeline_class`: the bench runs a spoilt one, to see that it notices.
    """
    store, clock = open_settings_store(settings.store), SystemClock(settings.clock)
    watched = _watched(settings, clock)
    crew = Crew(settings) if settings.ingest_processes > 1 else None
    pipeline = _pipeline(settings, store, clock, watched, crew, pipeline_class)
    facts = LiveFacts(settings.id, pipeline, watched, crew)
    console, live = _console(settings, facts, pipeline, store, stopping, watched)
    listening = socket.create_server((settings.console.host, settings.console.port))
    log.info("live page: %s", page_address(listening))
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(console.serve([listening]), name="console")
            others = watched.start(group, pipeline, settings.shards, facts.doubt) if watched else []
            others += _derived(group, settings, pipeline, live)
            others += [group.create_task(crew.run(), name="crew")] if crew else []
            await pipeline.run(stopping)
            for task in others:
                task.cancel()
            console.should_exit = True
            await serving
    finally:
        await store.close()
        if watched:
            watched.close()


def _watched(settings: GatewaySettings, clock: SystemClock) -> Watched | None:
    if settings.incidents is None:
        return None
    watched = watched_of(settings.incidents, clock, settings.timers.faster)
    watched.household = _household(settings, settings.incidents, clock)
    return watched


def _pipeline(
    settings: GatewaySettings,
    store: Store,
    clock: SystemClock,
    watched: Watched | None,
    crew: Crew | None,
    kind: type[Pipeline],
) -> Pipeline:
    """Of this process: it stores what it hears, or `crew` does."""
    onlooker = watched.watching if watched else None
    if crew is None:
        return pipeline_of(settings, store, clock, onlooker, kind)
    pipeline = pipeline_of(settings, store, clock, onlooker, Listening, CHANNELS if watched else HEARTBEATS)
    pipeline.metrics.others = crew.texts
    if watched:
        watched.processes = crew.trouble
    return pipeline


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
