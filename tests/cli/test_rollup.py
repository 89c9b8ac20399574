"""`kewang rollup` on real databases."""

from pathlib import Path

from gateway.ports import Point, SeriesId, Store, Table
from tests.cli.commands import HOUR_MS, kewang, this_hour_ms, told, using

TAGS = (("device", "pasar-1"), ("source", "env-1"))


async def test_roll_ups_are_made_again_from_the_readings_and_found_there(store_url: str) -> None:
    start_ms = this_hour_ms() - 3 * HOUR_MS

    async def put(store: Store) -> None:
        rows = [(start_ms + n * 10_000, 20.0 + n % 3) for n in range(360)]
        await store.write([Table("env", TAGS, ("temp_c",), rows)])

    async def rolled(store: Store) -> list[Point]:
        return [point async for part in store.summed("env", start_ms, start_ms + HOUR_MS) for point in part]

    await using(store_url, put)
    assert (await using(store_url, rolled))[0] == []
    zone = ("--zone", "Asia/Jayapura")
    done = kewang("rollup", "rebuild", "--store", store_url, *zone, "--from", str(start_ms / 1000), "--json")
    assert done.returncode == 0, done.stderr
    assert told(done)["points"] >= 13, "twelve of five minutes and one of a day"
    ((hour,),) = await using(store_url, rolled)
    assert hour.series == SeriesId("env", "pasar-1", "env-1")
    made = {"temp_c_min": 20.0, "temp_c_mean": 21.0, "temp_c_max": 22.0, "temp_c_count": 360.0, "temp_c_sum": 7560.0}
    assert hour.fields == made


async def test_how_far_they_are_is_said(store_url: str) -> None:
    async def keep(store: Store) -> None:
        fields = ("steps_ms", "days_ms", "late_ms")
        tags = (("device", "gateway"), ("source", "rollups"))
        await store.write([Table("rollup", tags, fields, [(0, 1.8e12, 1.8e12, 1.8e12)])])

    await using(store_url, keep)
    assert told(kewang("rollup", "status", "--store", store_url, "--json"))["steps"] == "2027-01-15T08:00:00.000Z"


def test_wrong_words_end_it(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/kewang.db")
    assert kewang("rollup", "rebuild", *store).returncode == 3, "a file that is not there is not made"
    assert kewang("rollup", "rebuild", *store, "--zone", "Ambon").returncode == 2
    wrong = kewang("rollup", "rebuild", *store, "--from", "2026-07-02T00:00Z", "--to", "2026-07-01T00:00Z")
    assert wrong.returncode == 2
    assert "is not before" in wrong.stderr
