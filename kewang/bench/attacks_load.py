"""Attempts to take places or memory: silent connections through HAProxy, bombs and replays through the gateway."""

from __future__ import annotations

import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from kewang.bench.attacks_rows import Attack, Stage
from kewang.bench.cpu import MB, peak_rss_bytes
from kewang.bench.process import wait_for
from kewang.bench.provisioned import HOST, Haproxy, Identity, SecuredGateway, now_ms
from kewang.bench.stored import SqliteDatabase
from kewang.wire import topics
from kewang.wire.batch import Batch, encode
from provisioning.guard.client import context

ELSEWHERE = "127.0.0.2"
_IDLE = 100
_GREEDY = 400
_KEPT_OUT_S = 5.0
_GONE_S = 10.0
_STORED_S = 30.0
_ROOM_MB = 20
_CHANNEL = "d/env"
_HALF_HELLO = bytes.fromhex("160301020001000001fc0303")


@dataclass(frozen=True, slots=True)
class Yard:
    """The stage with HAProxy before it, and gateway and database behind it."""

    stage: Stage
    proxy: Haproxy
    gateway: SecuredGateway
    database: SqliteDatabase


def attacks(yard: Yard) -> list[Attack]:
    """Threats T4, T5 (bombs) and T13."""
    free = _gets_in(yard)
    return [
        Attack("T13", f"{_IDLE} silent connections keep a box out", _kept_out(yard, _IDLE, b""), free),
        Attack("T13", f"{_IDLE} half hellos keep a box out", _kept_out(yard, _IDLE, _HALF_HELLO), free),
        Attack("T13", f"{_IDLE} silent connections stay", _stays(yard), free),
        Attack("T13", f"{_GREEDY} connections of one address keep others out", _kept_out(yard, _GREEDY, b""), free),
        Attack("T4", "replays a recorded batch", _replays(yard), _stores(yard)),
        *(Attack("T5", f"sends {name}", _bombs(yard, bomb), _stores(yard)) for name, bomb in _BOMBS.items()),
    ]


_BOMBS = {
    "60 MB of zeros in 60 kB": zlib.compress(bytes(60_000_000), 9),
    "60,000 opening brackets": b"[" * 60_000,
    "a number of 60,000 digits": b'{"v":1,"q":' + b"9" * 60_000 + b"}",
    "a batch with NaN": b'{"v":1,"bt":"4f1e0c9a77d2","q":1,"src":"env-1","tq":2,"t0":NaN,"k":["temp_c"],"r":[[0,1]]}',
    "what is not UTF-8": b'{"v":1,"bt":"\xff\xfe"}',
}


@contextmanager
def _silent(yard: Yard, count: int, begin: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that say `begin` and nothing more."""
    with ExitStack() as held:
        links = []
        for _ in range(count):
            with suppress(ConnectionError):  # the proxy may refuse some, which is what it is for
                links.append(held.enter_context(socket.create_connection((HOST, yard.proxy.port), _KEPT_OUT_S)))
                links[-1].sendall(begin)
        yield links


def _gets_in(yard: Yard) -> Callable[[], bool]:
    return lambda: _connects(yard, yard.stage.a)


def _kept_out(yard: Yard, count: int, begin: bytes) -> Callable[[], bool]:
    def act() -> bool:
        with _silent(yard, count, begin):
            began_s = time.monotonic()
            return not _connects(yard, yard.stage.a) or time.monotonic() - began_s > _KEPT_OUT_S

    return act


def _connects(yard: Yard, identity: Identity) -> bool:
    """Whether a box at another address gets through to the broker."""
    tls = context(yard.stage.broker.authority.service_root, identity.certificate, identity.key)
    name = identity.name.encode()
    body = bytes.fromhex("0004 4d515454 05 02 001e 00") + len(name).to_bytes(2, "big") + name
    try:
        link = socket.create_connection((HOST, yard.proxy.port), _KEPT_OUT_S, (ELSEWHERE, 0))
        with link, tls.wrap_socket(link) as through:
            through.sendall(bytes([0x10, len(body)]) + body)
            answer = through.recv(5)
            return answer[:1] == b"\x20" and answer[3:4] == b"\x00"
    except (ssl.SSLError, OSError):
        return False


def _stays(yard: Yard) -> Callable[[], bool]:
    """Whether silent connections hold their places."""

    def act() -> bool:
        with _silent(yard, _IDLE, b"") as links:
            try:
                wait_for(lambda: all(map(_is_closed, links)), _GONE_S)
            except TimeoutError:
                return True
            return False

    return act


def _is_closed(link: socket.socket) -> bool:
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _batch(number: int) -> bytes:
    return encode(Batch("4f1e0c9a77d2", number, "env-1", 2, now_ms(), ["temp_c"], [(0, 29.5)]))


def _replays(yard: Yard) -> Callable[[], bool]:
    """Whether what was recorded makes a second point."""

    def act() -> bool:
        recorded = _batch(1)
        _publish(yard, yard.stage.a, [recorded])
        first = _count_when(yard, yard.stage.a, lambda count: count > 0)
        _publish(yard, yard.stage.a, [recorded] * 10)
        if not _stores(yard)():
            raise OSError("the gateway stores nothing: whether a replay counts can't be seen")
        return yard.database.count(device=yard.stage.a.name) != first

    return act


def _stores(yard: Yard) -> Callable[[], bool]:
    """Whether a good reading is stored, after everything that came before it."""

    def act() -> bool:
        before = max(0, yard.database.count(device=yard.stage.b.name))
        _publish(yard, yard.stage.b, [_batch(now_ms() % 1_000_000)])
        return _count_when(yard, yard.stage.b, lambda count: count > before) == before + 1

    return act


def _bombs(yard: Yard, bomb: bytes) -> Callable[[], bool]:
    """Whether a payload is stored as a reading, kills the gateway or fills its memory."""

    def act() -> bool:
        stored, peak_mb = yard.database.count(device=yard.stage.a.name), peak_rss_bytes(yard.gateway) / MB
        _publish(yard, yard.stage.a, [bomb])
        works = _stores(yard)() and yard.gateway.is_running
        grown = peak_rss_bytes(yard.gateway) / MB - peak_mb > _ROOM_MB
        return not works or grown or yard.database.count(device=yard.stage.a.name) != stored

    return act


def _publish(yard: Yard, box: Identity, payloads: list[bytes]) -> None:
    with yard.stage.broker.box(box) as client:
        for payload in payloads:
            client.publish(topics.build(box.name, _CHANNEL), payload)


def _count_when(yard: Yard, box: Identity, holds: Callable[[int], bool]) -> int:
    """How many rows of `box` are stored, once it `holds`. Raises TimeoutError."""
    wait_for(lambda: holds(yard.database.count(device=box.name)), _STORED_S)
    return yard.database.count(device=box.name)
