"""How often somebody may ask: a bucket for each, refilled steadily; and dates that were used. All of it bounded."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

MAX_BUCKETS: Final = 20_000
MAX_DATES: Final = 1_000
"""Of one device within the window: more than any bucket lets through."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then `per_s` a second."""

    per_s: float
    burst: float


class Buckets:
    """One bucket for each key. The one unused longest makes room for a new one; by then it is full again."""

    def __init__(self, rate: Rate, limit: int = MAX_BUCKETS) -> None:
        self._rate, self._limit = rate, limit
        self._filled: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._filled)

    def take(self, key: Hashable, now_s: float) -> float:
        """0 if `key` may go on now (monotonic seconds), else how many seconds it has to wait."""
        held, since_s = self._filled.pop(key, (self._rate.burst, now_s))
        held = min(self._rate.burst, held + (now_s - since_s) * self._rate.per_s)
        wait_s = 0.0 if held >= 1 else (1 - held) / self._rate.per_s
        self._filled[key] = (held if wait_s else held - 1, now_s)
        if len(self._filled) > self._limit:
            self._filled.popitem(last=False)
        return wait_s


class UsedDates:
    """Which dates a device has used within the last two windows: a recorded request is worth nothing."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._used: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._used.values()))

    def use(self, device: str, date_ms: int, now_ms: int) -> bool:
        """Whether `device` may use `date_ms` (at most a window away from `now_ms`); it is used from now on."""
        dates = self._used.setdefault(device, deque())
        for _ in range(len(dates)):
            if abs(dates[0] - now_ms) <= self._window_ms:
                dates.rotate(-1)
            else:
                dates.popleft()
        if date_ms in dates or len(dates) >= MAX_DATES:
            return False
        dates.append(date_ms)
        return True

    def forget_old(self, now_ms: int) -> None:
        """Let go of devices that have not asked within the window."""
        for device, dates in list(self._used.items()):
            if all(abs(date_ms - now_ms) > self._window_ms for date_ms in dates):
                del self._used[device]
