"""One HTTP/1.1 request on one connection: what comes is bounded, in time by the caller's limits."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from edge.net import head
from edge.net.address import Address
from edge.net.connect import connect
from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

_PIECE_BYTES: Final = 65_536
_LINE_LIMIT_BYTES: Final = 64
_HEADS_LIMIT: Final = 3
_CLOSE_S: Final = 1.0
_STATUS_LINE: Final = re.compile(r"HTTP/1\.\d +(\d{3})(?: |$)")


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers."""

    status: int
    headers: head.Fields = field(default_factory=dict)

    def header(self, name: str) -> str:
        """The first value; empty without one."""
        return self.headers.get(name, [""])[0]


class Wire:
    """A connection for one request. Every method raises CameraError."""

    def __init__(
        self,
        address: Address,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tcp_ms: float,
        timeout_s: float,
    ) -> None:
        self._address, self._reader, self._writer, self._timeout_s = address, reader, writer, timeout_s
        self.tcp_ms = tcp_ms
        self.asked_s = 0.0
        """When the request was sent."""
        self.first_s: float | None = None
        """When the first byte of the body came."""
        self.cut = False
        """Whether the connection ended before the body did."""
        self._head = Head(0)
        self._held = b""

    async def ask(self, method: str, headers: dict[str, str], body: bytes = b"") -> Head:
        """Send the request; the head of its answer."""
        place = {"Host": self._address.place, "User-Agent": "kewang", "Accept": "*/*", "Connection": "close"}
        length = {"Content-Length": str(len(body))} if body else {}
        request = head.written(method, self._address.wire_path, "HTTP/1.1", {**place, **headers, **length})
        self.asked_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._writer.write(request + body)
                self._head = await self._answered()
        except TimeoutError:
            raise CameraError(CameraReason.TIMEOUT, f"no answer within {self._timeout_s:g} s") from None
        return self._head

    async def _answered(self) -> Head:
        """The head of the answer itself, behind interim ones such as 100."""
        for _ in range(_HEADS_LIMIT):
            answered = await self._read_head()
            if answered.status >= 200:
                return answered
        raise CameraError(CameraReason.PROTOCOL, "only interim answers came")

    async def _read_head(self) -> Head:
        held = self._held
        while (end := head.END.search(held)) is None:
            if len(held) > head.LIMIT_BYTES:
                raise CameraError(CameraReason.TOO_LARGE, "the answer's header does not end")
            if held and not b"HTTP/".startswith(held[:5]):
                raise CameraError(CameraReason.PROTOCOL, "what answers is no web server: check the port")
            piece = await self._read()
            if not piece:
                raise CameraError(CameraReason.PROTOCOL, "the camera closed the connection without an answer")
            held += piece
        self._held = held[end.end() :]
        return _head_of(held[: end.start()])

    async def whole(self, limit_bytes: int) -> bytes:
        """The body, or what came of it before it was cut."""
        body = bytearray()
        async for piece in self.body(limit_bytes):
            body += piece
        return bytes(body)

    async def body(self, limit_bytes: float = math.inf) -> AsyncIterator[bytes]:
        """The body piece by piece, without the marks of chunks, until it or the connection ends.

        Raises CameraError (TOO_LARGE) as soon as more than `limit_bytes` come or are announced.
        """
        came = 0
        async for length in self._lengths():
            if came + (length or 0) > limit_bytes:
                raise CameraError(CameraReason.TOO_LARGE, f"the answer is larger than {limit_bytes} bytes")
            left = length
            while left is None or left > 0:
                piece = await self._more(_PIECE_BYTES if left is None else min(left, _PIECE_BYTES))
                if not piece:
                    self.cut = length is not None
                    return
                left = None if left is None else left - len(piece)
                came += len(piece)
                if came > limit_bytes:
                    raise CameraError(CameraReason.TOO_LARGE, f"the answer is larger than {limit_bytes} bytes")
                yield piece

    async def _lengths(self) -> AsyncIterator[int | None]:
        """Bytes of each chunk, or of the whole; None: until the connection ends."""
        if "chunked" not in self._head.header("transfer-encoding").lower():
            yield head.body_bytes(self._head.headers)
            return
        while size := await self._chunk_size():
            yield size

    async def _chunk_size(self) -> int:
        """Bytes of the next chunk; 0 after the last."""
        line = b""
        while not (line.strip() and line.endswith(b"\n")):
            byte = await self._more(1)
            if not byte:
                self.cut = True
                return 0
            line = line.lstrip() + byte
            if len(line) > _LINE_LIMIT_BYTES:
                raise CameraError(CameraReason.PROTOCOL, "the answer's chunks can't be read")
        digits = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", digits):
            raise CameraError(CameraReason.PROTOCOL, "the answer's chunks can't be read")
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
            raise CameraError(CameraReason.PROTOCOL, "the camera broke the connection off") from None


@asynccontextmanager
async def open_wire(address: Address, timeout_s: float) -> AsyncIterator[Wire]:
    """A connection to the camera, closed at the end. Raises CameraError (DNS, REFUSED, TIMEOUT, ...)."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    reader, writer = await connect(address, asyncio.open_connection, timeout_s)
    try:
        yield Wire(address, reader, writer, 1000 * (loop.time() - began_s), timeout_s)
    finally:
        # Without ceremony: a stream of pictures does not end by itself.
        writer.transport.abort()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()


async def post(
    address: Address, body: bytes, headers: dict[str, str], *, limit_bytes: int, timeout_s: float
) -> tuple[Head, bytes]:
    """POST `body`; the answer and its body, all within `timeout_s`. Raises CameraError; redirects are not followed."""
    try:
        async with asyncio.timeout(timeout_s), open_wire(address, timeout_s) as wire:
            answered = await wire.ask("POST", headers, body)
            whole = await wire.whole(limit_bytes)
    except TimeoutError:
        raise CameraError(CameraReason.TIMEOUT, f"no answer within {timeout_s:g} s") from None
    if wire.cut:
        raise CameraError(CameraReason.PROTOCOL, "the connection closed in the middle of an answer")
    return answered, whole


def _head_of(data: bytes) -> Head:
    first, fields = head.read(data)
    status = _STATUS_LINE.match(first)
    if not status:
        raise CameraError(CameraReason.PROTOCOL, "what answers is no web server: check the port")
    return Head(int(status[1]), fields)
