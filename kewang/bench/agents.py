"""Agents without boards, several in a process: `python -m kewang.bench.agents PORT INTERVAL_S FOLDER DEVICE...`.

The real agent, delivery, uplink and outbox; only the source is ours. What each commit of the live source held, and
when it returned, goes to `FOLDER/DEVICE.commits`: one JSON line `{"s": monotonic seconds, "n": [numbers]}`.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.agent import Agent
from edge.delivery import Delivery
from edge.outbox import SqliteOutbox
from edge.ports import Draft, Entry, Source, Values
from edge.uplink import MqttUplink
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.clock import SystemClock, boot_id
from kewang.runtime.program import run_until_signalled, set_up_logging
from kewang.wire.timers import Timers

LIVE: Final = "live-1"
BUDGET_BYTES: Final = 512_000_000
FLUSH_S: Final = 1.0
"""Live readings are committed this often: the delay is counted from the commit."""


class Counter:
    """A source that counts: its running number and two values."""

    name, stream, metrics, timeout_s = LIVE, "env", ("sim_n", "temp_c", "rh_pct"), 5.0

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._number = 0

    async def read(self) -> Values:
        """The next number."""
        self._number += 1
        return (self._number, 29.1 + self._number % 7 / 10, 78.0 + self._number % 5 / 10)

    async def close(self) -> None:
        """Nothing to close."""


class Heartbeat:
    """The box, without looking at this machine."""

    name, stream, metrics, interval_s, timeout_s = "box", "sys", ("uptime_s",), 30.0, 5.0

    async def read(self) -> Values:
        """A value."""
        return (float(int(time.monotonic())),)

    async def close(self) -> None:
        """Nothing to close."""


class WatchedOutbox(SqliteOutbox):
    """The outbox, which writes down when live readings were committed."""

    def watch(self, file: Path) -> None:
        """Where to write."""
        self._commits = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def commit(self, drafts: Sequence[Draft], *, unsent: bool = False) -> list[Entry]:
        """Commit, then write down."""
        entries = super().commit(drafts, unsent=unsent)
        numbers = [values[0] for draft in drafts if draft.source == LIVE for _, values in draft.rows]
        if numbers:
            os.write(self._commits, json.dumps({"s": time.monotonic(), "n": numbers}).encode() + b"\n")
        return entries


async def serve(port: int, interval_s: float, folder: Path, devices: Sequence[str], stopping: asyncio.Event) -> None:
    """Run the agents until `stopping`."""
    async with asyncio.TaskGroup() as group:
        for device in devices:
            group.create_task(_run(port, interval_s, folder, device, stopping), name=device)


async def _run(port: int, interval_s: float, folder: Path, device: str, stopping: asyncio.Event) -> None:
    clock, timers = SystemClock("trusted"), Timers()
    outbox = WatchedOutbox(folder / f"{device}.db", BUDGET_BYTES, boot_id(), timers=timers)
    outbox.watch(folder / f"{device}.commits")
    sources: list[Source] = [Counter(interval_s), Heartbeat()]
    try:
        delivery = Delivery(outbox, clock, timers, random.Random(device))
        uplink = MqttUplink(BrokerSettings(port=port), device, timers.keepalive_s)
        await Agent(sources, delivery, uplink, clock, timers=timers, flush_s=FLUSH_S).run(stopping)
    finally:
        outbox.close()


def main() -> int:
    """Run until a signal."""
    port, interval_s, folder, *devices = sys.argv[1:]
    set_up_logging()
    return run_until_signalled(lambda stopping: serve(int(port), float(interval_s), Path(folder), devices, stopping))


if __name__ == "__main__":
    sys.exit(main())
