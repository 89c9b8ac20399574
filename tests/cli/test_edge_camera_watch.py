"""`kewang edge camera watch`: a table on a terminal, lines elsewhere, until Ctrl-C."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kewang.bench.cameras_served import CamerasProgram, painted_cameras

LIMIT_S = 60.0
COLUMNS = 80
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from kewang.cli import main
main()
"""
"""Ctrl-C ends it, even where tests run in the background of a shell, which has its children ignore SIGINT."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MOMENT = re.compile(r"\d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CamerasProgram]:
    """One camera."""
    with painted_cameras(tmp_path_factory.mktemp("cameras"), 1, seed=1, hour=10.0, fps=5.0) as cameras:
        yield cameras


@contextmanager
def watching(url: str, output: int, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process that writes to the file `output`."""
    program = [sys.executable, "-c", PROGRAM, "edge", "camera", "watch", url, *words]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen([*program, "--every-s", "1"], stdout=output, stdin=output, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(output: int, enough: Callable[[str], object]) -> str:
    """What comes from `output` until it is `enough`, without the escapes."""
    came, ends_s = b"", time.monotonic() + LIMIT_S
    while not enough(text := _ESCAPES.sub("", came.decode(errors="ignore"))):
        ready, _, _ = select.select([output], [], [], max(0.0, ends_s - time.monotonic()))
        assert ready, f"not enough within {LIMIT_S:g} s: {text}"
        came += os.read(output, 65_536)
    return text


def last_table(text: str) -> list[str]:
    """The lines from the last table of three looks on; none before there is one."""
    lines = text.splitlines()
    begin = max((number for number, line in enumerate(lines) if len(_MOMENT.findall(line)) == 3), default=len(lines))
    return lines[begin:]


def test_a_terminal_shows_the_last_looks_side_by_side(town: CamerasProgram) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with watching(town.rtsp(0), theirs, "--lang", "en") as process:
        came = read_until(ours, lambda text: "first step" in "\n".join(last_table(text)))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    os.close(ours)
    os.close(theirs)
    assert max(map(len, came.splitlines())) <= COLUMNS
    table = last_table(came)
    assert next(line for line in table if line.startswith("Frames per second")).count("1/s") == 3
    assert next(line for line in table if line.startswith("state")).count("◇") == 3


def test_elsewhere_a_look_is_a_line() -> None:
    out, into = os.pipe()
    with watching("rtsp://127.0.0.1:1/stream", into, "--lang", "en") as process:
        came = read_until(out, lambda text: text.count("\n") == 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    os.close(out)
    os.close(into)
    url, *looks = came.splitlines()
    assert url == "rtsp://127.0.0.1:1/stream"
    assert [bool(_MOMENT.match(look)) and "connection refused" in look for look in looks] == [True, True]
