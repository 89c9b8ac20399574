"""Whether notices reach people: for `/metrics`, for `gw` points, and a point `delivery` for each channel."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from gateway.metrics import GatewayMetrics
from gateway.notify.delivery import ENDS, Delivery
from gateway.notify.outbox import Outbox
from gateway.ports import Clock, Table

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
_FIELDS: Final = ("waiting", "oldest_s", "trouble", *ENDS)


class DeliveryFigures:
    """Of one gateway's outbox. `now_s`: the clock that its messages are dated by."""

    def __init__(
        self, gateway: str, outbox: Outbox, delivery: Delivery, clock: Clock, now_s: Callable[[], float]
    ) -> None:
        self._gateway, self._outbox, self._delivery = gateway, outbox, delivery
        self._clock, self._now_s = clock, now_s

    async def keep_telling(
        self, metrics: GatewayMetrics, points: Callable[[Iterable[Table]], None], told: Callable[[], tuple[int, bool]]
    ) -> None:
        """For ever; `points` takes those of the channels, `told` says how many incidents are open, and whether all of
        us is proven to be well."""
        self._delivery.count = metrics.notice
        while True:
            metrics.watch(*told())
            try:
                points(await self.tables(metrics))
            except sqlite3.Error as error:
                log.warning("the notices that wait can't be counted: %s", error)
            await asyncio.sleep(EVERY_S)

    async def tables(self, metrics: GatewayMetrics) -> list[Table]:
        """One point a channel, of now; `metrics` hears the same. Raises sqlite3.Error."""
        waiting = await asyncio.to_thread(self._outbox.waiting, self._now_s())
        found = []
        for channel in self._delivery.channels:
            messages, oldest_s = waiting.get(channel, (0, 0.0))
            trouble = channel in self._delivery.troubles
            metrics.channel(channel, messages, trouble)
            ends = [float(self._delivery.ended[channel, end]) for end in ENDS]
            row = (self._clock.wall_ms(), float(messages), oldest_s, float(trouble), *ends)
            found.append(Table("delivery", (("channel", channel), ("gateway", self._gateway)), _FIELDS, [row]))
        metrics.oldest(max((oldest_s for _, oldest_s in waiting.values()), default=0.0))
        return found
