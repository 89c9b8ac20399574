"""When which batch goes to the broker, and what an ack changes: protocol.md's rules, without a network or a wait.

live lane   this run's newest batches: at once, outside the credit
backlog     everything else that is open: oldest first, as many as the credit allows
heartbeat   the newest always goes once, credit or not
"""

import random
import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edge.ports import Clock, Draft, Entry, Outbox, OutboxFull, OutboxStatus
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.batch import MAX_DATE_MS, MIN_DATE_MS, stamp
from kewang.wire.errors import WireError
from kewang.wire.names import BOX_SOURCE
from kewang.wire.state import OutboxSize, State, Why
from kewang.wire.timers import Timers

_MAX_LIVE: Final = 2000
_MAX_SENT: Final = 20_000
_MAX_CHECKSUMS: Final = 4000
_IDLE_S: Final = 5.0
_SOON_S: Final = 0.05
_SYNCHRONISED: Final = 2
_BY_GATEWAY: Final = 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A batch to publish now."""

    entry: Entry
    channel: str
    payload: bytes


@dataclass(slots=True)
class Sent:
    """A batch that was sent and is not named yet."""

    due_ms: int
    """When it goes again, monotonic."""
    times: int


class Delivery:
    """The sending side of the agent. Synchronous; every method is called from one thread, except where it says so."""

    def __init__(self, outbox: Outbox, clock: Clock, timers: Timers, rng: random.Random) -> None:
        self._outbox, self._clock, self._timers, self._rng = outbox, clock, timers, rng
        self.run = outbox.run
        self.ack_ms: int | None = None
        """Monotonic ms of the newest ack obeyed."""
        self.dated = outbox.anchor_ms is not None
        """Whether this boot has dates. May be read from any thread."""
        self._credit = 0
        self._quality = _BY_GATEWAY if self.dated else 0
        self._started_ms = clock.mono_ms()
        self._live: dict[int, tuple[Entry, int]] = {}
        self._sent: dict[int, Sent] = {}
        self._checksums: OrderedDict[int, int] = OrderedDict()
        self._heartbeat: Entry | None = None
        self._next_due_s = _SOON_S

    @property
    def credit(self) -> int:
        """Batches of the backlog that may be outstanding now. May be read from any thread."""
        if self.ack_ms is None or self._clock.mono_ms() - self.ack_ms > self._timers.credit_life_s * 1000:
            return 0
        return self._credit

    @property
    def live_unnamed(self) -> int:
        """Batches of the live lane that no ack has named yet. May be read from any thread."""
        return len(self._live)

    def unix_ms(self) -> int | None:
        """The time now as this box dates its readings; None while it has no date."""
        anchor_ms = self._outbox.anchor_ms
        return None if anchor_ms is None else anchor_ms + self._clock.mono_ms()

    def next_due_s(self) -> float:
        """How long nothing will be due, as far as was known at the last `due`. May be called from any thread."""
        return self._next_due_s

    def tick(self) -> None:
        """Take the date from the machine's clock while that is synchronised; call it now and then."""
        wall_ms = self._believed_ms()
        if wall_ms is not None:
            self._date(wall_ms - self._clock.mono_ms(), _SYNCHRONISED)

    def _believed_ms(self) -> int | None:
        """Unix ms by the machine's clock; None while that is not synchronised, or says what no reading can be dated."""
        if not self._clock.synchronised():
            return None
        wall_ms = self._clock.wall_ms()
        return wall_ms if MIN_DATE_MS <= wall_ms <= MAX_DATE_MS else None

    def _date(self, anchor_ms: int, quality: int) -> None:
        """Date the boot; once it has a date, correct it only by more than `correction_s` or by a better clock."""
        known_ms = self._outbox.anchor_ms
        small = known_ms is not None and abs(anchor_ms - known_ms) <= self._timers.correction_s * 1000
        if small and quality <= self._quality:
            return
        with suppress(OutboxFull):
            self._outbox.date(anchor_ms, quality)
            self._quality, self.dated = quality, True

    def commit(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Keep `drafts` in the outbox and put them into the live lane. Raises OutboxFull."""
        entries = self._outbox.commit(drafts, unsent=self.credit == 0)
        now_ms = self._clock.mono_ms()
        for entry in entries:
            self._live[entry.order] = (entry, now_ms)
            if entry.stream == "sys" and entry.source == BOX_SOURCE:
                self._heartbeat = entry
        for order in list(self._live)[: max(0, len(self._live) - _MAX_LIVE)]:
            del self._live[order]
        return entries

    def take(self, payload: bytes, retained: bool) -> Ack | None:
        """Obey an ack: rewind and marks, then time and credit. None if it is to be ignored.

        One that the disk can't take now is ignored too: what it names is sent again and named again.
        """
        if retained:
            return None
        try:
            ack = decode_ack(payload)
            applied = self._outbox.apply(ack, self._checksums if ack.bad else {})
        except (WireError, OutboxFull):
            return None
        if applied is None:
            return None
        for order in applied.marked:
            self._forget(order)
        self._credit, self.ack_ms = ack.cr, self._clock.mono_ms()
        self._take_time(ack)
        return ack

    def _take_time(self, ack: Ack) -> None:
        """Date the boot by an ack that answers a fresh message of this run: at most that much behind the truth."""
        if ack.gt is None or ack.re is None or ack.re[0] != self.run or self._believed_ms() is not None:
            return
        now_ms = self._clock.mono_ms()
        age_ms = now_ms - self._started_ms - ack.re[1]
        if 0 <= age_ms <= self._timers.anchor_fresh_s * 1000:
            self._date(ack.gt - now_ms, _BY_GATEWAY)

    def due(self) -> list[Outgoing]:
        """What goes to the broker now; it counts as sent."""
        now_ms = self._clock.mono_ms()
        out = [each for entry in self._going(now_ms) for each in self._send(entry, now_ms)]
        self._next_due_s = self._wait_s(now_ms)
        return out

    def _going(self, now_ms: int) -> list[Entry]:
        """What goes now. The outbox must know of it first; if it can't, only what it knows already goes."""
        if not self._outbox.sendable:
            return []
        known = [self._heartbeat] if self._heartbeat and self._heartbeat.order not in self._sent else []
        entries = self._due(now_ms, {entry.order for entry in known}) if self.credit else []
        with suppress(OutboxFull):
            self._outbox.going([entry.order for entry in entries])
            return known + entries
        return known

    def _due(self, now_ms: int, known: set[int]) -> list[Entry]:
        """What goes within the credit, without the orders `known`."""
        self._end_live(now_ms)
        live = [entry for entry, _ in self._live.values() if entry.order not in known and self._may_go(entry, now_ms)]
        waiting = {order for order, sent in self._sent.items() if sent.due_ms > now_ms and order not in self._live}
        if len(waiting) >= self._credit:
            return live
        room = self._credit - len(waiting)
        entries = live + self._outbox.oldest_open(room, waiting | self._live.keys() | known)
        if len(entries) < room + len(live):
            self._forget_gone(now_ms, {entry.order for entry in entries})
        return entries

    def _forget_gone(self, now_ms: int, going: Collection[int]) -> None:
        """All that is open was looked at: what else is due has left the ring, and must not keep us awake."""
        for order in [order for order, sent in self._sent.items() if sent.due_ms <= now_ms and order not in going]:
            self._forget(order)

    def _end_live(self, now_ms: int) -> None:
        """Batches that were committed long ago belong to the backlog."""
        oldest_ms = now_ms - self._timers.live_s * 1000
        for order in [order for order, (_, committed_ms) in self._live.items() if committed_ms < oldest_ms]:
            del self._live[order]

    def _may_go(self, entry: Entry, now_ms: int) -> bool:
        sent = self._sent.get(entry.order)
        return sent is None or sent.due_ms <= now_ms

    def _send(self, entry: Entry, now_ms: int) -> Iterator[Outgoing]:
        """The batch with what is stamped at sending; nothing if it left the outbox meanwhile."""
        body = self._outbox.body(entry.order)
        if body is None:
            self._forget(entry.order)
            return
        payload = stamp(body, self._outbox.rewind, now_ms - self._started_ms)
        self._remember(entry.order, payload, now_ms)
        yield Outgoing(entry, f"d/{entry.stream}", payload)

    def _remember(self, order: int, payload: bytes, now_ms: int) -> None:
        sent = self._sent.pop(order, None)
        times = sent.times + 1 if sent else 1
        wait_s = min(self._timers.resend_s * 2 ** min(times - 1, 30), self._timers.resend_max_s)
        self._sent[order] = Sent(now_ms + int(wait_s * 1000 * self._rng.uniform(0.8, 1.2)), times)
        self._checksums[zlib.crc32(payload)] = order
        while len(self._sent) > _MAX_SENT:
            del self._sent[next(iter(self._sent))]
        while len(self._checksums) > _MAX_CHECKSUMS:
            self._checksums.popitem(last=False)

    def _forget(self, order: int) -> None:
        """Marked or gone: no longer on its way."""
        self._sent.pop(order, None)
        self._live.pop(order, None)
        if self._heartbeat is not None and self._heartbeat.order == order:
            self._heartbeat = None

    def _wait_s(self, now_ms: int) -> float:
        if self.credit == 0:
            return _IDLE_S
        first_ms = min((sent.due_ms for sent in self._sent.values()), default=now_ms + int(_IDLE_S * 1000))
        return min(max((first_ms - now_ms) / 1000, _SOON_S), _IDLE_S)

    def birth(self, connects: int, why: Why, firmware: str, version: int | None = None) -> State:
        """The state to say after connecting: the `connects`-th time in this run, and why the agent started."""
        status = self._outbox.status()
        return State(
            st="on",
            bt=self.run,
            n=connects,
            up=self._clock.mono_ms() - self._started_ms,
            rw=status.rewind,
            why=why,
            fw=firmware,
            cfg=version,
            outbox=OutboxSize(batches=status.open_batches, bytes=status.open_bytes),
        )

    def status(self) -> OutboxStatus:
        """What the outbox holds."""
        return self._outbox.status()

    def will(self, connects: int) -> State:
        """What the broker says of us when we vanish. May be called from any thread."""
        return State(st="off", bt=self.run, n=connects)

    def bye(self, connects: int) -> State:
        """What we say when we stop on purpose. May be called from any thread."""
        return State(st="bye", bt=self.run, n=connects)
