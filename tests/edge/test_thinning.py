"""Thin, don't drop: what a full ring does with batches that were never sent."""

import json
import math
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_ring import Orders
from edge.outbox_schema import transaction
from edge.ports import Draft, Entry, Values
from edge.thinning import spans, thin_batches
from gateway.judge import Window, judge
from gateway.ports import SeriesId
from kewang.wire.batch import MAX_METRICS, Batch, Row
from kewang.wire.catalogue import METRICS
from kewang.wire.tally import Tally
from kewang.wire.thinned import STANDS_FOR
from tests.edge.test_outbox_damage import spoil_index
from tests.fakes import MemoryStore
from tests.outbox_places import ANCHOR_MS, OnDisk, batch, everything, heartbeat, store

MINUTE_MS = 60_000
BUDGET_BYTES = 34_000
METRIC_NAMES = ("temp_c", "rh_pct")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[OnDisk]:
    place = OnDisk(tmp_path)
    yield place
    place.close()


def rows_of(batches: list[Batch]) -> dict[int, dict[str, float]]:
    """Date -> fields, of thinned batches."""
    return {
        found.t0_ms + dt: dict(zip(found.metrics, values, strict=True))
        for found in batches
        for dt, *values in found.rows
    }


class Life:
    """A box that reads every ten seconds and hears nobody."""

    def __init__(self, place: OnDisk, *, dated: bool = True, budget_bytes: int = BUDGET_BYTES) -> None:
        self.place, self.budget_bytes, self.mono_ms, self.made = (
            place,
            budget_bytes,
            0,
            dict[int, tuple[float, float]](),
        )
        self.dice = random.Random(5)
        self.tallies: dict[tuple[str, str, int], Tally] = {}
        self.outbox = place.open(budget_bytes=budget_bytes)
        if dated:
            self.outbox.date(ANCHOR_MS, 2)

    def live(self, minutes: int, *, unsent: bool = True) -> list[Entry]:
        entries = []
        for _ in range(minutes * 6):
            self.mono_ms += 10_000
            values = (round(self.dice.gauss(29, 2), 1), round(self.dice.uniform(60, 99), 1))
            self.made[self.mono_ms] = values
            entries += self.outbox.commit(
                [Draft("env", "env-1", METRIC_NAMES, ((self.mono_ms, values),))], unsent=unsent
            )
        return entries

    def live_at_once(self, minutes: int, *columns: tuple[str, ...]) -> None:
        """One transaction, of a batch every ten seconds; the batches have these columns in turn."""
        drafts = []
        for reading in range(minutes * 6):
            self.mono_ms += 10_000
            names = columns[reading % len(columns)] if columns else METRIC_NAMES
            drafts.append(Draft("env", "env-1", names, ((self.mono_ms, (2.0,) * len(names)),)))
        self.outbox.commit(drafts, unsent=True)

    def held(self) -> tuple[list[Batch], list[Batch]]:
        """Raw and thinned batches."""
        batches = [batch(self.outbox, entry) for entry in everything(self.outbox) if entry.source == "env-1"]
        return [b for b in batches if STANDS_FOR not in b.metrics], [b for b in batches if STANDS_FOR in b.metrics]

    def stated(self) -> Counter[str]:
        """Made and dropped of env-1, as heartbeats state them in the end."""
        for _ in range(5):
            for entry in self.outbox.commit([heartbeat(self.mono_ms)]):
                for tally in batch(self.outbox, entry).tallies:
                    self.tallies[tally.run, tally.source, tally.hour] = tally
        mine = [tally for tally in self.tallies.values() if tally.source == "env-1"]
        return Counter(made=sum(t.made for t in mine), dropped=sum(t.dropped for t in mine))


