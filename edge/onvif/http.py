"""One HTTP request at a time to a camera: everything bounded, whatever comes back."""

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edge.onvif.facts import Endpoint, OnvifError
from kewang.wire.cameras import CameraReason

MAX_BODY_BYTES: Final = 256 * 1024
_MAX_LINE_BYTES: Final = 8 * 1024
_MAX_HEADERS: Final = 64
_MAX_ADDRESSES: Final = 4
_SEVERED: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `headers`: names in lower case, each with its first value; challenges are kept apart."""

    status: int
    headers: dict[str, str]
    challenges: tuple[str, ...]
    body: bytes


async def post(endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> Answer:
    """POST `body` and read the answer, all within `timeout_s`. Raises OnvifError; redirects are not followed."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await _connect(endpoint)
            writer.write(_head(endpoint, path, body, headers) + body)
            await writer.drain()
            return await _answer(reader)
    except TimeoutError:
        raise OnvifError(CameraReason.TIMEOUT, f"no answer within {timeout_s:g} s") from None
    except asyncio.IncompleteReadError:
        raise OnvifError(CameraReason.PROTOCOL, "the connection closed in the middle of an answer") from None
    except UnicodeError:
        raise OnvifError(CameraReason.DNS, "its name is not a host name") from None
    except OSError as error:
        raise _told(error) from None
    finally:
        if writer is not None:
            await _close(writer)


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of the host's addresses that answers. One by one: asyncio alone would not tell why all failed."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    failed: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for _, _, _, _, place in found[:_MAX_ADDRESSES]:
        try:
            tls = _unverified() if endpoint.tls else None
            return await asyncio.open_connection(str(place[0]), endpoint.port, ssl=tls, limit=_MAX_LINE_BYTES)
        except OSError as error:
            failed = error
    raise failed


def _unverified() -> ssl.SSLContext:
    """Cameras sign their certificates themselves. Nobody is believed for it: a password goes only as a digest."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _head(endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {endpoint.netloc}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


async def _answer(reader: asyncio.StreamReader) -> Answer:
    for _ in range(3):
        status = _status(await _line(reader))
        headers, challenges = await _headers(reader)
        if status >= 200:
            return Answer(status, headers, challenges, await _body(reader, headers))
    raise OnvifError(CameraReason.PROTOCOL, "only interim answers came")


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    if not line:
        raise OnvifError(CameraReason.PROTOCOL, "the connection closed without an answer")
    if not version.startswith("HTTP/1.") or not (rest[:3].isascii() and rest[:3].isdigit()):
        raise OnvifError(CameraReason.PROTOCOL, "the answer is not HTTP")
    return int(rest[:3])


async def _headers(reader: asyncio.StreamReader) -> tuple[dict[str, str], tuple[str, ...]]:
    headers: dict[str, str] = {}
    challenges: list[str] = []
    for _ in range(_MAX_HEADERS):
        line = await _line(reader)
        if not line:
            return headers, tuple(challenges)
        name, _, value = line.partition(":")
        if name.strip().lower() == "www-authenticate":
            challenges.append(value.strip())
        headers.setdefault(name.strip().lower(), value.strip())
    raise OnvifError(CameraReason.TOO_LARGE, f"the answer has over {_MAX_HEADERS} headers")


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readline()).decode("latin-1").rstrip("\r\n")
    except ValueError:
        raise OnvifError(CameraReason.TOO_LARGE, f"a header is longer than {_MAX_LINE_BYTES} bytes") from None


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length")
    if length is None:
        return await _rest(reader)
    return await reader.readexactly(_checked(length, 10, MAX_BODY_BYTES))


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(16 * 1024):
        body += piece
        _checked(str(len(body)), 10, MAX_BODY_BYTES)
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := _checked((await _line(reader)).partition(";")[0].strip(), 16, MAX_BODY_BYTES - len(body)):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)


def _checked(digits: str, base: int, limit: int) -> int:
    """The length written in `digits`. Raises OnvifError if it is none or over `limit`."""
    try:
        length = int(digits[:20], base)
    except ValueError:
        length = -1
    if length < 0:
        raise OnvifError(CameraReason.PROTOCOL, "the length of the answer can't be read")
    if length > limit:
        raise OnvifError(CameraReason.TOO_LARGE, f"the answer is larger than {MAX_BODY_BYTES} bytes")
    return length


def _told(error: OSError) -> OnvifError:
    if isinstance(error, socket.gaierror):
        return OnvifError(CameraReason.DNS, "its name is not known here")
    if isinstance(error, ConnectionRefusedError):
        return OnvifError(CameraReason.REFUSED, "nothing listens at its ONVIF port")
    if isinstance(error, ssl.SSLError):
        return OnvifError(CameraReason.PROTOCOL, "it does not speak TLS at this port")
    if error.errno in _SEVERED:
        return OnvifError(CameraReason.PROTOCOL, "it broke the connection off")
    return OnvifError(CameraReason.UNROUTABLE, f"no way to it: {error.strerror or 'unknown reason'}")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
