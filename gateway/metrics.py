"""The gateway's own golden signals: for Prometheus (`/metrics`), for `gw` points and for its line on the page.

Counters of one process, from its start; nothing here says what the store holds.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gateway.merging import merged

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
RATE_S: Final = 10
"""Seconds over which `readings_per_s` is the mean."""
STUCK_S: Final = 45.0
"""A loop that has not gone round for so long is stuck."""
OF_THE_WATCH: Final = frozenset({"incidents_open", "proven", "notices", "notices_waiting", "notices_oldest_s"})
"""Signals, by short name, that only the gateway has that watches for outages."""
_WRITE_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class GatewayMetrics:
    """One gateway's signals. All methods are cheap and to be called from the event loop's thread.

    Reasons and kinds become label values: give one of few fixed words, never text from a message or an error.
    """

    others: Callable[[], Mapping[str, str]] = staticmethod(dict)
    """Of a gateway with several processes: the text of each other one by its name."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._messages = self._counter("messages", "Messages taken from the broker")
        self._dropped = self._counter("dropped", "Messages dropped unwritten; the edges send them again", "reason")
        self._bad = self._counter("bad", "Messages that can't be read as a batch")
        self._rows_stored = self._counter("rows_stored", "Rows the store confirmed, resends included")
        self._rows_quarantined = self._counter("rows_quarantined", "Rows put into quarantine", "reason")
        self._acks = self._counter("acks", "Acks published")
        self._store_errors = self._counter("store_errors", "Writes the store did not take", "kind")
        self._office = self._counter("office_answers", "What the office answered about its contacts", "answer")
        self._broker_connects = self._counter("broker_connects", "Connections to the broker")
        self._queue = self._gauge("queue_messages", "Messages taken and not yet in a write")
        self._in_flight = self._gauge("writes_in_flight", "Writes the store has not answered yet")
        self._devices = self._gauge("devices_seen", "Devices heard since the start")
        self._ahead = self._gauge("devices_ahead", "Devices that obeyed a rewind the database does not know")
        self._connected = self._gauge("broker_connected", "1 while connected to the broker")
        self._notices = self._counter("notices", "Notices by what became of them", "channel", "end")
        self._waiting = self._gauge("notices_waiting", "Notices that should have gone and did not yet", "channel")
        self._oldest = self._gauge("notices_oldest_seconds", "How long the oldest of them waits")
        self._troubles = self._gauge("channel_trouble", "1 while nothing gets through by this channel", "channel")
        self._incidents = self._gauge("incidents_open", "Incidents that are not over")
        self._proven = self._gauge("proven", "1 while the gateway that watches is proven to be well")
        self._write_s = Histogram(
            "kewang_gateway_write_seconds",
            "How long the store took for a write",
            buckets=_WRITE_BUCKETS_S,
            registry=self._registry,
        )
        self._recent: deque[tuple[float, int]] = deque()
        self._turned_s: dict[str, float] = {}
        self.broker_connected = False

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"kewang_gateway_{name}", what, labels, registry=self._registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"kewang_gateway_{name}", what, labels, registry=self._registry)

    def took(self, messages: int = 1) -> None:
        """Messages came from the broker."""
        self._messages.inc(messages)

    def dropped(self, reason: str, messages: int = 1) -> None:
        """Messages were let go unwritten (`queue`, `topic`, `life`, `store`, ...)."""
        self._dropped.labels(reason).inc(messages)

    def bad(self) -> None:
        """A message can't be read as a batch."""
        self._bad.inc()

    def stored(self, rows: int) -> None:
        """The store confirmed rows."""
        self._rows_stored.inc(rows)
        self._forget_old()
        self._recent.append((monotonic(), rows))

    def quarantined(self, reason: str, rows: int = 1) -> None:
        """Rows went to quarantine (`range`, `metric`, `date`, `store`, ...)."""
        self._rows_quarantined.labels(reason).inc(rows)

    def acked(self) -> None:
        """An ack was published."""
        self._acks.inc()

    def store_error(self, kind: str) -> None:
        """A write was refused or unanswered (`retry`, `split`, `poison`, `misconfigured`, `unexpected`)."""
        self._store_errors.labels(kind).inc()

    def office(self, answer: str) -> None:
        """The office was asked who gets alerts (`new`, `same`, `refused`, `away`)."""
        self._office.labels(answer).inc()

    def notice(self, channel: str, end: str) -> None:
        """A notice was `delivered`, `refused` or `expired`."""
        self._notices.labels(channel, end).inc()

    def channel(self, name: str, waiting: int, trouble: bool) -> None:
        """How a channel of notices is now."""
        self._waiting.labels(name).set(waiting)
        self._troubles.labels(name).set(trouble)

    def oldest(self, waits_s: float) -> None:
        """How long the oldest notice waits."""
        self._oldest.set(waits_s)

    def watch(self, incidents: int, proven: bool) -> None:
        """Open incidents, and whether all of us is proven to be well."""
        self._incidents.set(incidents)
        self._proven.set(proven)

    def broker(self, connected: bool) -> None:
        """Whether the broker is connected now; told again or only when it changes."""
        self._broker_connects.inc(connected and not self.broker_connected)
        self.broker_connected = connected
        self._connected.set(connected)

    def queue(self, messages: int) -> None:
        """How many messages wait for a write now."""
        self._queue.set(messages)

    def devices(self, seen: int) -> None:
        """How many devices were heard since the start."""
        self._devices.set(seen)

    def devices_ahead(self, devices: int) -> None:
        """How many devices hold everything, because the database was restored without a rewind."""
        self._ahead.set(devices)

    def turned(self, loop: str) -> None:
        """A periodic loop went round once more."""
        self._turned_s[loop] = monotonic()

    def stuck(self, longest_s: float) -> list[str]:
        """Loops that went round before, but not within the last `longest_s`."""
        return sorted(loop for loop, turned_s in self._turned_s.items() if monotonic() - turned_s > longest_s)

    def readings_per_s(self) -> float:
        """Rows stored a second, mean of the last `RATE_S`."""
        self._forget_old()
        return sum(rows for _, rows in self._recent) / RATE_S

    def _forget_old(self) -> None:
        while self._recent and monotonic() - self._recent[0][0] > RATE_S:
            self._recent.popleft()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Around one write: counts it as in flight and measures its seconds, whatever its end."""
        began_s = perf_counter()
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()
            self._write_s.observe(perf_counter() - began_s)

    def snapshot(self) -> dict[str, float]:
        """All signals by short name (`rows_stored`, `dropped_queue`, `write_s_sum`, ...), for a `gw` point.

        What has labels is given as its sum (`dropped`) and per label (`dropped_queue`), but not per channel.
        """
        values: dict[str, float] = {}
        for family in self._registry.collect():
            short = family.name.removeprefix("kewang_gateway_").replace("_seconds", "_s")
            if family.type != "histogram":
                values[short] = 0.0
            for sample in family.samples:
                if sample.name.endswith(("_created", "_bucket")):
                    continue
                end = sample.name.removeprefix(family.name).removesuffix("_total")
                total = short + end
                values[total] = values.get(total, 0.0) + sample.value
                for label in (f"{total}_{word}" for name, word in sample.labels.items() if name != "channel"):
                    values[label] = values.get(label, 0.0) + sample.value
        return values

    def text(self) -> bytes:
        """The registry in Prometheus' text format (`CONTENT_TYPE`); with those of other processes, told apart by the
        label `process`."""
        own, others = generate_latest(self._registry), self.others()
        return merged({"watch": own.decode(), **others}) if others else own