@pytest.mark.parametrize("dated", [True, False])
def test_a_full_ring_thins_and_drops_nothing(place: OnDisk, dated: bool) -> None:
    life = Life(place, dated=dated)
    life.live(minutes=30)
    life.outbox.date(ANCHOR_MS, 2)
    raw, thinned = life.held()
    status = life.outbox.status()
    assert status.dropped_rows == 0 < status.thinned_rows
    assert status.used_bytes <= BUDGET_BYTES + 2000
    told = rows_of(thinned)
    assert sum(map(int, (row["temp_c_count"] for row in told.values()))) + sum(len(b.rows) for b in raw) == len(
        life.made
    )
    assert min(told) == ANCHOR_MS + min(life.made)
    values = np.array([temp_c for temp_c, _ in life.made.values()])[
        : sum(int(r["temp_c_count"]) for r in told.values())
    ]
    assert min(row["temp_c_min"] for row in told.values()) == values.min()
    assert max(row["temp_c_max"] for row in told.values()) == values.max()
    mean = sum(row["temp_c_mean"] * row["temp_c_count"] for row in told.values()) / len(values)
    assert math.isclose(mean, values.mean(), rel_tol=1e-6)


@pytest.mark.parametrize("dated", [True, False])
def test_what_is_thinned_is_declared(place: OnDisk, dated: bool) -> None:
    life = Life(place, dated=dated, budget_bytes=25_000)
    life.live(minutes=110)
    life.outbox.date(ANCHOR_MS, 2)
    stated, status = life.stated(), life.outbox.status()
    raw, thinned = life.held()
    rows = rows_of(thinned)
    assert stated["made"] - stated["dropped"] == len(rows) + sum(len(b.rows) for b in raw)
    assert stated["dropped"] == sum(int(row[STANDS_FOR]) for row in rows.values()) == status.thinned_rows
    assert max(later - earlier for earlier, later in pairwise(sorted(rows))) >= 5 * MINUTE_MS, "only to minutes"


def test_only_what_was_never_sent_is_thinned(place: OnDisk) -> None:
    life = Life(place)
    sent = life.live(minutes=8, unsent=False)
    going = life.live(minutes=2)
    life.outbox.going([entry.order for entry in going])
    life.live(minutes=25)
    kept = {entry.order for entry in everything(life.outbox)}
    assert {entry.order for entry in (*sent, *going)} <= kept
    assert life.outbox.status().dropped_rows == 0 < life.outbox.status().thinned_rows


def test_a_mark_of_going_survives_the_process(place: OnDisk) -> None:
    life = Life(place)
    going = life.live(minutes=10)
    life.outbox.going([entry.order for entry in going])
    life.outbox = place.open(budget_bytes=BUDGET_BYTES)
    life.live(minutes=25)
    assert {entry.order for entry in going} <= {entry.order for entry in everything(life.outbox)}


def test_after_a_run_that_marked_nothing_all_may_have_been_sent(place: OnDisk) -> None:
    """A version before this one sends without a mark."""
    life = Life(place)
    open_ones = life.live(minutes=10)
    place.close()
    with closing(sqlite3.connect(place.path)) as db:
        db.execute("INSERT INTO run VALUES ((SELECT max(ord) + 1 FROM batch), 'aaaaaaaaaaaa', 'boot-1')")
        db.commit()
    life.outbox = place.open(budget_bytes=BUDGET_BYTES)
    life.live(minutes=25)
    assert {entry.order for entry in open_ones} <= {entry.order for entry in everything(life.outbox)}


def test_after_damage_all_that_is_open_may_have_been_sent(place: OnDisk) -> None:
    """What is saved may be as it was before it was marked as going."""
    life = Life(place)
    open_ones = life.live(minutes=10)
    place.close()
    spoil_index(place.path)
    life.outbox = place.open(budget_bytes=BUDGET_BYTES)
    life.live(minutes=25)
    assert {entry.order for entry in open_ones} <= {entry.order for entry in everything(life.outbox)}
    assert life.outbox.status().thinned_rows > 0


def test_events_heartbeats_and_what_no_gateway_takes_stay_as_they_are(place: OnDisk) -> None:
    life = Life(place)
    whole = [
        *life.outbox.commit([Draft("evt", "env-1", ("event",), ((1000, (6.0,)),))], unsent=True),
        *life.outbox.commit([heartbeat(2000)], unsent=True),
        *life.outbox.commit([Draft("env", "env-2", ("rh_pct",), ((3000, (140.0,)),))], unsent=True),
    ]
    life.live(minutes=25)
    assert {entry.order for entry in whole} <= {entry.order for entry in everything(life.outbox)}


