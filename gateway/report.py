"""What the gateway writes of itself (`gw`) and of the devices' age (`state`). Also the probe of a failing store."""

import asyncio
import logging
from collections.abc import Callable

from gateway.health import StoreHealth
from gateway.metrics import OF_THE_WATCH, GatewayMetrics
from gateway.ports import Clock, Misconfigured, RetryLater, Sink, Table
from gateway.registry import Device, Registry

log = logging.getLogger(__name__)

REPORT_S = 10.0


class Report:
    """Writes a report every 10 s."""

    def __init__(
        self,
        gateway: str,
        sink: Sink,
        registry: Registry,
        metrics: GatewayMetrics,
        health: StoreHealth,
        clock: Clock,
        watches: bool = False,
    ) -> None:
        """`watches`: for outages; else nothing is said of them, for the boards ask any gateway."""
        self._gateway, self._sink, self._registry = gateway, sink, registry
        self._metrics, self._health, self._clock = metrics, health, clock
        self._left_out = frozenset[str]() if watches else OF_THE_WATCH

    async def keep_writing(self, known: asyncio.Event, refresh: Callable[[], None]) -> None:
        """Write for ever, from when the rewinds are `known`; `refresh` brings gauges up to date before each report."""
        await known.wait()
        while True:
            refresh()
            self._metrics.turned("report")
            try:
                await self._sink.write(self.tables())
            except (RetryLater, Misconfigured) as error:
                self._health.failed(error)
            except Exception:
                log.exception("the report was not written")
            else:
                self._health.succeeded()
            await asyncio.sleep(REPORT_S)

    def tables(self) -> list[Table]:
        """The report as points of this moment."""
        date_ms, now_ms = self._clock.wall_ms(), self._clock.mono_ms()
        signals = {name: value for name, value in self._metrics.snapshot().items() if name not in self._left_out}
        own = Table("gw", (("gateway", self._gateway),), tuple(signals), [(date_ms, *map(float, signals.values()))])
        heard = ((name, one) for name, one in self._registry.devices.items() if one.heard_ms is not None)
        return [own, *(_state(name, one, date_ms, now_ms) for name, one in heard)]


def _state(name: str, device: Device, date_ms: int, now_ms: int) -> Table:
    """When it was heard, and its site as a field: a corrected placement makes no second series."""
    facts: dict[str, float | str] = {"age_s": (now_ms - (device.heard_ms or 0)) / 1000}
    if device.placement is not None:
        facts["site"] = device.placement.now.site
    return Table("state", (("device", name),), tuple(facts), [(date_ms, *facts.values())])
