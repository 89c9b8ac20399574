"""How often something may be tried: a bounded memory of recent tries by key (a login, an address)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS: Final = 4096
"""Keys that are remembered; beyond it the one that was quiet the longest is forgotten."""


class Tries:
    """A bucket of tries for each key: `burst` at once, then one more each `again_s`. Call from one thread."""

    def __init__(self, burst: int, again_s: float, mono_ms: Callable[[], int], keys: int = KEYS) -> None:
        self._burst, self._again_ms, self._mono_ms, self._keys = burst, again_s * 1000, mono_ms, keys
        self._full_ms: OrderedDict[str, float] = OrderedDict()
        """Key -> when its bucket is full again (monotonic ms)."""

    def wait_s(self, key: str) -> int:
        """Seconds until `key` may try again; 0: now."""
        late_ms = self._full_ms.get(key, 0.0) - self._mono_ms() - self._again_ms * (self._burst - 1)
        return max(0, int(-(-late_ms // 1000)))

    def tried(self, key: str) -> None:
        """Counts one try of `key`."""
        now_ms = self._mono_ms()
        self._full_ms[key] = max(self._full_ms.pop(key, 0.0), now_ms) + self._again_ms
        while len(self._full_ms) > self._keys:
            self._full_ms.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Forgets the tries of `key`: it has shown that it may."""
        self._full_ms.pop(key, None)
