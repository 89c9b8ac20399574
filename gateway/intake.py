"""From a message to work for the database: parse, decode, judge. No I/O; never raises for what came in.

Any message may be dropped at any time: the edge sends again what no ack names.
"""

import base64
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway import quick
from gateway.acks import Acks
from gateway.flood import Floods
from gateway.judge import Verdict, Window, judge, refuse_all
from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, Message, Onlooker, Refused, SeriesId, Table, Tags, Unwatched, Value
from gateway.registry import MAX_SOURCES, Registry
from kewang.wire import topics
from kewang.wire.batch import Batch, inflate, read
from kewang.wire.errors import WireError, printable
from kewang.wire.names import NO_SOURCE
from kewang.wire.placement import Placement
from kewang.wire.state import State
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
_VALUE_CHARACTERS = 40
"""Of a refused row's text: as much memory as a value takes."""
LIVE_MS = 300_000
"""A row that is older, or further ahead, says nothing of now."""
ASKED_MS: Final = 100
"""So long it counts what the clock said of the present."""


@dataclass(slots=True)
class Work:
    """One batch on its way to the database. `name` is (run, number), or the CRC of a message that is no batch."""

    device: str
    name: tuple[str, int] | int
    tables: list[Table]
    refused: list[Refused]
    rows: int = field(init=False, default=0)
    """Rows to write, for sizing writes."""
    values: int = field(init=False, default=0)
    """Values to write, dates too, or text that is as large: what it takes of memory."""

    def __post_init__(self) -> None:
        for table in self.tables:
            rows = len(table.rows)
            self.rows += rows
            self.values += rows * (1 + len(table.fields))
        for one in self.refused:
            self.rows += 1
            self.values += 1 + len(one.row) // _VALUE_CHARACTERS

    def points(self) -> Iterator[tuple[Tags, Value]]:
        """(tags, date) of each row to be stored."""
        return ((table.tags, row[0]) for table in self.tables for row in table.rows)


