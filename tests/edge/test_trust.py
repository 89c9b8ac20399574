"""Flags beside doubtful values: each judge by its rule, then a source on its way to the outbox."""

from collections.abc import Iterable
from inspect import getattr_static
from pathlib import Path

import pytest

from edge.ports import Arguments, Commandable, SourceError, Values
from edge.settings import build_sources, read_settings
from edge.trust.assess import Assessed, Assessor, Flag, Neighbours
from edge.trust.humidity import corrected_pm25_ugm3
from edge.trust.judges import Drift, Spike, Stuck
from edge.trust.limits import Limits, limits
from kewang.bench.trust import WANTED, Life, live
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME, FLAG_ENDING
from tests.fake_source import FakeSource

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Watch:
    """ports.Clock that stands where it is put."""

    def __init__(self, mono_ms: int = HOUR_MS) -> None:
        self.now_ms = mono_ms

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return 1_785_000_000_000 + self.now_ms

    def synchronised(self) -> bool:
        return True


def doubted(judge: Stuck | Spike, values: Iterable[float], every_ms: int = MINUTE_MS) -> list[int]:
    """Which of the values (counted from 0) are doubted."""
    return [at for at, value in enumerate(values) if judge.doubts(HOUR_MS + at * every_ms, value)]


def test_every_limit_is_of_a_metric_that_has_a_flag() -> None:
    for name, limit in limits().items():
        flag = BY_NAME[name + FLAG_ENDING]
        assert {code for code, *_ in flag.codes} == set(Flag)
        if limit.resting:
            assert BY_NAME[name].low <= limit.resting[0] <= limit.resting[1] <= BY_NAME[name].high


def test_stuck_is_the_same_value_for_its_time_and_six_readings() -> None:
    assert doubted(Stuck(Limits(stuck_s=600)), [20.0] * 13) == [10, 11, 12]
    assert doubted(Stuck(Limits(stuck_s=60)), [20.0] * 8) == [5, 6, 7]
    assert doubted(Stuck(Limits(stuck_s=600)), [20.0] * 10 + [20.1] + [20.0] * 10) == []


def test_a_value_that_may_rest_is_never_stuck_and_a_gap_begins_anew() -> None:
    assert doubted(Stuck(Limits(stuck_s=600, resting=(0.0, 2.0))), [0.0] * 30) == []
    judge = Stuck(Limits(stuck_s=600))
    assert doubted(judge, [20.0] * 9) == []
    assert not judge.doubts(3 * HOUR_MS, 20.0)


def test_a_spike_is_flagged_alone() -> None:
    assert doubted(Spike(Limits(spike=3.0)), [20.0, 20.1, 20.0, 29.0, 20.1, 20.0, 11.0, 12.0, 20.0]) == [3, 6, 7]


def test_a_change_that_stays_is_believed_from_its_third_reading_on() -> None:
    assert doubted(Spike(Limits(spike=3.0)), [20.0] * 4 + [29.0] * 4) == [4, 5]


def test_what_rises_over_some_readings_is_no_spike_nor_is_the_first_after_a_gap() -> None:
    assert doubted(Spike(Limits(spike=3.0)), [20.0, 22.5, 25.0, 27.5, 30.0]) == []
    assert doubted(Spike(Limits(spike=3.0)), [20.0, 29.0, 20.0], every_ms=4 * MINUTE_MS) == []


def test_a_restless_sensor_jumps_further_before_it_is_doubted() -> None:
    restless = [20.0, 24.0, 20.0, 24.0, 20.0, 24.0, 20.0]
    assert doubted(Spike(Limits(spike=5.0)), [*restless, 27.0]) == []
    assert doubted(Spike(Limits(spike=5.0)), [*([20.0] * 7), 27.0]) == [7]


def test_drift_needs_hours_and_ends_when_the_sensor_agrees_again() -> None:
    judge, now_ms = Drift(Limits(drift=1.0)), 0

    def after(hours: float, away: float | None) -> bool:
        """Whether it is doubted after so many more hours `away` from its neighbours."""
        nonlocal now_ms
        found = []
        for _ in range(int(60 * hours)):
            now_ms += MINUTE_MS
            found.append(judge.doubts(now_ms, 20.0, None if away is None else 20.0 - away))
        return found[-1]

    assert not after(3.5, 1.5)
    assert after(1, 1.5)
    assert after(12, 0.9)
    assert not after(6, 0.1)
    assert after(12, -1.5)
    assert not after(3, None)


