"""Where a webhook may go: judged before a request and once more at the very socket that is connected.

An address in somebody's settings must not make the gateway talk to what only it can reach: its own services, the
city's inner network, a cloud's metadata. Names are resolved by us, once; what was judged is what is connected to.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Where clouds give secrets to whoever asks from the inside: refused unless listed one by one."""
_INNER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "2001:db8::/32"),
        *("2001::/23", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
"""Also what this Python's own list does not know yet, or holds for reachable."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(OSError):
    """The guard refuses; the text says what and what to do. An OSError, so that it passes through asyncio's connect."""


class Guard:
    """Judges addresses. `allowed`: networks (`10.1.2.0/24`) and single addresses that may be reached all the same."""

    def __init__(self, allowed: Iterable[str] = (), *, plain_http: bool = False) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(text) for text in allowed]
        self._plain_http = plain_http

    def check_url(self, url: str) -> None:
        """Raises Forbidden for a URL that no request goes to, whatever its name resolves to."""
        if any(letter <= " " for letter in url):
            raise Forbidden("a space or a line break in the address")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._plain_http):
            raise Forbidden(f"{parts.scheme or 'no'} scheme: only https is allowed")
        if not parts.hostname:
            raise Forbidden("the address names no host")
        if parts.username is not None or parts.password is not None:
            raise Forbidden("user and password don't belong into the address: use the secret file")
        if (literal := _literal(parts.hostname)) is not None:
            self.check(literal)

    def check(self, address: Address) -> None:
        """Raises Forbidden for an address that nothing is sent to."""
        for each in _meanings(address):
            if each in _METADATA:
                if not any(each in network and network.num_addresses == 1 for network in self._allowed):
                    raise Forbidden(f"{each} is a cloud's metadata service")
            elif _is_inner(each) and not any(each in network for network in self._allowed):
                raise Forbidden(f"{each} is an inner address: list it under 'allowed' if that is meant")

    def check_target(self, target: object) -> None:
        """Raises Forbidden for what a socket is about to be connected to: no good (address, port, ...)."""
        if not isinstance(target, tuple) or not target or (address := _literal(str(target[0]))) is None:
            raise Forbidden("only addresses of the internet are connected to")
        self.check(address)

    def connector(self) -> aiohttp.TCPConnector:
        """Opens connections to judged addresses only; none is used again for another request."""
        return aiohttp.TCPConnector(
            resolver=_Resolver(self), use_dns_cache=False, force_close=True, socket_factory=self._socket, limit=4
        )

    def _socket(self, found: tuple[Any, ...]) -> socket.socket:
        """The last look: at the address that is about to be connected to."""
        family, kind, protocol, _, target = found
        self.check_target(target)
        return socket.socket(family=family, type=kind, proto=protocol)


class _Resolver(AbstractResolver):
    """Resolves a name once and judges all it stands for: one inner address among them spoils it."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results = []
        for kind, _, protocol, _, target in found:
            self._guard.check(_address(str(target[0])))
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(target[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Holds nothing."""


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


def _literal(host: str) -> Address | None:
    """The address if the host is one; other spellings of numbers go through the resolver like names."""
    try:
        return _address(host)
    except ValueError:
        return None


def _is_inner(address: Address) -> bool:
    return not address.is_global or any(address in network for network in _INNER)


def _meanings(address: Address) -> list[Address]:
    """The address, or the IPv4 one inside it that a router or translator would send it to."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inside: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    found = [each for each in inside if each is not None]
    return found or [address]
