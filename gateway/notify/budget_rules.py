"""How many notices people are sent in a window of time, and when the next one finds room."""

import math
from dataclasses import dataclass, field

from pydantic import Field

from kewang.runtime.settings import Settings


class BudgetRules(Settings):
    """How many notices people are sent."""

    window_s: float = Field(600.0, ge=1, le=86_400, description="Length of the window that notices are counted in (s).")
    notices: int = Field(10, ge=3, le=1000, description="Notices in any window at most, digests among them.")
    single: int = Field(7, ge=1, le=1000, description="Notices about one incident in any window at most.")
    first_critical: int = Field(
        8, ge=1, le=1000, description="The same for what is critical and the first of its kind in the window."
    )
    digest_every_s: float = Field(300.0, ge=1, le=86_400, description="Time from a digest to the next at least (s).")
    gather_s: float = Field(30.0, ge=0, le=3600, description="How long the first digest gathers before it goes (s).")
    update_every_s: float = Field(
        600.0, ge=0, le=86_400, description="Time from a notice to the next about the same incident at least (s)."
    )


@dataclass(slots=True)
class Sent:
    """When the newest notices went, oldest first: about one incident, about several, and all of them."""

    rules: BudgetRules
    single_s: list[float] = field(default_factory=list)
    several_s: list[float] = field(default_factory=list)
    all_s: list[float] = field(default_factory=list)

    def went(self, kind_s: list[float], now_s: float) -> None:
        """One went now; what no limit reaches back to is forgotten."""
        for times_s in (kind_s, self.all_s):
            times_s.append(now_s)
            del times_s[: -self.rules.notices]

    def single_at_s(self, limit: int) -> float:
        """When there is room for one about a single incident."""
        return max(self._room_s(self.single_s, limit), self._room_s(self.all_s, self.rules.notices))

    def several_at_s(self, first_s: float) -> float:
        """When one about several goes, the first of which waits since `first_s`."""
        after_s = self.several_s[-1] + self.rules.digest_every_s if self.several_s else -math.inf
        return max(first_s + self.rules.gather_s, after_s, self._room_s(self.all_s, self.rules.notices))

    def _room_s(self, times_s: list[float], limit: int) -> float:
        """When fewer than `limit` of them lie within the window, both ends included."""
        return -math.inf if len(times_s) < limit else after(times_s[-limit] + self.rules.window_s)


def after(at_s: float) -> float:
    """The first moment after it."""
    return math.nextafter(at_s, math.inf)
