"""The watch put together from its settings: what it knew before the restart, its files, its channels."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from gateway import standing
from gateway.assigning import Assigning
from gateway.canary import CanaryLook
from gateway.chronicle import Chronicle
from gateway.delivery_figures import DeliveryFigures
from gateway.found import Query
from gateway.household import Household
from gateway.incidents.canary import CANARY, Canary
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.facts import Step
from gateway.incidents.hearing import PresenceRules
from gateway.incidents.maintenance import Window
from gateway.incidents.model import Incident
from gateway.incidents.rules import Rule, load_rules
from gateway.incidents.watch import Watch, WatchRules
from gateway.notify.channels import channels
from gateway.notify.delivery import Delivery
from gateway.notify.notifier import KEPT, Notifier
from gateway.notify.office import Office
from gateway.notify.outbox import Outbox
from gateway.notify.outbox_file import OutboxRefused
from gateway.notify.phrases import place
from gateway.notify.routes import NotifySettings, read_notify_settings
from gateway.notify.texts import Surroundings, Texts
from gateway.ping import Ping
from gateway.pipeline import Pipeline
from gateway.ports import Clock
from gateway.settings import CanarySettings, IncidentSettings
from gateway.steady import Steady
from gateway.watching import LOOP_S, TOLD, WATCH, Watching
from gateway.works import Works
from kewang.runtime.settings import SettingsError, secret
from kewang.ui.words import Language
from kewang.wire import topics
from kewang.wire.placement import Place
from kewang.wire.roster import Roster
from kewang.wire.state import GatewayState

log = logging.getLogger(__name__)

R = TypeVar("R", PresenceRules, EngineRules)
OUTBOX_FILE: Final = "gateway.db"
CHRONICLE_FILE: Final = "incidents.db"


@dataclass(slots=True)
class Watched:
    """The watch of one gateway with its files. Close it after its tasks have ended."""

    watching: Watching
    chronicle: Chronicle
    outbox: Outbox
    delivery: Delivery
    kinds: Mapping[str, Mapping[Language, str]]
    """Words for the kinds of rules."""
    ping: Ping | None = None
    household: Household | None = None
    office: Office | None = None
    loop_s: float = LOOP_S
    tasks: Assigning | None = None
    processes: Callable[[], str | None] = lambda: None
    """Why one of our processes is not to be relied on."""

    def found(self, query: Query, offset: int, limit: int) -> tuple[list[Incident], int]:
        """Those looked for, after `offset` of them, and how many there are; open ones first, then the newest."""
        return self.chronicle.found(query, offset, limit)

    def open_incidents(self) -> int:
        """How many are not over; a test is none."""
        return sum(one.kind != CANARY for one in self.watching.open.values())

    def one(self, number: int) -> tuple[Incident, list[Step]] | None:
        """One with its timeline."""
        return self.chronicle.one(number)

    @property
    def works(self) -> Works:
        """Maintenance."""
        return self.watching.works

    def windows(self, limit: int) -> list[Window]:
        """Of maintenance, the newest, as they were written down."""
        return self.chronicle.windows(limit)

    def acknowledge(self, number: int, by: str, note: str) -> bool:
        """Somebody takes it on; False if it is not open."""
        return self.watching.acknowledge(number, by, note)

    def note(self, number: int, by: str, note: str) -> bool:
        """Somebody writes something down; False if there is no such incident, or it is over for too long."""
        return self.watching.note(number, by, note)

    def start(
        self, group: asyncio.TaskGroup, pipeline: Pipeline, shards: str, doubt: Callable[[], str | None]
    ) -> list[asyncio.Task[None]]:
        """Its tasks, which run until they are cancelled. `doubt`: see the method, of all of us as it is now."""
        gateway, said = pipeline.acks.gateway, GatewayState(st="on", shards=shards).encode()
        subscription = pipeline.subscription

        log.info("outages are watched for; notices go by: %s", ", ".join(self.delivery.channels) or "nothing")
        now_s = self.watching.now_s
        figures = DeliveryFigures(gateway, self.outbox, self.delivery, pipeline.clock, now_s)

        async def loop() -> None:
            await subscription.publish(topics.gateway(gateway), said, retain=True)

        work = {
            "watch": self.watching.run(lambda: subscription.connected, lambda: self._troubles(pipeline)),
            "watch loop": self.watching.keep_looping(loop, self.loop_s),
            "watch points": self.watching.keep_writing(pipeline.store),
            "standing": standing.keep_writing(pipeline.store, lambda: self.watching.standing(self.kinds)),
            "deliver": self.delivery.run(),
            "delivery figures": figures.keep_telling(
                pipeline.metrics, self.watching.points.extend, lambda: (self.open_incidents(), doubt() is None)
            ),
        }
        if self.watching.canary is not None:
            work["canary"] = CanaryLook(self.watching.canary, self.outbox, now_s).run()
        if self.ping is not None:
            work["ping"] = self.ping.run(doubt)
        if self.household is not None:
            work["household"] = self.household.run()
        if self.office is not None:
            self.office.count = pipeline.metrics.office
            self.office.then = self.tasks.follow if self.tasks else self.office.then
            work["office"] = self.office.run()
        return [group.create_task(each, name=name) for name, each in work.items()]

    def doubt(self, connected: bool, store_trouble: str | None, stuck: Sequence[str]) -> str | None:
        """Why it is not proven that all of us is well just now; None: it is. `stuck`: loops of the pipeline."""
        if not connected:
            return "no connection to the broker"
        if stuck:
            return f"stuck: {', '.join(stuck)}"
        return store_trouble or self._away() or self.watching.doubt()

    def _troubles(self, pipeline: Pipeline) -> dict[str, str | None]:
        """What may be wrong with ourselves, by kind."""
        canary = self.watching.canary
        return {
            "database": pipeline.health.failing,
            "notify": self._away(),
            "ping": self.ping.trouble if self.ping else None,
            "office": self.office.trouble() if self.office else None,
            "canary": canary.trouble(self.watching.now_s()) if canary else None,
            "process": self.processes(),
            **(self.household.troubles if self.household else {}),
        }

    def _away(self) -> str | None:
        """A channel by which nothing gets through, and why."""
        return next((f"{name}: {why}" for name, why in self.delivery.troubles.items()), None)

    def close(self) -> None:
        """Close the files."""
        self.outbox.close()
        self.chronicle.close()


def watched_of(settings: IncidentSettings, clock: Clock, faster: float = 1.0) -> Watched:
    """The watch that the settings describe. `faster` divides its times, as those of the protocol, for tests.

    Raises SettingsError for files that can't be used.
    """
    conditions, notify = files_of(settings)
    ping = Ping(settings.ping, Steady(clock).now_s) if settings.ping else None
    tested = settings.canary.device if settings.canary else ""
    presence, engine = quicker(PresenceRules(), faster), quicker(EngineRules(canary=tested), faster)
    rules = WatchRules(presence=presence, engine=engine, conditions=conditions)
    try:
        watched = open_watched(settings.folder, rules, notify, clock)
    except (OutboxRefused, OSError, sqlite3.Error) as error:
        raise SettingsError(f"incidents.folder: {error}") from None
    watched.ping = ping
    watched.loop_s /= faster
    if settings.canary:
        watched.watching.canary = canary_of(settings.canary, watched, faster)
    return watched


def canary_of(settings: CanarySettings, watched: Watched, faster: float = 1.0) -> Canary:
    """The daily test, as it was when it was kept last."""
    within_s, every_s = settings.within_min * 60 / faster, settings.every_h * 3600 / faster
    now_s = watched.watching.now_s()
    return Canary(settings.device, within_s, every_s, now_s).restored(watched.outbox.kept(CANARY), now_s)


def files_of(settings: IncidentSettings) -> tuple[tuple[Rule, ...], NotifySettings]:
    """Rules and who is told, with every secret that is named. Raises SettingsError."""
    notify = read_notify_settings(settings.notify) if settings.notify else NotifySettings()
    channels(notify.channels)
    if notify.office:
        secret(notify.office.token_file)
    return load_rules(settings.rules), notify


def quicker(rules: R, factor: float) -> R:
    """The same rules with all times divided."""
    return rules.model_copy(
        update={name: value / factor for name, value in rules.model_dump().items() if name.endswith("_s")}
    )


def open_watched(folder: Path, rules: WatchRules, notify: NotifySettings, clock: Clock) -> Watched:
    """The watch as it was when it was kept last. Raises OutboxRefused, sqlite3.Error, OSError, SettingsError."""
    steady, ways = Steady(clock), channels(notify.channels)
    outbox = Outbox(folder / OUTBOX_FILE)
    chronicle = Chronicle(folder / CHRONICLE_FILE)
    if (told := outbox.kept(TOLD)) is not None:
        chronicle.untold(*told)
    watch, notifier = _knowing(outbox, rules, chronicle, notify, steady.now_s())
    kinds = words_of(rules.conditions)
    office = Office(notify.office, outbox, steady.now_s) if notify.office else None

    def now_around(places: Mapping[str, Place]) -> Surroundings:
        return around(places, kinds, office.roster if office else None, steady.ahead_s)

    watching = Watching(watch, notifier, chronicle, steady, now_around, told)
    delivery = Delivery(outbox, ways, notify.delivery, steady.now_s)
    watching.wake = delivery.wake
    texts = Texts(notify.links, notify.time_zone)
    tasks = Assigning(watch, steady, office, texts, watching.surroundings) if office else None
    return Watched(watching, chronicle, outbox, delivery, kinds, office=office, tasks=tasks)


def words_of(rules: Iterable[Rule]) -> dict[str, Mapping[Language, str]]:
    """What people call the kinds of these rules."""
    return {one.name: {"id": one.id, "en": one.en} for one in rules}


def around(
    places: Mapping[str, Place],
    kinds: Mapping[str, Mapping[Language, str]],
    roster: Roster | None = None,
    ahead_s: float = 0.0,
) -> Surroundings:
    """What notices know besides the incidents."""
    names = {one.site: place(one.site) for one in places.values()}
    return Surroundings(places, names, kinds, roster, ahead_s)


def _knowing(
    outbox: Outbox, rules: WatchRules, chronicle: Chronicle, notify: NotifySettings, now_s: float
) -> tuple[Watch, Notifier]:
    """As they were kept. What another version kept may be unreadable: people hear twice rather than never."""
    try:
        return _watch(outbox, rules, chronicle, now_s), Notifier(notify, outbox, now_s)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        log.error("what was known of outages can't be read, it is found out and told anew: %s", why)
    outbox.put((), {WATCH: None, KEPT: None})
    return _watch(outbox, rules, chronicle, now_s), Notifier(notify, outbox, now_s)


def _watch(outbox: Outbox, rules: WatchRules, chronicle: Chronicle, now_s: float) -> Watch:
    kept = outbox.kept(WATCH)
    if kept is not None:
        return Watch.restored(kept, rules, now_s)
    newest, newest_window = chronicle.newest()
    return Watch(rules, now_s, next_number=newest + 1, next_window=newest_window + 1)
