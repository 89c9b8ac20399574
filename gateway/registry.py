"""What the gateway knows of the devices: where they are, when they were last heard, which run speaks. Memory only.

Placements come retained from provisioning; the rest is learned again after a restart. Bounded by `MAX_DEVICES`.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from kewang.wire.placement import REFUSED_LIVES, Placement
from kewang.wire.state import State

MAX_DEVICES: Final = 200_000
MAX_SOURCES: Final = 64
_RUNS_REMEMBERED: Final = 16
_DROPPED_LIVES: Final = REFUSED_LIVES | {"quarantined"}
"""A quarantined device stays on the pages; its readings wait on the box until a person lets it in again."""


@dataclass(slots=True)
class Device:
    """One device as seen by this process. Times are monotonic ms."""

    placement: Placement | None = None
    heard_ms: int | None = None
    birth: State | None = None
    newest_ms: int = 0
    """The newest date (Unix ms by its own clock) of its rows in this run."""
    sources: set[str] = field(default_factory=set)
    runs: list[str] = field(default_factory=list)
    """Runs born, the present one last."""
    two_boxes: int = 0
    """How often a run came back after another: two boxes with one identity."""
    two_boxes_ms: int | None = None
    """When it did last."""


class Registry:
    """All devices."""

    def __init__(self) -> None:
        self.devices: OrderedDict[str, Device] = OrderedDict()
        self._retained: dict[str, State] = {}
        """Births that were there before us: what devices said of themselves, no sign of life."""

    def device(self, device: str) -> Device:
        """The device called so, made if it is new; the one unheard longest is forgotten when there are too many."""
        known = self.devices.get(device)
        if known is None:
            known = self.devices[device] = Device()
            if len(self.devices) > MAX_DEVICES:
                self.devices.popitem(last=False)
        else:
            self.devices.move_to_end(device)
        return known

    def refuses(self, device: str) -> bool:
        """Whether what this device sends is to be dropped: revoked, retired or quarantined."""
        known = self.devices.get(device)
        return known is not None and known.placement is not None and known.placement.now.life in _DROPPED_LIVES

    def heard(self, device: str, now_ms: int) -> None:
        """A message came from the device itself (not a retained one)."""
        self.device(device).heard_ms = now_ms

    def born(self, device: str, birth: State) -> bool:
        """A birth; whether it proves two boxes with one identity (a run born again after another)."""
        known = self.device(device)
        known.birth = birth
        again = birth.bt in known.runs[:-1]
        if birth.bt not in known.runs[-1:]:
            known.newest_ms = 0
            known.runs = [*(run for run in known.runs if run != birth.bt), birth.bt][-_RUNS_REMEMBERED:]
        if again:
            known.two_boxes, known.two_boxes_ms = known.two_boxes + 1, known.heard_ms
        return again

    def recall(self, device: str, birth: State) -> None:
        """A retained birth: a hint at how the device reads and sends until it says so itself."""
        if len(self._retained) < MAX_DEVICES:
            self._retained[device] = birth

    def birth(self, device: str) -> State | None:
        """What it said of itself last, maybe before we began."""
        known = self.devices.get(device)
        return (known.birth if known else None) or self._retained.get(device)

    def is_of_last_birth(self, device: str, state: State) -> bool:
        """Whether a will or a goodbye counts: it is of the run and the connect that were born last."""
        birth = self.device(device).birth
        return birth is not None and (birth.bt, birth.n) == (state.bt, state.n)

    def two_boxes(self, since_ms: int) -> set[str]:
        """Devices whose identity was seen on two boxes since then."""
        return {
            name
            for name, device in self.devices.items()
            if device.two_boxes_ms is not None and device.two_boxes_ms >= since_ms
        }

    def has_room(self, device: str, source: str) -> bool:
        """Whether `source` may be stored: one of the first 64 of its device."""
        sources = self.device(device).sources
        if source not in sources and len(sources) < MAX_SOURCES:
            sources.add(source)
        return source in sources
