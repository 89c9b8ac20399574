"""Keeps the box's identity and sources as the office wants them, by a process that comes and goes.

The cryptography would cost the agent 20 MB for good; a child needs it for a second an hour. What the child writes is
used by the uplink at its next connect; other sources make the agent end and begin anew.
"""

import asyncio
import json
import logging
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge.enrolled import identity
from edge.ports import Arguments, CommandRefused, Showing, Source, SourceError
from kewang.runtime.program import wait_or

log = logging.getLogger(__name__)

HOUR_S: Final = 3600.0
VISIT_S: Final = 5.0
"""How often the office is asked while somebody stands before the box."""
FIRST_RETRY_S: Final = 30.0
CHILD_S: Final = 180.0
_LIFE_PART: Final = 1 / 720
"""An hour, of a certificate of 30 days; a bench with shorter ones asks as much more often."""
ASK: Final = "ask_office"


class Upkeep:
    """`enrol_first`, then `run` beside the agent. `leaving` is what the agent stops by."""

    name = "enrolment"

    def __init__(self, file: Path, folder: Path, rng: random.Random | None = None) -> None:
        """`file`: the settings file, for the child; `folder`: the identity's."""
        self._file, self._folder, self._rng = file, folder, rng or random.Random()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Before every start of the agent."""
        self.leaving, self.changed, self._asked = asyncio.Event(), False, asyncio.Event()
        self._failed = 0

    async def enrol_first(self, stopping: asyncio.Event) -> bool:
        """Wait until the box has a certificate; False if `stopping` came first."""
        while not stopping.is_set() and not identity(self._folder).enrolled:
            child = asyncio.create_task(self._child(), name="enrol")
            halt = asyncio.create_task(stopping.wait(), name="enrol-stop")
            await asyncio.wait((child, halt), return_when=asyncio.FIRST_COMPLETED)
            for task in (child, halt):
                task.cancel()
            await asyncio.gather(child, halt, return_exceptions=True)
            if not stopping.is_set() and not identity(self._folder).enrolled:
                await wait_or(stopping, FIRST_RETRY_S)
        return not stopping.is_set()

    async def run(self, sources: Sequence[Source], stopping: asyncio.Event) -> None:
        """Ask the office, show what it wants to see, and wait; until other sources are wanted, or `stopping`."""
        halt = asyncio.create_task(self._leave_when(stopping), name="upkeep-stop")
        try:
            while not self.changed:
                report = await self._report("--once")
                await self._show(report.get("thumbnails") or (), sources)
                if report.get("changed"):
                    log.info("the office wants other sources: beginning anew with them")
                    self.changed = True
                else:
                    self._asked.clear()
                    await wait_or(self._asked, self._wait_s(report))
        finally:
            halt.cancel()
        self.leaving.set()

    async def command(self, name: str, args: Arguments) -> str:
        """`ask_office`: ask now whether anything is wanted of this box."""
        if name != ASK or args:
            raise CommandRefused(f"enrolment can do {ASK} without arguments: send that")
        self._asked.set()
        return "asks the office now"

    async def _leave_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.leaving.set()

    def _wait_s(self, report: Mapping[str, Any]) -> float:
        """Soon during a visit; sooner than in an hour while the office can't be reached."""
        state = identity(self._folder).state
        hour_s = min(HOUR_S, (state.not_after_ms - state.not_before_ms) / 1000 * _LIFE_PART)
        if report.get("maintenance") and not report.get("trouble"):
            return min(VISIT_S, hour_s)
        self._failed = self._failed + 1 if report.get("trouble", "no report") else 0
        if self._failed:
            hour_s = min(hour_s, FIRST_RETRY_S * 2 ** min(self._failed - 1, 10))
        return hour_s * self._rng.uniform(0.8, 1.2)

    async def _show(self, wanted: Sequence[str], sources: Sequence[Source]) -> None:
        """The picture of each source that is wanted goes to the child by a pipe, and from there to the office."""
        for source in sources:
            if source.name in wanted and isinstance(source, Showing):
                try:
                    async with asyncio.timeout(source.timeout_s):
                        codec, frame = await source.key_frame()
                except (SourceError, TimeoutError) as error:
                    log.warning("source %s shows no picture: %s", source.name, str(error) or "no answer in time")
                    continue
                await self._report("--thumbnail", source.name, "--codec", codec, given=frame)

    async def _report(self, *arguments: str, given: bytes | None = None) -> dict[str, Any]:
        """What the child says it came to; what it logs goes where we log."""
        try:
            async with asyncio.timeout(CHILD_S):
                said = await self._child(*arguments, "--json", given=given)
        except TimeoutError:
            return {"trouble": f"enrolment took longer than {CHILD_S:g} s"}
        with suppress(ValueError, IndexError):
            report = json.loads(said.splitlines()[-1])
            if isinstance(report, dict):
                return report
        return {"trouble": "enrolment said nothing"}

    async def _child(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Run `kewang edge enrol`; what it printed. Cancelled, it takes the child with it."""
        command = [sys.executable, "-m", "kewang", "edge", "enrol", "-c", str(self._file), *arguments]
        child = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL if given is None else PIPE, stdout=PIPE, stderr=None
        )
        try:
            said, _ = await child.communicate(given)
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return said
