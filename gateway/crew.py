"""Ingest processes: started, listened to, and started again when they end. They share nothing but the database.

Each is `python -m gateway.ingesting`. Its settings go in by standard input, which then stays open: where it ends, so
does the process, however we ended. Once a second it says on standard output how it is.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from gateway.pipeline import DRAIN_S
from gateway.settings import GatewaySettings
from kewang.runtime.backoff import Backoff

log = logging.getLogger(__name__)

SILENT_S: Final = 45.0
"""A process that says nothing for so long hangs: it is ended, and started again."""
STARTS_S: Final = 120.0
"""The first time it may take so long."""
STEADY_S: Final = 60.0
"""One that was started again is trusted when it has been well for so long."""
_LINE_BYTES: Final = 1024 * 1024
_LEAVES_S: Final = DRAIN_S + 5
_COMMAND: Final = (sys.executable, "-m", "gateway.ingesting")


@dataclass(frozen=True, slots=True)
class Told:
    """How an ingest process is, as its console would tell."""

    broker_connected: bool
    rewinds_read: bool
    devices_ahead: int
    store_trouble: str | None
    queue: int
    readings_per_s: float
    floods: list[dict[str, int | str]]
    stuck: list[str]
    metrics: str

    def encode(self) -> bytes:
        """One line."""
        return json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"


class Ended(Exception):
    """An ingest process is gone; the text says how."""


class Ingester:
    """One ingest process, and its next ones. `told`: what it said last; None while there is none to say anything."""

    def __init__(
        self,
        settings: GatewaySettings,
        command: Sequence[str] = _COMMAND,
        silent_s: float = SILENT_S,
        starts_s: float = STARTS_S,
    ) -> None:
        self.name, self._settings, self._command = settings.id, settings, command
        self._silent_s, self._starts_s = silent_s, starts_s
        self.told: Told | None = None
        self.starts = 0
        self.pid: int | None = None
        self._well_s = 0.0
        self._last = ""

    async def keep(self) -> None:
        """See that there is one, until cancelled; then it drains for a few seconds."""
        backoff = Backoff(f"ingest process {self.name}", log, longest_s=30)
        while True:
            self.starts += 1
            try:
                await self._once(backoff)
            except (Ended, OSError) as error:
                self._last = str(error)
                await backoff.failed(error)

    def trouble(self) -> str | None:
        """Why it is not to be relied on; None: it is, as far as is known."""
        again = f"; started {self.starts} times" if self.starts > 1 else ""
        if self.told is None:
            return f"{self.name} {self._last or 'is starting'}{again}"
        return f"{self.name} {self._last}{again}" if again and time.monotonic() < self._well_s + STEADY_S else None

    async def _once(self, backoff: Backoff) -> None:
        """One life of it. Raises Ended or OSError."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=_LINE_BYTES)
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        try:
            process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
            await self._listen(process.stdout, backoff)
        except (TimeoutError, ValueError, TypeError) as error:
            with suppress(ProcessLookupError):
                process.kill()
            raise Ended(f"hung or spoke nonsense and was ended ({type(error).__name__})") from None
        finally:
            self.told, self.pid = None, None
            code = await _left(process)
        raise Ended(f"ended with code {code}")

    async def _listen(self, out: asyncio.StreamReader, backoff: Backoff) -> None:
        """Until it says no more. Raises TimeoutError or ValueError."""
        limit_s = self._starts_s
        while line := await asyncio.wait_for(out.readline(), limit_s):
            if self.told is None:
                self._well_s = time.monotonic()
            self.told, limit_s = Told(**json.loads(line)), self._silent_s
            if time.monotonic() > self._well_s + STEADY_S:
                backoff.succeeded()


async def _left(process: asyncio.subprocess.Process) -> int:
    """Its exit code, when it has drained or was ended."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        return await asyncio.wait_for(process.wait(), _LEAVES_S)
    with suppress(ProcessLookupError):
        process.kill()
    return await process.wait()


class Crew:
    """All ingest processes of a gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.ingesters = [Ingester(each) for each in settings.of_processes()]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self.ingesters:
                group.create_task(each.keep(), name=f"ingest {each.name}")

    @property
    def told(self) -> list[Told]:
        """What those say that live."""
        return [each.told for each in self.ingesters if each.told is not None]

    def trouble(self) -> str | None:
        """Of one that is not to be relied on."""
        return next(filter(None, (each.trouble() for each in self.ingesters)), None)

    def stuck(self) -> list[str]:
        """Loops of theirs that do not go round, and those of them that do not live."""
        loops = [f"{one.name} {loop}" for one in self.ingesters if one.told for loop in one.told.stuck]
        return loops + [one.name for one in self.ingesters if one.told is None]

    def texts(self) -> dict[str, str]:
        """The metrics of each, by its name."""
        return {one.name: one.told.metrics for one in self.ingesters if one.told}
