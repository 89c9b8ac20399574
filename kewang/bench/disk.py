"""A disk that can fill up: a small tmpfs where we may mount one, else a limit on the size of files."""

import contextlib
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final

_SIZE_MB: Final = 8
_LIMIT_BYTES: Final = 65_536
_CHUNK: Final = bytes(64 * 1024)


class SmallDisk:
    """The disk below `folder`. `fill` and `free` it while the program with this `pid` runs."""

    def __init__(self, folder: Path, *, mount: bool = True) -> None:
        self.folder = folder
        self._balloon = folder / "balloon"
        options = ["-t", "tmpfs", "-o", f"size={_SIZE_MB}m,mode=700", "tmpfs", str(folder)]
        self.mounted = mount and os.geteuid() == 0 and _done("mount", *options)

    def fill(self, pid: int) -> None:
        """Not a byte is left."""
        if not self.mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LIMIT_BYTES, resource.RLIM_INFINITY))
            return
        with contextlib.suppress(OSError), self._balloon.open("ab", buffering=0) as balloon:
            while True:
                balloon.write(_CHUNK)
        with contextlib.suppress(OSError), self._balloon.open("ab", buffering=0) as balloon:
            while True:
                balloon.write(b"\0")

    def free(self, pid: int | None) -> None:
        """Room again."""
        self._balloon.unlink(missing_ok=True)
        if not self.mounted and pid is not None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Unmount it; the program that used it has ended."""
        if self.mounted:
            self.mounted = not _done("umount", str(self.folder))


def _done(*command: str) -> bool:
    found = shutil.which(command[0])
    return found is not None and not subprocess.run([found, *command[1:]], capture_output=True, check=False).returncode
