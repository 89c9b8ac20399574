"""A connection to a camera, or the reason why there is none."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

from edge.net.address import PORTS, Address
from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason
from kewang.wire.errors import printable

_PLACES_LIMIT: Final = 4
_T = TypeVar("_T")


async def connect(address: Address, opener: Callable[..., Awaitable[_T]], timeout_s: float) -> _T:
    """What `opener` opens: it is called as asyncio.open_connection, for one of the host's addresses after the other.

    Raises CameraError (DNS, REFUSED, TIMEOUT, UNROUTABLE, PROTOCOL).
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _first_of(address, opener)
    except TimeoutError:
        raise CameraError(CameraReason.TIMEOUT, f"no connection within {timeout_s:g} s: is it switched on?") from None
    except (socket.gaierror, UnicodeError):
        raise CameraError(CameraReason.DNS, f"the name {address.host} is not known: check host and DNS") from None
    except ssl.SSLError:
        told = f"the camera speaks no TLS on this port: try {address.scheme.removesuffix('s')}://"
        raise CameraError(CameraReason.PROTOCOL, told) from None
    except ConnectionRefusedError:
        told = f"nothing listens on port {address.port}: check the port here and in the camera's settings"
        raise CameraError(CameraReason.REFUSED, told) from None
    except ConnectionError:
        raise CameraError(CameraReason.PROTOCOL, "the camera closed the connection without a word") from None
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "unknown error")
        told = f"no route to it ({code}): check cable, switch and the box's network"
        raise CameraError(CameraReason.UNROUTABLE, told) from None


async def _first_of(address: Address, opener: Callable[..., Awaitable[_T]]) -> _T:
    """One by one: asyncio alone would not tell why all failed."""
    found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    failed: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    tls = _unverified() if address.scheme in ("https", "rtsps") else None
    for *_, place in found[:_PLACES_LIMIT]:
        try:
            return await opener(place[0], address.port, ssl=tls, server_hostname=address.host if tls else None)
        except OSError as error:
            failed = error
    raise failed


def _unverified() -> ssl.SSLContext:
    """Cameras sign their own certificates: TLS keeps the password from listeners, not from an impostor."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def redirected(ours: Address, location: str, *, schemes: tuple[str, ...], other_hosts: bool) -> Address:
    """Where a camera sends us. The login goes along only to the same host by the same scheme.

    `other_hosts`: whether to go elsewhere at all. Raises CameraError (REDIRECT).
    """
    try:
        # A camera that writes {password} into its answer must not have it filled in.
        parts = urlsplit(urljoin(ours.url, location.replace("{", "%7B").replace("}", "%7D")))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise CameraError(CameraReason.REDIRECT, "the camera redirects to an unreadable address") from None
    if parts.scheme not in schemes or not host:
        raise CameraError(CameraReason.REDIRECT, f"the camera redirects to what is no {schemes[0]} address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    there = Address(parts.scheme, host, port or PORTS[parts.scheme], path)
    if (parts.scheme, host) == (ours.scheme, ours.host.lower()):
        return replace(there, user=ours.user, password=ours.password)
    if not other_hosts:
        told = f"the camera redirects to {printable(host, 60)}: put that into url if it is right, or redirects = true"
        raise CameraError(CameraReason.REDIRECT, told)
    return there
