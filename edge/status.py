"""A Unix socket beside the outbox, for people on the box: how the agent is doing, and commands to it.

Every connection is answered with one JSON object. Who says nothing gets the report (no disk is written for it); who
says `{"do": "accept_view", "args": {"source": "cam-1", "clean": false}}` on one line gets `{"ok": ..., "text": ...}`.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge.agent import Agent, Sampling
from edge.commands import LIMIT_S
from edge.ports import OutboxStatus
from kewang.wire.command import MAX_COMMAND_BYTES, Arguments, Name
from kewang.wire.errors import WireError
from kewang.wire.models import Message

log = logging.getLogger(__name__)

ASK_TIMEOUT_S: Final = 3.0
_STEP: Final = "start it with `sudo systemctl start kewang-edge`, and ask as its user: `sudo -u kewang kewang edge ...`"
SILENCE_S: Final = 0.2
"""Who has said nothing for so long wants the report."""


class Order(Message):
    """What a person on the box asks for."""

    do: Name
    args: Arguments


class NotRunning(Exception):
    """No agent answers; the text says where it was looked for."""


def socket_path(outbox: Path) -> Path:
    """Where the agent of `outbox` answers."""
    return outbox.with_suffix(".sock")


async def answer(agent: Agent, device: str, path: Path, profile: str | None = None) -> None:
    """Answer for ever. The socket is for the agent's user (and root) only. `profile`: that of the outbox."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            request = await _request(reader)
            told = await _obey(agent, request) if request else await describe(agent, device, profile)
            writer.write(json.dumps(told).encode())
            await writer.drain()
        writer.close()

    try:
        listening = _listening(path)
    except OSError as error:
        log.warning("`kewang edge status` will not work: no socket at %s: %s", path, error)
        return
    async with await asyncio.start_unix_server(reply, sock=listening, limit=MAX_COMMAND_BYTES) as server:
        await server.serve_forever()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """The line that was said; empty for nothing."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            try:
                return await reader.readline()
            except ValueError:
                return b"a line that is too long"
    return b""


async def _obey(agent: Agent, request: bytes) -> dict[str, Any]:
    """Do what a person on the box asks for. It needs no id and no date: it is here and now."""
    if agent.commands is None:
        return {"ok": False, "text": "this agent takes no commands: start it with `kewang edge run`"}
    try:
        order = Order.decode(request)
    except WireError as error:
        return {"ok": False, "text": f'{error}: say {{"do": NAME, "args": {{...}}}} on one line'}
    ok, text = await agent.commands.do(order.do, order.args)
    return {"ok": ok, "text": text}


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


async def describe(agent: Agent, device: str, profile: str | None = None) -> dict[str, Any]:
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
        "profile": {"name": profile, "flush_s": agent.flush_s, "flush_rows": agent.flush_rows},
        "power": _power(agent),
        "outbox": asdict(outbox),
        "commands": _commands(agent),
        "sources": [_source(sampling, now_ms) for sampling in agent.samplings],
    }


def _power(agent: Agent) -> dict[str, Any]:
    if agent.pace is None:
        return {}
    metric, value = agent.pace.battery()
    return {"metric": metric, "value": value, "stretch": agent.pace.stretch}


def _commands(agent: Agent) -> dict[str, int]:
    commands = agent.commands
    return {} if commands is None else {"done": commands.done, "ignored": commands.ignored}


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


def ask(path: Path, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the agent at `path` answers: `{"ok", "text"}` to a request (see above), else its report.

    Raises NotRunning. Blocks for as long as a command, and one before it, may take.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ASK_TIMEOUT_S + (2 * LIMIT_S if request else 0))
            connection.connect(str(path))
            if request:
                connection.sendall(json.dumps(request).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            answer: dict[str, Any] = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    except (OSError, ValueError) as error:
        raise NotRunning(f"no agent answers at {path} ({getattr(error, 'strerror', None) or error}): {_STEP}") from None
    if request and "ok" not in answer:
        raise NotRunning(f"the agent at {path} is older than this command: restart it")
    return answer
