"""A small server that answers as the gateway's JSON API is agreed: what is stored of a device, and how all are."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

TOKEN = "the-gateway-token-of-a-test"


@dataclass
class Stored:
    """What the database holds of a device."""

    heard_ms: int | None = None
    sources: dict[tuple[str, str], tuple[int, int, int, dict[str, float]]] = field(default_factory=dict)
    """(stream, source) -> first, newest, rows, values of the newest."""
    condition: str = "never"


@dataclass
class Scripted:
    """An answer given instead of the right one; `body` None: the connection is cut."""

    status: int
    body: bytes | None


class GatewayServer:
    """Serves on `url` inside `async with`. `script` makes the next requests fail."""

    def __init__(self) -> None:
        self.url = ""
        self.devices: dict[str, Stored] = {}
        self.trouble: str | None = None
        self.asked: list[str] = []
        self._script: deque[Scripted] = deque()

    def script(self, *answers: Scripted) -> None:
        """The next requests get these answers."""
        self._script += answers

    def store(self, device: str, stream: str, source: str, values: dict[str, float]) -> None:
        """A row of `source` is in the database, now."""
        now = _now_ms()
        known = self.devices.setdefault(device, Stored())
        first, _, rows, _ = known.sources.get((stream, source), (now, now, 0, {}))
        known.sources[stream, source] = (first, now, rows + 1, values)
        known.heard_ms, known.condition = now, "ok"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/v1/acceptance/{device}", self._acceptance)
        app.router.add_get("/api/v1/devices", self._devices)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _first(self, request: web.Request) -> web.StreamResponse | None:
        self.asked.append(request.path_qs)
        if self._script:
            scripted = self._script.popleft()
            if scripted.body is None:
                assert request.transport is not None
                request.transport.close()
            return web.Response(status=scripted.status, body=scripted.body or b"", content_type="application/json")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "token"}, status=401)
        return None

    async def _acceptance(self, request: web.Request) -> web.StreamResponse:
        if (first := self._first(request)) is not None:
            return first
        device, since_ms = request.match_info["device"], int(request.query["since_ms"])
        known = self.devices.get(device, Stored())
        heard = known.heard_ms
        sources = [
            {"stream": stream, "source": source, "first_ms": first, "newest_ms": newest, "rows": rows, "values": values}
            for (stream, source), (first, newest, rows, values) in known.sources.items()
            if newest >= since_ms and self.trouble is None
        ]
        birth = {"st": "on", "bt": "abc", "n": 1, "fw": "1.0"} if heard else None
        said = {"device": device, "heard_ms": heard, "birth": birth, "sources": sources}
        return web.json_response(
            {**said, "now_ms": _now_ms(), "trouble": self.trouble}, status=503 if self.trouble else 200
        )

    async def _devices(self, request: web.Request) -> web.StreamResponse:
        if (first := self._first(request)) is not None:
            return first
        listed: list[dict[str, Any]] = [
            {
                "device": device,
                "condition": known.condition,
                "last_ms": known.heard_ms,
                "sources": [
                    {"stream": stream, "source": source, "camera": _camera(values) if stream == "cam" else None}
                    for (stream, source), (_, _, _, values) in known.sources.items()
                ],
            }
            for device, known in self.devices.items()
        ]
        return web.json_response({"now_ms": _now_ms(), "trouble": None, "devices": listed})


def _camera(values: dict[str, float]) -> str:
    return ("unknown", "ok", "degraded", "down")[int(values.get("camera_state", 0))]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
