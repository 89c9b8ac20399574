"""A disk whose power can be cut: ext4 in a file, behind a loop device, shut down in the middle of whatever it does.

The layer is ext4's own: the ioctl EXT4_IOC_SHUTDOWN with NOLOGFLUSH (linux fs/ext4/ioctl.c; xfstests' `godown` uses it)
forgets at once what was not synced, in files and in the journal; the next mount replays the journal. What was synced is
in the image. The disk below keeps what it was told to keep: it is the agent that may be made to lie (powercuts_lies).
"""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kewang.bench.process import PartFailed, wait_for

_SHUTDOWN: Final = 0x8004587D
"""_IOR('X', 125, __u32)."""
_NOLOGFLUSH: Final = 2
_CLONE_NEWNS: Final = 0x00020000
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SIZE_MB: Final = 128
_OPTIONS: Final = "loop,noatime,lazytime,commit=3600"
"""As docs, a Raspberry Pi, says: what nobody syncs is not written for an hour."""
_LIMIT_S: Final = 20.0
_REPAIRED: Final = 1
_PROGRAMS: Final = ("mount", "umount", "unshare", "e2fsck", "mkfs.ext4")
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"
NEEDS: Final = (
    "a power cut needs a file system of its own that can be shut down: run as root (with CAP_SYS_ADMIN; in a "
    "container: --privileged), with a free loop device (/dev/loop-control, kernel module loop), mount and unshare "
    "(package util-linux), e2fsck and mkfs.ext4 (package e2fsprogs). There is no way without them"
)


def private_mounts() -> None:
    """What this thread and all that it starts mount from now on, nobody else sees, and it ends with the last of them.

    Raises PartFailed where that or anything else that a cut needs is missing.
    """
    missing = [program for program in _PROGRAMS if _program(program) is None]
    if missing or not Path("/dev/loop-control").exists():
        raise PartFailed(f"{NEEDS}. Missing: {', '.join(missing) or '/dev/loop-control'}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise PartFailed(f"{NEEDS}. Now: {os.strerror(ctypes.get_errno())}")
    _do("mount", "--make-rprivate", "/")


class Boots:
    """Lets a program believe that the machine was just switched on: after each `next` there is another boot id, and for
    what is started by `command` the clock of the boot begins at 0. Needs `private_mounts`.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._began_s = file, 0
        self.next()
        _do("mount", "--bind", str(file), str(_BOOT_ID))

    def next(self) -> None:
        """The machine is switched on, up to 1 s ago."""
        self._file.write_text(f"{uuid.uuid4()}\n")
        self._began_s = int(time.clock_gettime(time.CLOCK_BOOTTIME))

    def command(self, words: Sequence[str]) -> Sequence[str]:
        """The same command line, with this boot's clock (a time namespace; the process stays the same)."""
        return [_program("unshare") or "unshare", "--time", f"--boottime=-{self._began_s}", *words]

    def close(self) -> None:
        """This is the machine's own boot again."""
        _do("umount", str(_BOOT_ID))


class ForgetfulDisk:
    """The disk at `folder`, in the file `image`; made empty. `mount`, `cut`, `unmount`, and again.

    Needs `private_mounts`. Each call raises PartFailed when the system refuses it.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image.absolute(), folder
        self.repairs = 0
        """How often the check before a mount had anything to mend but the journal."""
        with self.image.open("wb") as file:
            file.truncate(_SIZE_MB * 1024 * 1024)
        # Nothing is left for the kernel to write later, in its own time.
        _do("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))

    def mount(self) -> None:
        """As at a boot: check, replay the journal, mount."""
        self.repairs += _do("e2fsck", "-p", str(self.image), well=(0, _REPAIRED)) == _REPAIRED
        _do("mount", "-o", _OPTIONS, str(self.image), str(self.folder))

    def cut(self) -> None:
        """The power goes: what is not synced is forgotten, and nothing can be written any more.

        A sync that is under way may yet return as if all were well. Without power nobody would hear of that: let the
        programs stand still (SIGSTOP) before, or believe nothing that they say afterwards.
        """
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
        except OSError as error:
            raise PartFailed(f"{self.folder} can't be shut down: {error}. {NEEDS}") from error
        finally:
            os.close(folder)

    def unmount(self) -> None:
        """Every process that used it has ended. Returns when the loop device is free too: it must remember nothing."""
        try:
            wait_for(self._is_unmounted, _LIMIT_S)
            wait_for(lambda: not loops_of(self.image), _LIMIT_S)
        except TimeoutError:
            raise PartFailed(f"{self.folder} is still mounted after {_LIMIT_S:g} s, or {self.image} attached") from None

    def _is_unmounted(self) -> bool:
        return not self.folder.is_mount() or _do("umount", str(self.folder), well=None) == 0


def loops_of(image: Path) -> list[str]:
    """Loop devices that show this file now."""
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    return [file.parts[3] for file in files if _told(file) == str(image)]


def _told(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def _do(program: str, *words: str, well: tuple[int, ...] | None = (0,)) -> int:
    """Run it; its exit code, which must be one of `well` (None: any). Raises PartFailed."""
    done = subprocess.run(
        [_program(program) or program, *words], capture_output=True, text=True, check=False, timeout=_LIMIT_S
    )
    if well is not None and done.returncode not in well:
        said = " ".join(f"{done.stdout} {done.stderr}".split())
        raise PartFailed(f"{program} {' '.join(words)}: exit code {done.returncode}: {said}. {NEEDS}")
    return done.returncode
