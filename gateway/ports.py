"""The gateway's seams: what the pipeline needs of the world, as small protocols with their calling contracts."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args, overload

from kewang.wire.placement import Placement
from kewang.wire.state import State

Value = float | int | str | None
"""A field's value: float, int, str by its type; None = no value. Metrics are always float."""

Span = tuple[int, int]
"""Unix ms: from, to (excluded)."""

Tags = tuple[tuple[str, str], ...]
"""(key, value) by key, no empty values."""

Bucket = Literal["kept", "years", "months", "raw"]
"""Where points live, by how long: for ever, or as `Lives` says."""

BUCKETS: Final[tuple[Bucket, ...]] = get_args(Bucket)
_KEPT: Final = frozenset({"quarantine", "rewind", "rollup"})
_HAPPENED: Final = frozenset({"incident", "device_event"})


def bucket_of(measurement: str) -> Bucket:
    """Quarantine and rewinds never expire; what happened, and days, live longer than five minutes, these than raw."""
    if measurement in _KEPT:
        return "kept"
    if measurement in _HAPPENED or measurement.endswith("_1d"):
        return "years"
    return "months" if measurement.endswith("_5m") else "raw"


@dataclass(frozen=True, slots=True)
class Lives:
    """Days after which a bucket's points are deleted; 0 = never."""

    raw: int = 14
    months: int = 180
    years: int = 1826

    def of(self, bucket: Bucket) -> int:
        """Of one bucket."""
        return 0 if bucket == "kept" else int(getattr(self, bucket))


class RetryLater(Exception):
    """The store can't take it now (busy, away, slow); nothing is known to be stored. Try again after `after_s`."""

    def __init__(self, what: str, after_s: float = 1.0) -> None:
        super().__init__(what)
        self.after_s = after_s


class Split(Exception):
    """The store refuses this write of several rows (too large, or something in it is bad): write its halves."""


class Poison(Exception):
    """The store refuses this single row for good; the text says why."""


class Misconfigured(Exception):
    """Address, rights or names are wrong: nothing can be written until a person mends it; the text says what."""


class SubscriptionLost(Exception):
    """The connection to the broker is gone or was refused; connect again after a pause."""


