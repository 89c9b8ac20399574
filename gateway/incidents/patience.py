"""How many heartbeats a device may miss: more for one whose link is known to lose some.

Each message of a link that loses a share p is missing with odds p, so m in a row with p to the m: a device is given as
many as keep that below `worst_loss`. The share is learned over about six hours; silences of more than ten heartbeats
are outages, not losses.
"""

import math
from dataclasses import dataclass
from typing import Final

from gateway.incidents.hearing import PresenceRules

_MEMORY_BEATS: Final = 720.0
_OUTAGE_BEATS: Final = 10.0
_FIRST_LOSS: Final = 0.005


@dataclass(slots=True)
class Patience:
    """The share of messages lost, learned."""

    loss: float = _FIRST_LOSS

    def heard(self, before_s: float | None, now_s: float, end_s: float, beat_s: float) -> None:
        """A message came at `now_s` after one at `before_s`, and each heartbeat up to `end_s`."""
        if before_s is None or now_s - before_s > _OUTAGE_BEATS * beat_s:
            return
        gap = (now_s - before_s) / beat_s
        missed, came = (round(gap) - 1, 1.0) if gap >= 1.5 else (0, min(1.0, max(0.0, gap)))
        came += (end_s - now_s) / beat_s
        beats = missed + came
        kept = math.exp(-beats / _MEMORY_BEATS)
        self.loss = self.loss * kept + (missed / beats if beats else 0.0) * (1 - kept)

    def more(self, rules: PresenceRules) -> int:
        """Heartbeats more than its link class's: at four missed in a row a wired device is told."""
        if self.loss <= _FIRST_LOSS:
            return 0
        needed = math.ceil(math.log(rules.worst_loss) / math.log(min(self.loss, 0.5)))
        return max(0, min(rules.more_beats, needed - rules.wired_beats - 1))
