"""A program as a process that can be started, stopped, killed, frozen and wiped: the ground under `kewang.bench.parts`.

Calls block, for at most `READY_LIMIT_S` or `STOP_LIMIT_S`; from asyncio use `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self

from kewang.bench.guard import Guard

READY_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
_POLL_S = 0.02
_PARTS_BIN = Path(".parts/bin")
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin")
# Below Linux's ephemeral range: an outgoing connection can't take the port between our look and the part's bind.
_PORTS = range(15000, 30000)


class MissingPart(RuntimeError):
    """A program that is no Python package is not on this machine; the message says which and how to get it."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is neither on PATH nor in .parts/bin. Run: make parts")
        self.program = program


class PartFailed(RuntimeError):
    """A part ended or never got ready; the message holds the end of its log."""


def find_program(program: str) -> Path:
    """Where `program` is: on PATH, among the system's servers, or in this checkout's or folder's `.parts/bin`.

    Raises `MissingPart`.
    """
    checkout = Path(__file__).resolve().parents[2]
    folders = [
        *_SYSTEM_FOLDERS,
        *map(str, Path("/usr/lib/postgresql").glob("*/bin")),
        str(checkout / _PARTS_BIN),
        str(_PARTS_BIN.absolute()),
    ]
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise MissingPart(program)
    return Path(found)


class Ports:
    """Gives out ports block by block, each block to one process: parts are made long before they listen."""

    BLOCK: Final = 250

    def __init__(self, ports: range) -> None:
        self._blocks = [ports[at : at + self.BLOCK] for at in range(0, len(ports), self.BLOCK)]
        self._claims: dict[range, socket.socket] = {}
        self._left = range(0)
        self._giving = threading.Lock()

    def give(self, count: int) -> int:
        """See `free_ports`."""
        if count > self.BLOCK:
            raise ValueError(f"{count} ports in a row: at most {self.BLOCK} are given out")
        with self._giving:
            while True:
                if len(self._left) < count:
                    self._left = self._next_block()
                wanted, self._left = self._left[:count], self._left[count:]
                if all(map(is_free, wanted)):
                    return wanted.start

    def _next_block(self) -> range:
        """A block that no living process has, else the one that this process has had for longest."""
        for block in random.sample(self._blocks, len(self._blocks)):
            # A name without a file: it belongs to this network namespace, as ports do, and goes with its process.
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0kewang-ports-{block.start}")
            except OSError:
                claim.close()
            else:
                self._claims[block] = claim
                return block
        if not self._claims:
            raise PartFailed("other programs hold all ports for parts: end some of them")
        oldest = next(iter(self._claims))
        self._claims[oldest] = self._claims.pop(oldest)
        return oldest

    def close(self) -> None:
        """Let other processes have them."""
        while self._claims:
            self._claims.popitem()[1].close()


_ports = Ports(_PORTS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` TCP ports in a row that nobody listens on now.

    None of them is given to another process of this machine while this one lives, nor, as long as there are others, to
    this one again. Raises PartFailed when too many processes have asked, ValueError for more than a block.
    """
    return _ports.give(count)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a program could listen there now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False


def wait_for(condition: Callable[[], bool], limit_s: float) -> None:
    """Look again and again until `condition` holds. Raises TimeoutError."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not so within {limit_s:g} s")
        time.sleep(_POLL_S)


def _end_by_sigterm_in_order() -> None:
    """From now on SIGTERM ends this program as Ctrl-C does, so that it stops its parts and removes its folders; unless
    it has a way of its own."""
    is_ours = threading.current_thread() is threading.main_thread()
    if is_ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


class Host(Protocol):
    """A machine that a program can be made to believe to run on."""

    def command(self, words: Sequence[str]) -> Sequence[str]:
        """The same command line, on it. The process stays the same."""


class Part(ABC):
    """A real program in its own folder. `start` returns when it answers; `stop` when it is gone.

    As a context manager it runs for the length of the block. `folder` is made when it does not exist and never removed.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    guard: Guard | None = None
    """Told of the process, so that it does not outlive us."""
    machine: Host | None = None
    """None: this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_folder = folder / "data"
        self.log_path = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.data_folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line; writes the configuration it names."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers now. Never raises for a part that does not listen yet."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def was_ended(self) -> bool:
        """Whether it ended, but not by us: by itself, or by a stranger."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it and wait until it answers. Raises `MissingPart`, `PartFailed`."""
        if self.is_running:
            return
        self._ended()
        _end_by_sigterm_in_order()
        command = self.machine.command(self.command()) if self.machine else self.command()
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal reaches the demo alone, which then stops its parts in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if self.guard:
            self.guard.started(self._process.pid)
        with contextlib.ExitStack() as undo:
            undo.callback(self.kill9)
            self._wait_until_ready()
            undo.pop_all()

    def stop(self) -> None:
        """Ask it to end (`stop_signal`), and end it when it does not within `STOP_LIMIT_S`."""
        if self._process is None:
            return
        self.thaw()
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill9()
        self._ended()

    def kill9(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._ended()

    def _ended(self) -> None:
        if self._process and self.guard:
            self.guard.ended(self._process.pid)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hold its connections without answering (SIGSTOP), as a half-open link does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forget all its data, as a new disk does. Only while it is stopped; raises `PartFailed` otherwise."""
        if self.is_running:
            raise PartFailed(f"{self.name} is running. Stop it before wiping {self.data_folder}")
        shutil.rmtree(self.data_folder, ignore_errors=True)
        self.data_folder.mkdir(parents=True)

    def log_tail(self, limit_lines: int = 15) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return "\n".join(lines[-limit_lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _wait_until_ready(self) -> None:
        def ready() -> bool:
            if not self.is_running:
                raise PartFailed(f"{self.name} ended while starting:\n{self.log_tail()}")
            return self.is_ready()

        try:
            wait_for(ready, READY_LIMIT_S)
        except TimeoutError:
            problem = f"{self.name} did not answer within {READY_LIMIT_S:g} s:\n{self.log_tail()}"
            raise PartFailed(problem) from None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
