"""From suspicion to fault and back: how long a sign must last before it counts, and how long its absence."""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from kewang.wire.cameras import CameraReason


@dataclass
class Spell:
    """A run of suspicious looks of some reasons, each with its time. One look that disagrees does not end it.

    A look without a reason of ours counts against it; two in a row end it.
    """

    reasons: Collection[CameraReason]
    looks: deque[tuple[float, CameraReason]] = field(default_factory=lambda: deque(maxlen=240))
    misses: int = 0
    allowed_misses: int = 0

    def saw(self, reason: CameraReason, now_s: float) -> None:
        """Take a look in."""
        if reason in self.reasons:
            self.looks.append((now_s, reason))
            self.misses = 0
        elif self.looks:
            self.misses += 1
            if self.misses > self.allowed_misses:
                self.over()

    def over(self) -> None:
        """End the run."""
        self.looks.clear()
        self.misses = 0

    @property
    def going(self) -> bool:
        """Whether there is a suspicion at all."""
        return bool(self.looks)

    def lasted(self, enough_looks: int, enough_s: float) -> bool:
        """Whether it has had so many suspicious looks, over so many seconds from the first to the last."""
        return len(self.looks) >= enough_looks and self.looks[-1][0] - self.looks[0][0] >= enough_s

    def reason(self) -> CameraReason:
        """The commonest reason of the run; of equally common ones the latest."""
        counts = Counter(reason for _, reason in self.looks)
        most = max(counts.values())
        return next(reason for _, reason in reversed(self.looks) if counts[reason] == most)
