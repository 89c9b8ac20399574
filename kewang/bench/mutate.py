"""Payloads as no edge sends them: valid ones, broken in every way a wire, a bug or a stranger can break them.

Everything follows from the seed.
"""

import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kewang.wire.batch import DEFLATE_ABOVE_BYTES, Batch, encode, inflate
from kewang.wire.catalogue import METRICS
from kewang.wire.tally import HOUR_MS, Tally

NOW_MS: Final = 1_785_000_000_000
_CORPUS: Final = 400
_DAYS_MS: Final = 20 * 86_400_000
"""Batches are dated within so much before now: some are older than what is kept."""
_STRANGE: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, -(2**63), 10**400, 0.5, -0.0, 1e308, "", "-", "x" * 300, "\u0000",
    "\ud800", "NaN", [], [[]], [None], {}, {"v": 1}, [[0, [1]]], [[0, "a"]], [[0] * 70], [[i, 1] for i in range(1100)],
)  # fmt: skip
_TOKENS: Final = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 5000, b"[" * 3000, b'{"v":1,' * 50)
_KEYS: Final = ("v", "bt", "q", "rw", "up", "src", "tq", "t0", "k", "r", "held", "tl", "zz")

Mutation = Callable[[random.Random, bytes], bytes]


class Mutator:
    """An endless stream of payloads, made from some hundred batches dated before `now_ms`."""

    def __init__(self, seed: int, now_ms: int = NOW_MS) -> None:
        self._rng = random.Random(seed)
        self._valid = [_valid(self._rng, now_ms) for _ in range(_CORPUS)]

    def payloads(self, count: int) -> Iterator[bytes]:
        """The next `count` payloads; about a third of them can be read."""
        rng = self._rng
        for _ in range(count):
            payload = rng.choice(self._valid)
            for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
                payload = rng.choice(_MUTATIONS)(rng, payload)
            yield payload

    def bomb(self) -> bytes:
        """A payload that inflates past the limit, or nearly."""
        return zlib.compress(b'{"v":1,"r":[' + b"[0,1]," * self._rng.randint(1000, 300_000))


def _valid(rng: random.Random, now_ms: int) -> bytes:
    stream = rng.choice(("env", "env", "sys", "cam"))
    metrics = [metric for metric in METRICS if metric.stream == stream]
    chosen = rng.sample(metrics, rng.randint(1, min(5, len(metrics))))
    rows: list[Sequence[Any]] = [
        [index * 1000, *(round(rng.uniform(metric.low, metric.high), metric.decimals) for metric in chosen)]
        for index in range(rng.randint(1, 12))
    ]
    run, t0_ms = f"{rng.getrandbits(48):012x}", now_ms - rng.randint(0, _DAYS_MS)
    source = "box" if stream == "sys" else f"{stream}-{rng.randint(1, 9)}"
    batch = Batch(run, rng.randint(1, 10**6), source, rng.randint(0, 2), t0_ms, [m.name for m in chosen], rows)
    if source == "box" and rng.random() < 0.5:
        batch.held = rng.randint(0, 1000)
        batch.tallies = [
            Tally(run, "env-1", now_ms // HOUR_MS, rng.randint(0, 360), 0) for _ in range(rng.randint(0, 5))
        ]
    return encode(batch)


def flip(rng: random.Random, payload: bytes) -> bytes:
    """Some bits the other way round."""
    broken = bytearray(payload)
    for _ in range(rng.randint(1, 4)):
        if broken:
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def cut(rng: random.Random, payload: bytes) -> bytes:
    """Only its beginning."""
    return payload[: rng.randint(0, len(payload))]


def _insert(rng: random.Random, payload: bytes) -> bytes:
    place = rng.randint(0, len(payload))
    return payload[:place] + rng.randbytes(rng.randint(1, 20)) + payload[place:]


def _repeat(rng: random.Random, payload: bytes) -> bytes:
    start = rng.randint(0, len(payload))
    return payload[:start] + payload[rng.randint(0, start) :]


def _noise(rng: random.Random, _payload: bytes) -> bytes:
    return rng.choice((b"", b"{", b"\x78", b"\x78\x9c")) + rng.randbytes(rng.randint(0, 200))


def _token(rng: random.Random, payload: bytes) -> bytes:
    """A strange number or a deep nest in place of some of the JSON."""
    message = _inflated(payload)
    start = rng.randint(0, len(message))
    return _sent(rng, message[:start] + rng.choice(_TOKENS) + message[rng.randint(start, len(message)) :])


def _value(rng: random.Random, payload: bytes) -> bytes:
    """A key with a strange value, or without one."""
    body = _body(payload)
    for _ in range(rng.randint(1, 2)):
        body[rng.choice(_KEYS)] = rng.choice(_STRANGE)
    if rng.random() < 0.2:
        body.pop(rng.choice(_KEYS), None)
    return _sent(rng, _json(body))


def _row(rng: random.Random, payload: bytes) -> bytes:
    """A row with a strange value, length or date."""
    body = _body(payload)
    rows = body.get("r")
    if isinstance(rows, list) and rows and isinstance(row := rng.choice(rows), list):
        row[rng.randrange(len(row)) if row else 0 :] = [rng.choice(_STRANGE) for _ in range(rng.randint(0, 3))]
    return _sent(rng, _json(body))


def _twice(rng: random.Random, payload: bytes) -> bytes:
    """A key that is there twice."""
    message = _inflated(payload)
    return _sent(rng, b'{"q":7,' + message[1:] if message[:1] == b"{" else message)


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    flip, cut, _insert, _repeat, _noise, _token, _token, _value, _value, _value, _row, _row, _row, _twice,
)  # fmt: skip


def _inflated(payload: bytes) -> bytes:
    try:
        return inflate(payload)
    except ValueError:
        return payload


def _body(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(_inflated(payload))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _sent(rng: random.Random, message: bytes) -> bytes:
    return zlib.compress(message, 1) if len(message) > DEFLATE_ABOVE_BYTES or rng.random() < 0.1 else message
