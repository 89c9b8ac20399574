"""A gateway: writes, then says so. It remembers nothing that matters."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from kewang.model.database import Database
from kewang.model.kernel import Batch, Events, Name, Row
from kewang.model.network import Ack, Birth, Broker, Data, Echo

RANGES: Final = 32
LABELS: Final = 16
QUEUE: Final = 64
_ACK_EVERY_MS: Final = 1000
_AHEAD_MS: Final = 300_000


@dataclass
class Conditions:
    """What the world does to all gateways."""

    without: frozenset[str]
    service_ms: int
    credit: int = 20
    poll_ms: int = 15_000
    """How often a gateway reads the rewinds."""
    choked: bool = False
    rule_mended: bool = False
    longest_ack: int = 0
    longest_queue: int = 0


@dataclass(eq=False)
class Gateway:
    """One process."""

    events: Events
    broker: Broker
    database: Database
    conditions: Conditions
    alive: bool = True
    subscribed: bool = False
    rewinds: list[tuple[int, int]] | None = None
    _ranges: list[tuple[int, int, int]] = field(default_factory=list)
    _ranges_rewind: int = 0
    _labels: OrderedDict[Name, bool] = field(default_factory=OrderedDict)
    _device_rewind: int = 0
    _echo: Echo | None = None
    _last_ack_ms: int = -(10**9)
    _ack_is_due: bool = False
    _queue: deque[Batch] = field(default_factory=deque)
    _pending: set[Name] = field(default_factory=set)
    _busy: bool = False
    _failed: bool = False

    def __post_init__(self) -> None:
        self._poll()

    def die(self) -> None:
        """kill -9."""
        self.alive = False
        if self in self.broker.subscribers:
            self.broker.subscribers.remove(self)

    def _at(self, delay_ms: int, what: Callable[..., object], *given: Any) -> None:
        self.events.at(delay_ms, lambda: self.alive and what(*given))

    def _poll(self) -> None:
        if self.database.up:
            if not self.database.rewinds:
                self.database.rewinds.append((self.events.now_ms + 1, 0))
            self.rewinds = list(self.database.rewinds)
        if self.rewinds is not None and not self.subscribed:
            self.subscribed = self.broker.subscribe(self)
        self._at(self.conditions.poll_ms, self._poll)

    @property
    def _rewind(self) -> int:
        return max((rewind for rewind, _ in self.rewinds or ()), default=0)

    def receive(self, message: Birth | Data, retained: bool) -> None:
        """A message came. It may be dropped at any time."""
        if not self.alive or self.rewinds is None or retained:
            return
        self._device_rewind = message.rewind
        if isinstance(message, Birth):
            self._echo = (message.run, message.up_ms)
            self._want_ack()
            return
        batch = message.batch
        self._echo = (batch.run, message.up_ms)
        if batch.name in self._pending or len(self._queue) >= QUEUE:
            self._want_ack()
            return
        if "acknowledge-after-write" in self.conditions.without:
            self._is_stored(batch.name, self._rewind)
        self._pending.add(batch.name)
        self._queue.append(batch)
        self.conditions.longest_queue = max(self.conditions.longest_queue, len(self._queue))
        if not self._busy:
            self._busy = True
            self._at(self.conditions.service_ms, self._work)

    def _takes(self, row: Row) -> bool:
        mended = self.conditions.rule_mended or not row.refused
        return mended and row.ms <= self.events.now_ms + _AHEAD_MS

    def _service_ms(self) -> int:
        return self.database.rng.randint(1, self.conditions.service_ms)

    def _work(self) -> None:
        if not self._queue:
            self._busy = False
            return
        self._at(self._service_ms(), self._write, self._queue.popleft(), self._rewind)

    def _write(self, batch: Batch, begun: int) -> None:
        good = [row for row in batch.rows if self._takes(row)]
        bad = [row for row in batch.rows if not self._takes(row)]
        done = self.database.write(good, bad)
        self._at(self._service_ms(), self._done, batch, done, bool(bad), begun)

    def _done(self, batch: Batch, done: bool, labelled: bool, begun: int) -> None:
        self._pending.discard(batch.name)
        self._failed = not done
        if done:
            if labelled:
                self._labels[batch.name] = True
                while len(self._labels) > LABELS:
                    self._labels.popitem(last=False)
            at_end = "write-counts-at-begin" in self.conditions.without
            self._is_stored(batch.name, self._rewind if at_end else begun)
        self._want_ack()
        self._work()

    def _is_stored(self, name: Name, begun: int) -> None:
        if begun != self._rewind:
            return
        self._forget_before(begun)
        run, low, high = name[0], name[1], name[1]
        kept = []
        for other, first, last in self._ranges:
            if other == run and first <= high + 1 and low <= last + 1:
                low, high = min(low, first), max(high, last)
            else:
                kept.append((other, first, last))
        self._ranges = [*kept, (run, low, high)][-RANGES:]

    def _forget_before(self, rewind: int) -> None:
        if self._ranges_rewind != rewind:
            self._ranges, self._ranges_rewind = [], rewind

    def _want_ack(self) -> None:
        if not self._ack_is_due:
            self._ack_is_due = True
            self._at(max(10, self._last_ack_ms + _ACK_EVERY_MS - self.events.now_ms), self._ack)

    def _rf_ms(self) -> int:
        """The lowest rf of all rewinds above the device's; 0 if the database does not know that one."""
        known = self.rewinds or []
        newer = [rf_ms for rewind, rf_ms in known if rewind > self._device_rewind]
        unknown = self._device_rewind not in [rewind for rewind, _ in known]
        if not newer or unknown:
            return 0
        return known[-1][1] if "lowest-rf" in self.conditions.without else min(newer)

    def _credit(self) -> int:
        if self._failed or self.conditions.choked or not self.database.up:
            return 0
        return min(self.conditions.credit, max(1, QUEUE - len(self._queue)))

    def _ack(self) -> None:
        self._ack_is_due, self._last_ack_ms, rewind = False, self.events.now_ms, self._rewind
        self._forget_before(rewind)
        ranges, labels = tuple(self._ranges), frozenset(self._labels)
        credit = self._credit()
        if self.database.up and self._failed and not self._queue:
            self._failed = False
        self.conditions.longest_ack = max(self.conditions.longest_ack, len(ranges))
        ack = Ack(ranges, labels, rewind, self._rf_ms(), credit, self.events.now_ms, self._echo)
        self.broker.to_device(ack)
