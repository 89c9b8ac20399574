"""The console served by a real uvicorn on a free port, for the length of a block."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from gateway.console.app import create_app
from gateway.console.facts import Access, Options
from gateway.console.incidents import Incidents
from gateway.metrics import GatewayMetrics
from kewang.runtime.clock import SystemClock
from kewang.wire.placement import Placement
from tests.gateway.town import TownFacts

QUICK = Options(tick_s=0.05, ledger_s=0.05, closed_s=0.05, lost_after_s=0)
LIMIT_S = 60.0


def now_ms() -> int:
    """Our date, as towns are settled at it."""
    return SystemClock().wall_ms()


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the test runner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(app: FastAPI, stopping: asyncio.Event, port: int = 0) -> AsyncIterator[str]:
    """The address of `app` while it is served; at the end `stopping` is set, then the server ends."""
    listening = socket.create_server(("127.0.0.1", port))
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    task = asyncio.create_task(server.serve([listening]), name="served")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stopping.set()
        server.should_exit = True
        await task


def plain_client(address: str) -> httpx.AsyncClient:
    """For a server of ours without TLS: it spares the 30 ms that reading the system's trust anchors takes."""
    return httpx.AsyncClient(base_url=address, timeout=LIMIT_S, verify=False)


@dataclass
class Served:
    """A console that is being served, and the parts behind it."""

    store: Any
    facts: TownFacts
    client: httpx.AsyncClient
    address: str

    async def text(self, path: str, status: int = 200) -> str:
        """The body of a GET."""
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    async def until(self, path: str, needle: str) -> str:
        """GET again until `needle` is in the body."""
        async with asyncio.timeout(LIMIT_S):
            while needle not in (text := (await self.client.get(path)).text):
                await asyncio.sleep(0.02)
        return text


@contextlib.asynccontextmanager
async def console(
    store: Any,
    options: Options = QUICK,
    known: dict[str, Placement] | None = None,
    access: Access | None = None,
    incidents: Incidents | None = None,
    port: int = 0,
) -> AsyncIterator[Served]:
    facts = TownFacts(known=known or {})
    stopping = asyncio.Event()
    app = create_app(store, facts, GatewayMetrics(), SystemClock(), options, stopping, access, incidents)
    async with served(app, stopping, port) as address, plain_client(address) as client:
        yield Served(store, facts, client, address)
