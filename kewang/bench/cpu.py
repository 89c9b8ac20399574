"""What a running process costs, as /proc tells it."""

import contextlib
from dataclasses import dataclass

import psutil

from kewang.bench.process import Part, PartFailed

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds (user and system, all threads) since the start of the process, and its memory now, in bytes."""

    cpu_s: float
    rss_bytes: int


def cost(part: Part) -> Cost:
    """The cost of a running part. Raises PartFailed if it ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if part.pid is not None:
            process = psutil.Process(part.pid)
            with process.oneshot():
                times = process.cpu_times()
                return Cost(times.user + times.system, process.memory_info().rss)
    raise PartFailed(f"{part.name} ended while it was measured:\n{part.log_tail()}")


def peak_rss_bytes(part: Part) -> int:
    """The most memory a running part ever had. Raises PartFailed if it ended."""
    with contextlib.suppress(OSError, StopIteration), open(f"/proc/{part.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    raise PartFailed(f"{part.name} ended while it was measured:\n{part.log_tail()}")