class Intake:
    """Takes messages; knows the devices (`registry`) and what they are to be told (`acks`)."""

    def __init__(
        self,
        acks: Acks,
        registry: Registry,
        clock: Clock,
        timers: Timers,
        raw_days: int,
        metrics: GatewayMetrics,
        onlooker: Onlooker | None = None,
    ) -> None:
        self._acks = acks
        self._onlooker, self._watched = onlooker or Unwatched(), onlooker is not None
        self._own_topic = topics.gateway(acks.gateway)
        self._registry = registry
        self._clock = clock
        self._ahead_ms = int(timers.ahead_s * 1000)
        self._raw_ms = raw_days * DAY_MS
        self._metrics = metrics
        self._asked_ms, self._window_now = -ASKED_MS, Window()
        self.floods = Floods()

    def take(self, message: Message) -> Work | None:
        """The work in `message`; None if there is none, or if it is dropped (and counted)."""
        self._metrics.took()
        if message.topic == self._own_topic:
            if not message.retained:
                self._onlooker.looped()
            return None
        try:
            topic = topics.parse(message.topic)
        except WireError as error:
            self._drop("topic", error)
            return None
        device, stream, now_ms = topic.device, topic.stream, self._clock.mono_ms()
        if topic.channel == topics.PLACEMENT:
            self._placement(device, message.payload)
        elif self._registry.refuses(device):
            self._drop("life")
        elif self.floods.took(device, now_ms):
            self._drop("flood")
        elif topic.channel == topics.STATE:
            self._state(device, message)
        elif stream is not None and message.retained:
            self._drop("retained")
        elif stream is not None:
            self._registry.heard(device, now_ms)
            self._onlooker.heard(device)
            return self._data(device, stream, message.payload)
        return None

    def _drop(self, reason: str, error: WireError | None = None) -> None:
        self._metrics.dropped(reason)
        if error is not None:
            log.debug("dropped: %s", error)

    def _placement(self, device: str, payload: bytes) -> None:
        try:
            placement = Placement.decode(payload) if payload else None
        except WireError as error:
            self._drop("placement", error)
            return
        self._registry.device(device).placement = placement
        self._onlooker.placed(device, placement)

    def _state(self, device: str, message: Message) -> None:
        try:
            state = State.decode(message.payload)
        except WireError as error:
            self._drop("state", error)
            return
        if message.retained:
            if state.st == "on":
                self._registry.recall(device, state)
            return
        if state.st != "on":
            if self._registry.is_of_last_birth(device, state):
                self._onlooker.left(device, state.st == "bye")
            return
        self._registry.heard(device, self._clock.mono_ms())
        if self._registry.is_of_last_birth(device, state):
            state = state.model_copy(update={"why": None})  # said again, as a sign of life: it was not away
        two_boxes = self._registry.born(device, state)
        if two_boxes:
            log.error("two boxes share the identity %s: replace or enrol one of them anew", device)
        self._onlooker.born(device, state, two_boxes)
        self._acks.heard(device, state.bt, state.up or 0, state.rw or 0)
        self._acks.want(device, self._clock.mono_ms())

    def _data(self, device: str, stream: str, payload: bytes) -> Work:
        try:
            message = inflate(payload)
            return self._quickly(device, stream, message) or self._thoroughly(device, stream, message)
        except WireError as error:
            return self._unreadable(device, stream, payload, str(error))
        except Exception as error:
            log.exception("unexpected error with a message of %s", device)
            return self._unreadable(device, stream, payload, f"unexpected: {error!r}")

    def _quickly(self, device: str, stream: str, message: bytes) -> Work | None:
        """The work in a common batch; None: the batch has to be looked at thoroughly."""
        found = quick.read(stream, device, message, self._window())
        if found is None or not self._registry.has_room(device, found.batch.source):
            return None
        batch, table, last_ms = found
        self._acks.heard(device, batch.run, batch.up_ms, batch.rewind)
        if self._watched:
            self._tell(device, batch.source, last_ms, [table])
        return Work(device, (batch.run, batch.number), [table], [])

    def _thoroughly(self, device: str, stream: str, message: bytes) -> Work:
        """Raises WireError for what is no batch."""
        batch = read(message)
        self._acks.heard(device, batch.run, batch.up_ms, batch.rewind)
        verdict = self._verdict(SeriesId(stream, device, batch.source), batch)
        if self._watched:
            self._tell(device, batch.source, batch.t0_ms + batch.rows[-1][0], verdict.tables)
        return Work(device, (batch.run, batch.number), verdict.tables, verdict.refused)

    def _tell(self, device: str, source: str, sent_ms: int, tables: list[Table]) -> None:
        """The values of the newest rows, if they are of now by our clock: nothing late alerts. And that their source
        sends, also if they are of now by what their device dates: our clock, set by hours, silences no source.

        `sent_ms`: date of the batch's last row."""
        newest: dict[str, Value] = {}
        known = self._registry.device(device)
        known.newest_ms = max(known.newest_ms, sent_ms)
        for table in tables:
            date_ms, *values = table.rows[-1]
            if isinstance(date_ms, int) and abs(date_ms - self._clock.wall_ms()) <= LIVE_MS:
                newest |= dict(zip(table.fields, values, strict=True))
        if newest or (sent_ms >= known.newest_ms - LIVE_MS and source in known.sources):
            told = {name: value for name, value in newest.items() if isinstance(value, float)}
            self._onlooker.measured(device, source, told)

    def _verdict(self, series: SeriesId, batch: Batch) -> Verdict:
        if not self._registry.has_room(series.device, series.source):
            return refuse_all(series, batch, f"source: more than {MAX_SOURCES} sources")
        return judge(series, batch, self._window())

    def _window(self) -> Window:
        """Of now, as asked for at most ASKED_MS ago: asking the kernel costs as much as reading a small batch."""
        now_ms = self._clock.mono_ms()
        if not self._asked_ms <= now_ms < self._asked_ms + ASKED_MS:
            self._asked_ms, self._window_now = now_ms, self._window_asked()
        return self._window_now

    def _window_asked(self) -> Window:
        if not self._clock.synchronised():
            return Window()
        now_ms = self._clock.wall_ms()
        return Window(now_ms - self._raw_ms if self._raw_ms else 0, now_ms + self._ahead_ms)

    def _unreadable(self, device: str, stream: str, payload: bytes, reason: str) -> Work:
        """The whole message to quarantine, once: its time is its CRC-32 as ms."""
        self._metrics.bad()
        crc = zlib.crc32(payload)
        text = base64.b64encode(payload).decode()
        return Work(device, crc, [], [Refused(SeriesId(stream, device, NO_SOURCE), crc, printable(reason, 200), text)])
