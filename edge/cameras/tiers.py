"""When to look at a camera, and how closely: pure in time, which the caller gives in monotonic seconds."""

import math
import random
from enum import IntEnum
from typing import Final

QUICK_LOOKS: Final = 6
"""So often in a row suspicion brings the next look forward; then every other time only, for a fault that lasts must
not cost six times the sessions."""
JITTER: Final = 0.1
"""Every wait is up to this share shorter, so that the cameras of a box don't fall into step."""


class Tier(IntEnum):
    """How closely to look; a higher tier costs more."""

    REACH = 1
    PICTURE = 2
    SLOW = 3


class Tiers:
    """One camera's schedule. Waits count from when a look began; no wait is longer than its setting.

    Looks that suspicion brought forward come in between: they don't move those of the usual pace.
    """

    def __init__(
        self,
        reach_s: float = 20.0,
        picture_s: float = 60.0,
        slow_s: float = 900.0,
        suspicion_s: float = 10.0,
        *,
        rng: random.Random,
    ) -> None:
        self._every_s = {Tier.REACH: reach_s, Tier.PICTURE: picture_s, Tier.SLOW: slow_s}
        self._suspicion_s = suspicion_s
        self._rng = rng
        self._next_s: dict[Tier, float] = {}
        self._usual_s = -math.inf
        """When the next look at the picture is due that nobody brings forward."""
        self._quick_looks = dict.fromkeys(Tier, 0)
        self._busy_s = 0.0

    def due(self, now_s: float) -> Tier:
        """The highest tier that is due; REACH if none is. The first look is a PICTURE, the first SLOW follows soon."""
        if not self._next_s:
            self._next_s = {Tier.REACH: now_s, Tier.PICTURE: now_s, Tier.SLOW: now_s + self._wait_s(Tier.PICTURE) / 2}
        return max((tier for tier, next_s in self._next_s.items() if next_s <= now_s), default=Tier.REACH)

    def is_extra(self, now_s: float) -> bool:
        """Whether a look at the picture now is one that was brought forward, between two of the usual pace."""
        return now_s < self._usual_s

    def done(self, tier: Tier, began_s: float, suspicious: bool) -> None:
        """A look of `tier` that began at `began_s` is over; it answers what lower tiers ask too.

        SLOW asks other things, so it leaves PICTURE as it is.
        """
        quick = self._is_quick(tier, suspicious)
        soon_s = began_s + self._suspicion_s
        self._next_s[Tier.REACH] = soon_s if quick else began_s + self._wait_s(Tier.REACH)
        if tier is Tier.PICTURE:
            self._busy_s = 0.0
            if not self.is_extra(began_s):
                self._usual_s = began_s + self._wait_s(tier)
            self._next_s[tier] = soon_s if quick else max(soon_s, self._usual_s)
        elif tier is Tier.SLOW:
            self._next_s[tier] = began_s + self._wait_s(tier)

    def busy(self, began_s: float) -> None:
        """The camera had no session to give: ask for one ever more rarely, up to the time of SLOW. REACH goes on."""
        self._busy_s = min(self._every_s[Tier.SLOW], self._busy_s * 2 or self._every_s[Tier.PICTURE])
        self._next_s[Tier.REACH] = began_s + self._wait_s(Tier.REACH)
        self._usual_s = began_s + self._shorter(self._busy_s)
        for tier in (Tier.PICTURE, Tier.SLOW):
            self._next_s[tier] = max(self._next_s[tier], self._usual_s)

    def hurry(self, now_s: float) -> None:
        """Look at the picture next: the camera is back, or somebody waits for it. Not while it is busy."""
        if self._next_s and not self._busy_s:
            self._usual_s = now_s
            self._next_s[Tier.PICTURE] = min(self._next_s[Tier.PICTURE], now_s)

    def next_in_s(self, now_s: float) -> float:
        """Seconds until something is due; 0 if it is already."""
        return max(0.0, min(self._next_s.values(), default=now_s) - now_s)

    def _is_quick(self, tier: Tier, suspicious: bool) -> bool:
        looks = self._quick_looks[tier] + 1 if suspicious else 0
        self._quick_looks[tier] = looks if looks <= QUICK_LOOKS else QUICK_LOOKS - 1
        return 0 < looks <= QUICK_LOOKS

    def _wait_s(self, tier: Tier) -> float:
        return self._shorter(self._every_s[tier])

    def _shorter(self, wait_s: float) -> float:
        return wait_s * (1 - JITTER * self._rng.random())
