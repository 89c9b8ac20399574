"""A guard that outlives us by a moment: when we are gone, even by `kill -9`, it ends our programs and our folder.

A process of its own that reads from a pipe which programs run (`+PID`, `-PID`) and which disks are mounted
(`mFOLDER`). The pipe's end is the end of us.
Started by its path, with nothing but the standard library: it must be there before anything else.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


class Guard:
    """The side of the pipe that starts programs. `folder` is removed if we end without `close`."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)], stdin=subprocess.PIPE, start_new_session=True
        )

    def started(self, pid: int) -> None:
        """A program runs, as the leader of its own session."""
        self._tell(f"+{pid}")

    def ended(self, pid: int) -> None:
        """It was waited for: its pid may be somebody else's from now on."""
        self._tell(f"-{pid}")

    def mounted(self, folder: Path) -> None:
        """A disk is mounted there."""
        self._tell(f"m{folder}")

    def close(self) -> None:
        """Everything is stopped: the guard goes, and leaves the folder alone."""
        self._tell("keep")
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, word: str) -> None:
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{word}\n".encode())
                self._process.stdin.flush()


def watch(words: Iterable[str], folder: Path) -> None:
    """Follow `words` to their end, then end what still runs, and remove `folder` unless told to keep it."""
    running: set[int] = set()
    mounts: list[str] = []
    keep = False
    for word in words:
        if word.startswith("+"):
            running.add(int(word[1:]))
        elif word.startswith("-"):
            running.discard(int(word[1:]))
        elif word.startswith("m"):
            mounts.append(word[1:].rstrip("\n"))
        else:
            keep = True
    for pid in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if not keep:
        for mounted in mounts:
            subprocess.run(["umount", "-l", mounted], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.stdin, Path(sys.argv[1]))
