"""A box: boots, runs, a clock that may be wrong, a connection, and when which batch is sent."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from kewang.model.database import Journal
from kewang.model.kernel import OPEN, Batch, Disk, Events, Name
from kewang.model.network import Ack, Birth, Broker, Data
from kewang.model.outbox import Outbox

SAMPLE_MS: Final = 10_000
HEARTBEAT_MS: Final = 30_000
_LIVE_MS: Final = 300_000
_RESEND_MS: Final = 30_000
_RESEND_MAX_MS: Final = 600_000
_CREDIT_LIFE_MS: Final = 120_000
_FRESH_MS: Final = 5000
_CORRECTION_MS: Final = 10_000


@dataclass
class Habits:
    """What the world does to boxes."""

    without: frozenset[str]
    rng: random.Random
    budget: int
    synchronised: float
    """How likely a boot has network time."""
    wrong_clocks: bool
    lying: bool
    refused: float
    calm: bool = False
    sampling: bool = True
    beating: bool = True


@dataclass(eq=False)
class Box:
    """One machine."""

    events: Events
    broker: Broker
    journal: Journal
    habits: Habits
    disk: Disk
    phase_ms: int = 0
    on: bool = False
    link: bool = True
    connected: bool = False
    _starts: int = 0
    _boot: int = 0
    _boot_ms: int = 0
    _error_ms: int = 0
    _synchronised: bool = False
    _credit: int = 0
    _ack_ms: int = -(10**9)
    _live: dict[Name, int] = field(default_factory=dict)
    _sent: dict[Name, tuple[int, int]] = field(default_factory=dict)
    """Of each batch: when it goes again, and how often it went."""
    _heartbeat: Name | None = None

    # Life

    def power_on(self) -> None:
        """A new boot. Does nothing if it is on."""
        if self.on:
            return
        habits, rng, now_ms = self.habits, self.habits.rng, self.events.now_ms
        self._boot, self._boot_ms = rng.getrandbits(40), now_ms - now_ms % 1000 + self.phase_ms
        self._synchronised = rng.random() < habits.synchronised
        wrong = habits.wrong_clocks and not habits.calm
        self._error_ms = rng.choice([0, 100_000, 3_600_000, -3_600_000]) if wrong else 0
        self.start()

    def start(self) -> None:
        """The agent starts: a new run. Does nothing if it is on."""
        if self.on:
            return
        habits, self.on, self._starts = self.habits, True, self._starts + 1
        run = habits.rng.getrandbits(48) if "new-run" not in habits.without else 0
        self.outbox = Outbox(self.disk, self.journal, habits.without, run, self._boot, habits.budget)
        self.connected, self._credit, self._ack_ms = False, 0, -(10**9)
        self._live, self._sent, self._heartbeat = {}, {}, None
        if self._synchronised and self.outbox.anchor_ms is None:
            self.outbox.date(self.events.now_ms - self._mono_ms() + self._error_ms)
        self._at(habits.rng.randint(100, 2000), self.dial)
        self._at(1000, self._sample)
        self._at(500, self._beat)
        self._at(5000, self._pump_again)

    def stop(self, *, power: bool) -> None:
        """kill -9, or the plug. Does nothing if it is off."""
        if not self.on:
            return
        self.on, self._starts = False, self._starts + 1
        self.broker.disconnect(self)
        if power:
            lying = self.habits.lying and self.habits.rng.random() < 0.7
            self.journal.lied |= lying
            self.journal.undone |= self.disk.cut(lying=lying)

    def _at(self, delay_ms: int, what: Callable[..., object], *given: Any) -> None:
        starts = self._starts
        self.events.at(delay_ms, lambda: self.on and self._starts == starts and what(*given))

    def _mono_ms(self) -> int:
        return max(1, self.events.now_ms + self.phase_ms - self._boot_ms)

    # Sources

    def _sample(self) -> None:
        """One or two rows of the same ms."""
        habits = self.habits
        if habits.sampling:
            rows = [(self._made(), habits.rng.random() < habits.refused) for _ in range(habits.rng.randint(1, 2))]
            self._commit("env", rows)
            self._pump()
        self._at(SAMPLE_MS, self._sample)

    def _beat(self) -> None:
        if self.habits.beating:
            heartbeat = self._made()
            self._heartbeat = self._commit("sys", [(heartbeat, False)])
            self.outbox.state(heartbeat)
            self._pump()
        self._at(HEARTBEAT_MS, self._beat)

    def _made(self) -> int:
        reading = self.journal.new()
        self.journal.made_ms[reading] = self.events.now_ms
        return reading

    def _commit(self, source: str, rows: list[tuple[int, bool]]) -> Name:
        name = self.outbox.commit(source, rows, self._mono_ms(), unsent=self._credit_now() == 0)
        self._live[name] = self.events.now_ms
        return name

    # Connection

    def dial(self) -> None:
        """Connect, again and again."""
        if self.connected or not self.on:
            return
        if self.link and self.broker.connect(self):
            self.connected = True
            self._birth()
        else:
            self._at(self.habits.rng.randint(2000, 15_000), self.dial)

    def _birth(self) -> None:
        if not self.connected:
            return
        rewind = self.disk.meta.get("rewind", 0)
        self.broker.from_device(self, Birth(self.outbox.run, rewind, self._mono_ms()))
        if self.outbox.anchor_ms is None:
            self._at(HEARTBEAT_MS, self._birth)

    def kicked(self) -> None:
        """The connection is gone."""
        self.connected = False
        if self.on:
            low_ms, high_ms = (5000, 40_000) if self.habits.calm else (1000, 15_000)
            self._at(self.habits.rng.randint(low_ms, high_ms), self.dial)

    def cut_link(self) -> None:
        """No network any more."""
        self.link = self.connected = False
        self.broker.disconnect(self)

    def mend_link(self) -> None:
        """The network is back."""
        self.link = True
        if self.on and not self.connected:
            self._at(10, self.dial)

    def on_ack(self, ack: Ack) -> None:
        """Obey an ack: rewind and marks, then time and credit."""
        if not self.on or not self.connected:
            return
        before = self.disk.meta.get("rewind", 0)
        if not self.outbox.obey(ack):
            return
        if ack.rewind > before:
            self._sent = {name: sent for name, sent in self._sent.items() if name in self._live}
        for name in [name for name in (*self._sent, *self._live) if not self._is_open(name)]:
            self._sent.pop(name, None)
            self._live.pop(name, None)
        self._take_time(ack)
        self._credit, self._ack_ms = ack.credit, self.events.now_ms
        self._pump()

    def _is_open(self, name: Name) -> bool:
        batch = self.disk.batches.get(name)
        return batch is not None and batch.state == OPEN

    def _take_time(self, ack: Ack) -> None:
        """By an ack that answers a fresh message of this run."""
        mono_ms, anchor_ms = self._mono_ms(), self.outbox.anchor_ms
        if ack.echo is None or ack.echo[0] != self.outbox.run or mono_ms - ack.echo[1] > _FRESH_MS:
            return
        told_ms = ack.gateway_ms - mono_ms
        if anchor_ms is None:
            self.outbox.date(told_ms + self._error_ms)
        elif abs(told_ms - anchor_ms) > _CORRECTION_MS and self.events.now_ms % 3 == 0:
            self.outbox.date(told_ms)

    # Sending

    def _credit_now(self) -> int:
        return self._credit if self.events.now_ms - self._ack_ms <= _CREDIT_LIFE_MS else 0

    def _pump_again(self) -> None:
        self._pump()
        self._at(5000, self._pump_again)

    def _pump(self) -> None:
        if not self.connected or not self.outbox.sendable:
            return
        heartbeat, going = self._heartbeat, list[Name]()
        if heartbeat is not None and self._is_open(heartbeat) and heartbeat not in self._sent:
            going.append(heartbeat)
        if credit := self._credit_now():
            going += [name for name in self._due(credit) if name not in going]
        self.outbox.going(going)
        for name in going:
            self._send(self.disk.batches[name])

    def _due(self, credit: int) -> list[Name]:
        """Live ones, and of the backlog what the credit allows, oldest first."""
        now_ms, lane = self.events.now_ms, "live-lane" not in self.habits.without
        self._live = {n: ms for n, ms in self._live.items() if now_ms - ms <= _LIVE_MS and self._is_open(n)}
        live = [name for name in self._live if lane and self._may_go(name)]
        waiting = sum(due > now_ms and not (lane and name in self._live) for name, (due, _) in self._sent.items())
        backlog = []
        for batch in self.outbox.open_ones() if waiting < credit else ():
            if batch.dated and self._may_go(batch.name) and not (lane and batch.name in self._live):
                backlog.append(batch.name)
                if len(backlog) == credit - waiting:
                    break
        return live + backlog

    def _may_go(self, name: Name) -> bool:
        return self._sent.get(name, (0, 0))[0] <= self.events.now_ms

    def _send(self, batch: Batch) -> None:
        times = self._sent.get(batch.name, (0, 0))[1]
        wait_ms = min(_RESEND_MS * 2**times, _RESEND_MAX_MS) * self.habits.rng.uniform(0.8, 1.2)
        self._sent[batch.name] = (self.events.now_ms + int(wait_ms), times + 1)
        rewind = self.disk.meta.get("rewind", 0)
        self.broker.from_device(self, Data(batch, rewind, self._mono_ms()))
