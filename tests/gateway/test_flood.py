"""Floods: who sends far more than an agent can is dropped soon, nobody else is, and quiet ends it."""

from gateway.flood import BURST_MESSAGES, REFILL_PER_S, Floods
from tests.gateway.test_intake import Desk, batch


def flooded_after_s(per_s: int, limit_s: int = 60) -> float | None:
    """How long until messages at this rate are dropped."""
    floods = Floods()
    for n in range(per_s * limit_s):
        if floods.took("ambon-m1", n * 1000 // per_s):
            return n / per_s
    return None


def test_a_flood_is_dropped_within_ten_seconds_and_an_agent_never() -> None:
    assert all(found is not None and found < 10 for found in map(flooded_after_s, (450, 1000, 20_000)))
    assert flooded_after_s(100) is None


def test_five_minutes_of_sixty_four_sources_at_once_are_no_flood() -> None:
    floods = Floods()
    assert not any(floods.took("ambon-m1", 5) for _ in range(64 * 30))


def test_who_floods_is_told_and_quiet_ends_it() -> None:
    floods = Floods()
    dropped = sum(floods.took("ambon-m1", 1000) for _ in range(int(BURST_MESSAGES) + 10))
    assert not floods.took("ambon-m2", 1000)
    (flood,) = floods.now(1500)
    assert (flood.device, flood.since_ms, flood.dropped) == ("ambon-m1", 1000, dropped)
    assert floods.took("ambon-m1", 5000)
    over_ms = 5000 + int(BURST_MESSAGES / REFILL_PER_S * 1000) + 10
    assert floods.now(over_ms) == []
    assert not floods.took("ambon-m1", over_ms)


def test_a_flood_reaches_neither_decoder_nor_queue_and_is_counted() -> None:
    desk = Desk()
    taken = [desk.take("d/env", batch(n)) for n in range(int(BURST_MESSAGES) + 50)]
    assert taken[-50:] == [None] * 50
    assert desk.dropped("flood") >= 50
    assert desk.take("d/env", batch(1), device="ambon-m2") is not None
    assert [flood.device for flood in desk.intake.floods.now(desk.clock.mono_ms())] == ["ambon-m1"]
