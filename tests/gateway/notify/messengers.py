"""Who carries messages, on loopback: an HTTP server that speaks Telegram's API and takes webhooks, and misbehaves."""

import asyncio
import contextlib
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.notify.message import Message
from tests.gateway.notify.listening import listening

NOW_S = 1_785_000_000.0


@dataclass(frozen=True)
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass
class Messenger:
    """`plan`: how the next requests are answered, one word each; after it: well.

    A status, `429 SECONDS` (in Telegram's way and by header), `429`; `meta CODE`: in WhatsApp's way; `hang`, `reset`;
    `lone STATUS`: a lone surrogate wherever a text may be;
    `lie`: 200 and a login page; `mute`: taken and the connection cut before the answer; `huge`: 200 and no end;
    `two`: well, but the end of the body only once `second` is set;
    `away URL`: sent on. `taken`: by key, honoured: the same key is taken once.
    """

    plan: deque[str] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    taken: dict[str, Request] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    taking: Callable[[Request], None] = lambda request: None
    word: str = ""
    second: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def will(self, *words: str) -> None:
        self.plan.extend(words)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _request(reader)) is not None:
                self.requests.append(request)
                self.word = self.plan.popleft() if self.plan else "200"
                answer = self._answer(request, self.word)
                if answer is None:
                    await reader.read()
                    return
                if answer == b"":
                    writer.transport.abort()
                    return
                await self._write(writer, answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if self.word == "two":
            writer.write(answer[:-20])
            await writer.drain()
            await self.second.wait()
            answer = answer[-20:]
        writer.write(answer)
        await writer.drain()

    def _answer(self, request: Request, word: str) -> bytes | None:
        """None: never; empty: the connection is reset."""
        status, _, more = word.partition(" ")
        if status in ("hang", "reset"):
            return None if status == "hang" else b""
        if status == "lie":
            return _http(200, b"<html>Please log in</html>")
        if status == "lone":
            return _http(int(more), rb'{"ok":true,"description":"\ud800","result":{"message_id":"\ud800"}}')
        if status == "meta":
            return _http(400, json.dumps({"error": {"code": int(more), "message": f"(#{more})"}}).encode())
        if status == "huge":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 4_000_000
        if status == "away":
            return _http(302, b"", f"Location: {more}\r\n")
        if status not in ("200", "two", "mute"):
            return _refusal(int(status), more, request.path)
        key = request.headers.get("idempotency-key", request.path)
        self.arrivals[key] += 1
        self.taken.setdefault(key, request)
        self.taking(request)
        number = list(self.taken).index(key) + 1
        told = {"ok": True, "id": f"w{number}", "result": {"message_id": number}, "messages": [{"id": f"wa{number}"}]}
        return b"" if status == "mute" else _http(200, json.dumps(told).encode())


def _refusal(status: int, more: str, path: str) -> bytes:
    told: dict[str, Any] = {"ok": False, "error_code": status, "description": f"because of {status} at {path}"}
    if more:
        told["parameters"] = {"retry_after": int(more)}
    return _http(status, json.dumps(told).encode(), f"Retry-After: {more}\r\n" if more else "")


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def _request(reader: asyncio.StreamReader) -> Request | None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(first.split()[1], headers, body)
    return None


@asynccontextmanager
async def messenger(plan: Iterable[str] = ()) -> AsyncIterator[Messenger]:
    """One that listens on a free port of loopback."""
    one = Messenger(deque(plan))
    async with listening(one.serve) as one.port:
        yield one


def message(key: str = "1-opened", channel: str = "chat", **more: Any) -> Message:
    """A message to chat -100, made now, good for an hour."""
    made: dict[str, Any] = {
        "recipient": "-100",
        "subject": "Gangguan",
        "text": "Lokasi pasar padam",
        "severity": "critical",
        "created_s": NOW_S,
        "expires_s": NOW_S + 3600,
    }
    return Message(key, channel, **made | more)


async def until(true: Callable[[], object], limit_s: float = 30.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.005)