def test_after_a_long_gap_a_sensor_is_compared_anew() -> None:
    """It was cleaned, or another one hangs there now."""
    judge = Drift(Limits(drift=1.0))
    assert [judge.doubts(minute * MINUTE_MS, 20.0, 17.0) for minute in range(6 * 60)][-1]
    back_ms = (6 * 60 + 110) * MINUTE_MS
    assert judge.doubts(back_ms, 20.0, 17.0), "a short gap takes nothing back"
    again = [judge.doubts(back_ms + (125 + minute) * MINUTE_MS, 20.0, 20.1) for minute in range(6 * 60)]
    assert not any(again)


def test_a_sensor_that_is_read_every_half_hour_can_drift_too() -> None:
    judge = Drift(Limits(drift=1.0))
    assert any(judge.doubts(reading * 30 * MINUTE_MS, 20.0, 17.0) for reading in range(60))


def odd_one(values: Iterable[float]) -> list[bool]:
    """Which of the sensors that say `values` for five hours is flagged as drifting."""
    neighbours = Neighbours()
    sensors = [(value, Assessor(f"env-{n}", ("temp_c",), neighbours, warm_up_s=0)) for n, value in enumerate(values)]
    flags: list[float | None] = []
    for minute in range(300):
        moved = 0.01 * minute
        flags = [sensor.judge(1 + minute * MINUTE_MS, (value + moved,))[1] for value, sensor in sensors]
    return [flag == Flag.DRIFT for flag in flags]


def test_of_three_sensors_the_odd_one_is_flagged_of_two_both_and_of_one_none() -> None:
    assert odd_one([25.0, 25.2, 28.0]) == [False, False, True]
    assert odd_one([25.0, 28.0]) == [True, True]
    assert odd_one([25.0]) == [False]


def test_a_sensor_warms_up_after_power_on_and_after_a_minute_of_silence() -> None:
    judge = Assessor("gas-1", ("nh3_ppm",), Neighbours())
    assert judge.added == ("nh3_ppm_flag",)
    assert judge.judge(599_000, (1.0,)) == (1.0, Flag.WARMING_UP)
    assert judge.judge(601_000, (1.0,)) == (1.0, None)
    judge.failed(610_000)
    assert judge.judge(620_000, (1.0,)) == (1.0, None)
    judge.failed(630_000)
    judge.failed(691_000)
    assert judge.judge(700_000, (1.0,)) == (1.0, Flag.WARMING_UP)
    assert Assessor("gas-1", ("nh3_ppm",), Neighbours(), warm_up_s=60).judge(61_000, (1.0,)) == (1.0, None)


def test_what_has_no_value_has_no_flag_and_is_nobodys_neighbour() -> None:
    judge = Assessor("env-1", ("temp_c", "rh_pct"), Neighbours(), warm_up_s=HOUR_MS)
    assert judge.judge(1000, (None, 80.0)) == (None, 80.0, None, Flag.WARMING_UP)


def test_what_no_gateway_stores_is_not_judged_and_spoils_nothing() -> None:
    neighbours = Neighbours()
    judge = Assessor("env-1", ("temp_c", "pm25_ugm3"), neighbours, warm_up_s=HOUR_MS, correction="barkjohn-2021")
    Assessor("env-2", ("rh_pct",), neighbours, warm_up_s=0).judge(1000, (80.0,))
    for wrong in (float("nan"), float("inf"), -1e308):
        assert judge.judge(1000, (wrong, wrong))[2:] == (None, None, None)
    assert neighbours.others("temp_c", "env-2", 1000) == []


def test_a_source_that_flags_its_own_values_keeps_its_flags() -> None:
    assert Assessor("env-1", ("temp_c", "temp_c_flag"), Neighbours()).added == ()


