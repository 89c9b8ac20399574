"""`kewang bench revoke` in small, and that it finds out what is left out of a revocation."""

from __future__ import annotations

import pytest

from kewang.bench.revoke import RevokePlan, measure

KEYS = {"one_ms", "hundred_ms", "bystanders_lost", "messages_lost"}


def small(sabotage: str) -> RevokePlan:
    return RevokePlan(bystanders=5, many=4, interval_s=0.5, sabotage=sabotage)


@pytest.mark.slow
def test_a_revoked_box_is_out_and_nobody_else_notices() -> None:
    figures = measure(small("none"))
    assert set(figures) >= KEYS
    assert set(figures["one_ms"]) == {"accepted", "cut", "refused", "dropped"}
    # How fast is for the bench to judge, on a machine of its own.
    assert all(ms is not None for ms in figures["one_ms"].values())
    assert all(ms is not None for ms in figures["hundred"].values())
    assert figures["dropped_by_gateway"] > 0
    assert figures["bystanders_lost"] == figures["messages_lost"] == 0
    assert figures["messages"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("sabotage", "missing"), [("no-kick", "cut"), ("no-list", "refused")])
def test_what_is_left_out_is_found(sabotage: str, missing: str) -> None:
    figures = measure(small(sabotage))
    assert not figures["ok"]
    assert figures["one_ms"][missing] is None
    assert figures["hundred_ms"] is None


@pytest.mark.slow
def test_a_gateway_that_is_not_told_is_found() -> None:
    figures = measure(small("no-placement"))
    assert not figures["ok"]
    assert any("the gateway dropped nothing itself" in reason for reason in figures["failed"])
