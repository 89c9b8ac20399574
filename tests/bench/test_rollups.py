"""`kewang bench rollups` at a tiny size: it measures, compares with numpy, and says what is too dear or wrong."""

import math

from gateway.ports import Lives, Table
from gateway.stores import open_store
from kewang.bench.boards_ask import Influx
from kewang.bench.parts import Influxd
from kewang.bench.rollups import RollupsPlan, measure, too_dear
from kewang.bench.rollups_truth import STEP_MS, Compared
from kewang.wire.tally import HOUR_MS

T0 = 1_785_000_000_000 // HOUR_MS * HOUR_MS


def test_it_measures_and_what_was_made_is_right() -> None:
    said: list[str] = []
    result = measure(RollupsPlan((5,), late_days=1), said.append)
    assert result["ok"], result["failed"]
    assert result["compared"] > 10_000
    works = {work["work"]: work for work in result["works"]}
    assert {"five minutes", "rebuild of an hour", "day", "fleet", "ledger"} < works.keys()
    assert all(work["influxd_s"] > 0 and work["gateway_s"] > 0 for work in works.values())
    assert result["step_influxd_pct"] == works["five minutes"]["influxd_pct"]
    assert "late: one box, 1 days: 11520 readings are there" in said


def test_what_costs_too_much_fails_it() -> None:
    well = {"step_influxd_pct": 10.0, "step_gateway_pct": 2.0, "hold_ms": 250.0}
    assert too_dear(well) == []
    dear = too_dear({"step_influxd_pct": 10.1, "step_gateway_pct": 2.1, "hold_ms": 250.1})
    assert [one.partition(",")[0] for one in dear] == ["step_influxd_pct 10.1", "step_gateway_pct 2.1", "hold_ms 250.1"]


async def test_a_roll_up_that_is_not_of_its_readings_is_found(influxd: Influxd) -> None:
    store, tags = open_store(f"influx1+{influxd.url}/rolled"), (("device", "pasar-1"), ("source", "env-1"))
    await store.prepare(Lives(0))
    made = {"min": math.nextafter(1.0, 2.0), "mean": 2.0, "max": 3.0, "sum": 4.0, "count": 2.0}
    names = tuple(f"temp_c_{end}" for end in made)
    await store.write(
        [
            Table("env", tags, ("temp_c",), [(T0, 1.0), (T0 + 1, 3.0), (T0 + STEP_MS, 7.0), (T0 + 2 * STEP_MS, 7.0)]),
            Table("env_5m", tags, names, [(T0, *made.values()), (T0 + STEP_MS, 7.0, 7.0, 7.0, 7.0, 1.0)]),
            Table("env_1d", tags, names, [(T0, 1.0, 11 / 3, 7.0, 11.0, 3.0)]),
            Table("worst_5m", (), ("temp_c_mean", "temp_c_device"), [(T0, 2.5, "pasar-1")]),
        ]
    )
    influx = Influx(influxd.url, "rolled")
    compared, span = Compared(influx), (T0, T0 + HOUR_MS)
    compared.steps("pasar-1", span)
    compared.day("pasar-1", span)
    compared.worst("temp_c", span)
    influx.close()
    await store.close()
    assert [one.partition(" is ")[0] for one in compared.wrong] == [
        "pasar-1 env_5m: 2 steps, not 3",
        f"pasar-1 env_5m {T0}: temp_c_min",
        "pasar-1 env_1d: temp_c_min",
        "worst_5m temp_c: 3 differences",
    ]
