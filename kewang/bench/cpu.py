"""What a running process costs, as /proc tells it."""

import contextlib
import time
from dataclasses import dataclass
from typing import Final

import psutil

from kewang.bench.process import Part, PartFailed

MB = 1_000_000
_CLOCK_OF_ALL_THREADS: Final = 2
"""Linux: the lowest bits of a process's processor clock, see clock_getcpuclockid(3)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds (user and system, all threads) since the start of the process, and its memory now, in bytes."""

    cpu_s: float
    rss_bytes: int


def cost(part: Part) -> Cost:
    """The cost of a running part and of the processes it has started. Raises PartFailed if one of them ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if part.pid is not None:
            family = family_of(part.pid)
            return Cost(sum(_cpu_s(one.pid) for one in family), sum(one.memory_info().rss for one in family))
    raise PartFailed(f"{part.name} ended while it was measured:\n{part.log_tail()}")


def family_of(pid: int) -> list[psutil.Process]:
    """A process and those it has started. Raises NoSuchProcess."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(pid: int) -> float:
    """By its processor clock, in ns and with its ended threads: the ticks of 10 ms in /proc are too coarse here.

    Raises NoSuchProcess.
    """
    try:
        return time.clock_gettime_ns(~pid << 3 | _CLOCK_OF_ALL_THREADS) / 1e9
    except OSError:
        raise psutil.NoSuchProcess(pid) from None


def peak_rss_bytes(part: Part) -> int:
    """The most memory a running part ever had, with the most of each process it has started. Raises PartFailed if one
    of them ended."""
    with contextlib.suppress(OSError, StopIteration, psutil.NoSuchProcess):
        if part.pid is not None:
            return sum(_peak_bytes(one.pid) for one in family_of(part.pid))
    raise PartFailed(f"{part.name} ended while it was measured:\n{part.log_tail()}")


def _peak_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
