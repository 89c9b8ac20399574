"""Batch: readings of one source in one MQTT message; the unit of acknowledgement.

A batch is named by (run, number). Everything but `rewind` and `up_ms` is fixed when the edge commits it: the edge
keeps the `fixed` JSON and `stamp`s the two at each sending; `decode` reads what was sent.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from pydantic_core import from_json

from kewang.wire.errors import WireError
from kewang.wire.names import is_run, is_source
from kewang.wire.tally import MAX_TALLIES, Tally

MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_INFLATED_BYTES: Final = 1024 * 1024
MAX_ROWS: Final = 1000
MAX_METRICS: Final = 64
MAX_NAMES: Final = 4096
"""Characters of all names of metrics in a batch: each refused row is kept with all of them."""
DEFLATE_ABOVE_BYTES: Final = 200
MAX_REWIND: Final = 2**33
MIN_DATE_MS: Final = 946_684_800_000
"""2000-01-01."""
MAX_DATE_MS: Final = 7_258_118_400_000
"""2200-01-01."""
MAX_COUNT: Final = 2**53
"""Whole numbers of a message end here: every language's JSON holds them exactly."""
_HEAD: Final = b'{"v":1,'

Row = Sequence[Any]
"""`[dt_ms, value, ...]`, one value (a number or None) per metric; the values are judged by the gateway, not here."""


@dataclass(slots=True)
class Batch:
    """One batch as it travels.

    `rows`: 1 to 1,000 of `[dt_ms, value, ...]`, dated `t0_ms + dt_ms` (Unix ms); `metrics` names the values.
    """

    run: str
    number: int
    source: str
    time_quality: int
    """0 chained, 1 dated by the gateway, 2 synchronised."""
    t0_ms: int
    metrics: list[str]
    rows: list[Row]
    rewind: int = 0
    up_ms: int = 0
    """Monotonic ms of the run at sending."""
    held: int | None = None
    """Heartbeat only: open rows of the device without the heartbeat's own."""
    tallies: list[Tally] = field(default_factory=list)
    """Heartbeat only."""


def fixed(batch: Batch) -> bytes:
    """JSON of what is fixed at commit: the batch without `rw` and `up`."""
    body: dict[str, Any] = {"v": 1, "bt": batch.run, "q": batch.number, "src": batch.source, "tq": batch.time_quality}
    if batch.held is not None:
        body["held"] = batch.held
    if batch.tallies:
        body["tl"] = [[t.run, t.source, t.hour, t.made, t.dropped] for t in batch.tallies]
    body |= {"t0": batch.t0_ms, "k": batch.metrics, "r": batch.rows}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def stamp(body: bytes, rewind: int, up_ms: int) -> bytes:
    """The MQTT payload of a `fixed` body: `rw` and `up` put in, deflated when that is worth it."""
    if not body.startswith(_HEAD):
        raise WireError("not a fixed batch body")
    message = _HEAD + b'"rw":%d,"up":%d,' % (rewind, up_ms) + body[len(_HEAD) :]
    return zlib.compress(message) if len(message) > DEFLATE_ABOVE_BYTES else message


def encode(batch: Batch) -> bytes:
    """The MQTT payload of `batch`. The inverse of `decode`."""
    return stamp(fixed(batch), batch.rewind, batch.up_ms)


def decode(payload: bytes) -> Batch:
    """The batch in `payload`.

    Raises WireError (and nothing else) for what can't be read as a batch: not JSON, wrong types, unknown version,
    over a limit, a date outside 2000 to 2200. Values inside rows are not judged.
    """
    return read(inflate(payload))


def read(message: bytes) -> Batch:
    """The batch in its inflated JSON; see `decode`."""
    return _batch(load_object(message))


