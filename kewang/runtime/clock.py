"""The machine's clock: monotonic for durations, wall for dates, and whether the wall clock can be believed."""

import ctypes
import time
from functools import cache
from pathlib import Path
from typing import Literal

ClockTrust = Literal["kernel", "trusted", "untrusted"]
"""`kernel`: believed while the kernel calls it synchronised; `trusted`: always, `untrusted`: never (demo, benches)."""

_TIME_ERROR = 5
_STA_UNSYNC = 0x40


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>, its first fields; the rest is room for the kernel to write."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def kernel_synchronised() -> bool:
    """Whether the kernel says that the wall clock is kept by a time service (`adjtimex`); False where it can't tell."""
    timex = _Timex()
    try:
        state = _libc().adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return False
    return 0 <= state != _TIME_ERROR and not timex.status & _STA_UNSYNC


class SystemClock:
    """The clock of this machine, in ms; `wall_offset_ms` lets a bench give a process a wrong wall clock."""

    def __init__(self, trust: ClockTrust = "kernel", wall_offset_ms: int = 0) -> None:
        self._trust = trust
        self._wall_offset_ms = wall_offset_ms

    def mono_ms(self) -> int:
        """Ms since some moment of this boot; never steps, counts on while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def wall_ms(self) -> int:
        """Unix ms as the machine believes."""
        return time.time_ns() // 1_000_000 + self._wall_offset_ms

    def synchronised(self) -> bool:
        """Whether `wall_ms` can be believed."""
        return self._trust == "trusted" or (self._trust == "kernel" and kernel_synchronised())


def boot_id() -> str:
    """Identifies this boot of the machine: `mono_ms` of two processes compare only within one boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
