from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import HourLedger, Total, device_totals, ledger, overall, stretches
from gateway.ports import Table
from kewang.wire.tally import HOUR_MS
from tests.fakes import MemoryStore

HOUR = 495_833
T0 = HOUR * HOUR_MS
DEVICE, SOURCE = "pasar-1", "env-1"
TAGS = (("device", DEVICE), ("source", SOURCE))


class Underestimating(MemoryStore):
    """A store whose cheap counts are far below the truth, as those of a database with gaps in its fields may be."""

    def __init__(self, share: float = 0.0) -> None:
        super().__init__(now_ms=lambda: T0)
        self.share = share
        self.listed = 0

    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        return {cell: int(count * self.share) for cell, count in (await super().counts(from_ms, to_ms)).items()}

    async def dates(self, series: object, from_ms: int, to_ms: int) -> list[int]:
        self.listed += 1
        return await super().dates(series, from_ms, to_ms)  # type: ignore[arg-type]


def stored(dates: list[int], stream: str = "env", source: str = SOURCE) -> Table:
    return Table(stream, (("device", DEVICE), ("source", source)), ("temp_c",), [(date, 1.0) for date in dates])


def tally(at_ms: int, run: str, hour: int, made: int, dropped: int, source: str = SOURCE) -> Table:
    tags = (("device", DEVICE), ("source", source))
    return Table("tally", tags, ("run", "hour", "made", "dropped"), [(at_ms, run, hour, made, dropped)])


def quarantined(date_ms: int, source: str = SOURCE) -> Table:
    tags = (("device", DEVICE), ("source", source), ("stream", "env"))
    return Table("quarantine", tags, ("reason", "row"), [(date_ms, "why", "[]")])


def beat(held: float) -> Table:
    return Table("sys", (("device", DEVICE), ("source", "box")), ("held",), [(T0, held)])


async def test_every_reading_made_is_found_missing_or_dropped() -> None:
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([stored([T0, T0 + 1, T0 + 2]), quarantined(T0 + 3)])
    await store.write([tally(T0, "a1", HOUR, 4, 1), tally(T0 + 1, "a1", HOUR, 6, 1), tally(T0 + 2, "b2", HOUR, 3, 0)])
    (source,) = await ledger(store, T0, T0 + HOUR_MS)
    assert source.hours == (HourLedger(HOUR, made=9, declared_dropped=1, found=4),)
    assert (source.made, source.found, source.missing, source.dropped) == (9, 4, 4, 1)


async def test_what_was_stored_before_it_was_dropped_is_not_dropped() -> None:
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([stored([T0 + i for i in range(8)]), tally(T0, "a1", HOUR, 10, 5)])
    (source,) = await ledger(store, T0, T0 + HOUR_MS)
    assert (source.found, source.missing, source.dropped) == (8, 0, 2)


async def test_a_tally_that_is_behind_makes_nothing_negative() -> None:
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([stored([T0, T0 + 1]), tally(T0, "a1", HOUR, 1, 1)])
    (source,) = await ledger(store, T0, T0 + HOUR_MS)
    assert (source.missing, source.dropped) == (0, 0)


async def test_lost_is_what_is_missing_beyond_what_the_device_holds() -> None:
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([stored([T0]), tally(T0, "a1", HOUR, 4, 0), tally(T0, "a1", HOUR, 3, 1, source="env-2"), beat(2)])
    sources = await ledger(store, T0, T0 + 1)
    totals = device_totals(sources, await store.held())
    assert totals == {DEVICE: Total(made=7, found=2, missing=5, dropped=1, held=2, lost=3)}
    assert overall(totals.values()) == totals[DEVICE]
    assert round(totals[DEVICE].completeness_pct, 3) == round(100 / 7, 3)
    assert overall([]).completeness_pct == 100.0


async def test_unreadable_messages_and_other_hours_are_left_out() -> None:
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([quarantined(T0 + 5, source="-"), stored([T0 - 1, T0 + HOUR_MS]), stored([T0 + 3])])
    (source,) = await ledger(store, T0, T0 + HOUR_MS)
    assert source.hours == (HourLedger(HOUR, 0, 0, 1),)


async def test_dates_are_listed_only_where_the_cheap_count_falls_short() -> None:
    enough, short = Underestimating(share=1.0), Underestimating(share=0.5)
    for store in (enough, short):
        await store.write([stored([T0 + i for i in range(10)]), tally(T0, "a1", HOUR, 10, 0)])
        (source,) = await ledger(store, T0, T0 + HOUR_MS)
        assert (source.found, source.missing) == (10, 0)
    assert (enough.listed, short.listed) == (0, 4)


def test_hours_to_be_counted_exactly_are_read_in_stretches() -> None:
    assert stretches([1, 2, 4, 9, 10, 20]) == [(1, 4), (9, 10), (20, 20)]
    assert stretches([]) == []


READINGS = st.lists(
    st.tuples(
        st.integers(0, 2 * HOUR_MS - 1),
        st.sampled_from(["a1", "b2"]),
        st.sampled_from(["stored", "quarantined", "both", "held", "dropped"]),
    ),
    unique_by=lambda reading: reading[0],
    max_size=40,
)


@given(READINGS, st.floats(0, 1))
async def test_the_ledger_balances_whatever_happened(readings: list[tuple[int, str, str]], share: float) -> None:
    store = Underestimating(share)
    made: Counter[tuple[str, int]] = Counter()
    dropped: Counter[tuple[str, int]] = Counter()
    for number, (offset_ms, run, fate) in enumerate(readings):
        date_ms, cell = T0 + offset_ms, (run, HOUR + offset_ms // HOUR_MS)
        made[cell] += 1
        dropped[cell] += fate == "dropped"
        tables = [stored([date_ms])] if fate in ("stored", "both") else []
        tables += [quarantined(date_ms)] if fate in ("quarantined", "both") else []
        await store.write([*tables, tally(T0 + number, *cell, made[cell], dropped[cell])])
    fates = Counter(fate for _, _, fate in readings)
    found = fates["stored"] + fates["quarantined"] + fates["both"]
    sources = await ledger(store, T0, T0 + 2 * HOUR_MS)
    total = overall(device_totals(sources, {DEVICE: fates["held"]}).values())
    held = fates["held"] if readings else 0
    assert total == Total(len(readings), found, fates["held"], fates["dropped"], held, lost=0)


async def test_what_was_thinned_is_not_dropped() -> None:
    """Six rows left for one that stands for them, two were dropped: nine made, seven of them told."""
    store = MemoryStore(now_ms=lambda: T0)
    await store.write([stored([T0]), tally(T0, "a1", HOUR, 10, 8)])
    await store.write([Table("env", TAGS, ("thinned", "temp_c_count"), [(T0 + 1, 6.0, 6.0)])])
    (source,) = await ledger(store, T0, T0 + HOUR_MS)
    assert (source.made, source.found, source.missing, source.thinned, source.dropped) == (10, 2, 0, 6, 2)
    (total,) = device_totals([source], {}).values()
    assert (total.thinned, total.dropped, total.lost) == (6, 2, 0)
