"""The proven version guards a new one: starts it, and believes only the outbox.

trying ──every source stored, and alive for a while──> proven
   └──three starts without──> failed: the proven version goes on itself
"""

import asyncio
import ctypes
import logging
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Final

from edge.upgrade.home import MOST_CHARACTERS, TRIES, Home, Request, Verdict, keep_verdict, read_verdict, running_home
from edge.upgrade.proof import Before, before, missing
from kewang.runtime.program import wait_or

log = logging.getLogger(__name__)

TRIAL: Final = "KEWANG_TRIAL"
"""Set for a version that is being tried: it guards nobody, and says in its birth that it was updated."""
LOOK_S: Final = 0.5
PAUSE_S: Final = 2.0
STOP_S: Final = 20.0
_PR_SET_PDEATHSIG: Final = 1
_NO_WORD: Final = "its last start ended without a word: power cut, or stopped by the watchdog"


class Outcome(Enum):
    """What the caller does now."""

    NOTHING = auto()
    """There was nothing to try, or it failed: run yourself."""
    END = auto()
    """End: another start goes on from here."""


async def guard(config: Path, outbox: Path, stopping: asyncio.Event) -> Outcome:
    """Try what root asked for, if it did, until that is decided or `stopping` is set."""
    found = running_home()
    if found is None or os.environ.get(TRIAL):
        return Outcome.NOTHING
    home, own = found
    request = home.request()
    if request is None or request.state != "trying" or request.version == own:
        return Outcome.NOTHING
    return await Guard(home, request, config, outbox).run(stopping)


class Guard:
    """One request, over all its tries in this process."""

    def __init__(
        self,
        home: Home,
        request: Request,
        config: Path,
        outbox: Path,
        *,
        pause_s: float = PAUSE_S,
        look_s: float = LOOK_S,
    ) -> None:
        """`pause_s`: between two tries; `look_s`: between two looks at what a try has delivered."""
        self._pause_s, self._look_s = pause_s, look_s
        self._home, self._request, self._outbox = home, request, outbox
        self._command = [str(home.program(request.version)), "edge", "run", "--config", str(config)]
        self._verdict = read_verdict(outbox, request)

    async def run(self, stopping: asyncio.Event) -> Outcome:
        """Until the verdict. The count of tries is on the disk before each: a power cut is a failed one."""
        while self._verdict.state == "trying" and not stopping.is_set():
            if not self._wanted():
                return Outcome.END
            if self._verdict.tries >= TRIES:
                self._decide(
                    "failed",
                    self._verdict.why or _NO_WORD,
                )
                break
            self._keep(tries=self._verdict.tries + 1)
            log.warning("version %s: try %d of %d", self._request.version, self._verdict.tries, TRIES)
            await self._try(stopping)
            if self._verdict.state == "trying":
                await wait_or(stopping, self._pause_s)
        return Outcome.NOTHING if self._verdict.state == "failed" else Outcome.END

    def _wanted(self) -> bool:
        """Whether root still wants it; another start sees what is wanted instead."""
        now = self._home.request()
        return now is not None and (now.id, now.state) == (self._request.id, "trying")

    async def _try(self, stopping: asyncio.Event) -> None:
        """One start, until it is proven, has failed, or we must stop; a stop is no fault of the version."""
        try:
            was = await asyncio.to_thread(before, self._outbox)
            child = self._start()
        except (OSError, sqlite3.Error) as error:
            self._keep(why=f"it could not be started: {error}")
            return
        try:
            why = await self._watch(child, was, stopping)
        finally:
            await asyncio.to_thread(_stop, child)
        if why is None:
            self._decide("proven", "")
        elif why == "":
            self._keep(tries=self._verdict.tries - 1)
        else:
            log.error("version %s: %s", self._request.version, why)
            self._keep(why=why)

    def _start(self) -> "subprocess.Popen[bytes]":
        """No process of asyncio's: that one would be killed by a loop that ends before it."""
        return subprocess.Popen(self._command, env=_environment(), preexec_fn=_dies_with_us)  # noqa: PLW1509

    async def _watch(self, child: "subprocess.Popen[bytes]", was: Before, stopping: asyncio.Event) -> str | None:
        """None when it is proven, why it failed, or nothing when we must stop.

        The settle time begins with the proof: how long a busy box takes to start is no life.
        """
        began_s, proven_s = time.monotonic(), None
        while not await wait_or(stopping, self._look_s):
            ran_s = time.monotonic() - began_s
            if child.poll() is not None:
                return f"it ended by itself after {ran_s:.0f} s, code {child.returncode}: its log says why"
            lacking = await asyncio.to_thread(missing, self._outbox, was)
            proven_s = ran_s if proven_s is None and not lacking else proven_s
            if proven_s is not None and ran_s - proven_s >= self._request.settle_s:
                return None
            if proven_s is None and ran_s >= self._request.within_s:
                return f"in {ran_s:.0f} s no reading of {lacking} was acknowledged as stored"
        return ""

    def _decide(self, state: str, why: str) -> None:
        log.warning("version %s: %s %s", self._request.version, state, why)
        self._keep(state=state, why=why)

    def _keep(self, **changes: object) -> None:
        """Change the verdict, on the disk first. A disk that takes nothing must not start the version for ever."""
        if "why" in changes:
            changes["why"] = str(changes["why"])[:MOST_CHARACTERS]
        changed = Verdict.model_validate(self._verdict.model_dump() | changes)
        try:
            keep_verdict(self._outbox, changed)
        except OSError as error:
            changed = changed.model_copy(update={"state": "failed", "why": f"no count of tries on the disk: {error}"})
        self._verdict = changed


def _environment() -> dict[str, str]:
    """Ours, without systemd's socket: it hears the process that it started, and that guards this one."""
    return {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"} | {TRIAL: "1"}


def _dies_with_us() -> None:
    """In the child: two agents must never wait for one outbox because their guard was killed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    """Let it drain and say good-bye; end it when it does not."""
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


_prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
