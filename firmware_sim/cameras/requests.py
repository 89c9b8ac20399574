"""RTSP on the server's side (RFC 2326): requests read, answers written."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final
from urllib.parse import urlsplit

_HEAD_LIMIT_BYTES: Final = 16_384
_BODY_LIMIT_BYTES: Final = 65_536
REASONS: Final = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class BadRequest(Exception):
    """What came is no RTSP request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path of its URL."""
        return urlsplit(self.url).path

    @property
    def session(self) -> str:
        """The session it names; empty if none."""
        return self.headers.get("session", "").partition(";")[0].strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, without the headers that all have."""

    code: int
    headers: Mapping[str, str]
    body: bytes = b""

    def encoded(self, cseq: str) -> bytes:
        """As bytes."""
        fixed = {"CSeq": cseq, "Date": formatdate(usegmt=True), "Server": "Kewang simulated camera"}
        length = {"Content-Length": str(len(self.body))} if self.body else {}
        lines = [f"{name}: {value}" for name, value in {**fixed, **self.headers, **length}.items()]
        return "\r\n".join([f"RTSP/1.0 {self.code} {REASONS[self.code]}", *lines, "", ""]).encode() + self.body


def answer(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer; underscores in header names become hyphens."""
    return Answer(code, {name.replace("_", "-"): value for name, value in headers.items()}, body)


async def read_request(reader: asyncio.StreamReader, on_frame: Callable[[], None]) -> Request | None:
    """The next request; None when the client has closed. `on_frame` is called for each interleaved frame between.

    Raises BadRequest, ConnectionError.
    """
    try:
        while True:
            first = await reader.readexactly(1)
            if first == b"$":
                head = await reader.readexactly(3)
                await reader.readexactly(int.from_bytes(head[1:], "big"))
                on_frame()
            elif first not in b"\r\n":
                return await _request(first, reader)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest("the header never ends") from None


async def _request(first: bytes, reader: asyncio.StreamReader) -> Request:
    head = first + await reader.readuntil(b"\r\n\r\n")
    if len(head) > _HEAD_LIMIT_BYTES:
        raise BadRequest("the header is too long")
    line, *rest = head.decode("utf-8", "replace").split("\r\n")
    try:
        method, url, version = line.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        length = int(headers.get("content-length", "0"))
        urlsplit(url)
    except ValueError:
        raise BadRequest("no request line") from None
    if not version.startswith("RTSP/1.") or not 0 <= length <= _BODY_LIMIT_BYTES:
        raise BadRequest("not RTSP 1.0")
    await reader.readexactly(length)
    return Request(method, url, headers)
