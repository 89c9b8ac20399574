"""`kewang` without the wait for its libraries: a process that has loaded them is forked for each command.

That is more than half of what a short command takes. Our own modules are loaded by each command, in its own order, and
all else is as in a process of its own: words, environment, folder, standard files, exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

CHECKOUT: Final = Path(__file__).resolve().parents[2]
LIBRARIES: Final = (
    *("typer.main", "rich.console", "rich.table", "pydantic", "pydantic_settings", "psutil", "jinja2.ext", "yaml"),
    *("sqlalchemy.orm", "sqlalchemy.dialects.sqlite", "alembic.command", "argon2", "cryptography.x509", "segno"),
    *("aiohttp", "aiomqtt", "fastapi", "httpx", "influxdb_client", "uvicorn", "pymodbus.client"),
    *("av", "numpy", "PIL.Image"),
)
_MESSAGE_BYTES: Final = 1 << 18


class Warm:
    """The process that is forked; it lives for the length of the block."""

    def __enter__(self) -> Self:
        self._link, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.cli import warm; warm.serve({its.fileno()})"],
                cwd=CHECKOUT,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # its threads would not be there after a fork
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        self._process.wait()

    def run(self, words: Sequence[str], answer: str, limit_s: float) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of `kewang WORDS`. Raises TimeoutExpired."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
            given.write(answer.encode())
            given.seek(0)
            code = self._ended([given.fileno(), said.fileno(), told.fileno()], words, limit_s)
            texts = []
            for file in (said, told):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(["kewang", *words], code, *texts)

    def _ended(self, files: list[int], words: Sequence[str], limit_s: float) -> int:
        task = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(self._link, [json.dumps(task).encode()], files)
        pid = int(self._link.recv(_MESSAGE_BYTES))
        in_time, _, _ = select.select([self._link], [], [], limit_s)
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        code = int(self._link.recv(_MESSAGE_BYTES))
        if not in_time:
            raise subprocess.TimeoutExpired(["kewang", *words], limit_s)
        return code


def serve(number: int) -> None:
    """Fork for each task that comes over a socket until its other end is closed; a forked process ends as a command."""
    link = socket.socket(fileno=number)
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    while (received := socket.recv_fds(link, _MESSAGE_BYTES, 3))[0]:
        text, files, *_ = received
        if not (pid := os.fork()):
            link.close()
            become(json.loads(text), files)
        for file in files:
            os.close(file)
        link.send(b"%d" % pid)
        link.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def become(task: dict[str, Any], files: Sequence[int]) -> None:
    """The command in place of this process."""
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    sys.argv = ["kewang", *task["words"]]
    from kewang.cli import main

    main()
    sys.exit()
