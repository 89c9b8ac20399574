"""What the store refuses is isolated, at the cost of few writes; all the rest is stored."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ports import Misconfigured, Poison, RetryLater, Split, Table, Value
from gateway.writer import write
from tests.fakes import MemoryStore
from tests.virtual_time import in_virtual_time


def tables(*sizes: int) -> list[Table]:
    return [
        Table("env", (("device", f"d{index}"), ("source", "env-1")), ("sim_n",), [(n, float(n)) for n in range(size)])
        for index, size in enumerate(sizes)
    ]


def keys(some: list[Table]) -> set[tuple[str, Value]]:
    return {(table.tags[0][1], row[0]) for table in some for row in table.rows}


def stored(store: MemoryStore) -> set[tuple[str, Value]]:
    return {(tags[0][1], date_ms) for (_, tags), points in store.points.items() for date_ms in points}


class Odd(MemoryStore):
    """Breaks in a way its contract does not know, over the rows in `odd`."""

    odd: frozenset[tuple[str, Value]] = frozenset()

    async def write(self, tables: object) -> None:
        assert isinstance(tables, list)
        if not self.odd.isdisjoint(keys(tables)):
            self.writes += 1
            raise ZeroDivisionError("a bug in the store's client")
        await super().write(tables)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.data())
def test_culprits_are_isolated_and_the_rest_is_stored(sizes: list[int], data: st.DataObject) -> None:
    everything = tables(*sizes)
    rows = sorted(keys(everything), key=str)
    culprits = data.draw(st.sets(st.sampled_from(rows), max_size=4)) if rows else set()
    limit_rows = data.draw(st.sampled_from([1, 5, 10**9]))

    @in_virtual_time
    async def check() -> None:
        store = MemoryStore()
        store.limit_rows = limit_rows
        store.refuse = lambda table, row: (table.tags[0][1], row[0]) in culprits
        outcome = await write(store, everything)
        assert {key for table, _ in outcome for key in keys([table])} == culprits
        assert all(len(table.rows) == 1 and "told to refuse" in why for table, why in outcome)
        assert stored(store) == set(rows) - culprits

    check()


@pytest.mark.parametrize(("rows", "culprits"), [(4096, 1), (4096, 5), (100, 100)])
def test_isolating_takes_few_writes(rows: int, culprits: int) -> None:
    @in_virtual_time
    async def check() -> None:
        store = MemoryStore()
        bad = {(n * rows // culprits, float(n * rows // culprits)) for n in range(culprits)}
        store.refuse = lambda _table, row: tuple(row) in bad
        assert len(await write(store, tables(rows))) == culprits
        assert store.writes <= 2 * culprits * (math.ceil(math.log2(rows)) + 1)

    check()


@in_virtual_time
async def test_an_unexpected_error_is_isolated_too(caplog: pytest.LogCaptureFixture) -> None:
    store = Odd()
    store.odd = frozenset({("d1", 3), ("d2", 0)})
    outcome = await write(store, tables(5, 5, 5))
    assert [(table.tags[0][1], table.rows[0][0]) for table, _ in outcome] == [("d1", 3), ("d2", 0)]
    assert all("ZeroDivisionError" in why for _, why in outcome)
    assert len(stored(store)) == 13
    assert "unexpected" in caplog.text


@pytest.mark.parametrize("error", [RetryLater("busy", 3.0), Misconfigured("no such bucket")])
def test_errors_of_the_whole_store_pass(error: Exception) -> None:
    @in_virtual_time
    async def check() -> None:
        store = MemoryStore()
        store.fail(error)
        with pytest.raises(type(error)) as caught:
            await write(store, tables(3))
        assert caught.value is error
        assert store.writes == 1

    check()


@in_virtual_time
async def test_a_store_that_fails_in_the_middle_of_a_search_is_tried_later() -> None:
    store = MemoryStore()
    store.fail(Split("too large"), 1)
    store.fail(RetryLater("busy"), 1)
    with pytest.raises(RetryLater):
        await write(store, tables(4))


@in_virtual_time
async def test_nothing_to_write_is_not_written() -> None:
    store = MemoryStore()
    assert await write(store, []) == []
    assert store.writes == 0


@in_virtual_time
async def test_a_single_refused_row_is_named_with_the_reason() -> None:
    store = MemoryStore()
    store.fail(Poison("field type conflict"))
    ((table, why),) = await write(store, tables(1))
    assert (len(table.rows), why) == (1, "field type conflict")
