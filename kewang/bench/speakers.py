"""Boxes that connect with their certificates and publish, hundreds in one process: MQTT 5 on asyncio, by hand.

As a program: `python -m kewang.bench.speakers PLAN.json REPORT.json`, until SIGTERM; an ear with the gateway's
certificate counts what arrives, so that loss is seen from outside.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from kewang.runtime.program import run_until_signalled, wait_or
from kewang.wire import topics
from kewang.wire.batch import Batch, decode, encode
from kewang.wire.errors import WireError

_CONNECT: Final = bytes.fromhex("0004 4d515454 05 02 001e 00")
"""MQTT 5, clean start, keepalive 30 s, no properties; the client id follows."""
_CONNACK, _PUBLISH, _PUBACK = 0x20, 0x30, 0x40
_QOS1: Final = 0x02
_TAKEN: Final = (0x00, 0x10)
_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.005
_AT_ONCE: Final = 20
"""Handshakes at one time: what is measured is the revocation, not a rush of connections."""
CHANNEL: Final = "d/env"
SOURCE: Final = "env-1"


@dataclass(frozen=True, slots=True)
class Papers:
    """Files of an identity, and where the broker is."""

    name: str
    certificate: str
    key: str
    root: str
    port: int

    def context(self) -> ssl.SSLContext:
        """TLS with them."""
        made = ssl.create_default_context(cafile=self.root)
        made.load_cert_chain(self.certificate, self.key)
        return made


@dataclass
class Speaker:
    """One box. Times are monotonic seconds. `interval_s` between two batches of one row."""

    papers: Papers
    interval_s: float
    run: str = "5eaf00d0cafe"
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    last_accepted_s: float | None = None
    cut_s: float | None = None
    _reader: asyncio.StreamReader | None = field(default=None, repr=False)
    _writer: asyncio.StreamWriter | None = field(default=None, repr=False)
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    async def connect(self) -> None:
        """Raises OSError (also as ssl.SSLError) when it is not let in."""
        self._context = self._context or self.papers.context()
        async with asyncio.timeout(_LIMIT_S):
            opened = await asyncio.open_connection("127.0.0.1", self.papers.port, ssl=self._context)
            self._reader, self._writer = opened
            name = self.papers.name.encode()
            self._writer.write(_packet(0x10, _CONNECT + len(name).to_bytes(2, "big") + name))
            try:
                kind, body = await _read(self._reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                await self.close()
                raise OSError(f"not let in: {error}") from error
        if kind != _CONNACK or body[1]:
            await self.close()
            raise OSError(f"not let in: {body.hex()}")

    async def speak(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping` or until it is cut off."""
        hearing = asyncio.create_task(self._hear(), name=f"hear-{self.papers.name}")
        try:
            while not hearing.done() and not await wait_or(stopping, self.interval_s):
                self._say()
            if stopping.is_set():
                await self._until_answered(hearing)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Go away."""
        if self._writer:
            self._writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()

    def _say(self) -> None:
        assert self._writer
        self.sent += 1
        now_ms = time.time_ns() // 1_000_000
        batch = Batch(self.run, self.sent, SOURCE, 2, now_ms, ["temp_c"], [(0, 20 + self.sent % 10)])
        topic = topics.build(self.papers.name, CHANNEL).encode()
        number = (self.sent % 65535 + 1).to_bytes(2, "big")
        body = len(topic).to_bytes(2, "big") + topic + number + b"\0" + encode(batch)
        self._writer.write(_packet(_PUBLISH | _QOS1, body))

    async def _hear(self) -> None:
        assert self._reader
        try:
            while True:
                kind, body = await _read(self._reader)
                if kind == _PUBACK and (len(body) < 3 or body[2] in _TAKEN):
                    self.accepted += 1
                    self.last_accepted_s = time.monotonic()
                elif kind == _PUBACK:
                    self.refused += 1
        except (OSError, asyncio.IncompleteReadError):
            self.cut_s = time.monotonic()

    async def _until_answered(self, hearing: asyncio.Task[None]) -> None:
        with suppress(TimeoutError):
            await until(lambda: self.accepted + self.refused >= self.sent or hearing.done(), _LIMIT_S)


async def ear(papers: Papers, heard: Callable[[str, int], None], ready: asyncio.Event) -> None:
    """Subscribe to data at QoS 1 and tell each batch, until cancelled. Raises OSError when it is cut off."""
    listener = Speaker(papers, 0)
    await listener.connect()
    reader, writer = listener._reader, listener._writer
    assert reader
    assert writer
    wanted = topics.filters([CHANNEL])[0].encode()
    writer.write(_packet(0x82, b"\0\1\0" + len(wanted).to_bytes(2, "big") + wanted + b"\1"))
    ready.set()
    try:
        while True:
            kind, body = await _read(reader)
            if kind != _PUBLISH:
                continue
            length = int.from_bytes(body[:2], "big")
            topic, number, rest = body[2 : 2 + length].decode(), body[2 + length : 4 + length], body[4 + length :]
            writer.write(_packet(_PUBACK, number))
            with suppress(WireError):
                heard(topics.parse(topic).device, decode(rest[1 + rest[0] :]).number)
    finally:
        await listener.close()


@dataclass
class Report:
    """What became of a crowd. `lost_connections`: boxes that were cut off before they were told to stop."""

    connected: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    heard: int = 0
    lost_connections: int = 0
    lost_messages: int = 0


async def crowd(boxes: list[Papers], listener: Papers, interval_s: float, state: Path, stopping: asyncio.Event) -> None:
    """Connect everybody, publish until `stopping`; `state` holds a report from the moment when all speak."""
    heard: dict[str, set[int]] = {box.name: set() for box in boxes}
    ready = asyncio.Event()
    listening = asyncio.create_task(
        ear(listener, lambda name, number: heard.get(name, set()).add(number), ready), name="ear"
    )
    await ready.wait()
    speakers = [Speaker(box, interval_s) for box in boxes]
    for first in range(0, len(speakers), _AT_ONCE):
        await asyncio.gather(*(each.connect() for each in speakers[first : first + _AT_ONCE]))
    speaking = [asyncio.create_task(each.speak(stopping), name=each.papers.name) for each in speakers]
    _write(state, Report(connected=len(speakers)))
    await stopping.wait()
    await asyncio.gather(*speaking)
    accepted = sum(each.accepted for each in speakers)
    with suppress(TimeoutError):
        await until(lambda: sum(map(len, heard.values())) >= accepted, _LIMIT_S)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    _write(state, _report(speakers, heard))


async def until(condition: Callable[[], bool], limit_s: float) -> None:
    """Look again and again until `condition` holds. Raises TimeoutError."""
    ends_s, never = time.monotonic() + limit_s, asyncio.Event()
    while not condition():
        if time.monotonic() > ends_s:
            raise TimeoutError(f"not so within {limit_s:g} s")
        await wait_or(never, _POLL_S)


def _report(speakers: list[Speaker], heard: dict[str, set[int]]) -> Report:
    return Report(
        connected=len(speakers),
        sent=sum(each.sent for each in speakers),
        accepted=sum(each.accepted for each in speakers),
        refused=sum(each.refused for each in speakers),
        heard=sum(map(len, heard.values())),
        lost_connections=sum(each.cut_s is not None for each in speakers),
        lost_messages=sum(each.sent - len(heard[each.papers.name]) for each in speakers),
    )


def _write(state: Path, report: Report) -> None:
    draft = state.with_suffix(".new")
    draft.write_text(json.dumps(asdict(report)))
    draft.replace(state)


def _packet(head: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        length += bytes([digit | (0x80 if left else 0)])
        if not left:
            return bytes([head]) + length + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and body of one packet. Raises OSError, asyncio.IncompleteReadError."""
    head = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return head & 0xF0, await reader.readexactly(length)


def main(plan_file: str, report_file: str) -> int:
    """Run the crowd of a plan until SIGTERM."""
    plan = json.loads(Path(plan_file).read_text())
    boxes = [Papers(**each) for each in plan["boxes"]]
    listener = Papers(**plan["ear"])
    return run_until_signalled(lambda stop: crowd(boxes, listener, plan["interval_s"], Path(report_file), stop))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
