"""`kewang bench backlog` at a tiny size: it drains, live readings go on, nothing is lost; and it can fail."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from kewang.bench.backlog import BacklogPlan, fill, measure
from kewang.bench.line import StoreKind


@pytest.mark.parametrize("store", ["sqlite", "influxd"])
def test_a_backlog_drains_beside_live_readings(store: StoreKind) -> None:
    result = measure(BacklogPlan(devices=2, days=0.05, store=store, after_s=1), delay_s=1e6)
    assert result["ok"], result["failed"]
    assert result["backlog_rows"] == 2 * 432
    assert result["lost"] == 0
    assert result["live_rows"] > 0 < result["drain_s"]


def test_late_live_readings_fail_it() -> None:
    result = measure(BacklogPlan(devices=1, days=0.02, store="sqlite", after_s=1), delay_s=0)
    assert "after their commit" in result["failed"][0]


def test_the_outbox_was_filled_with_dates_in_the_past(tmp_path: Path) -> None:
    plan = BacklogPlan(devices=1, days=0.1)
    fill(tmp_path / "outbox.db", "backlog-001", plan)
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as db:
        batches, rows, first_ms, last_ms = db.execute(
            "SELECT count(*), sum(rows), min(first_ms), max(last_ms) FROM batch WHERE state = 0"
        ).fetchone()
    now_ms = time.time() * 1000
    assert (rows, batches) == (plan.rows, -(-plan.rows // 30))
    assert now_ms - 0.1 * 86_400_000 - 60_000 < first_ms < last_ms < now_ms
