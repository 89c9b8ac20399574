"""Maintenance as people plan it: asked for in wall time, watched in the watch's own, written down with each turn."""

from collections.abc import Iterable, Mapping

from gateway.incidents.maintenance import Window, check
from gateway.incidents.model import Incident, Scope
from gateway.incidents.watch import Watch
from gateway.steady import Steady
from kewang.wire.placement import Place


class Works:
    """What the console and the commands plan. From the event loop."""

    def __init__(self, watch: Watch, steady: Steady, places: Mapping[str, Place]) -> None:
        self._watch, self._steady, self.places = watch, steady, places
        self._unwritten: dict[int, Window] = {}
        self._untold: list[Incident] = []

    def plan(self, scope: Scope, from_s: float | None, until_s: float, by: str, note: str) -> Window:
        """Somebody works on `scope`, in Unix s of the wall clock; None: from now. Raises NoWindow if that can't be."""
        now_s, until_s = self._steady.now_s(), self._steady.at_s(until_s)
        from_s = now_s if from_s is None else max(now_s, self._steady.at_s(from_s))
        check(scope, from_s, until_s, now_s, self.places)
        window = self._watch.maintain(scope, until_s, now_s, from_s, by, note).copied()
        self._unwritten[window.number] = window
        return window

    def end(self, number: int) -> bool:
        """The work is done or called off; False if no window of this number is planned or open."""
        return self._watch.end_maintenance(number, self._steady.now_s())

    @property
    def windows(self) -> list[Window]:
        """Planned or open."""
        return [window.copied() for window in self._watch.engine.maintenance.windows.values()]

    def devices(self) -> frozenset[str]:
        """That somebody works on now."""
        known = self._watch.engine.maintenance
        begun = (window for window in known.windows.values() if window.begun)
        return frozenset(device for window in begun for device in known.devices(window))

    def over(self) -> list[Incident]:
        """What people are told of windows that have ended since the last call; `told` gives it once more."""
        moved, self._watch.windows = self._watch.windows, []
        self._unwritten |= {window.number: window for window in moved}
        over = [window.report() for window in moved if window.begun and window.ended_s is not None]
        self._untold += over
        return over

    def told(self) -> list[Incident]:
        """What has ended since the last call of this."""
        over, self._untold = self._untold, []
        return over

    @property
    def new(self) -> bool:
        """Whether something is not written down yet."""
        return bool(self._unwritten)

    def to_write(self) -> list[Window]:
        """All that are not over, and the others that are not written down yet."""
        self._unwritten |= {window.number: window for window in self.windows}
        return list(self._unwritten.values())

    def written(self, windows: Iterable[Window]) -> None:
        """These are; one may have changed meanwhile."""
        for window in windows:
            if self._unwritten.get(window.number) is window:
                del self._unwritten[window.number]
