"""Mutated payloads through the decoder and the judge, then through a running gateway: nothing breaks, nothing vanishes.

In process: only WireError may come out of the decoder and nothing out of the judge. Over Mosquitto: each message is
found again in the store (its rows stored or in quarantine, or the whole of it in quarantine under its CRC-32), or the
gateway says that it dropped it.
"""

import asyncio
import gc
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.judge import Window, judge
from gateway.line_protocol import encode
from gateway.ports import SeriesId, Store
from gateway.quarantine import quarantine_tables
from gateway.stores import open_store
from kewang.bench.cpu import MB, cost
from kewang.bench.envelope import envelope
from kewang.bench.line import Line
from kewang.bench.mutate import Mutator
from kewang.bench.process import wait_for
from kewang.wire import topics
from kewang.wire.batch import Batch, decode
from kewang.wire.errors import WireError
from kewang.wire.names import NO_SOURCE, STREAMS

MORE_MB: Final = 64.0
"""Memory that may be gained on the way, in process and by the gateway."""
_CHUNK: Final = 5000
_BOMBS: Final = 50
_FOR_EACH_BOMB: Final = 100
"""Payloads; reading a bomb takes as long as reading these."""
_DEVICES: Final = 40
_AT_ONCE: Final = 800
_ROUNDS: Final = 5
_WRONG_TOPICS: Final = 100
_TAKEN_LIMIT_S: Final = 60.0
_FAR_MS: Final = 2**43
_EXAMPLES: Final = 5

Decode = Callable[[bytes], Batch]


@dataclass(frozen=True, slots=True)
class FuzzPlan:
    """`payloads` in process, `messages` through a running gateway."""

    payloads: int = 1_000_000
    messages: int = 20_000
    seed: int = 1