def inflate(payload: bytes) -> bytes:
    """JSON bytes of a payload of at most 64 KiB, at most 1 MiB; a bomb is not inflated further than that."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise WireError(f"message of {len(payload)} bytes, the limit is {MAX_MESSAGE_BYTES}")
    if payload[:1] == b"{":
        return payload
    if payload[:1] != b"\x78":
        raise WireError("neither JSON nor zlib")
    inflater = zlib.decompressobj()
    try:
        message = inflater.decompress(payload, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise WireError(f"broken zlib: {error}") from None
    if len(message) > MAX_INFLATED_BYTES:
        raise WireError(f"inflates past {MAX_INFLATED_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise WireError("broken zlib: cut off or followed by other bytes")
    return message


def load_object(message: bytes) -> dict[str, Any]:
    """A JSON object without repeated keys and without NaN; WireError for everything else.

    Read by pydantic's own reader, five times as fast as the json module. It keeps the last of repeated keys; there are
    none if the text has as many colons as the object has keys, for each takes one. Whatever else json judges.
    """
    try:
        loaded = from_json(message, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return _load_strictly(message)
    plain = isinstance(loaded, dict) and message.count(b":") == len(loaded)
    return loaded if plain else _load_strictly(message)


def _load_strictly(message: bytes) -> dict[str, Any]:
    try:
        loaded = _DECODER.decode(message.decode())
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise WireError("not a JSON object")
    return loaded


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    loaded = dict(pairs)
    if len(loaded) != len(pairs):
        raise WireError("a key is there twice")
    return loaded


def _no_constant(token: str) -> NoReturn:
    raise WireError(f"not JSON: {token}")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _batch(body: dict[str, Any]) -> Batch:
    if body.get("v") != 1 or type(body["v"]) is not int:
        raise WireError(f"unknown version v={body.get('v')!r}")
    t0_ms = _count(body, "t0", MAX_DATE_MS)
    metrics = _metrics(body.get("k"))
    held = body.get("held")
    return Batch(
        run=_name(body, "bt"),
        number=_count(body, "q", MAX_COUNT, low=1),
        source=_name(body, "src"),
        time_quality=_count(body, "tq", 2) if "tq" in body else 2,
        t0_ms=t0_ms,
        metrics=metrics,
        rows=_rows(body.get("r"), t0_ms),
        rewind=_count(body, "rw", MAX_COUNT),
        up_ms=_count(body, "up", MAX_COUNT),
        held=None if held is None else _count(body, "held", MAX_COUNT),
        tallies=_tallies(body.get("tl", [])),
    )


def _count(body: dict[str, Any], key: str, high: int, low: int = 0) -> int:
    value = body.get(key)
    if type(value) is not int or not low <= value <= high:
        raise WireError(f"{key} must be a whole number from {low} to {high}")
    return value


def _name(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    fits = is_run if key == "bt" else is_source
    if not isinstance(value, str) or not fits(value):
        raise WireError(f"{key} must be a name")
    return value


def _metrics(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WireError("k must be a list of names")
    if not 0 < len(names) <= MAX_METRICS:
        raise WireError(f"{len(names)} metrics, the limit is {MAX_METRICS}")
    if sum(map(len, names)) > MAX_NAMES:
        raise WireError(f"names of metrics longer than {MAX_NAMES} characters in all")
    if len(set(names)) != len(names):
        raise WireError("k names a metric twice")
    return names


def _rows(rows: Any, t0_ms: int) -> list[Row]:
    if not isinstance(rows, list) or not set(map(type, rows)) <= {list} or not all(rows):
        raise WireError("r must be a list of rows that begin with whole ms")
    offsets = [row[0] for row in rows]
    if not set(map(type, offsets)) <= {int}:
        raise WireError("r must be a list of rows that begin with whole ms")
    if not 0 < len(rows) <= MAX_ROWS:
        raise WireError(f"{len(rows)} rows, the limit is {MAX_ROWS}")
    if t0_ms + min(offsets) < MIN_DATE_MS or t0_ms + max(offsets) > MAX_DATE_MS:
        raise WireError("a date outside the years 2000 to 2200")
    return rows


def _tallies(entries: Any) -> list[Tally]:
    if not isinstance(entries, list) or len(entries) > MAX_TALLIES:
        raise WireError(f"tl must be a list of at most {MAX_TALLIES}")
    return [_tally(entry) for entry in entries]


def _tally(entry: Any) -> Tally:
    if not isinstance(entry, list) or len(entry) != 5:
        raise WireError("tl must hold [run, source, hour, made, dropped]")
    run, source, *counts = entry
    if not (isinstance(run, str) and is_run(run) and isinstance(source, str) and is_source(source)):
        raise WireError("tl with a bad run or source")
    if any(type(count) is not int or not 0 <= count <= MAX_COUNT for count in counts):
        raise WireError("tl with a bad count")
    return Tally(run, source, *counts)
