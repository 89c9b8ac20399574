"""Roll-ups: whatever comes late, twice or after a kill, in the end they are what numpy makes of the readings."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.late import LateMarks
from gateway.ports import RetryLater, Table
from gateway.rollups import DAY_MS, Rollups
from kewang.wire.tally import HOUR_MS
from tests.fake_outbox import ManualClock
from tests.fakes import MemoryStore

ZONE = ZoneInfo("Asia/Jayapura")
MIDNIGHT_MS = 1_785_078_000_000
"""A midnight of Ambon."""
STEP_MS = 300_000
BOXES = ("pasar-1", "pasar-2", "pasar-3")


@dataclass
class House:
    """A store, a clock, and a process that makes roll-ups, which can be killed."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(wall_ms=MIDNIGHT_MS - 2 * HOUR_MS))
    raw_days: int = 14

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock.wall_ms)
        self.marks = LateMarks(self.store, self.clock, "gw1")
        self.started_ms = self.clock.wall_ms()
        self.kill()

    def kill(self) -> None:
        self.rollups = Rollups(self.store, self.clock, ZONE, self.raw_days)

    async def read(self, device: str, dates: Iterable[int], dice: random.Random) -> None:
        rows = [(date, round(dice.gauss(29, 3), 2)) for date in sorted(set(dates))]
        tags = (("device", device), ("source", "env-1"))
        assert await self.marks.write([Table("env", tags, ("temp_c",), rows)]) == []

    async def go_on(self, seconds: float) -> None:
        self.clock.pass_s(seconds)
        while await self.rollups.turn():
            pass

    def rolled(self, measurement: str) -> dict[tuple[str, int], dict[str, float | int | str]]:
        found = ((dict(tags)["device"], p) for (name, tags), p in self.store.points.items() if name == measurement)
        return {(device, date_ms): fields for device, points in found for date_ms, fields in points.items()}

    def of_raw(self, spans: Iterable[tuple[int, int]]) -> dict[tuple[str, int], np.ndarray]:
        made = {}
        for device in BOXES:
            points = self.store.points.get(("env", (("device", device), ("source", "env-1"))), {})
            for low, high in spans:
                values = np.array([points[date]["temp_c"] for date in points if low <= date < high], dtype=float)
                if values.size:
                    made[device, low] = values
        return made

    def worst(self) -> dict[int, tuple[float, str]]:
        found = self.store.points.get(("worst_5m", ()), {})
        return {at: (float(one["temp_c_mean"]), str(one["temp_c_device"])) for at, one in found.items()}

    def agrees(self) -> None:
        now_ms = self.clock.wall_ms()
        steps = [(at, at + STEP_MS) for at in range(self.started_ms - DAY_MS, now_ms - STEP_MS - 90_000, STEP_MS)]
        raw = self.of_raw(steps)
        same(self.rolled("env_5m"), raw)
        assert self.worst() == worst_of(raw)
        days = [(MIDNIGHT_MS + n * DAY_MS, MIDNIGHT_MS + (n + 1) * DAY_MS) for n in (-1, 0)]
        same(self.rolled("env_1d"), self.of_raw([day for day in days if day[1] <= now_ms - 90_000]))


def same(rolled: dict[tuple[str, int], dict[str, float | int | str]], raw: dict[tuple[str, int], np.ndarray]) -> None:
    assert rolled.keys() == raw.keys()
    for key, fields in rolled.items():
        values = raw[key]
        exact = [fields[f"temp_c_{function}"] for function in ("min", "max", "count")]
        assert exact == [values.min(), values.max(), values.size], key
        assert math.isclose(float(fields["temp_c_mean"]), values.mean(), rel_tol=1e-12)


def worst_of(raw: dict[tuple[str, int], np.ndarray]) -> dict[int, tuple[object, str]]:
    """The highest mean of each step and its device; equal to the order of the sum."""
    found: dict[int, tuple[float, str]] = {}
    for (device, date_ms), values in raw.items():
        here = float(values.mean()), device
        found[date_ms] = max(found.get(date_ms, here), here)
    return {date_ms: (pytest.approx(mean, rel=1e-12), device) for date_ms, (mean, device) in found.items()}


@pytest.mark.parametrize("seed", range(8))
async def test_late_readings_kills_and_a_store_that_fails_change_nothing_in_the_end(seed: int) -> None:
    dice, house = random.Random(seed), House()
    await house.go_on(0)
    while house.clock.wall_ms() < MIDNIGHT_MS + DAY_MS + HOUR_MS:
        now_ms = house.clock.wall_ms()
        for device in BOXES:
            behind_ms = dice.choice([0, 0, 0, 60_000, STEP_MS, HOUR_MS, 5 * HOUR_MS])
            first_ms = max(now_ms - behind_ms, house.started_ms)
            if dice.random() < 0.7:
                await house.read(device, dice.sample(range(first_ms, first_ms + 300_000), 5), dice)
        if dice.random() < 0.1:
            house.kill()
        if dice.random() < 0.1:
            house.store.fail(RetryLater("busy"), dice.randint(1, 3))
            with pytest.raises(RetryLater):
                await house.go_on(3600)
            house.store.mend()
            house.kill()
        await house.go_on(dice.choice([10, 60, 400, 1800]))
    house.kill()
    await house.go_on(600)
    house.agrees()


async def test_a_process_that_was_away_for_a_day_catches_up() -> None:
    dice, house = random.Random(1), House()
    await house.go_on(0)
    for hours in range(20):
        await house.read("pasar-1", [house.started_ms + hours * HOUR_MS + n * 10_000 for n in range(100)], dice)
    await house.go_on(27 * 3600)
    house.agrees()


