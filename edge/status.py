"""How the agent is doing, told on a Unix socket beside the outbox: no disk is written for it.

`Reporter` answers every connection with one JSON object; `ask` reads it (for `kewang edge status`).
"""

import asyncio
import json
import logging
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.agent import Agent, Sampling
from edge.ports import OutboxStatus

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 3.0


class NotRunning(Exception):
    """No agent answers; the text says where it was looked for."""


def socket_path(outbox: Path) -> Path:
    """Where the agent of `outbox` answers."""
    return outbox.with_suffix(".sock")


async def answer(agent: Agent, device: str, path: Path) -> None:
    """Answer for ever. The socket is for the agent's user (and root) only."""

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        report = await describe(agent, device)
        writer.write(json.dumps(report).encode())
        await writer.drain()
        writer.close()

    try:
        listening = _listening(path)
    except OSError as error:
        log.warning("`kewang edge status` will not work: no socket at %s: %s", path, error)
        return
    async with await asyncio.start_unix_server(reply, sock=listening) as server:
        await server.serve_forever()


def _listening(path: Path) -> socket.socket:
    """A socket at `path`, in place of one that an agent killed earlier left there."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


async def describe(agent: Agent, device: str) -> dict[str, Any]:
    """The whole report, as JSON holds it. Ages in seconds."""
    now_ms = agent.clock.mono_ms()
    outbox: OutboxStatus = await agent.outbox_status()
    ack_ms = agent.delivery.ack_ms
    return {
        "device": device,
        "run": agent.delivery.run,
        "connected": agent.link is not None,
        "connects": agent.connects,
        "link_error": agent.link_error,
        "last_ack_age_s": None if ack_ms is None else (now_ms - ack_ms) / 1000,
        "credit": agent.delivery.credit,
        "clock": {"synchronised": agent.clock.synchronised(), "dated": agent.delivery.dated},
        "outbox": asdict(outbox),
        "sources": [_source(sampling, now_ms) for sampling in agent.samplings],
    }


def _source(sampling: Sampling, now_ms: int) -> dict[str, Any]:
    return {
        "name": sampling.source.name,
        "stream": sampling.source.stream,
        "last_age_s": None if sampling.last_ms is None else (now_ms - sampling.last_ms) / 1000,
        "last": dict(zip(sampling.source.metrics, sampling.last, strict=False)),
        "readings": sampling.readings,
        "pending_rows": len(sampling.pending),
        "shed_rows": sampling.shed_rows,
        "errors": sampling.errors,
        "error": sampling.error,
    }


def ask(path: Path) -> dict[str, Any]:
    """The report of the agent that answers at `path`. Raises NotRunning."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ASK_TIMEOUT_S)
            connection.connect(str(path))
            report: dict[str, Any] = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
            return report
    except (OSError, ValueError) as error:
        raise NotRunning(f"no agent answers at {path} ({error}): is it running, and as this user?") from None
