"""One HTTP/1.1 request on one connection: what comes is bounded, in time by the caller's limits."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from edge.cameras.address import Address
from edge.rtsp.errors import SessionError
from kewang.wire.cameras import CameraReason

HEAD_LIMIT_BYTES: Final = 16_384
_PIECE_BYTES: Final = 65_536
_LINE_LIMIT_BYTES: Final = 64
_CLOSE_S: Final = 1.0
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE: Final = re.compile(r"HTTP/1\.\d +(\d{3})(?: |$)")
_UNROUTABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers: lower-case name -> values in their order."""

    status: int
    headers: dict[str, list[str]] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """The first value; empty without one."""
        return self.headers.get(name, [""])[0]

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced. Raises SessionError when that is no number."""
        told = self.header("content-length")
        if not told:
            return None
        if not (told.isascii() and told.isdigit() and len(told) <= 20):
            raise SessionError(CameraReason.PROTOCOL, "the answer has a Content-Length that is no number")
        return int(told)


class Wire:
    """A connection for one request. Every method raises SessionError."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tcp_ms: float, timeout_s: float
    ) -> None:
        self._reader, self._writer, self._timeout_s = reader, writer, timeout_s
        self.tcp_ms = tcp_ms
        self.asked_s = 0.0
        """When the request was sent."""
        self.first_s: float | None = None
        """When the first byte of the body came."""
        self._head = Head(0)
        self._held = b""

    async def get(self, address: Address, headers: dict[str, str]) -> Head:
        """Ask for `address`; the head of the answer."""
        path = address.wire_path
        lines = [f"GET {path} HTTP/1.1", f"Host: {address.place}", "User-Agent: kewang", "Accept: */*"]
        lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
        if any(c in line for line in lines for c in "\r\n\0"):
            raise SessionError(CameraReason.PROTOCOL, "an address or header holds a character that can't be sent")
        self.asked_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
                self._head = await self._read_head()
        except TimeoutError:
            raise SessionError(CameraReason.TIMEOUT, f"no answer within {self._timeout_s:g} s") from None
        return self._head

    async def _read_head(self) -> Head:
        held = b""
        while (end := _HEAD_END.search(held)) is None:
            if len(held) > HEAD_LIMIT_BYTES:
                raise SessionError(CameraReason.TOO_LARGE, "the answer's header does not end")
            if held and not b"HTTP/".startswith(held[:5]):
                raise SessionError(CameraReason.PROTOCOL, "what answers is no web server: check the port")
            piece = await self._read()
            if not piece:
                raise SessionError(CameraReason.PROTOCOL, "the camera closed the connection without an answer")
            held += piece
        self._held = held[end.end() :]
        return _head_of(held[: end.start()])

    async def body(self) -> AsyncIterator[bytes]:
        """The body piece by piece, without the marks of chunks, until it or the connection ends."""
        if self._head.header("transfer-encoding").lower() == "chunked":
            async for piece in self._chunks():
                yield piece
            return
        left = self._head.length
        while left is None or left > 0:
            piece = await self._more(_PIECE_BYTES if left is None else min(left, _PIECE_BYTES))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while left := await self._chunk_size():
            while left:
                piece = await self._more(min(left, _PIECE_BYTES))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    async def _chunk_size(self) -> int:
        """Bytes of the next chunk; 0 after the last."""
        line = b""
        while not (line.strip() and line.endswith(b"\n")):
            byte = await self._more(1)
            if not byte:
                return 0
            line = line.lstrip() + byte
            if len(line) > _LINE_LIMIT_BYTES:
                raise SessionError(CameraReason.PROTOCOL, "the answer's chunks can't be read")
        digits = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", digits):
            raise SessionError(CameraReason.PROTOCOL, "the answer's chunks can't be read")
        return int(digits, 16)

    async def _more(self, limit_bytes: int) -> bytes:
        """Up to `limit_bytes` of the body; empty at its end."""
        held = self._held or await self._read()
        if held and self.first_s is None:
            self.first_s = asyncio.get_running_loop().time()
        self._held = held[limit_bytes:]
        return held[:limit_bytes]

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_PIECE_BYTES)
        except OSError:
            raise SessionError(CameraReason.PROTOCOL, "the camera broke the connection off") from None


@asynccontextmanager
async def open_wire(address: Address, timeout_s: float) -> AsyncIterator[Wire]:
    """A connection to the camera, closed at the end. Raises SessionError (DNS, REFUSED, TIMEOUT, ...)."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    reader, writer = await _connect(address, timeout_s)
    try:
        yield Wire(reader, writer, 1000 * (loop.time() - began_s), timeout_s)
    finally:
        # Without ceremony: a stream of pictures does not end by itself.
        writer.transport.abort()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()


async def _connect(address: Address, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = _unverified() if address.scheme in ("https", "rtsps") else None
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.open_connection(address.host, address.port, ssl=tls)
    except TimeoutError:
        raise SessionError(CameraReason.TIMEOUT, f"no connection within {timeout_s:g} s: is it switched on?") from None
    except (socket.gaierror, UnicodeError):
        raise SessionError(CameraReason.DNS, f"the name {address.host} is not known: check host and DNS") from None
    except ssl.SSLError:
        raise SessionError(CameraReason.PROTOCOL, "the camera speaks no TLS on this port: try http://") from None
    except ConnectionRefusedError:
        raise SessionError(CameraReason.REFUSED, "nothing listens on this port: check the port of its url") from None
    except OSError as error:
        raise _no_way(error) from None


def _no_way(error: OSError) -> SessionError:
    if error.errno in _UNROUTABLE:
        return SessionError(CameraReason.UNROUTABLE, "no route to it: check cable, switch and the box's network")
    if isinstance(error, ConnectionError):
        return SessionError(CameraReason.PROTOCOL, "the camera closed the connection without a word")
    # Of several addresses asyncio tells only the texts: nothing listens at any of them, or none answers.
    return SessionError(CameraReason.REFUSED, "no connection to any of its addresses: check host and port of its url")


def _unverified() -> ssl.SSLContext:
    """Cameras sign their own certificates: TLS keeps the password from listeners, not from an impostor."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _head_of(data: bytes) -> Head:
    first, *lines = data.decode("latin-1").splitlines()
    status = _STATUS_LINE.match(first)
    if not status:
        raise SessionError(CameraReason.PROTOCOL, "what answers is no web server: check the port")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), []).append(value.strip())
    return Head(int(status[1]), headers)
