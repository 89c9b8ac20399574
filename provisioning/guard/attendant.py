"""Beside a broker that the guard can't send signals to: it runs the broker, and does what the guard says on a socket.

guard ──reload | stop | start──> Unix socket ──> attendant ──SIGHUP | SIGTERM | the program again──> broker

Who may speak there is decided by the socket's group and folder; nothing but these three words is understood.
"""

import asyncio
import logging
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from provisioning.guard.trial import dying_with_us

log = logging.getLogger(__name__)

DONE: Final = "done"
_MODE: Final = 0o660
_WORD_BYTES: Final = 64
_WORD_S: Final = 5.0
_STOP_S: Final = 10.0


class Attendant:
    """Runs `command`, the broker's program. `code`: its exit code, if it ended by itself."""

    def __init__(self, command: Sequence[str]) -> None:
        """Raises OSError if there is no such program."""
        if shutil.which(command[0]) is None:
            raise OSError(f"{command[0]} is not on this machine: install Mosquitto 2")
        self._command = dying_with_us(command)
        self._broker: asyncio.subprocess.Process | None = None
        self._wanted, self._turn = asyncio.Event(), asyncio.Lock()
        self.code = 0

    async def run(self, place: Path, stopping: asyncio.Event) -> None:
        """Start the broker and listen, until `stopping` or until the broker ends by itself. Raises OSError."""
        listening = _listening(place)
        await self._start()
        try:
            server = await asyncio.start_unix_server(self._hear, sock=listening, limit=_WORD_BYTES)
            async with server, asyncio.TaskGroup() as group:
                ends = [
                    group.create_task(self._ended(), name="broker"),
                    group.create_task(stopping.wait(), name="stopping"),
                ]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for each in ends:
                    each.cancel()
        finally:
            await self._stop()

    async def _ended(self) -> None:
        """Until the broker ends though nobody stopped it."""
        while True:
            await self._wanted.wait()
            if self._broker is None:
                continue
            code = await self._broker.wait()
            if self._wanted.is_set():
                log.error("the broker ended by itself (%d)", code)
                self.code = code if code >= 0 else 128 - code
                return

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One word, one answer."""
        try:
            async with asyncio.timeout(_WORD_S):
                word = (await reader.readline()).decode("ascii", "replace").strip()
            async with self._turn:
                answer = await self._do(word)
            writer.write(f"{answer}\n".encode())
            await writer.drain()
        except (TimeoutError, ValueError, OSError) as error:
            log.warning("somebody said nothing that is understood: %r", error)
        finally:
            writer.close()

    async def _do(self, word: str) -> str:
        known = {"reload": self._reload, "stop": self._stop, "start": self._start}
        if word not in known:
            return f"not one of {', '.join(known)}"
        try:
            await known[word]()
        except OSError as error:
            return str(error)
        log.info("%s: done", word)
        return DONE

    @property
    def _runs(self) -> bool:
        return self._broker is not None and self._broker.returncode is None

    async def _start(self) -> None:
        if not self._runs:
            self._broker = await asyncio.create_subprocess_exec(*self._command)
            self._wanted.set()

    async def _reload(self) -> None:
        if self._broker is None or not self._runs:
            raise OSError("the broker does not run: start it")
        self._broker.send_signal(signal.SIGHUP)

    async def _stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not go."""
        self._wanted.clear()
        if self._broker is None or not self._runs:
            return
        self._broker.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await self._broker.wait()
        except TimeoutError:
            self._broker.kill()
            await self._broker.wait()


def _listening(place: Path) -> socket.socket:
    """A socket that its owner and its group may write to."""
    place.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(str(place))
        place.chmod(_MODE)
        made.listen()
    except OSError as error:
        made.close()
        raise OSError(
            f"no socket at {place}: {error.strerror or error}: is the folder there, may we write to it?"
        ) from None
    return made