async def test_a_step_is_made_when_all_that_was_not_late_is_stored() -> None:
    house = House()
    await house.go_on(0)
    await house.read("pasar-1", [house.started_ms + 1000], random.Random(1))
    await house.go_on(STEP_MS / 1000 + 89)
    assert house.rolled("env_5m") == {}
    await house.go_on(1)
    assert [date for _, date in house.rolled("env_5m")] == [house.started_ms]


async def test_a_clock_that_ran_ahead_and_was_set_back_leaves_no_gap() -> None:
    dice, house = random.Random(2), House()
    await house.go_on(0)
    house.clock.offset_ms += 400 * DAY_MS
    await house.go_on(60)
    house.clock.offset_ms -= 400 * DAY_MS
    await house.go_on(60)
    await house.read("pasar-1", [house.clock.wall_ms() + n for n in range(50)], dice)
    await house.go_on(1000)
    house.agrees()


async def test_deleted_roll_ups_are_made_again_from_the_readings() -> None:
    dice, house = random.Random(3), House()
    await house.go_on(0)
    for device in BOXES:
        await house.read(device, [house.started_ms + dice.randrange(26 * HOUR_MS) for _ in range(400)], dice)
    await house.go_on(27 * 3600)
    before = house.rolled("env_5m"), house.rolled("env_1d")
    assert all(before)
    for name, tags in [key for key in house.store.points if key[0] in ("env_5m", "env_1d")]:
        del house.store.points[name, tags]
    made = await house.rollups.rebuild((house.started_ms, house.clock.wall_ms()))
    days = {key: fields for key, fields in house.rolled("env_1d").items() if key in before[1]}
    steps = {key: fields for key, fields in house.rolled("env_5m").items() if key in before[0]}
    assert (steps, days) == before
    assert made >= len(before[0]) + len(before[1])


async def test_an_hour_that_is_not_there_whole_any_more_keeps_its_roll_up() -> None:
    """Expiry takes reading after reading: what is left of the hour is not the hour."""
    house = House(raw_days=1)
    await house.go_on(0)
    await house.read("pasar-1", [house.started_ms + n * 60_000 for n in range(60)], random.Random(4))
    await house.go_on(2 * 3600)
    kept = house.rolled("env_5m")
    house.clock.pass_s(22.5 * 3600)
    await house.go_on(0)
    points = house.store.points["env", (("device", "pasar-1"), ("source", "env-1"))]
    for date_ms in [date for date in points if date < house.started_ms + HOUR_MS // 2]:
        del points[date_ms]
    await house.read("pasar-1", [house.started_ms + 59 * 60_000 + 1], random.Random(5))
    await house.go_on(600)
    await house.rollups.rebuild((0, house.clock.wall_ms()))
    assert {key: house.rolled("env_5m")[key] for key in kept} == kept


async def test_each_writing_marks_what_was_late_and_nothing_else() -> None:
    house = House()
    now_ms = house.clock.wall_ms()
    tags = (("device", "pasar-1"), ("source", "env-1"))
    dates = (now_ms, now_ms - 20_000, now_ms - 400_000, now_ms - 5 * HOUR_MS, now_ms - 6 * HOUR_MS)
    tables = [Table("env", tags, ("temp_c",), [(date, 1.0) for date in dates])]
    for _ in range(2):
        await house.marks.write(tables)
    marks = await house.store.late(0, 2**43)
    hours = {(one.from_ms, one.to_ms) for one in marks}
    first_ms = (now_ms - 6 * HOUR_MS) // HOUR_MS * HOUR_MS
    assert hours == {(first_ms, first_ms + 2 * HOUR_MS), (now_ms - HOUR_MS, now_ms)}
    assert len(marks) == 4, "the second write's marks do not replace the first's"


class Slow(MemoryStore):
    """Each write takes minutes."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.wall_ms)
        self.clock, self.written = clock, list[str]()

    async def write(self, tables: Sequence[Table]) -> None:
        self.clock.pass_s(500)
        self.written += [table.measurement for table in tables]


async def test_a_write_that_takes_too_long_marks_its_readings_again() -> None:
    clock = ManualClock()
    slow = Slow(clock)
    tags = (("device", "pasar-1"), ("source", "env-1"))
    await LateMarks(slow, clock, "gw1").write([Table("env", tags, ("temp_c",), [(clock.wall_ms(), 1.0)])])
    assert slow.written == ["env", "late"]


async def test_how_long_a_device_was_how_adds_up_to_the_day() -> None:
    """Against a count of every second."""
    dice, house = random.Random(6), House()
    events: dict[str, list[tuple[int, str, str]]] = {}
    for device in BOXES:
        word, events[device] = "unknown", []
        for date_ms in sorted(dice.sample(range(house.started_ms // 1000, MIDNIGHT_MS // 1000 + 100_000), 30)):
            before, word = word, dice.choice(["up", "down", "degraded", "unplaced", "maintenance"])
            events[device].append((date_ms * 1000, word, before))
        await house.store.write([Table("device_event", (("device", device),), ("word", "before"), events[device])])
    await house.go_on(27 * 3600)
    told = {key: fields for key, fields in house.rolled("availability_1d").items() if key[1] == MIDNIGHT_MS}
    assert {device for device, _ in told} == set(BOXES)
    for (device, day_ms), fields in told.items():
        words = np.full(86_400, "unknown", dtype="U12")
        for date_ms, word, _ in events[device]:
            words[max(0, (date_ms - day_ms) // 1000) :] = word
        for name, seconds in fields.items():
            assert seconds == np.count_nonzero(words == str(name).removesuffix("_s")), (device, name)
