"""A machine whose clock is ours: switched on, set by hand, kept by a time service, while programs run on it.

A program that runs on it is as in the field; around it are a time namespace (its boot clock begins at 0), a mount of
its own (the boot's id), and a library before libc's functions that tell the wall clock and whether it is kept. libc is
where the kernel's clock can be stood in for: reading it is no system call. libfaketime would do the same and take the
waits of threads too, which then return at once.
"""

import math
import mmap
import struct
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kewang.bench.process import PartFailed, find_program

_SOURCE: Final = """
typedef long long i64;
struct pair { i64 s, part; };
extern void *dlsym(void *, const char *), *mmap(void *, unsigned long, int, int, int, long);
extern char *getenv(const char *);
extern int open(const char *, int, ...);

static volatile i64 *clock_of_machine(void) { /* {offset in ns, whether it is kept} */
  static volatile i64 *ours;
  if (!ours) ours = mmap(0, 16, 1, 1, open(getenv("KEWANG_CLOCK"), 0), 0);
  return ours;
}

int clock_gettime(int clock, struct pair *now) {
  static int (*theirs)(int, struct pair *);
  if (!theirs) theirs = dlsym((void *)-1L, "clock_gettime");
  int failed = theirs(clock, now);
  if (!failed && clock == 0) {
    i64 ns = now->s * 1000000000 + now->part + clock_of_machine()[0];
    now->s = ns / 1000000000, now->part = ns % 1000000000;
  }
  return failed;
}
int gettimeofday(struct pair *now, void *zone) {
  clock_gettime(0, now), now->part /= 1000;
  return 0;
}
i64 time(i64 *told) {
  struct pair now;
  clock_gettime(0, &now);
  if (told) *told = now.s;
  return now.s;
}
int adjtimex(void *timex) { return clock_of_machine()[1] ? 0 : 5; } /* TIME_OK, TIME_ERROR */
"""
_ENTER: Final = (
    'mount --bind "$0" /proc/sys/kernel/random/boot_id && export LD_PRELOAD="$1" KEWANG_CLOCK="$2" && shift 2 && '
    'exec "$@"'
)
_CLOCK: Final = struct.Struct("=qq")
_BETWEEN_S: Final = 0.005
"""The kernel sets its clock and no longer calls it kept in one step. Here a program that saw the one has long looked
at the other."""
NEEDS: Final = (
    "a clock of its own needs Linux 5.6 or newer and root (with CAP_SYS_ADMIN; in a container: --privileged), unshare "
    "and mount (package util-linux). There is no way without them"
)


def build_library(folder: Path) -> Path:
    """The library, made in `folder`. Raises MissingPart, PartFailed."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE)
    words = [str(find_program("tcc")), "-shared", "-nostdlib", "-o", str(library), str(source)]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        raise PartFailed(f"the library of clocks can't be made: {made.stderr}")
    return library


class Machine:
    """`folder` holds its clock. Offsets are seconds by which its wall clock is ahead of this machine's."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._library, self._boot_id, self._file = library, folder / "boot_id", folder / "clock"
        folder.mkdir(parents=True)
        self._file.write_bytes(_CLOCK.pack(0, 0))
        with self._file.open("r+b") as file:
            self._clock = mmap.mmap(file.fileno(), _CLOCK.size)
        self.offset_s, self._began_s = 0.0, 0
        self.boot()

    def boot(self, offset_s: float = 0.0) -> None:
        """Switched on: a new boot id, a boot clock that begins at 0, a wall clock that nobody has set.

        Nothing runs on it. It was off for up to a second: a time namespace counts from a whole one.
        """
        self._boot_id.write_text(f"{uuid.uuid4()}\n")
        self.set(offset_s)
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._began_s = math.ceil(now_s)
        time.sleep(self._began_s - now_s)

    def set(self, offset_s: float) -> None:
        """Set by hand: the kernel no longer calls the clock synchronised (ntp_clear in linux kernel/time/ntp.c)."""
        self._write(self.offset_s, kept=False)
        time.sleep(_BETWEEN_S)
        self._write(offset_s, kept=False)

    def serve(self, offset_s: float = 0.0) -> None:
        """A time service sets the clock and keeps it; one that lies, if the offset is not the truth's."""
        self.set(offset_s)
        self._write(offset_s, kept=True)

    def leap(self, offset_s: float) -> None:
        """The clock is moved while the kernel calls it synchronised, as by a leap second."""
        self._write(offset_s, kept=True)

    def _write(self, offset_s: float, *, kept: bool) -> None:
        self._clock[:] = _CLOCK.pack(int(offset_s * 1e9), kept)
        self.offset_s = offset_s

    def command(self, words: Sequence[str]) -> list[str]:
        """The same command line, on this machine. The process stays the same."""
        alone = ["unshare", "--mount", "--time", f"--boottime=-{self._began_s}", "sh", "-c", _ENTER]
        return [*alone, str(self._boot_id), str(self._library), str(self._file), *words]

    def check(self) -> None:
        """Raises PartFailed where nothing can run on it."""
        done = subprocess.run(self.command(["true"]), capture_output=True, text=True, check=False)
        if done.returncode:
            raise PartFailed(f"{NEEDS}. Now: {' '.join(done.stderr.split())}")
