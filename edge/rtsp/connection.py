"""The sockets of a session: one TCP connection, and a pair of UDP ports when the camera wants datagrams."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from edge.net import connect as net
from edge.net.address import Address
from edge.net.errors import CameraError
from edge.rtsp.messages import Framer, Response, answer
from kewang.wire.cameras import CameraReason

Take = Callable[[int, bytes], None]
"""Called with the channel of a packet and what it holds; may raise CameraError."""

_ANSWERS_LIMIT: Final = 16
_PORT_TRIES: Final = 32
_RECEIVE_BYTES: Final = 1 << 20


class Connection(asyncio.Protocol):
    """A Line over TCP. `changed`: there is something new to look at; `ended`: why nothing more comes.

    `closed` is set when the connection is gone, be it by us or by the camera.
    """

    def __init__(self, timeout_s: float) -> None:
        self.changed = asyncio.Event()
        self.ended: CameraError | None = None
        self.take: Take | None = None
        self._timeout_s = timeout_s
        self._framer = Framer()
        self._waiting: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None
        self._answered = 0
        self._spoke = False
        self.closed = asyncio.Event()

    @property
    def places(self) -> tuple[str, str]:
        """The camera's and our own IP address."""
        assert self._transport is not None
        return self._transport.get_extra_info("peername")[0], self._transport.get_extra_info("sockname")[0]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.ended:
            return
        self._spoke = True
        try:
            for event in self._framer.feed(data):
                if isinstance(event, tuple):
                    if self.take:
                        self.take(*event)
                elif isinstance(event, Response):
                    self._answer(event)
                elif self._answered < _ANSWERS_LIMIT:
                    self._answered += 1
                    self._write(answer(event))
        except CameraError as error:
            self.end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        silent = "the camera closed the connection without a word"
        said = "the camera closed the connection" if self._spoke else silent
        self.end(CameraError(CameraReason.PROTOCOL, said))

    def end(self, error: CameraError) -> None:
        """Nothing more is to come, because of `error`; the first one counts."""
        self.ended = self.ended or error
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(self.ended)
        self.changed.set()

    def _answer(self, response: Response) -> None:
        if response.status >= 200 and self._waiting and not self._waiting.done():
            self._waiting.set_result(response)

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    async def ask(self, request: bytes, limit_s: float | None = None) -> Response:
        """Send `request`; its answer, within `limit_s` (or the connection's own limit). Raises CameraError."""
        if self.ended:
            raise self.ended
        self._waiting = asyncio.get_running_loop().create_future()
        self._write(request)
        try:
            async with asyncio.timeout(limit_s or self._timeout_s):
                return await self._waiting
        except TimeoutError:
            raise CameraError(CameraReason.TIMEOUT, _slow(request, self._timeout_s)) from None
        finally:
            self._waiting = None

    async def close(self, limit_s: float) -> None:
        """Close, politely for up to `limit_s`, then at once."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(limit_s):
                await self.closed.wait()
        except TimeoutError:
            pass
        finally:
            self._transport.abort()


def _slow(request: bytes, limit_s: float) -> str:
    return f"{request.split(b' ', 1)[0].decode()} was not answered within {limit_s:g} s"


async def connect(address: Address, timeout_s: float) -> Connection:
    """A connection to the camera. Raises CameraError (DNS, REFUSED, TIMEOUT, UNROUTABLE, PROTOCOL)."""
    opener = partial(asyncio.get_running_loop().create_connection, lambda: Connection(timeout_s))
    opened: tuple[object, Connection] = await net.connect(address, opener, timeout_s)
    return opened[1]


class Datagrams(asyncio.DatagramProtocol):
    """One UDP port; what does not come from the camera is not looked at."""

    def __init__(self, camera: str, channel: int, take: Take, failed: Callable[[CameraError], None]) -> None:
        self._camera, self._channel, self._take, self._failed = camera, channel, take, failed

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0] != self._camera:
            return
        try:
            self._take(self._channel, data)
        except CameraError as error:
            self._failed(error)


class PortPair:
    """Two neighbouring UDP ports, as RTP wants them; `take` gets channel 0 (RTP) and 1 (RTCP)."""

    def __init__(self) -> None:
        self.port = 0
        self._sockets: list[socket.socket] = []
        self._transports: list[asyncio.DatagramTransport] = []

    async def open(self, connection: Connection, take: Take) -> None:
        """Listen. Raises CameraError when no pair is free."""
        camera, ours = connection.places
        self._sockets = _bound_pair(ours)
        self.port = self._sockets[0].getsockname()[1]
        for channel, each in enumerate(list(self._sockets)):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda channel=channel: Datagrams(camera, channel, take, connection.end),  # type: ignore[misc]
                sock=each,
            )
            self._sockets.remove(each)
            self._transports.append(transport)

    def open_way(self, camera: str, media: int | None, control: int | None) -> None:
        """Send the camera a few bytes from each port, which lets its datagrams through a firewall between."""
        for transport, port in zip(self._transports, (media, control), strict=False):
            if port:
                transport.sendto(
                    b"\x80\0\0\0\0\0\0\0\0\0\0\0" if port == media else b"\x80\xc9\0\1\0\0\0\0", (camera, port)
                )

    def close(self) -> None:
        for unused in self._sockets:
            unused.close()
        for transport in self._transports:
            transport.close()


def _bound_pair(host: str) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_PORT_TRIES):
        pair = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            pair[0].bind((host, 0))
            first = pair[0].getsockname()[1]
            if first % 2 == 0:
                pair[1].bind((host, first + 1))
                for each in pair:
                    each.setblocking(False)
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
                return pair
        except OSError:
            pass
        for each in pair:
            each.close()
    raise CameraError(CameraReason.TRANSPORT, "no free pair of UDP ports on this box")
