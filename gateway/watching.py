"""The watch at work: hears what devices do, finds incidents, writes them down, and hands notices to the outbox.

    pipeline ─> watch ─> chronicle, points ─> notifier ─> outbox ─> people

Kill it at any time: messages, and all that watch and notifier know, are kept in one transaction; a restart neither
tells anything again nor forgets it. It owns no reading and waits for no database.
"""

import asyncio
import logging
import math
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from gateway.chronicle import Chronicle
from gateway.fleet import fleet
from gateway.incident_points import open_points, points_of
from gateway.incidents.book import copied
from gateway.incidents.canary import CANARY, Canary
from gateway.incidents.maintenance import Window
from gateway.incidents.model import Change, Incident
from gateway.incidents.watch import Watch
from gateway.metrics import STUCK_S
from gateway.notify.notifier import Notifier
from gateway.notify.phrases import Kinds
from gateway.notify.texts import Surroundings
from gateway.ports import Misconfigured, RetryLater, Sink, SubscriptionLost, Table
from gateway.steady import Steady
from gateway.turns import WHOLE_EVERY_S, Turn
from gateway.works import Works
from gateway.writer import write
from kewang.wire.placement import Place, Placement
from kewang.wire.roster import Roster
from kewang.wire.state import State

log = logging.getLogger(__name__)

TURN_S: Final = 1.0
LOOP_S: Final = 10.0
"""How often we say something through the broker to ourselves."""
KEEP_S: Final = 30.0
"""How often what the watch knows is kept when nothing happens."""
WAITING_POINTS: Final = 10_000
FAULTS: Final = 100
"""So many different faults are logged."""
NOTES_A_MINUTE: Final = 60
WAITING_TURNS: Final = 10_000
"""Turns that wait for the chronicle, at most."""
WATCH: Final = "watch"
"""The name under which its state is kept."""
TOLD: Final = "told"
"""The name under which the newest turn that people were told of is kept: its number in the chronicle and its time."""


Around = Callable[[Mapping[str, Place]], Surroundings]
"""What the texts know besides the incidents, with where the devices are."""


Troubles = Mapping[str, str | None]
"""What may be wrong with ourselves, by its kind: in words, None while it is well."""


