"""systemd's watchdog (sd_notify(3)): fed only while the agent's loops go round."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from edge.agent import Agent

log = logging.getLogger(__name__)

GRACE_S: Final = 60.0
"""A source that was to be read, or rows that were to be committed, may be so late on a busy box."""
CONNECT_S: Final = 300.0
"""One attempt to connect ends within this, or the loop that makes them hangs."""


def notify(text: str) -> None:
    """Tell systemd, if it wants to be told."""
    name = os.environ.get("NOTIFY_SOCKET")
    if name:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
            telling.sendto(text.encode(), f"\0{name[1:]}" if name.startswith("@") else name)


def stuck(agent: Agent) -> str:
    """What of the agent does not go on, in words; empty if everything does. Slow and refused is not stuck."""
    now_ms = agent.clock.mono_ms()
    for each in agent.samplings:
        if now_ms - each.due_ms > 1000 * (each.source.timeout_s + GRACE_S):
            return f"source {each.source.name} is not read any more"
    if now_ms - agent.flushed_ms > 1000 * (agent.flush_s + GRACE_S):
        return "nothing is committed any more: the disk hangs"
    if agent.link is None and now_ms - agent.connecting_ms > 1000 * CONNECT_S:
        return "nobody tries to connect any more"
    return ""


class Watchdog:
    """Feeds systemd's watchdog as long as `stuck` says that nothing is."""

    def __init__(self) -> None:
        self.stuck: Callable[[], str] = str
        usec = os.environ.get("WATCHDOG_USEC", "")
        ours = os.environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self._interval_s = int(usec) / 3e6 if usec.isdecimal() and ours else None

    async def feed(self) -> None:
        """For ever, a third of the time that systemd waits. Without a watchdog there is nothing to do."""
        told = ""
        while self._interval_s is not None:
            why = self.stuck()
            if not why:
                notify("WATCHDOG=1")
            elif why != told:
                log.error("%s: the watchdog is not fed, systemd will start the agent anew", why)
            told = why
            await asyncio.sleep(self._interval_s)
