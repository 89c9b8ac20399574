"""What happens to one box in thirty days, by a seed.

```text
day 0       installed: time and link are there
0.3 .. 7.3  no network time, the battery of its clock is empty; power cuts; from day 5 on no link either
7.3         both are back: from the year 2000, or 2066, to now
12 .. 17    no link; the ring fills; power cuts
20, 22      network time that is wrong for an hour: ahead by 100 s, behind by an hour
always      power cuts, the gateway is killed
30          sensors off; what is held arrives
```
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from kewang.bench.month_line import Box, Broker, Gateway
from kewang.bench.month_truth import Journal
from kewang.bench.virtual_time import WALL_MS

YEAR_MS: Final = 31_557_600_000
WRONG_MS: Final = (-26 * YEAR_MS, 40 * YEAR_MS, -3_600_000, 10_800_000)
"""What a clock without a battery says: 2000, nonsense, the wrong zone, some time ago."""
Act = Callable[[], Awaitable[None]]


@dataclass
class Story:
    """Acts by time. `day_s`: how long a day is; a test has shorter ones."""

    day_s: float
    rng: random.Random
    box: Box
    gateway: Gateway
    broker: Broker
    journal: Journal
    acts: list[tuple[float, str, Act]] = field(default_factory=list)
    network_time: bool = True
    error_ms: int = 0
    steps: int = 0
    cuts: int = 0

    def plan(self) -> list[tuple[float, str, Act]]:
        """The acts of thirty days, in order: (seconds from the start, what, how)."""
        self._at(0.3, "no network time", self._lose_time)
        self._at(5.0, "no link", self._cut_link)
        self._at(7.3, "time and link are back", self._all_back)
        self._at(12.0, "no link for five days", self._cut_link)
        self._at(17.0, "the link is back", self._mend_link)
        self._at(20.0, "network time is ahead by 100 s", lambda: self._mislead(100_000))
        self._at(22.0, "network time is behind by an hour", lambda: self._mislead(-3_600_000))
        for day in (20.0, 22.0):
            self._at(day + 0.05, "network time is right", lambda: self._mislead(0))
        for first, last, cuts in ((0.4, 7.2, 9), (7.5, 11.9, 3), (12.1, 16.9, 3), (17.2, 29.5, 8)):
            for _ in range(cuts):
                self._at(self.rng.uniform(first, last), "power cut", self._cut_power)
        for _ in range(4):
            self._at(self.rng.uniform(0.4, 7.2), "the clock without network time steps", self._step)
        for _ in range(8):
            self._at(self.rng.uniform(0.1, 29.9), "the gateway is killed", self.gateway.restart)
        return sorted(self.acts, key=lambda act: act[0])

    def _at(self, day: float, what: str, how: Act) -> None:
        self.acts.append((day * self.day_s, what, how))

    def power_on(self) -> None:
        """A boot, with the clock that there is."""
        error_ms = self.error_ms if self.network_time else self.rng.choice(WRONG_MS)
        self.box.power_on(error_ms, trusted=self.network_time)

    async def _cut_power(self) -> None:
        self.cuts += 1
        await self.box.cut_power()
        self.power_on()

    async def _lose_time(self) -> None:
        self.network_time = False
        await self._cut_power()

    async def _cut_link(self) -> None:
        self.broker.cut()

    async def _mend_link(self) -> None:
        self.broker.up = True

    async def _all_back(self) -> None:
        self.network_time = True
        if self.box.clock is not None:
            self.box.clock.error_ms, self.box.clock.trusted = 0, True
        await self._mend_link()

    async def _step(self) -> None:
        self.steps += 1
        if self.box.clock is not None and not self.network_time:
            self.box.clock.error_ms = self.rng.choice(WRONG_MS)

    async def _mislead(self, error_ms: int) -> None:
        """The clock says that it is synchronised. Its dates are wrong until they have caught up with the truth."""
        self.steps += 1
        now_ms, pending_ms = WALL_MS + int(self.box.loop_s() * 1000), int(self.box.interval_s * 2000)
        if error_ms:
            self.journal.misled.append((now_ms - pending_ms, 2**62))
        else:
            first_ms, _ = self.journal.misled[-1]
            self.journal.misled[-1] = (first_ms, now_ms + pending_ms + max(0, self.error_ms))
        self.error_ms = error_ms
        if self.box.clock is not None:
            self.box.clock.error_ms = error_ms