def measure(plan: FuzzPlan) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    inside = in_process(plan.payloads, plan.seed)
    running = through_gateway(plan.messages, plan.seed)
    failed = [*inside.pop("failed"), *running.pop("failed")]
    parts = ["mosquitto", "sqlite", "aiomqtt", "paho-mqtt"]
    figures = {"in_process": inside, "gateway": running}
    return envelope("bench fuzz", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def in_process(payloads: int, seed: int, decode: Decode = decode) -> dict[str, Any]:
    """Through decoder, judge and line protocol, in chunks each with a seed of its own."""
    failed: list[str] = []
    read = refused = 0
    before_bytes = _rss_after(lambda: _chunk(Mutator(seed), min(payloads, _CHUNK), failed, seed, decode))
    for index in range(-(-payloads // _CHUNK)):
        count, chunk_seed = min(_CHUNK, payloads - index * _CHUNK), seed + index
        good, bad = _chunk(Mutator(chunk_seed), count, failed, chunk_seed, decode)
        read, refused = read + good, refused + bad
        if index % 20 == 0:
            print(f"fuzz: {index * _CHUNK + count} of {payloads}, seed {chunk_seed}", file=sys.stderr)
        if len(failed) >= _EXAMPLES:
            break
    bombs = Mutator(seed)
    for _ in range(min(_BOMBS, -(-payloads // _FOR_EACH_BOMB))):
        _one(bombs.bomb(), failed, seed, decode)
    more_mb = (_rss_after(lambda: None) - before_bytes) / MB
    if more_mb > MORE_MB:
        failed.append(f"the process grew by {more_mb:.0f} MB, more than {MORE_MB:g}")
    told = {"payloads": read + refused, "read": read, "refused": refused, "more_mb": round(more_mb, 1)}
    return told | {"failed": failed}


def _rss_after(work: Callable[[], object]) -> int:
    work()
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def _chunk(mutator: Mutator, count: int, failed: list[str], seed: int, decode: Decode) -> tuple[int, int]:
    """(payloads that could be read, those that could not)."""
    read = sum(_one(payload, failed, seed, decode) for payload in mutator.payloads(count))
    return read, count - read


def _one(payload: bytes, failed: list[str], seed: int, decode: Decode) -> bool:
    """Whether the payload could be read; anything but a WireError is a failure."""
    try:
        batch = decode(payload)
    except WireError:
        return False
    except Exception:  # noqa: BLE001  the very thing that is looked for
        failed.append(f"seed {seed}: decoding {payload[:80]!r}: {traceback.format_exc(limit=-1)}")
        return False
    try:
        stream = STREAMS[len(payload) % len(STREAMS)]
        verdict = judge(SeriesId(stream, "fuzz", batch.source), batch, Window(0, 2**43))
        encode([*verdict.tables, *quarantine_tables(verdict.refused)])
    except Exception:  # noqa: BLE001
        failed.append(f"seed {seed}: judging {payload[:80]!r}: {traceback.format_exc(limit=-1)}")
    return True


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was published, and where it must be found."""

    device: str
    stream: str
    payload: bytes
    batch: Batch | None
    """None: it can't be read."""


def through_gateway(messages: int, seed: int) -> dict[str, Any]:
    """Over Mosquitto into a real gateway on SQLite; what is not found is sent again, as an edge would."""
    sent = list(_messages(messages, seed, time.time_ns() // 1_000_000))
    wrong_topics = [(f"kewang/1/{'x' * (n % 3)}/fuzz-{n}/d/env", b"{}") for n in range(min(_WRONG_TOPICS, messages))]
    with Line("sqlite") as line:
        publisher = _Publisher(line)
        publisher.publish(_published(sent[:_AT_ONCE]))
        before = cost(line.gateway)
        publisher.publish(wrong_topics)
        missing, rounds = sent, 0
        while missing and rounds < _ROUNDS:
            publisher.publish(_published(missing))
            missing, rounds = asyncio.run(_missing(line.gateway.store_url, missing)), rounds + 1
        publisher.close()
        dropped = int(line.gateway.signals()['dropped_total{reason="topic"}'])
        told = {
            "messages": len(sent),
            "read": sum(each.batch is not None for each in sent),
            "dropped_and_counted": dropped,
            "rounds": rounds,
            "unaccounted": len(missing),
            "more_mb": round((cost(line.gateway).rss_bytes - before.rss_bytes) / MB, 1),
        }
    return told | {"failed": _problems(told, missing, len(wrong_topics))}


def _problems(told: dict[str, Any], missing: Sequence["Sent"], wrong_topics: int) -> list[str]:
    failed = []
    for each in missing[:1]:
        failed.append(f"{len(missing)} messages are nowhere, such as {each.payload[:80]!r} of {each.device}")
    if told["dropped_and_counted"] != wrong_topics:
        failed.append(f"{wrong_topics} messages had wrong topics, the gateway counted {told['dropped_and_counted']}")
    if told["more_mb"] > MORE_MB:
        failed.append(f"the gateway grew by {told['more_mb']} MB, more than {MORE_MB:g}")
    return failed


def _published(sent: Iterable["Sent"]) -> Iterator[tuple[str, bytes]]:
    return ((topics.build(each.device, f"d/{each.stream}"), each.payload) for each in sent)


def _messages(count: int, seed: int, now_ms: int) -> Iterator[Sent]:
    for index, payload in enumerate(Mutator(seed, now_ms).payloads(count)):
        try:
            batch = decode(payload)
        except WireError:
            batch = None
        yield Sent(f"fuzz-{index % _DEVICES:03d}", STREAMS[index % len(STREAMS)], payload, batch)


class _Publisher:
    """Publishes some messages at a time, each lot when the gateway has taken the last."""

    def __init__(self, line: Line) -> None:
        self._gateway = line.gateway
        self._taken = 0.0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="fuzz")
        self._client.max_inflight_messages_set(_AT_ONCE)
        self._client.connect(line.broker.host, line.broker.port)
        self._client.loop_start()

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish and wait until they are written or let go. Raises TimeoutError."""
        every = list(messages)
        for start in range(0, len(every), _AT_ONCE):
            lot = every[start : start + _AT_ONCE]
            before = self._messages()
            for topic, payload in lot:
                self._client.publish(topic, payload, qos=1)
            wait_for(lambda before=before, lot=lot: self._messages() >= before + len(lot), _TAKEN_LIMIT_S)  # type: ignore[misc]
        wait_for(lambda: self._gateway.signals()["writes_in_flight"] == 0, _TAKEN_LIMIT_S)

    def _messages(self) -> float:
        return self._gateway.signals()["messages_total"]

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


async def _missing(url: str, sent: Sequence[Sent]) -> list[Sent]:
    """Those of `sent` that the store does not hold, as rows, as rows in quarantine or as a whole in quarantine."""
    store = open_store(url)
    try:
        held = await _held(store)
    finally:
        await store.close()
    return [each for each in sent if not _places(each) <= held]


async def _held(store: Store) -> set[tuple[SeriesId, int]]:
    """(series, date) of everything that is stored or in quarantine."""
    known = {SeriesId(stream, f"fuzz-{n:03d}", NO_SOURCE) for stream in STREAMS for n in range(_DEVICES)}
    rows, to_ms = await store.refused(-_FAR_MS, _FAR_MS, limit=1_000_000), _FAR_MS
    held = {(row.series, row.date_ms) for row in rows}
    for series in {*await store.series()} - known:
        held |= {(series, date_ms) for date_ms in await store.dates(series, 0, to_ms)}
    return held


def _places(sent: Sent) -> set[tuple[SeriesId, int]]:
    if sent.batch is None:
        return {(SeriesId(sent.stream, sent.device, NO_SOURCE), zlib.crc32(sent.payload))}
    series = SeriesId(sent.stream, sent.device, sent.batch.source)
    return {(series, sent.batch.t0_ms + row[0]) for row in sent.batch.rows}
