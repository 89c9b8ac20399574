"""Ways to tell the broker: by its pid, by systemd, by an attendant, by commands, or by functions of whoever runs it."""

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.guard.attendant import DONE
from provisioning.guard.ports import Signal
from provisioning.guard.settings import SignalSettings

_COMMAND_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.01


def signal_by(settings: SignalSettings) -> Signal:
    """The way that the settings name."""
    if settings.way == "pid_file":
        return PidFile(settings.pid_file)
    if settings.way == "systemd":
        return Systemd(settings.unit)
    if settings.way == "socket":
        return Attended(settings.socket)
    return Commands(settings.reload, settings.stop, settings.start)


@dataclass(frozen=True, slots=True)
class PidFile:
    """Signals to the process whose pid is in a file. It can't start one."""

    file: Path

    def reload(self) -> None:
        os.kill(self._pid(), signal.SIGHUP)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not go."""
        try:
            pid = self._pid()
        except FileNotFoundError:
            return
        until_s = time.monotonic() + _STOP_LIMIT_S
        os.kill(pid, signal.SIGTERM)
        while _runs(pid):
            if time.monotonic() > until_s:
                os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_S)

    def start(self) -> None:
        raise OSError("the broker was stopped by the guard and can't be started by it: start it by hand")

    def _pid(self) -> int:
        try:
            pid = int(self.file.read_text().strip())
        except ValueError:
            raise OSError(f"{self.file} holds no pid: is the broker running?") from None
        if not _runs(pid):
            raise FileNotFoundError(f"no process {pid}, named in {self.file}: start the broker")
        return pid


@dataclass(frozen=True, slots=True)
class Systemd:
    """`systemctl`; provisioning's user must be allowed to (polkit)."""

    unit: str

    def reload(self) -> None:
        _run(("systemctl", "reload", self.unit))

    def stop(self) -> None:
        _run(("systemctl", "stop", self.unit))

    def start(self) -> None:
        _run(("systemctl", "start", self.unit))


@dataclass(frozen=True, slots=True)
class Attended:
    """An attendant beside the broker, told on its socket: for a broker of another user, in another container."""

    socket: Path

    def reload(self) -> None:
        self.say("reload")

    def stop(self) -> None:
        self.say("stop")

    def start(self) -> None:
        self.say("start")

    def say(self, word: str) -> None:
        """Say a word and wait until it is done. Raises OSError."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(_COMMAND_LIMIT_S)
                line.connect(str(self.socket))
                line.sendall(f"{word}\n".encode())
                answer = line.makefile().readline().strip()
        except OSError as error:
            told = error.strerror or error
            raise OSError(f"{self.socket}: {told}: does 'kewang provision attend' run beside the broker?") from None
        if answer != DONE:
            raise OSError(f"the broker's attendant: {answer or 'no answer'}")


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands from the settings, for instance of compose."""

    reloading: Sequence[str]
    stopping: Sequence[str]
    starting: Sequence[str]

    def reload(self) -> None:
        _run(self.reloading)

    def stop(self) -> None:
        _run(self.stopping)

    def start(self) -> None:
        _run(self.starting)


@dataclass(frozen=True, slots=True)
class Calls:
    """Functions of who runs the broker as a process of its own, as the demo does."""

    reloading: Callable[[], None]
    stopping: Callable[[], None]
    starting: Callable[[], None]

    def reload(self) -> None:
        self.reloading()

    def stop(self) -> None:
        self.stopping()

    def start(self) -> None:
        self.starting()


def _runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and only waits for its parent to look does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _run(command: Sequence[str]) -> None:
    words = shlex.join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{words} did not end within {_COMMAND_LIMIT_S:g} s") from None
    if done.returncode:
        raise OSError(f"{words} failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