class Columns(Sequence[tuple[Value, ...]]):
    """Rows of a Table that are kept as columns, for whoever works by columns: dates, then each field's values."""

    __slots__ = ("columns",)

    def __init__(self, *columns: Sequence[Value]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, index: int) -> tuple[Value, ...]: ...

    @overload
    def __getitem__(self, index: slice) -> "Columns": ...

    def __getitem__(self, index: int | slice) -> "tuple[Value, ...] | Columns":
        if isinstance(index, slice):
            return Columns(*(column[index] for column in self.columns))
        return tuple(column[index] for column in self.columns)

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        return zip(*self.columns, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


class Numbers(Columns):
    """Columns that are known to be well: a row at least, dates of the years 2000 to 2200, finite floats alone."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Points of one series: same measurement, tags and fields. `rows`: (Unix ms, value, ...), a value per field.

    A point is idempotent: same measurement, tags and time is the same point; its fields are merged.
    """

    measurement: str
    tags: Tags
    fields: tuple[str, ...]
    rows: Sequence[Sequence[Value]]

    def turned(self) -> Sequence[Sequence[Any]]:
        """The rows as columns, dates first. Raises ValueError for rows of different lengths."""
        return self.rows.columns if isinstance(self.rows, Columns) else list(zip(*self.rows, strict=True))


@dataclass(frozen=True, slots=True)
class Rewind:
    """A row of measurement `rewind`: edges reopen what was acknowledged from `since_ms` on (0 = all)."""

    number: int
    since_ms: int


@dataclass(frozen=True, slots=True, order=True)
class SeriesId:
    """One source of one device, and the stream (measurement) its readings are in."""

    stream: str
    device: str
    source: str


@dataclass(frozen=True, slots=True)
class Point:
    """One stored point of a series: Unix ms and its fields that have a value."""

    series: SeriesId
    date_ms: int
    fields: dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Late:
    """Readings of `device` of this span came after their roll-ups may have been made."""

    device: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class WordChange:
    """A device (not one of its sources) became `word`."""

    device: str
    date_ms: int
    word: str
    before: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A row in quarantine. `row`: JSON text as received (of an unreadable message: base64, source `-`)."""

    series: SeriesId
    date_ms: int
    reason: str
    row: str
    deleted: bool = False


class Clock(Protocol):
    """Time. `mono_ms` for durations, `wall_ms` for dates, which count only while `synchronised`."""

    def mono_ms(self) -> int: ...
    def wall_ms(self) -> int: ...
    def synchronised(self) -> bool: ...


class Message(NamedTuple):
    """One MQTT message as it came."""

    topic: str
    payload: bytes
    retained: bool


class Onlooker(Protocol):
    """Whoever watches for outages: told of what devices do, as it comes, in the event loop's thread.

    Each call is quick, raises nothing, and is made for what counts alone: no retained message, no refused device.
    """

    def placed(self, device: str, placement: Placement | None) -> None:
        """Provisioning says where it is; None: nowhere any more."""

    def heard(self, device: str) -> None:
        """A message of its own came."""

    def born(self, device: str, birth: State, two_boxes: bool) -> None:
        """It connected and says why, or says its birth again, without; also a `heard`. `two_boxes`: this proves two
        with one identity."""

    def left(self, device: str, deliberate: bool) -> None:
        """Its will, or its own word that it ends, of the connection that was born last."""

    def measured(self, device: str, source: str, values: Mapping[str, float]) -> None:
        """The source sends; `values`: of the newest row of a batch if it is of now, for late data is nobody's alarm."""

    def looped(self) -> None:
        """What we said ourselves came back through the broker."""


class Unwatched:
    """The onlooker of a gateway that leaves outages to another process."""

    def placed(self, device: str, placement: Placement | None) -> None: ...
    def heard(self, device: str) -> None: ...
    def born(self, device: str, birth: State, two_boxes: bool) -> None: ...
    def left(self, device: str, deliberate: bool) -> None: ...
    def measured(self, device: str, source: str, values: Mapping[str, float]) -> None: ...
    def looped(self) -> None: ...


class Subscription(Protocol):
    """The broker, seen by the gateway. One consumer of `messages`; `publish` may be called by several tasks.

    What is published on the gateway's own topic comes back among the messages: the proof that the broker works.
    """

    @property
    def connected(self) -> bool: ...

    @property
    def skipped(self) -> int:
        """How many messages were too large to be one of ours, since the start."""

    def messages(self) -> AsyncGenerator[Message, None]:
        """Connect, subscribe and yield until SubscriptionLost; calling it again connects again. It holds back no
        message of a slow consumer for ever: what does not fit its bounded queue is dropped (and counted)."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1. Raises SubscriptionLost when not connected."""


class Sink(Protocol):
    """Where points go. Several `write`s may run at a time; a write is idempotent.

    `write` returns when every row is stored so that it survives the store's kill -9 as far as the store can promise;
    it raises RetryLater, Split, Poison or Misconfigured and nothing else. After an error some rows may be stored.
    Split is raised only for two rows or more, Poison only for one.
    """

    async def write(self, tables: Sequence[Table]) -> None: ...

    async def prepare(self, lives: Lives) -> None:
        """Create the buckets that are missing, and set how long each one's points live. Repeatable.

        Raises RetryLater or Misconfigured."""

    async def close(self) -> None: ...


class History(Protocol):
    """Reads, for people and for the ledger. Raises RetryLater or Misconfigured. Times are Unix ms, `to_ms` excluded."""

    async def rewinds(self) -> list[Rewind]:
        """All rewinds, by number."""

    async def series(self) -> list[SeriesId]:
        """Every series that has readings, by name (streams only, not quarantine)."""

    async def newest(self, stream: str) -> list[Point]:
        """The newest point of each series of `stream` (of the last day), by series."""

    async def recent(self, stream: str, from_ms: int, device: str | None = None) -> list[Point]:
        """The points of `stream` from `from_ms` on, by series, oldest first; of each series the newest 100. Of all
        devices or of one."""

    async def values(self, series: SeriesId, metric: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
        """(date, value) of one metric, oldest first; at most 10,000, the newest ones."""

    async def dates(self, series: SeriesId, from_ms: int, to_ms: int) -> list[int]:
        """Dates of a series that are stored or in quarantine (deleted ones too), each once, ascending."""

    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        """(device, source, Unix hour) -> number of dates that are stored or in quarantine, counted without listing
        them; may be lower than the truth where a series has gaps in its fields, never higher."""

    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        """(device, source, Unix hour, run) -> highest (made, dropped) stated of these hours: by all heartbeats ever,
        or only by those `dated` within a span, or of one `device`."""

    async def tally_points(self, span: Span, step_ms: int) -> dict[int, int]:
        """How many tallies the heartbeats dated within each step of `span` stated: start of the step -> number, without
        those of 0. Cheap; a span whose numbers are the same as before has no new tally."""

    async def thinned(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        """(device, source, Unix hour) -> rows that the thinned rows stored there stand for."""

    async def held(self) -> dict[str, int]:
        """Device -> open rows it stated in its newest heartbeat."""

    async def refused(
        self, from_ms: int, to_ms: int, device: str | None = None, limit: int = 1000, *, waiting: bool = False
    ) -> list[Refused]:
        """Rows in quarantine, newest first, by the row's own time (an unreadable message's time is its CRC).
        `waiting`: only those that are not marked as deleted."""

    def summaries(
        self, stream: str, from_ms: int, to_ms: int, step_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Point]]:
        """Of each series of `stream` (of these devices; none named: of all) and step that has readings, its roll-up:
        `temp_c_min`, `_mean`, `_max`, `_sum` and `_count`, and of a camera's state how often each was told,
        `camera_state_1_count`. Steps begin at multiples of `step_ms`. In parts, as they are read: each by series and
        time, each series in one of them."""

    def summed(
        self, stream: str, from_ms: int, to_ms: int, devices: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Point]]:
        """The same over all of a span, dated `from_ms`, made of the roll-ups of five minutes in it."""

    async def worsts(self, from_ms: int, to_ms: int) -> list[Point]:
        """The points of `worst_5m` of that time, of no series, by time."""

    async def late(self, from_ms: int, to_ms: int) -> list[Late]:
        """What was written late, as noted at that time; in any order."""

    async def word_changes(self, from_ms: int, to_ms: int) -> list[WordChange]:
        """The changes of that time, in any order."""

    async def words(self, before_ms: int) -> dict[str, str]:
        """Device -> what it was then: the word of its last change."""


class Store(Sink, History, Protocol):
    """A database: every real one is both."""
