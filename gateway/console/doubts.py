"""Whether what is missing is lost. Nobody is told so before two exact looks, some time apart, have found it.

One look may fall between a restored database and the first heartbeat of a device that has learned of it.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class _Doubt:
    looked_ms: int
    found: int
    sure: int = 0


class Doubts:
    """Devices with more missing than they hold. Monotonic ms; `after_ms` between two looks, `again_ms` while sure."""

    def __init__(self, after_ms: int, again_ms: int) -> None:
        self._after_ms, self._again_ms = after_ms, again_ms
        self._of: dict[str, _Doubt] = {}

    def due(self, lost: dict[str, int], now_ms: int) -> list[str]:
        """Devices to be looked at exactly now, those never looked at first. `lost`: as the cheap figures have it."""
        self._of = {device: doubt for device, doubt in self._of.items() if lost.get(device)}
        looked = {device: doubt.looked_ms for device, doubt in self._of.items()}
        due = [device for device, missing in lost.items() if missing and self._is_due(device, missing, now_ms)]
        return sorted(due, key=lambda device: looked.get(device, -(2**62)))

    def looked(self, device: str, lost: int, now_ms: int) -> None:
        """An exact look at the device has found `lost`."""
        before = self._of.setdefault(device, _Doubt(now_ms, lost))
        if now_ms - before.looked_ms >= self._after_ms:
            before.sure, before.found, before.looked_ms = min(before.found, lost), lost, now_ms

    def sure(self, device: str, lost: int) -> int:
        """How many of `lost` may be called so."""
        doubt = self._of.get(device)
        return min(lost, doubt.sure) if doubt else 0

    def _is_due(self, device: str, lost: int, now_ms: int) -> bool:
        doubt = self._of.get(device)
        wait_ms = self._after_ms if doubt and lost > doubt.sure else self._again_ms
        return doubt is None or now_ms - doubt.looked_ms >= wait_ms
