"""T18: addresses of webhooks, of the ping and of apprise that lead inside, through the production channels.

Inside is a server on loopback; what it hears, and whatever else is connected to, counts. The control of each: the same
carrier reaches a server that is allowed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from gateway.notify.apprise_send import MEMORY_BYTES
from gateway.notify.channel_settings import AppriseSettings, WebhookSettings
from gateway.notify.channels import channel
from gateway.notify.message import Message
from gateway.ping import Ping
from gateway.ports import Misconfigured, Poison, RetryLater
from gateway.settings import PingSettings
from kewang.bench.attacks_inside import INSIDE, OUTSIDE, Inside, names
from kewang.bench.attacks_rows import Attack
from kewang.runtime.settings import SettingsError

THREAT: Final = "T18"
Carrier = Literal["webhook", "ping", "apprise"]
Send = Callable[[str, bool], None]
"""To an address; without TLS too, or not."""
Attempt = Callable[[Inside, Send], bool]
IN_THIS_PROCESS: Final[tuple[Carrier, ...]] = ("webhook", "ping")
"""Here we are the owner of names. apprise has a process of its own, where every connection is judged."""
ALL: Final[tuple[Carrier, ...]] = (*IN_THIS_PROCESS, "apprise")
OURS: Final = (
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "0", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "2130706433"),
    *("017700000001", "127.0.0.1.", "localhost", "①②⑦.0.0.1", "127.0.0.1%2e", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]"),
)
"""Ways to write this machine."""
OTHERS: Final = (
    *("10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.1.1", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]"),
    *("[::ffff:10.0.0.5]", "[64:ff9b::a00:5]", "[2002:c0a8:101::1]", "0xa.0.0.5", "3232235777", "224.0.0.251"),
    *("169.254.169.254", "[::ffff:169.254.169.254]", "0xa9fea9fe", "2852039166", "[fd00:ec2::254]"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
)
"""Inner networks, and where clouds keep secrets."""
TRICKS: Final[Mapping[str, str]] = {
    "a password in the address": f"http://user:password@{OUTSIDE}:PORT/",
    "an allowed host before the @": f"http://{OUTSIDE}@{INSIDE}:PORT/",
    "an allowed host behind a #": f"http://{INSIDE}:PORT#@{OUTSIDE}/",
    "an allowed host behind a backslash": f"http://{INSIDE}:PORT\\@{OUTSIDE}:PORT/",
    "a file": "file:///etc/passwd",
    "ftp": f"ftp://{OUTSIDE}:PORT/",
    "gopher": f"gopher://{INSIDE}:PORT/_x",
    "a socket of this machine": "http+unix://%2Frun%2Fdocker.sock/",
    "an address without a scheme": f"{INSIDE}:PORT/",
    "an address with a line break": f"http://{OUTSIDE}:PORT/\r\nHost: {INSIDE}",
}
_PLAIN: Final = f"http://{OUTSIDE}:PORT/plain"
_NAME: Final = "hook.example"
_LIMIT_S: Final = 20.0
_MOST_BYTES: Final = MEMORY_BYTES + 50_000_000
"""Of an answer without end: the limit of apprise's process, and what waits in buffers."""
_NO: Final = (RetryLater, Misconfigured, Poison, SettingsError)
_connected: list[tuple[Any, ...]] = []


