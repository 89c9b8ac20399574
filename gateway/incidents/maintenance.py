"""Maintenance windows: below them nothing alerts until they end. Pure."""

import math
from typing import Any

from gateway.incidents.model import Scope
from gateway.incidents.topology import Topology


class Maintenance:
    """The windows that are open, by scope."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.windows: dict[Scope, float] = {}

    def maintain(self, scope: Scope, until_s: float | None, now_s: float) -> None:
        """Work is done on `scope` until then; None ends it."""
        self.windows.pop(scope, None)
        if until_s is not None and until_s > now_s:
            self.windows[scope] = until_s

    def until_s(self, device: str, source: str | None = None) -> float:
        """Until when this device (or source) is worked on; -inf: it is not."""
        if not self.windows:
            return -math.inf
        scopes = self._topology.scopes(device)
        if source is not None:
            scopes = (Scope("source", f"{device}/{source}"), *scopes)
        return max((self.windows.get(scope, -math.inf) for scope in scopes), default=-math.inf)

    def open_at(self, now_s: float) -> tuple[Scope, ...]:
        """What is worked on then."""
        return tuple(scope for scope, until_s in self.windows.items() if until_s > now_s)

    def due(self, now_s: float) -> None:
        """Forget the windows that are over."""
        for scope in [scope for scope, until_s in self.windows.items() if until_s <= now_s]:
            del self.windows[scope]

    @property
    def next_s(self) -> float:
        """When a window ends."""
        return min(self.windows.values(), default=math.inf)

    def kept(self) -> list[Any]:
        """JSON-able."""
        return [[scope.level, scope.name, until_s] for scope, until_s in self.windows.items()]

    def restore(self, kept: list[Any]) -> None:
        """As `kept`."""
        self.windows = {Scope(level, name): until_s for level, name, until_s in kept}
