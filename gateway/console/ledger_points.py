"""The ledger's sums of a day as a point `ledger` every five minutes, for the boards: is every reading accounted for?"""

import asyncio
import logging
from dataclasses import asdict

from gateway.console.balance import Books
from gateway.console.live import Live
from gateway.ports import Clock, Misconfigured, RetryLater, Sink, Table

log = logging.getLogger(__name__)

AGAIN_S = 20.0
"""Soon again while there is nothing to tell: after a start nothing is read yet."""
EVERY_S = 300.0
"""To read the books of a large city takes a part of a minute."""


def ledger_points(books: Books, gateway: str, now_ms: int) -> list[Table]:
    """One point, as the pages show it; none before anything was read. `filling`: 1 while older hours are missing."""
    total = books.total
    if not total.made:
        return []
    sums = {name: float(value) for name, value in asdict(total).items()} | {"filling": float(books.filling)}
    return [Table("ledger", (("gateway", gateway),), tuple(sums), [(now_ms, *sums.values())])]


async def keep_writing(live: Live, sink: Sink, gateway: str, clock: Clock) -> None:
    """For ever. What can't be read or written is not made up: the boards show that nothing new came."""
    while True:
        overview = await live.overview()
        points = ledger_points(overview.books, gateway, clock.wall_ms()) if overview.trouble is None else []
        try:
            if points:
                await sink.write(points)
        except (RetryLater, Misconfigured) as error:
            log.debug("the ledger's point was not written: %s", error)
        await asyncio.sleep(EVERY_S if points else AGAIN_S)