class Webhooks:
    """Threat T18. `folder`: for the file that holds the address."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "address"
        _listen()

    def attacks(self, carriers: Sequence[Carrier] = ALL) -> list[Attack]:
        """Not run yet."""
        few = ("127.0.0.1", "[::1]", "0x7f000001", "localhost", "169.254.169.254")
        rows: list[tuple[Carrier, str, Attempt]] = [
            *(("webhook", f"sent to {host}", _to(host)) for host in OURS + OTHERS),
            *(("ping", f"sent to {host}", _to(host)) for host in few),
            *(("apprise", f"sent to {host}", _to(host)) for host in few[:1]),
            *((each, f"sent to {what}", _tricked(url)) for each in IN_THIS_PROCESS for what, url in TRICKS.items()),
            *((each, "sent without TLS", _tricked(_PLAIN, plain_http=False)) for each in IN_THIS_PROCESS),
            *((each, "sent to a name of ours", _named([OUTSIDE, INSIDE])) for each in IN_THIS_PROCESS),
            *((each, "sent to a name of two minds", _named([OUTSIDE], [INSIDE])) for each in IN_THIS_PROCESS),
            *((each, "sent to a name of two minds again", _named([INSIDE], [OUTSIDE])) for each in IN_THIS_PROCESS),
            *((each, "sent inside by the answer", _redirected) for each in ALL),
            *((each, "answered without end", _flooded) for each in ALL),
        ]
        return [self._attack(carrier, name, attempt) for carrier, name, attempt in rows if carrier in carriers]

    def _attack(self, carrier: Carrier, name: str, attempt: Attempt) -> Attack:
        return Attack(THREAT, f"{carrier} {name}", lambda: self._tries(carrier, attempt), lambda: self._right(carrier))

    def _tries(self, carrier: Carrier, attempt: Attempt) -> bool:
        with Inside() as inside:
            return attempt(inside, lambda url, plain_http: asyncio.run(self._sent(carrier, url, plain_http)))

    def _right(self, carrier: Carrier) -> bool:
        with Inside() as inside:
            asyncio.run(self._sent(carrier, f"http://{OUTSIDE}:{inside.port}/right", plain_http=True))
            return inside.outside_heard == ["/right"]

    async def _sent(self, carrier: Carrier, url: str, plain_http: bool) -> None:
        self._file.touch(0o600)
        self._file.write_text(url.replace("http://", "json://") if carrier == "apprise" else url)
        async with asyncio.timeout(_LIMIT_S):
            if carrier == "ping":
                await self._pinged(plain_http)
            else:
                await self._noticed(carrier, plain_http)

    async def _pinged(self, plain_http: bool) -> None:
        ping = Ping(PingSettings(url_file=self._file, allowed=[OUTSIDE], plain_http=plain_http), time.monotonic, (0.0,))
        try:
            await ping.turn(lambda: None)
        finally:
            await ping.close()

    async def _noticed(self, carrier: Carrier, plain_http: bool) -> None:
        of_webhook = WebhookSettings(kind="webhook", url_file=self._file, allowed=[OUTSIDE], plain_http=plain_http)
        of_apprise = AppriseSettings(kind="apprise", url_file=self._file, allowed=[OUTSIDE])
        way = channel(of_webhook if carrier == "webhook" else of_apprise)
        try:
            await way.send(Message("1-opened", "x", "town", "subject", "text", "critical", 0.0, 1e12))
        finally:
            await way.close()


def _to(host: str) -> Attempt:
    """Whether that address is connected to."""
    return lambda inside, send: _gets_in(inside, send, f"http://{host}:{inside.port}/")


def _tricked(url: str, *, plain_http: bool = True) -> Attempt:
    """Whether anything at all is sent."""

    def act(inside: Inside, send: Send) -> bool:
        got_in = _gets_in(inside, send, url.replace("PORT", str(inside.port)), plain_http)
        return got_in or bool(inside.outside_heard)

    return act


def _named(*said: Sequence[str]) -> Attempt:
    """Whether a name leads inside. Its owner says first this, then that, then this again."""

    def act(inside: Inside, send: Send) -> bool:
        with names({_NAME: said}):
            return any(_gets_in(inside, send, f"http://{_NAME}:{inside.port}/") for _ in range(4))

    return act


def _redirected(inside: Inside, send: Send) -> bool:
    """Whether it follows an answer inside."""
    got_in = _gets_in(inside, send, f"http://{OUTSIDE}:{inside.port}/away")
    if inside.outside_heard != ["/away"]:
        raise OSError(f"heard {inside.outside_heard}: nothing was tried")
    return got_in


def _flooded(inside: Inside, send: Send) -> bool:
    """Whether an answer that does not end is read on and on."""
    with suppress(*_NO):
        send(f"http://{OUTSIDE}:{inside.port}/endless", True)
    if set(inside.outside_heard) != {"/endless"}:
        raise OSError(f"heard {inside.outside_heard}: nothing was tried")
    return inside.sent_bytes > _MOST_BYTES


def _gets_in(inside: Inside, send: Send, url: str, plain_http: bool = True) -> bool:
    """Whether anything but what is allowed was connected to, or heard of it."""
    _connected.clear()
    with suppress(*_NO):
        send(url, plain_http)
    strangers = [each for each in _connected if each[1:2] == (inside.port,) and each[0] != OUTSIDE]
    return bool(inside.heard or strangers)


@cache
def _listen() -> None:
    """Note what this process connects to, as the interpreter tells it; for good."""

    def note(event: str, words: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(words[1], tuple):
            _connected.append(words[1])
            del _connected[:-1000]

    sys.addaudithook(note)
