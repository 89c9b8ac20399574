"""Devices that send far more than any agent does: what they send is dropped unread until they are quiet again.

A bucket a device. An agent that comes back sends what it read in five minutes at once: with 64 sources about 1,900
batches; its backlog goes by credit. Neither empties the bucket; a flood of 500 messages a second does in 8 s, one of
5,000 in half a second. Provisioning asks for the list every second and quarantines who is on it. No clock of its own.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

BURST_MESSAGES: Final = 2500.0
REFILL_PER_S: Final = 150.0
_MAX_DEVICES: Final = 200_000


@dataclass(slots=True)
class _Bucket:
    """`left` messages as of `at_ms`; `since_ms`: when it ran dry, None while it is not flooding; `dropped` since."""

    left: float
    at_ms: int
    since_ms: int | None = None
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Flood:
    """A device that floods: since when (monotonic ms), and how many messages were dropped for it."""

    device: str
    since_ms: int
    dropped: int


class Floods:
    """Counts messages by device; monotonic ms come as arguments."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._flooding: set[str] = set()

    def took(self, device: str, now_ms: int) -> bool:
        """A message of `device` came; whether it is one of a flood, to be dropped."""
        bucket = self._buckets.get(device)
        if bucket is None:
            bucket = self._new(device, now_ms)
        if now_ms != bucket.at_ms:
            self._refill(device, bucket, now_ms)
        bucket.left = max(0.0, bucket.left - 1)
        if bucket.left < 1 and bucket.since_ms is None:
            bucket.since_ms, bucket.dropped = now_ms, 0
            self._flooding.add(device)
        bucket.dropped += bucket.since_ms is not None
        return bucket.since_ms is not None

    def now(self, now_ms: int) -> list[Flood]:
        """Who floods now, the longest first."""
        for device in list(self._flooding):
            self._refill(device, self._buckets[device], now_ms)
        found = ((device, self._buckets[device]) for device in self._flooding)
        floods = [Flood(device, one.since_ms, one.dropped) for device, one in found if one.since_ms is not None]
        return sorted(floods, key=lambda flood: flood.since_ms)

    def _refill(self, device: str, bucket: _Bucket, now_ms: int) -> None:
        """The bucket as of now; full again, the flood is over."""
        bucket.left = min(BURST_MESSAGES, bucket.left + REFILL_PER_S * (now_ms - bucket.at_ms) / 1000)
        bucket.at_ms = now_ms
        if bucket.since_ms is not None and bucket.left >= BURST_MESSAGES:
            bucket.since_ms = None
            self._flooding.discard(device)

    def _new(self, device: str, now_ms: int) -> _Bucket:
        bucket = self._buckets[device] = _Bucket(BURST_MESSAGES, now_ms)
        if len(self._buckets) > _MAX_DEVICES:
            forgotten, _ = self._buckets.popitem(last=False)
            self._flooding.discard(forgotten)
        return bucket
