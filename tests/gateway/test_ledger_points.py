"""The ledger's sums of a day go to the database for the boards, as the pages show them."""

import asyncio
from dataclasses import asdict, astuple

from gateway.console import ledger_points
from gateway.console.app import create_app
from gateway.console.balance import Balance, Books
from gateway.metrics import GatewayMetrics
from gateway.ports import RetryLater
from kewang.runtime.clock import SystemClock
from tests.fakes import MemoryStore
from tests.gateway import town
from tests.gateway.serving import LIMIT_S, QUICK


async def test_the_sums_are_those_of_the_pages() -> None:
    store, clock = MemoryStore(), SystemClock()
    await town.settle(store, clock.wall_ms())
    live = create_app(store, town.TownFacts(known=town.placements()), GatewayMetrics(), clock, QUICK).state.live
    writing = asyncio.create_task(ledger_points.keep_writing(live, store, "gw1", clock))
    async with asyncio.timeout(LIMIT_S):
        while not (found := [p for (name, _), p in store.points.items() if name == "ledger"]):
            await asyncio.sleep(0.01)
    writing.cancel()
    (fields,) = found[0].values()
    books = (await live.overview()).books
    assert fields == {**asdict(books.total), "filling": float(books.filling)}
    assert books.total.made > 0
    assert books.total.made == sum(astuple(books.total)[1:])


def test_before_anything_was_read_there_is_no_point() -> None:
    assert ledger_points.ledger_points(Books(), "gw1", 1) == []
    books = Books(0, 1, by_device={"a": Balance(3, 2, 0, 0, 0, 1)})
    (table,) = ledger_points.ledger_points(books, "gw1", 1)
    assert dict(zip(table.fields, table.rows[0][1:], strict=True))["lost"] == 1


async def test_a_database_that_is_away_ends_nothing() -> None:
    class Away(MemoryStore):
        async def write(self, tables: object) -> None:
            tried.set()
            raise RetryLater("away")

    store, clock, tried = MemoryStore(), SystemClock(), asyncio.Event()
    await town.settle(store, clock.wall_ms())
    live = create_app(store, town.TownFacts(known=town.placements()), GatewayMetrics(), clock, QUICK).state.live
    writing = asyncio.create_task(ledger_points.keep_writing(live, Away(), "gw1", clock))
    await asyncio.wait_for(tried.wait(), LIMIT_S)
    assert not writing.done()
    writing.cancel()
