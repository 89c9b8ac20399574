"""The edge's seams: what the agent needs of the world, as small protocols with their calling contracts."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kewang.wire.ack import Ack

Values = tuple[float | None, ...]
"""One value per metric of a source, in its order; None = no value."""


class SourceError(Exception):
    """A source could not be read this time; the text says what to look at. The agent counts it and goes on."""


class CommandRefused(Exception):
    """A command can't be done; the text says why and what to do next."""


class LinkDown(Exception):
    """The connection to the broker is gone or was refused; connect again after a pause."""


class OutboxFull(Exception):
    """The disk refuses to take more, even after room was made; keep the rows and try again later."""


class OutboxBusy(Exception):
    """Another process holds the outbox; the text names it."""


class OutboxTooNew(Exception):
    """A newer Kewang wrote the outbox; it is left as it is."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Rows of one source that are not committed yet. `rows`: (monotonic ms of this boot, values)."""

    stream: str
    source: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[int, Values], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed batch in the outbox. `order` counts commits over the outbox's life and names the batch locally."""

    order: int
    run: str
    number: int
    stream: str
    source: str
    rows: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What an ack changed. `marked`: orders now stored or quarantined; `rewound`: marked batches were opened again."""

    marked: frozenset[int]
    rewound: bool


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """What the outbox holds. `held_rows`, `open_bytes`: not yet acknowledged; `used_bytes`: with the ring."""

    open_batches: int
    held_rows: int
    open_bytes: int
    used_bytes: int
    budget_bytes: int
    undated_batches: int
    dropped_rows: int
    damaged_batches: int
    rewind: int
    oldest_open_ms: int | None
    thinned_rows: int = 0
    """Rows of the tally that thinned ones stand for, with thinned ones that were thinned again, as `kewang ledger`
    counts them; not among `dropped_rows`."""


class Clock(Protocol):
    """Time. `mono_ms` for durations, `wall_ms` for dates, which count only while `synchronised`."""

    def mono_ms(self) -> int: ...
    def wall_ms(self) -> int: ...
    def synchronised(self) -> bool: ...


class Source(Protocol):
    """One camera or sensor. `read` is called by one task, never twice at a time, at most every `interval_s`.

    `interval_s` is asked after every reading, so that a source may want to be read sooner or later than last time.
    It may hang: the agent cancels it after its time limit. It raises SourceError for everything that is wrong outside.
    `close` is called once, after the last `read` has ended.
    """

    @property
    def name(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def timeout_s(self) -> float: ...
    async def read(self) -> Values: ...
    async def close(self) -> None: ...


class Pace(Protocol):
    """How much more rarely sources are read than their settings say. Called in the agent's loop; answers at once."""

    @property
    def stretch(self) -> float:
        """How many times their periods most of them take now; 1 = as set."""

    def stretch_of(self, source: str) -> float:
        """The same of one source; for the box it is not asked."""

    def battery(self) -> tuple[str, float | None]:
        """The metric that decides, and its last value; None before it was heard."""

    def heard(self, source: Source, values: Values) -> bool:
        """A source was read. Whether `stretch` changed by it."""


@runtime_checkable
class Showing(Protocol):
    """What a `Source` may offer beside its readings: what its camera sees now."""

    async def key_frame(self) -> tuple[str, bytes]:
        """Codec and one key frame, to be decoded by whoever may see it. Raises SourceError. May be called during a
        `read`."""


Arguments = Mapping[str, bool | int | float | str]
"""What a command says beside its name."""


class Named(Protocol):
    """Something that has a name on this box."""

    @property
    def name(self) -> str: ...


@runtime_checkable
class Commandable(Protocol):
    """What a `Source` may offer beside its readings: to do as it is told."""

    async def command(self, name: str, args: Arguments) -> str:
        """Do `name` and say what was done, for people. May be called during a `read`, but never twice at a time.

        Raises CommandRefused for a name it does not know and for everything that is wrong outside. It may hang: it is
        cancelled after a time limit.
        """


class Outbox(Protocol):
    """The durable queue: the only place where undelivered data lives. Blocking; called by one thread.

    Every method is one transaction: it has happened when it returns and has not when it raises. A batch may be sent
    once `commit` returned it and `sendable` is true.
    """

    @property
    def run(self) -> str:
        """The run of this process: 48 random bits in hex, new at every opening."""

    @property
    def rewind(self) -> int:
        """The rewind obeyed last; 0 = none."""

    @property
    def anchor_ms(self) -> int | None:
        """Unix ms at monotonic 0 of this boot; None while the boot is undated."""

    @property
    def sendable(self) -> bool:
        """Whether the boot is dated and a commit came after the one that dated it."""

    def commit(self, drafts: Sequence[Draft], *, unsent: bool = False) -> list[Entry]:
        """Keep `drafts` (each becomes a batch) and make room in the ring. `unsent`: they are not sent before `going`
        names them, and may be thinned until then. Raises OutboxFull."""

    def date(self, anchor_ms: int, time_quality: int) -> None:
        """Date this boot, and before it every older boot without an anchor. On a dated boot: a correction, for rows
        not yet committed."""

    def oldest_open(self, limit: int, without: Collection[int]) -> list[Entry]:
        """Up to `limit` open dated batches, oldest first, without the orders in `without`."""

    def body(self, order: int) -> bytes | None:
        """The `fixed` JSON of a dated open batch; None if it is gone, marked, or fails its CRC (then it is dropped
        and counted here and now)."""

    def going(self, orders: Sequence[int]) -> None:
        """These are sent from now on, and never thinned. To be called before they are. Raises OutboxFull."""

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        """Obey an ack: rewind, then marks. `unreadable`: CRC of a payload on its way -> its order.
        None if the whole ack is to be ignored (its rewind is lower than ours)."""

    def status(self) -> OutboxStatus: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message for this device."""

    channel: str
    payload: bytes
    retained: bool


class Link(Protocol):
    """One connection to the broker, subscribed to the device's own channels. Everything raises LinkDown."""

    async def publish(self, channel: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a message to the broker (QoS 1); it proves nothing. May be called by several tasks at once."""

    def incoming(self) -> AsyncIterator[Incoming]:
        """Messages as they come, until LinkDown. One consumer."""


class Uplink(Protocol):
    """The way to the broker."""

    def connect(self, will: bytes) -> AbstractAsyncContextManager[Link]:
        """Connect with `will` retained on channel `s`; raises LinkDown. Leaving it closes the connection."""