def test_columns_that_come_and_go_do_not_keep_a_source_from_being_thinned(place: OnDisk) -> None:
    """A flag now and then; firmware that says one value a message."""
    life = Life(place)
    life.live_at_once(30, ("temp_c",), ("rh_pct",), ("temp_c_flag",))
    raw, thinned = life.held()
    assert life.outbox.status().dropped_rows == 0
    told = sum(row.get(f"{name}_count") or 0 for row in rows_of(thinned).values() for name in METRIC_NAMES)
    assert told + sum(b.metrics != ["temp_c_flag"] for b in raw) == 120


def test_a_box_that_starts_without_a_date_thins_what_it_has_of_before(place: OnDisk) -> None:
    """A power cut in a long outage, and no clock that goes on."""
    life = Life(place)
    life.live_at_once(14)
    life.outbox = place.open(boot="boot-2", budget_bytes=BUDGET_BYTES)
    life.live_at_once(14)
    assert life.outbox.anchor_ms is None
    assert life.outbox.status().dropped_rows == 0 < life.outbox.status().thinned_rows


def test_a_clock_that_was_years_ahead_does_not_stop_the_thinning(place: OnDisk) -> None:
    life = Life(place)
    life.outbox.date(ANCHOR_MS + 10**11, 2)
    life.live_at_once(1)
    life.outbox.date(ANCHOR_MS, 2)
    life.live_at_once(29)
    assert life.outbox.status().dropped_rows == 0 < life.outbox.status().thinned_rows


def test_a_transaction_that_fails_at_its_end_leaves_no_batch_behind(place: OnDisk) -> None:
    life = Life(place, budget_bytes=60_000)
    life.live_at_once(25)
    assert isinstance(life.outbox, SqliteOutbox)
    thinning, orders = life.outbox._thinning, Orders(1, life.outbox._next)
    with pytest.raises(OSError, match="no room"), thinning.undone_with_it(), transaction(life.outbox._db):
        assert thinning.step(orders, life.mono_ms)
        assert thinning.step(orders, life.mono_ms)
        raise OSError("no room")
    assert life.outbox.status().thinned_rows == 0
    life.live_at_once(35)
    assert min(rows_of(life.held()[1])) == ANCHOR_MS + 10_000, "the oldest are thinned after all"


def test_a_thinned_batch_is_acknowledged_and_opened_again_like_any_other(place: OnDisk) -> None:
    life = Life(place)
    life.live(minutes=25)
    before = [batch(life.outbox, entry) for entry in everything(life.outbox)]
    store(life.outbox, *everything(life.outbox), rewind=1)
    assert everything(life.outbox) == []
    store(life.outbox, rewind=2)
    assert [batch(life.outbox, entry) for entry in everything(life.outbox)] == before


def test_a_power_cut_within_a_thinning_leaves_one_or_the_other(place: OnDisk, tmp_path: Path) -> None:
    """Whatever transaction the disk came to, no reading is in both."""
    life, seen = Life(place), 0
    life.live(minutes=14)
    for _ in range(10):
        life.live(minutes=1)
        copy = tmp_path / "copy.db"
        for end in ("", "-wal"):
            copy.with_name(copy.name + end).write_bytes(place.path.with_name(place.path.name + end).read_bytes())
        outbox = SqliteOutbox(copy, BUDGET_BYTES, "boot-1")
        raw, thinned = Life.held(_Holding(outbox))
        outbox.close()
        counted = sum(len(b.rows) for b in raw) + sum(int(r["temp_c_count"]) for r in rows_of(thinned).values())
        assert counted == len(life.made)
        seen = max(seen, len(thinned))
    assert seen


class _Holding(Life):
    def __init__(self, outbox: SqliteOutbox) -> None:
        self.outbox = outbox


