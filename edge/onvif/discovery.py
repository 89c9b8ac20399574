"""Cameras that are there: WS-Discovery, by multicast on the box's own networks or to one host."""

import asyncio
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4
from xml.etree.ElementTree import Element

from edge.net.errors import CameraError
from edge.onvif import markup
from edge.onvif.facts import SERVICE_PATH, Endpoint

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
MAX_FOUND: Final = 256
_MAX_DATAGRAMS: Final = 2_000
_MAX_DATAGRAM_BYTES: Final = 16_384
_REPEAT_S: Final = 0.5
_TYPES: Final = ("dn:NetworkVideoTransmitter", "tds:Device")
"""Cameras answer to one of these, some only to the older, some only to the newer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that answered. `name`, `model`: as it announces itself, unchecked; empty = not told."""

    endpoint: Endpoint
    name: str = ""
    model: str = ""


async def discover(
    wait_s: float = 3.0, *, host: str | None = None, port: int = PORT, interfaces: Iterable[str] | None = None
) -> tuple[Found, ...]:
    """The cameras that answer within `wait_s`, at most MAX_FOUND, by address.

    `host`: only this one is asked. `interfaces`: our addresses whose networks are asked; default: all IPv4 networks of
    this machine. What an answer says counts for the host that sent it and for no other. Raises OSError if this machine
    has no network, or the host no IPv4 address.
    """
    collector = _Collector()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: collector, sock=_socket())
    try:
        wanted = [None] if host else list(_own_addresses() if interfaces is None else interfaces)
        if not wanted:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        target = (await _resolved(host) if host else GROUP, port)
        for pause_s in (min(_REPEAT_S, wait_s / 2), max(wait_s - _REPEAT_S, wait_s / 2)):
            _ask(transport, target, wanted)
            await asyncio.sleep(pause_s)
    finally:
        transport.abort()
    return tuple(sorted(collector.found.values(), key=lambda each: _by_address(each.endpoint)))


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    made.bind(("", 0))
    return made


def _ask(transport: asyncio.DatagramTransport, target: tuple[str, int], interfaces: Iterable[str | None]) -> None:
    """Each type once on every network. A network that can't be reached now is passed over."""
    outgoing: socket.socket = transport.get_extra_info("socket")
    for interface in interfaces:
        for kind in _TYPES:
            with suppress(OSError):
                if interface is not None:
                    outgoing.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
                transport.sendto(_PROBE.format(message=uuid4(), kind=kind).encode(), target)


async def _resolved(host: str) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])


def _own_addresses() -> Iterator[str]:
    """Our IPv4 address on every network that is up."""
    import psutil

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    for name, addresses in psutil.net_if_addrs().items():
        if name in up:
            yield from (each.address for each in addresses if each.family == socket.AF_INET)


class _Collector(asyncio.DatagramProtocol):
    """What came, bounded in number and size; nonsense is passed over."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], Found] = {}
        self._left = _MAX_DATAGRAMS

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._left -= 1
        if self._left < 0 or len(data) > _MAX_DATAGRAM_BYTES:
            return
        with suppress(CameraError):
            for match in markup.parse(data).iter():
                if markup.local(match) == "ProbeMatch" and len(self.found) < MAX_FOUND:
                    found = _found(match, addr[0])
                    self.found.setdefault((found.endpoint.host, found.endpoint.port), found)


def _found(match: Element, host: str) -> Found:
    scopes = markup.text(match, "Scopes", limit=4_000).split()
    named = {key: _scope(scopes, key) for key in ("name", "hardware")}
    return Found(_endpoint(markup.text(match, "XAddrs", limit=2_000).split(), host), named["name"], named["hardware"])


def _scope(scopes: Iterable[str], key: str) -> str:
    start = f"onvif://www.onvif.org/{key}/"
    return next(
        (markup.clean(unquote(each[len(start) :]), 64) for each in scopes if each.lower().startswith(start)), ""
    )


def _endpoint(addresses: Iterable[str], host: str) -> Endpoint:
    """The service at the host that answered. A camera may name another address: one of another network, or a trap."""
    for address in addresses:
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and SERVICE_PATH.fullmatch(parts.path):
            tls = parts.scheme == "https"
            return Endpoint(host, port or (443 if tls else 80), parts.path, tls)
    return Endpoint(host)


def _by_address(endpoint: Endpoint) -> tuple[bytes, int]:
    return socket.inet_aton(endpoint.host), endpoint.port


_PROBE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header>'
    "<a:MessageID>urn:uuid:{message}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header><s:Body>"
    '<d:Probe xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
    "<d:Types>{kind}</d:Types></d:Probe></s:Body></s:Envelope>"
)
