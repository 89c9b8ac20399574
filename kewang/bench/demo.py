"""The demo: a city to look at, hurt a little if wanted, and at its end the proof that nothing is missing."""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from rich.console import Console
from rich.panel import Panel
from rich.status import Status

from kewang.bench.ambon import THIS_MACHINE, Spot, spots
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.demo_boards import DemoBoards
from kewang.bench.demo_outage import Outage, Rehearsal
from kewang.bench.demo_rounds import Blackout, Caretaker, Killer, Misbehaviour, Technician
from kewang.bench.ear import Ear
from kewang.bench.envelope import envelope
from kewang.bench.keys import Keys
from kewang.bench.process import free_port, is_free
from kewang.bench.programs import HOST
from kewang.bench.says import Says, _
from kewang.bench.truth import Truth, summed
from kewang.runtime.clock import kernel_synchronised
from kewang.ui.words import Language

PAGE_PORT: Final = 8080
LEAST_DEVICES: Final = 4
_TICK_S: Final = 0.5
_FIRST_READING_LIMIT_S: Final = 30.0
_DRAIN_LIMIT_S: Final = 60.0
_FASTER: Final = 10.0
"""How much faster than in a city it all goes: nobody watches for two minutes that nothing happens."""
_KEEPALIVE_S: Final = 10


_CUT_OFF: Final = _(
    "Readings cut off before they were kept: %(num)s. A killed agent loses its last %(seconds)s s (flush_s)."
)


class PortTaken(Exception):
    """The page's port belongs to another program."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the caller wants. `seconds`: from the first reading on the page; None: until told to stop."""

    seconds: float | None = None
    influx: bool = False
    chaos: bool = False
    devices: int = 5
    port: int | None = None
    language: Language = "id"
    seed: int = 1
    secure: bool = False
    """With certificates: authority, guarded broker, and the technician's page for a spare box."""
    outage: bool = False
    """Switch a site off and on by itself, for who has no keys to press."""