def test_thinning_twice_is_thinning_once_to_the_wider_span() -> None:
    dice = random.Random(3)
    rows: list[Row] = [[ms, dice.gauss(29, 2), None if dice.random() < 0.3 else dice.uniform(0, 99)]
                       for ms in range(0, 60 * MINUTE_MS, 7_000)]  # fmt: skip
    (minutes,) = thin_batches(METRIC_NAMES, spans(METRIC_NAMES, rows, MINUTE_MS))
    again = [[ms, *values] for ms, values in minutes.rows]
    (twice,) = thin_batches(minutes.metrics, spans(minutes.metrics, again, 30 * MINUTE_MS))
    (once,) = thin_batches(METRIC_NAMES, spans(METRIC_NAMES, rows, 30 * MINUTE_MS))
    assert twice.metrics == once.metrics
    for (ms, found), (at_ms, wanted) in zip(twice.rows, once.rows, strict=True):
        assert ms == at_ms
        minutes_in_it = sum(int(row[0] or 0) // (30 * MINUTE_MS) == ms // (30 * MINUTE_MS) for row in again)
        assert found[0] == (wanted[0] or 0) + minutes_in_it
        assert np.allclose(np.array(found[1:], float), np.array(wanted[1:], float), rtol=1e-6)


def test_a_camera_has_more_metrics_than_a_batch_can_tell_of() -> None:
    """Each part is dated by another reading of the span, for no two rows of a source share a date."""
    names = [metric.name for metric in METRICS if metric.stream == "cam"]
    low = [metric.low if metric.low > -1e6 else 0.0 for metric in METRICS if metric.stream == "cam"]
    rows: list[Row] = [[ms, *low] for ms in range(0, 30 * MINUTE_MS, MINUTE_MS)]
    found = spans(names, rows, 30 * MINUTE_MS)
    parts = thin_batches(names, found)
    assert len(parts) > 1
    assert all(len(part.metrics) <= MAX_METRICS for part in parts)
    dates = [ms for part in parts for ms, _ in part.rows]
    assert len(set(dates)) == len(dates)
    assert sum(int(values[0] or 0) for part in parts for _, values in part.rows) == len(rows)
    states = dict(zip(parts[0].metrics, parts[0].rows[0][1], strict=True))
    assert (states["camera_state_0_count"], states["camera_state_1_count"]) == (30, None)
    assert thin_batches(names, spans(names, rows[:1], 30 * MINUTE_MS)) == []


async def test_the_gateway_makes_the_same_roll_ups_of_it() -> None:
    """Some minutes came as they were, the others thinned: the five minutes are those of all readings."""
    dice = random.Random(9)
    rows: list[Row] = [[ms, dice.gauss(29, 2), dice.uniform(0, 99)] for ms in range(0, 20 * MINUTE_MS, 10_000)]
    cut = next(n for n, row in enumerate(rows) if row[0] >= 7 * MINUTE_MS)
    (thin,) = thin_batches(METRIC_NAMES, spans(METRIC_NAMES, rows[:cut], MINUTE_MS))
    series = SeriesId("env", "pasar-1", "env-1")
    raw = Batch("a1", 1, "env-1", 2, ANCHOR_MS, list(METRIC_NAMES), rows)
    thinned = replace(raw, metrics=list(thin.metrics), rows=[[ms, *values] for ms, values in thin.rows])
    whole, mixed = MemoryStore(), MemoryStore()
    await whole.write(judge(series, raw, Window()).tables)
    verdict = judge(series, thinned, Window())
    assert not verdict.refused, json.dumps([refused.reason for refused in verdict.refused])
    await mixed.write([*verdict.tables, *judge(series, replace(raw, rows=rows[cut:]), Window()).tables])
    span = ANCHOR_MS, ANCHOR_MS + 20 * MINUTE_MS
    of_whole, of_mixed = [
        [point async for part in each.summaries("env", *span, 300_000) for point in part] for each in (whole, mixed)
    ]
    for wanted, found in zip(of_whole, of_mixed, strict=True):
        assert (wanted.date_ms, wanted.fields.keys()) == (found.date_ms, found.fields.keys())
        for name, value in wanted.fields.items():
            assert math.isclose(float(value), float(found.fields[name]), rel_tol=1e-6), name
    assert sum((await mixed.thinned(*span)).values()) == cut


def test_a_mean_that_nobody_would_believe_is_refused() -> None:
    values: Values = (6.0, 20.0, 99.0, 30.0, 6.0)
    names = [STANDS_FOR, "temp_c_min", "temp_c_mean", "temp_c_max", "temp_c_count"]
    verdict = judge(SeriesId("env", "d", "s"), Batch("a1", 1, "s", 2, ANCHOR_MS, names, [[0, *values]]), Window())
    assert [refused.reason for refused in verdict.refused] == ["range: temp_c_mean=99.0"]