def test_humidity_is_taken_off_beside_the_raw_value() -> None:
    """The authors' line: 0.524 PM - 0.0862 RH + 5.75."""
    assert corrected_pm25_ugm3(50.0, 80.0) == pytest.approx(25.054)
    assert corrected_pm25_ugm3(0.0, 100.0) == 0.0
    assert corrected_pm25_ugm3(343.1, 50.0) is None
    neighbours = Neighbours()
    air = Assessor("env-1", ("rh_pct",), neighbours, warm_up_s=0)
    dust = Assessor("pm-1", ("pm25_ugm3",), neighbours, warm_up_s=0, correction="barkjohn-2021")
    assert dust.added == ("pm25_corrected_ugm3", "pm25_ugm3_flag")
    assert dust.judge(HOUR_MS, (50.0,)) == (50.0, None, None)
    air.judge(HOUR_MS + 1, (80.0,))
    assert dust.judge(HOUR_MS + 2, (50.0,)) == (50.0, 25.1, None)
    assert dust.judge(HOUR_MS + 11 * MINUTE_MS, (50.0,)) == (50.0, None, None)


def test_a_source_with_many_metrics_gets_no_more_flags_than_a_batch_has_room() -> None:
    judged = tuple(limits())
    metrics = (*judged, *(f"more_{n}" for n in range(MAX_METRICS - len(judged) - 3)))
    judge = Assessor("env-1", metrics, Neighbours(), correction="barkjohn-2021")
    assert len(metrics) + len(judge.added) == MAX_METRICS


async def test_an_assessed_source_is_the_source_with_flags_behind() -> None:
    watch, sensor = Watch(), FakeSource(metrics=("sim_n", "temp_c"))
    source = Assessed(sensor, Assessor("env-1", sensor.metrics, Neighbours()), watch)
    assert source.metrics == ("sim_n", "temp_c", "temp_c_flag")
    assert (source.name, source.stream, source.interval_s, source.timeout_s) == ("env-1", "env", 10.0, 5.0)
    read: list[Values] = []
    for value in (28.5, 40.0, 28.5):
        sensor.rest = (value,)
        watch.now_ms += MINUTE_MS
        read.append(await source.read())
    assert read == [(1, 28.5, None), (2, 40.0, Flag.SPIKE), (3, 28.5, None)]
    sensor.fail()
    with pytest.raises(SourceError):
        await source.read()
    await source.close()
    assert sensor.closed


class Told(FakeSource):
    """A sensor that does as it is told."""

    async def command(self, name: str, args: Arguments) -> str:
        return f"{name} done"


async def test_an_assessed_source_takes_commands_if_the_source_does() -> None:
    """Not by __getattr__, which a protocol of Python 3.12 does not look for."""
    plain, told = (
        Assessed(each, Assessor("env-1", each.metrics, Neighbours()), Watch()) for each in (FakeSource(), Told())
    )
    assert getattr_static(told, "command", None) is not None
    assert await told.command("clean", {}) == "clean done"
    assert not isinstance(plain, Commandable)


def test_flags_are_switched_off_by_a_setting(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('[[registers]]\nmetric = "temp_c"\naddress = 0\ntype = "u16"\n')
    text = 'device = "amb-1"\n[[sources]]\ndriver = "modbus-tcp"\nname = "env-1"\nhost = "h"\nmap = "m.toml"\n'
    (tmp_path / "edge.toml").write_text(text)
    *_, source = build_sources(read_settings(tmp_path / "edge.toml"))
    assert source.metrics == ("temp_c", "temp_c_flag")
    *_, source = build_sources(read_settings(tmp_path / "edge.toml", {"trust.flags": False}))
    assert source.metrics == ("temp_c",)


class Sleeping(Assessor):
    """A judge that doubts nothing, to be found out."""

    def judge(self, now_ms: int, values: Values) -> Values:
        return (*values, *(None for _ in self.added))


@pytest.mark.parametrize("fault", WANTED)
def test_the_bench_finds_what_is_there_and_misses_what_no_judge_looks_at(fault: str) -> None:
    hours = 3600.0
    life = Life("noise_dba" if fault == "stuck" else "pm25_ugm3", fault, 7, 30 * hours, hours, 29 * hours)
    lived = live(life)
    assert lived.there >= 1
    assert lived.found == lived.there
    assert live(life, Sleeping).found == 0
