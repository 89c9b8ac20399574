"""What the console asks of the running gateway: of its pipeline, its watch, and its ingest processes if it has any."""

from collections.abc import Mapping
from typing import Final

from gateway.console.history import weight
from gateway.crew import Crew, Told
from gateway.incidents.canary import CANARY
from gateway.metrics import STUCK_S
from gateway.notify import phrases
from gateway.pipeline import Pipeline
from gateway.watched import Watched
from kewang.ui.words import Language
from kewang.wire.placement import Placement
from kewang.wire.state import State

TWO_BOXES_MS: Final = 3_600_000
"""A device is marked for so long after two boxes used its identity."""


class LiveFacts:
    """gateway.console.facts.Facts of a running pipeline; `crew`: those who store what it hears, if it does not."""

    def __init__(
        self, gateway: str, pipeline: Pipeline, watched: Watched | None = None, crew: Crew | None = None
    ) -> None:
        self.gateway, self._watched, self._crew = gateway, watched, crew
        self._pipeline = pipeline

    @property
    def _told(self) -> list[Told]:
        return self._crew.told if self._crew else []

    def placements(self) -> Mapping[str, Placement]:
        """Of every device that has one."""
        devices = self._pipeline.registry.devices
        return {name: device.placement for name, device in devices.items() if device.placement}

    def broker_connected(self) -> bool:
        return self._pipeline.subscription.connected and all(one.broker_connected for one in self._told)

    def rewinds_read(self) -> bool:
        others = len(self._crew.ingesters) if self._crew else 0
        return self._pipeline.rewinds.known.is_set() and sum(one.rewinds_read for one in self._told) == others

    def rewind(self) -> int:
        return self._pipeline.acks.rewind

    def clock_synchronised(self) -> bool:
        return self._pipeline.clock.synchronised()

    def devices_ahead(self) -> int:
        if self._crew:
            return sum(one.devices_ahead for one in self._told)
        return self._pipeline.acks.devices_ahead

    def two_boxes(self) -> set[str]:
        """Within the last hour."""
        return self._pipeline.registry.two_boxes(self._pipeline.clock.mono_ms() - TWO_BOXES_MS)

    def heard_ms(self) -> Mapping[str, int]:
        """On this server's clock."""
        devices = self._pipeline.registry.devices
        return {name: self._wall_ms(device.heard_ms) for name, device in devices.items() if device.heard_ms is not None}

    def birth(self, device: str) -> State | None:
        return self._pipeline.registry.birth(device)

    def floods(self) -> list[dict[str, int | str]]:
        if self._crew:
            return [flood for one in self._told for flood in one.floods]
        found = self._pipeline.intake.floods.now(self._pipeline.clock.mono_ms())
        return [
            {"device": one.device, "since_ms": self._wall_ms(one.since_ms), "dropped": one.dropped} for one in found
        ]

    def _wall_ms(self, mono_ms: int) -> int:
        clock = self._pipeline.clock
        return clock.wall_ms() - (clock.mono_ms() - mono_ms)

    def store_trouble(self) -> str | None:
        return self._pipeline.health.failing or next(filter(None, (one.store_trouble for one in self._told)), None)

    def open_incidents(self) -> int | None:
        return None if self._watched is None else self._watched.open_incidents()

    def worst_incident(self, language: Language) -> str:
        open_ = self._watched.watching.open.values() if self._watched else ()
        worst = max((one for one in open_ if one.kind != CANARY), key=weight, default=None)
        return phrases.headline(worst, self._watched.kinds, language) if self._watched and worst else ""

    def doubt(self) -> str | None:
        if self._watched is None:
            return "another gateway watches"
        return self._watched.doubt(self.broker_connected(), self.store_trouble(), self.stuck())

    def worked_on(self) -> frozenset[str]:
        return frozenset() if self._watched is None else self._watched.works.devices()

    def queue(self) -> int:
        return len(self._pipeline.queue) + sum(one.queue for one in self._told)

    def readings_per_s(self) -> float:
        return self._pipeline.metrics.readings_per_s() + sum(one.readings_per_s for one in self._told)

    def stuck(self) -> list[str]:
        return self._pipeline.metrics.stuck(STUCK_S) + (self._crew.stuck() if self._crew else [])