class Demo:
    """One demo, told about on standard error. `stopping` ends it early."""

    def __init__(self, options: DemoOptions, stopping: threading.Event, console: Console | None = None) -> None:
        self.options, self.stopping = options, stopping
        self.console = console or Console(stderr=True, highlight=False)
        self.says = Says(self.console, options.language)
        self.spots = spots(options.devices)
        self.page_port = page_port(options.port)
        self.first_reading_s: float | None = None
        self.keys: Keys | None = None

    def run(self) -> dict[str, Any]:
        """The result. Raises MissingPart, PartFailed, TimeoutError."""
        started_s = time.monotonic()
        with Ear() as ear, self._city(ear) as city:
            self.outage = Outage(city, ear, self.says)
            self.rehearsal = Rehearsal(self.outage, lambda: self.first_reading_s is not None)
            if not kernel_synchronised():
                self.says(_("This machine's clock is not synchronised: the demo trusts it all the same."), "yellow")
            self.boards = DemoBoards(city, self.spots, self.says, self.options.seed)
            self._show_address(city)
            if self.options.secure:
                self._show_office(city)
            try:
                self._watch(city)
            finally:
                self.boards.end()
            drained = self._finish(city)
            truth = summed(city.truth().values())
            if truth.unflushed:
                self.says(_CUT_OFF, "yellow", num=truth.unflushed, seconds=f"{city.plan.flush_s:g}")
            return self._result(city, truth, drained, started_s)

    def leave(self) -> NoReturn:
        """At once and without any proof; the guard ends the parts."""
        if self.keys:
            self.keys.give_back()
        os._exit(130)

    def _city(self, ear: Ear) -> City:
        if not self.options.secure:
            return City(self._plan(ear))
        from kewang.bench.secured_city import SecuredCity

        return SecuredCity(self._plan(ear))

    def _show_office(self, city: City) -> None:
        """The spare box's label as a QR code, and who may log in."""
        from kewang.bench.secured_city import SecuredCity, invitation

        assert isinstance(city, SecuredCity)
        self.console.print(Panel(invitation(city), title="kewang provision", expand=False, padding=(1, 3)))

    def _plan(self, ear: Ear) -> CityPlan:
        options, page = self.options, f"http://{HOST}:{self.page_port}"
        return CityPlan(
            tuple(_device(spot) for spot in self.spots),
            store="influxd" if options.influx else "sqlite",
            page_port=self.page_port,
            language=options.language,
            faster=_FASTER,
            box_interval_s=2.0,
            keepalive_s=_KEEPALIVE_S,
            linked=not options.secure,
            notify=ear.notify_toml(page, options.language, _FASTER),
            seed=options.seed,
        )

    def _show_address(self, city: City) -> None:
        devices = self.says.ngettext("%(num)s device", "%(num)s devices", len(self.spots))
        cameras = self.says.ngettext("%(num)s camera", "%(num)s cameras", len(city.with_camera))
        pace = self.says.filled(_("Waiting times: a tenth of a city's"))
        text = (
            f"[bold]{city.gateway.page}[/bold]\n\n{devices}, {cameras}, {city.broker.name}, {city.plan.store}\n{pace}"
        )
        self.console.print(Panel(text, title="Kewang", expand=False, padding=(1, 6), style="green"))

    def _watch(self, city: City) -> None:
        """Let it run; one line tells how it is going."""
        with ExitStack() as stack:
            status = stack.enter_context(self.console.status("")) if self.console.is_terminal else None
            keys = self.keys = stack.enter_context(self._keys(city, status))
            rounds = self._rounds(city)
            while not self._over(time.monotonic() - city.started_s):
                for turn in rounds:
                    turn(time.monotonic())
                self._tell(status, keys, city, time.monotonic() - city.started_s)
                self._obey(keys, _TICK_S if self.first_reading_s is not None else 0.05)

    def _keys(self, city: City, status: Status | None) -> Keys:
        """Held by Ctrl-Z, the whole city stands still: without us it has no links, and nobody who is told."""

        def hold() -> None:
            if status:
                status.stop()
            for part in city.parts():
                part.freeze()

        def go_on() -> None:
            for part in city.parts():
                part.thaw()
            self.outage.again()
            if status:
                status.start()

        return Keys(hold, go_on)

    def _obey(self, keys: Keys, limit_s: float) -> None:
        """Wait for the next key, but no longer than a tick."""
        if not keys.available:
            self.stopping.wait(limit_s)
            return
        key = keys.read(limit_s)
        if key == "s":
            self.outage.press()
        elif key == "q":
            self.stopping.set()

    def _rounds(self, city: City) -> list[Callable[[float], None]]:
        """What happens to the city while it runs."""
        rounds: list[Callable[[float], None]] = [Caretaker(city, self.says).turn, Misbehaviour(city).turn]
        rounds += [self.outage.turn, Technician(city, self.says).turn, Blackout(city, self.says).turn]
        if self.options.chaos:
            rounds.append(Killer(city, random.Random(self.options.seed), self.says).turn)
        if self.options.outage:
            rounds.append(self.rehearsal.turn)
        return rounds

    def _over(self, elapsed_s: float) -> bool:
        """`seconds` count from the first reading on the page: a busy machine takes its time until there is one."""
        if self.stopping.is_set() or self.options.seconds is None:
            return self.stopping.is_set()
        first_s = _FIRST_READING_LIMIT_S if self.first_reading_s is None else self.first_reading_s
        if elapsed_s < first_s + self.options.seconds or self.first_reading_s is None:
            return elapsed_s >= first_s + self.options.seconds
        return not self.options.outage or self.rehearsal.over(time.monotonic())

    def _tell(self, status: Status | None, keys: Keys, city: City, elapsed_s: float) -> None:
        if self.first_reading_s is None and page_shows_reading(city):
            self.first_reading_s = round(time.monotonic() - city.started_s, 2)
            self.says(_("First reading on the page after %(seconds)s s"), seconds=self.first_reading_s)
            self.boards.begin()
        if status is not None:
            count = city.database.count()
            stored = self.says.ngettext("%(num)s reading stored", "%(num)s readings stored", count)
            stored = stored if count >= 0 else self.says.filled(_("the database does not answer"))
            how = self.outage.key if keys.available else self.says.filled(_("Ctrl-C ends it"))
            status.update(f"{stored}, {elapsed_s:.0f} s. {how}")

    def _finish(self, city: City) -> bool:
        """Everybody up again, the boards quiet, the outboxes empty, the agents stopped."""
        self.says(_("Ending: the boards fall silent, what is still on the way arrives ..."))
        if self.outage.off_s is not None:
            self.outage.press()
        city.revive()
        for part in city.parts():
            part.start()
        drained = city.drain(_DRAIN_LIMIT_S)
        city.stop_edges()
        return drained

    def _result(self, city: City, truth: Truth, drained: bool, started_s: float) -> dict[str, Any]:
        stored = city.database.devices()
        sites = {spot.site for spot in self.spots if spot.device in stored}
        own = city.database.count("sys", THIS_MACHINE.device)
        cameras = city.camera_readings()
        heard = self.first_reading_s is not None and not self.stopping.is_set()
        figures = {
            "devices": len(stored),
            "sites": len(sites),
            **truth.figures(),
            "this_machine_readings": own,
            "cameras": sum(found > 0 for found, _ in cameras.values()),
            "camera_readings": sum(found for found, _ in cameras.values()),
            "broker": city.broker.name,
            "store": city.plan.store,
            "first_reading_s": self.first_reading_s,
            **self.outage.figures(),
        }
        return envelope(
            "demo",
            seed=self.options.seed,
            parts=[city.broker.name, city.plan.store],
            started_s=started_s,
            failed=[
                *truth.examples,
                *self._failures(truth, stored, drained),
                *camera_failures(cameras, heard=heard),
                *self._outage_failures(),
            ],
            figures=figures,
        )

    def _outage_failures(self) -> list[str]:
        rehearsed = self.rehearsal.failures() if self.options.outage and not self.stopping.is_set() else []
        return rehearsed if self.options.chaos else rehearsed + self.outage.doubled()

    def _failures(self, truth: Truth, stored: set[str], drained: bool) -> list[str]:
        too_early = self.first_reading_s is None and self.stopping.is_set()
        silent = [] if too_early else sorted({spot.device for spot in self.spots} - stored)
        checks = (
            (not truth.lost, f"{truth.lost} readings lost"),
            (not truth.duplicates, f"{truth.duplicates} readings stored twice"),
            (not truth.wrong, f"{truth.wrong} readings wrong"),
            (not silent, f"nothing stored of {', '.join(silent)}"),
            (drained, f"{truth.in_outbox} readings still wait in outboxes after {_DRAIN_LIMIT_S:g} s"),
            (too_early or truth.stored > 0, "no reading was stored"),
            (too_early or self.first_reading_s is not None, "the page never showed a reading"),
        )
        return [text for well, text in checks if not well]


def _device(spot: Spot) -> Device:
    return Device(spot.device, spot.board, spot.placement(), camera=spot.camera)


def camera_failures(readings: Mapping[str, tuple[int, int]], *, heard: bool) -> Iterator[str]:
    """A camera has no journal: what was called stored must be there, and if the demo was `heard`, something must be."""
    for device, (found, called_stored) in readings.items():
        if found < called_stored:
            yield f"{called_stored - found} readings of the camera of {device} are called stored and are not"
        if heard and found <= 0:
            yield f"nothing stored of the camera of {device}"


def page_port(wanted: int | None) -> int:
    """The port for the page: `wanted`, else the usual one if it is free, else any. Raises PortTaken."""
    if wanted is not None and not is_free(wanted):
        raise PortTaken(f"port {wanted} belongs to another program: choose another with --port")
    return wanted or (PAGE_PORT if is_free(PAGE_PORT) else free_port())


def page_shows_reading(city: City) -> bool:
    """Whether the page has a reading of a board to show."""
    answer = city.gateway.get("/api/v1/devices")
    listed = json.loads(answer)["devices"] if answer else []
    return any(source["stream"] == "env" for device in listed for source in device["sources"])
