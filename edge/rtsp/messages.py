"""RTSP on the wire: requests out, and the bytes of one connection taken apart into messages and interleaved packets.

No sockets here: bytes in, events out. What may be held is bounded by the limits below.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from edge.net import head
from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

HEADER_LIMIT_BYTES: Final = head.LIMIT_BYTES
BODY_LIMIT_BYTES: Final = 65_536
_STATUS_LINE = re.compile(r"RTSP/\d\.\d +(\d{3})(?: |$)")
_REQUEST_LINE = re.compile(r"([A-Z_]{3,20}) +\S+ +RTSP/\d\.\d$")
_SPLIT_BYTES: Final = 3
"""So much of a header's end may already be there without being one."""
_DOLLAR: Final = 0x24
_INTERLEAVED_BYTES: Final = 4

Packet = tuple[int, bytes]
"""An interleaved frame: its channel and what it carries."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: int
    headers: head.Fields = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = self.headers.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """What a camera asks of us, such as OPTIONS to see whether we are still there."""

    method: str
    cseq: str


Event = Packet | Response | ServerRequest


def request(method: str, url: str, cseq: int, headers: dict[str, str]) -> bytes:
    """The bytes of a request without a body. Raises CameraError when a value can't be in a header."""
    return head.written(method, url, "RTSP/1.0", {"CSeq": str(cseq), "User-Agent": "kewang", **headers})


def answer(asked: ServerRequest) -> bytes:
    """Our answer to a camera's own request: we are here, and can do nothing else."""
    status = "200 OK" if asked.method in ("OPTIONS", "GET_PARAMETER") else "501 Not Implemented"
    return f"RTSP/1.0 {status}\r\nCSeq: {asked.cseq}\r\n\r\n".encode()


class Framer:
    """Takes the bytes of a connection apart, however they are cut. Raises CameraError once they make no sense."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self._needed = 0

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; after an exception the connection is of no more use."""
        if not self._held:
            return self._events(data)
        self._held += data
        return self._events(self._held) if len(self._held) >= self._needed else []

    def _events(self, data: bytes | bytearray) -> list[Event]:
        events: list[Event] = []
        position, end = 0, len(data)
        while position < end:
            if data[position] == _DOLLAR:
                if end - position < _INTERLEAVED_BYTES:
                    break
                after = position + _INTERLEAVED_BYTES + (data[position + 2] << 8 | data[position + 3])
                if after > end:
                    break
                events.append((data[position + 1], bytes(data[position + _INTERLEAVED_BYTES : after])))
                position = after
            elif data[position] in b"\r\n":
                position += 1
            elif message := self._message(data, position):
                position, event = message
                events.append(event)
                self._searched = self._needed = 0
            else:
                break
        self._hold(data, position)
        return events

    def _hold(self, data: bytes | bytearray, position: int) -> None:
        if data is self._held:
            del self._held[:position]
        else:
            self._held += data[position:]

    def _message(self, data: bytes | bytearray, start: int) -> tuple[int, Response | ServerRequest] | None:
        """The message that begins at `start` and where it ends; None while it is not whole."""
        _check_begins(data, start)
        found = head.END.search(data, start + self._searched)
        if (found.start() if found else len(data)) - start > HEADER_LIMIT_BYTES:
            raise CameraError(CameraReason.TOO_LARGE, "an answer's header does not end")
        if found is None:
            self._searched = max(0, len(data) - start - _SPLIT_BYTES)
            return None
        first, headers = head.read(bytes(data[start : found.start()]))
        after = found.end() + _body_bytes(headers)
        if after > len(data):
            self._needed = after - start
            return None
        return after, _parsed(first, headers, bytes(data[found.end() : after]))


def _check_begins(data: bytes | bytearray, start: int) -> None:
    """Tell what is not RTSP by its first line, or even its first byte: it may never send another."""
    line_end = data.find(b"\n", start, start + HEADER_LIMIT_BYTES)
    line = bytes(data[start : line_end if line_end >= 0 else start + HEADER_LIMIT_BYTES])
    if line.startswith(b"HTTP/"):
        raise CameraError(CameraReason.PROTOCOL, "the server answers HTTP: is this the port of its web page?")
    if not 0x41 <= line[0] <= 0x5A or (line_end >= 0 and b"RTSP/" not in line):
        raise CameraError(CameraReason.PROTOCOL, "what comes from the camera is not RTSP")


def _body_bytes(headers: head.Fields) -> int:
    announced = head.body_bytes(headers) or 0
    if announced > BODY_LIMIT_BYTES:
        raise CameraError(CameraReason.TOO_LARGE, f"an answer's body is larger than {BODY_LIMIT_BYTES} bytes")
    return announced


def _parsed(first: str, headers: head.Fields, body: bytes) -> Response | ServerRequest:
    if status := _STATUS_LINE.match(first):
        return Response(int(status[1]), headers, body)
    if asked := _REQUEST_LINE.match(first):
        return ServerRequest(asked[1], headers.get("cseq", ["0"])[0])
    raise CameraError(CameraReason.PROTOCOL, "what comes from the camera is not RTSP")
