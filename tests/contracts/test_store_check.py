"""`kewang gateway check` over every store, and over some that can't do what we need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.ports import Misconfigured, Poison, RetryLater, Split, Store, Table
from gateway.store_check import DEVICE, Finding, check
from tests.contracts.test_store import ENV, T0, env, store
from tests.fakes import MemoryStore

__all__ = ["store"]


async def test_a_store_that_does_everything_has_nothing_to_complain_about(store: Store) -> None:
    await store.write([env((T0, 1.0, 2.0))])
    for _ in range(2):
        findings = await check(store)
        assert [finding for finding in findings if not finding.ok] == []
        assert len(findings) == 7
    assert await store.series() == [ENV]
    (left,) = await store.refused(0, 2**43)
    assert (left.series.device, left.deleted) == (DEVICE, True)


class NumbersOnly(MemoryStore):
    """Keeps text as 0 and refuses nothing, as a store for metrics alone does."""

    async def write(self, tables: Sequence[Table]) -> None:
        for table in tables:
            rows = [tuple(0.0 if isinstance(value, str) else value for value in row) for row in table.rows]
            try:
                await super().write([replace(table, rows=rows)])
            except (Split, Poison):
                continue


class Forgetful(MemoryStore):
    """Says that it stored, and did not."""

    async def write(self, tables: Sequence[Table]) -> None:
        """Nothing."""


class KeepsTheFirst(MemoryStore):
    """A point that is there is not changed."""

    async def write(self, tables: Sequence[Table]) -> None:
        for table in tables:
            known = self.points.get((table.measurement, table.tags), {})
            await super().write([replace(table, rows=[row for row in table.rows if row[0] not in known])])


def broken(findings: Sequence[Finding]) -> list[str]:
    return [finding.check for finding in findings if not finding.ok]


async def test_a_store_of_numbers_only_loses_quarantine_and_refuses_nothing() -> None:
    findings = await check(NumbersOnly())
    assert broken(findings) == ["refuse", "text"]
    told = next(finding for finding in findings if finding.check == "text")
    assert "mirror of numbers" in told.text("en")
    assert "cermin angka" in told.text("id")
    assert "line one" in told.detail


async def test_a_store_that_keeps_nothing_is_not_tried_further() -> None:
    assert [(finding.check, finding.ok) for finding in await check(Forgetful())] == [
        ("queries", True),
        ("write", False),
    ]


async def test_a_store_that_never_changes_a_point_is_told() -> None:
    assert broken(await check(KeepsTheFirst())) == ["overwrite", "merge"]


@pytest.mark.parametrize("error", [RetryLater("away"), Misconfigured("no such bucket"), Poison("no")])
async def test_a_store_that_cannot_be_reached_says_why(error: Exception) -> None:
    store = MemoryStore()
    store.fail(error)
    (finding,) = await check(store)
    assert (finding.check, finding.ok, finding.detail) == ("queries", False, str(error))


async def test_a_store_that_cannot_answer_the_pages_is_told() -> None:
    class NoHistory(MemoryStore):
        async def held(self) -> dict[str, int]:
            raise Misconfigured("unsupported")

    assert broken(await check(NoHistory())) == ["queries"]
