"""A terminal's keys: one at a time, and the terminal is as before when it is held by Ctrl-Z and at the end."""

import os
import pty
import select
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.keys import Keys

LIMIT_S = 60.0
PROGRAM = """
from kewang.bench.keys import Keys
with Keys(lambda: print("held", flush=True), lambda: print("went on", flush=True)) as keys:
    print("began", flush=True)
    while (key := keys.read(0.2)) != "q":
        if key:
            print("key", key, flush=True)
print("ended", flush=True)
"""


class Shell:
    """A bash with its terminal."""

    def __init__(self) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("bash", ["bash", "--norc", "--noediting", "-i"])
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def shows(self, text: str) -> None:
        """Wait until it does; what came before is forgotten."""
        deadline_s = time.monotonic() + LIMIT_S
        while text not in self.seen:
            assert time.monotonic() < deadline_s, self.seen
            if select.select([self.fd], [], [], 1)[0]:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def is_usual(self) -> bool:
        """Whether the terminal echoes and waits for Enter."""
        modes = termios.tcgetattr(self.fd)[3]
        return bool(modes & termios.ICANON and modes & termios.ECHO)


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    os.close(made.fd)
    os.waitpid(made.pid, 0)


def test_keys_come_at_once_and_the_terminal_is_as_before_when_held_and_at_the_end(shell: Shell, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    shell.type(f"{sys.executable} {program}\n")
    shell.shows("began")
    assert not shell.is_usual()
    shell.type("S")
    shell.shows("key s")
    shell.type("\x1a")
    shell.shows("held")
    shell.shows("Stopped")
    assert shell.is_usual()
    shell.type("fg\n")
    shell.shows("went on")
    assert not shell.is_usual()
    shell.type("x")
    shell.shows("key x")
    shell.type("q")
    shell.shows("ended")
    assert shell.is_usual()


def test_without_a_terminal_no_key_comes() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"q")
        with Keys(lambda: None, lambda: None, reading) as keys:
            assert not keys.available
            assert keys.read(0) == ""
    finally:
        os.close(reading)
        os.close(writing)
