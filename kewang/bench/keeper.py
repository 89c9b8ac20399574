"""Placements of a city, kept published by a thread of its own: a broker that was wiped learns them again."""

import asyncio
import contextlib
import logging
import os
import threading
from pathlib import Path

from kewang.bench.programs import HOST
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.program import logged_from
from provisioning import placements


class PlacementKeeper:
    """Keeps placements published, in a thread of its own."""

    def __init__(self, broker_port: int, file: Path) -> None:
        self._broker = BrokerSettings(host=HOST, port=broker_port)
        self._file = file
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="placements", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._loop and self._stopping:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        with logged_from(logging.ERROR, "provisioning.placements"):  # here brokers are killed on purpose
            asyncio.run(self._keep())

    async def _keep(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        client_id = f"placements-{os.getpid()}"
        await placements.keep_published(
            self._broker, lambda: placements.read_placements(self._file), self._stopping, client_id=client_id
        )
