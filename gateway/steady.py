"""A clock that never steps, in Unix s: what is measured in it outlives a restart and no correction fires anything."""

from gateway.ports import Clock


class Steady:
    """Unix s that never step: the wall time at the start plus what has passed since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._from_ms = clock.wall_ms() - clock.mono_ms()

    def now_s(self) -> float:
        return (self._from_ms + self._clock.mono_ms()) / 1000

    def at_s(self, wall_s: float) -> float:
        """What it says when the wall clock says that."""
        return wall_s - self.ahead_s

    @property
    def ahead_s(self) -> float:
        """How far the wall clock is ahead of it: it was set since the start."""
        return self._clock.wall_ms() / 1000 - self.now_s()
