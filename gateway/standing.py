"""How things stand, written every 10 s for the boards: the fleet's counts and the incidents that are open.

While the store is away nothing waits: the next ones say it anew.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from gateway.ports import Misconfigured, RetryLater, Sink, Table
from gateway.writer import write

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0


async def keep_writing(sink: Sink, tables: Callable[[], Sequence[Table]]) -> None:
    """For ever. `tables`: how things stand now."""
    while True:
        await asyncio.sleep(EVERY_S)
        with suppress(RetryLater, Misconfigured):
            for table, why in await write(sink, tables()):
                log.error("the store refuses a point of %s: %s", table.measurement, why)
