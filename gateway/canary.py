"""Looks in the outbox what became of the daily test's notice, while one is under way."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.incidents.canary import Canary, Drill, Fate
from gateway.notify.outbox import Outbox

LOOK_S: Final = 5.0


class CanaryLook:
    """`now_s`: the clock of watch and outbox."""

    def __init__(self, canary: Canary, outbox: Outbox, now_s: Callable[[], float]) -> None:
        self._canary, self._outbox, self._now_s = canary, outbox, now_s

    async def run(self) -> None:
        """For ever."""
        while True:
            with suppress(sqlite3.Error):  # an outbox that can't be read is another trouble
                await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Now. Raises sqlite3.Error."""
        if (drill := self._canary.drill) is not None:
            fates = await asyncio.to_thread(self._fates, drill)
            self._canary.looked(fates, self._now_s())

    def _fates(self, drill: Drill) -> list[Fate]:
        """Of the messages to the first channel of every way; killed at the wrong moment, we know no key."""
        keys = drill.keys or [f"%-{drill.number}-opened"]
        rows = [row for key in keys for row in self._outbox.rows(key)]
        told = [row for row in rows if row.first and row.created_s >= drill.opened_s]
        return [Fate(row.channel, row.state, row.ended_s) for row in told]