class Watching:
    """gateway.ports.Onlooker. Runs in the event loop; only keeping is done in a thread. `told`: what was kept so."""

    def __init__(
        self,
        watch: Watch,
        notifier: Notifier,
        chronicle: Chronicle,
        steady: Steady,
        around: Around,
        told: tuple[int, float] | None = None,
    ) -> None:
        self._watch, self._notifier, self._chronicle = watch, notifier, chronicle
        self._steady, self._around = steady, around
        self.canary: Canary | None = None
        self.wake: Callable[[], None] = lambda: None
        """Called when there may be something to deliver."""
        self._places: dict[str, Place] = {}
        self._before = chronicle.places()
        """Where devices were before the start, of which nobody has told yet: for texts."""
        self.works = Works(watch, steady, self._places)
        self._moved: dict[str, Place | None] = {}
        self._roster: Roster | None = None
        self._untold: list[Change] = []
        self._unwritten: list[Turn] = []
        self._newest = told[0] if told else 0
        self._last_s = told[1] if told else None
        self._begins, self._whole_s = True, chronicle.whole_s() if told else -math.inf
        self.points: deque[Table] = deque(maxlen=WAITING_POINTS)
        self._kept_s = -KEEP_S
        self._connected: bool | None = None  # what the run before knew may be over
        self._troubles: dict[str, str | None] = {}
        self._unkept: dict[str, str] = {}
        """Files of ours that can't be written, and why."""
        self._turned_s = -math.inf
        self._noted_s: deque[float] = deque(maxlen=NOTES_A_MINUTE)
        self._faults: set[str] = set()

    # ---- what the pipeline tells

    def placed(self, device: str, placement: Placement | None) -> None:
        place = placement.now if placement else None
        if place != self._places.get(device, self._before.get(device)):
            self._moved[device] = place
        self._before.pop(device, None)
        if place:
            self._places[device] = place
        else:
            self._places.pop(device, None)
        with self._safely():
            self._watch.place(device, place, self._steady.now_s())

    def heard(self, device: str) -> None:
        with self._safely():
            self._watch.heard(device, self._steady.now_s())

    def born(self, device: str, birth: State, two_boxes: bool) -> None:
        now_s = self._steady.now_s()
        with self._safely():
            self._watch.born(device, birth.why, now_s)
            self._watch.paced(device, birth.flush_s or 0.0, birth.stretch or 1.0)
            if two_boxes:
                self._watch.two_boxes(device, now_s)

    def left(self, device: str, deliberate: bool) -> None:
        with self._safely():
            self._watch.left(device, self._steady.now_s(), deliberate=deliberate)

    def measured(self, device: str, source: str, values: Mapping[str, float]) -> None:
        now_s = self._steady.now_s()
        with self._safely():
            self._watch.source_heard(device, source, now_s)
            self._watch.measured(device, source, values, now_s)

    def looped(self) -> None:
        with self._safely():
            self._watch.looped(self._steady.now_s())

    @contextmanager
    def _safely(self) -> Iterator[None]:
        """A fault of the watch is logged, each once, and stops no reading."""
        try:
            yield
        except Exception as error:
            told = f"{type(error).__name__}: {error}"[:200]
            if told not in self._faults and len(self._faults) < FAULTS:
                self._faults.add(told)
                log.exception("the watch for outages has a fault; readings go on")

    # ---- what people do

    def acknowledge(self, number: int, by: str, note: str) -> bool:
        """Somebody takes an incident on; False if it is not open, or somebody has it already."""
        incident = self._watch.open.get(number)
        if incident is None or incident.acknowledged:
            return False
        self._watch.acknowledge(number, by, note, self._steady.now_s())
        return True

    def surroundings(self) -> Surroundings:
        """What texts know besides the incidents, now."""
        return self._around({**self._before, **self._places})

    def note(self, number: int, by: str, note: str) -> bool:
        """Somebody writes something down; False if there is no such incident, it is over for too long, or too much was
        written in the last minute."""
        now_s = self._steady.now_s()
        if len(self._noted_s) == NOTES_A_MINUTE and now_s < self._noted_s[0] + 60:
            return False
        last_s = self._noted_s[-1] if self._noted_s else -math.inf
        self._noted_s.append(max(now_s, math.nextafter(last_s, math.inf)))  # each has its own time
        return self._watch.note(number, by, note, self._noted_s[-1])

    @property
    def open(self) -> Mapping[int, Incident]:
        """Incidents that are not over, by number."""
        return self._watch.open

    def standing(self, kinds: Kinds) -> list[Table]:
        """How things stand, for the boards. `kinds`: what people call those of rules."""
        now_ms = round(self._steady.now_s() * 1000)
        return [*fleet(self._places, self._watch.word, now_ms), *open_points(self.open.values(), kinds, now_ms)]

    def now_s(self) -> float:
        """Unix s of the watch's clock."""
        return self._steady.now_s()

    def doubt(self) -> str | None:
        """Why it is not proven that outages are seen and told just now; None: it is."""
        now_s = self._steady.now_s()
        if not self._watch.proven(now_s):
            return "no message of our own comes through the broker"
        if now_s > self._turned_s + STUCK_S:
            return "the watch for outages does not go on"
        return next((f"{name} can't be written: {why}" for name, why in self._unkept.items()), None)

    # ---- its own work

    async def run(self, connected: Callable[[], bool], troubles: Callable[[], Troubles]) -> None:
        """For ever: each second what is due, and whether the broker (`connected`) and the rest of us are well."""
        while True:
            with self._safely():
                self.look(connected(), troubles())
                await self.turn(self._steady.now_s())
            await asyncio.sleep(TURN_S)

    def look(self, connected: bool, troubles: Troubles) -> None:
        """How we are now; the watch hears of changes alone, for each return begins its patience anew."""
        now_s = self._steady.now_s()
        if connected is not self._connected:
            self._connected = connected
            self._watch.broker(connected, now_s)
        disk = self._unkept.get("chronicle") or troubles.get("disk")
        for kind, trouble in {**troubles, "disk": disk}.items():
            if kind not in self._troubles or trouble != self._troubles[kind]:  # one of the run before may be over
                self._troubles[kind] = trouble
                self._watch.own(kind, trouble, now_s)

    async def turn(self, now_s: float) -> None:
        """What is due: judged, told, kept. What could not be kept waits for the next turn."""
        changes = self._watch.due(now_s)
        self.points += points_of(self._watch.moved, changes)
        self._untold += changes
        over = self.works.over()
        asked = bool(changes or over) or self._begins or now_s >= self._notifier.next_s
        late = self._unwritten or self._untold or self.works.new or "outbox" in self._unkept
        if asked or late or now_s >= self._kept_s + KEEP_S:
            around = self.surroundings()
            if asked:
                self._unwritten.append(self._turn(changes, over, around.roster, now_s))
                del self._unwritten[:-WAITING_TURNS]
            open_ = [copied(one) for one in self._watch.open.values()]
            await asyncio.to_thread(self._write, list(self._unwritten), open_, self.works.to_write(), now_s)
            await self._tell(around, now_s)
        self._turned_s = self._steady.now_s()

    def _turn(self, changes: list[Change], over: list[Incident], roster: Roster | None, now_s: float) -> Turn:
        """With all that has to be known to go through it once more."""
        whole = not self._whole_s <= now_s < self._whole_s + WHOLE_EVERY_S
        if whole and not self._begins:
            self._before = {}  # whoever still stands somewhere has been told by now
        new = {change.incident.number for change in changes if change.what == "opened"}
        open_ = tuple(copied(one) for number, one in self._watch.open.items() if whole and number not in new)
        places: dict[str, Place | None] = {**self._before, **self._places} if whole else self._moved
        new_roster = roster if whole or roster != self._roster else None
        turn = Turn(now_s, tuple(changes), places, whole, open_, new_roster, self._begins, self._last_s, tuple(over))
        self._begins, self._moved, self._last_s, self._roster = False, {}, None, roster
        if whole:
            self._whole_s = now_s
        return turn

    def _write(self, turns: list[Turn], open_: list[Incident], windows: list[Window], now_s: float) -> None:
        """Into the chronicle; without it people are told all the same."""
        try:
            self._newest = self._chronicle.write(turns, open_, now_s, windows)
        except (sqlite3.Error, OSError) as error:
            log.error("incidents can't be written into the chronicle, they wait in memory: %s", error)
            self._unkept["chronicle"] = str(error)
        else:
            del self._unwritten[: len(turns)]
            self.works.written(windows)
            self._unkept.pop("chronicle", None)

    async def _tell(self, around: Surroundings, now_s: float) -> None:
        told, over = list(self._untold), self.works.told()
        kept = {WATCH: self._watch.kept(), TOLD: (self._newest, now_s)}
        if self.canary is not None:
            self.canary.take(told)
            kept[CANARY] = self.canary.kept()
        del self._untold[: len(told)]  # the notifier remembers, whatever becomes of this
        try:
            notices = await asyncio.to_thread(self._notifier.take, told, around, now_s, kept, over)
        except (sqlite3.Error, OSError) as error:
            log.error("notices can't be kept, they wait in memory: %s", error)
            self._unkept["outbox"] = str(error)
            return
        self._unkept.pop("outbox", None)
        self._kept_s = now_s
        if self.canary is not None:
            self.canary.noticed((one.key, one.incidents) for one in notices if one.kind in ("opened", "digest"))
        self.wake()

    async def keep_looping(self, loop: Callable[[], Any], every_s: float = LOOP_S) -> None:
        """Says something to ourselves through the broker, for ever (`loop` publishes it)."""
        while True:
            with suppress(SubscriptionLost):
                await loop()
            await asyncio.sleep(every_s)

    async def keep_writing(self, sink: Sink) -> None:
        """Points for the boards, for ever; while the store is away the newest wait."""
        while True:
            await asyncio.sleep(TURN_S)
            tables = [self.points.popleft() for _ in range(len(self.points))]
            try:
                for table, why in await write(sink, tables):
                    log.error("the store refuses a point of %s: %s", table.measurement, why)
            except (RetryLater, Misconfigured):
                room = WAITING_POINTS - len(self.points)
                self.points.extendleft(reversed(tables[max(0, len(tables) - room) :]))
