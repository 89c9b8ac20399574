"""A box on a battery: the lower it is, the more rarely sources are read."""

import pytest

from edge.power import BatteryPace
from edge.settings import PowerLevel, PowerSettings
from tests.fake_source import FakeSource

LEVELS = (PowerLevel(below=12.4, stretch=2), PowerLevel(below=12.0, stretch=6), PowerLevel(below=11.6, stretch=30))
UPS = FakeSource("ups-1", ("supply_v",), stream="sys")


@pytest.fixture
def pace() -> BatteryPace:
    return BatteryPace(PowerSettings(source="ups-1", levels=LEVELS))


def stretches(pace: BatteryPace, *volts: float | None) -> list[float]:
    found = []
    for value in volts:
        before = pace.stretch
        assert pace.heard(UPS, (value,)) is (pace.stretch != before)
        found.append(pace.stretch)
    return found


def test_each_level_stretches_more(pace: BatteryPace) -> None:
    assert stretches(pace, 13.1, 12.4, 12.39, 12.1, 11.99, 11.5, 10.0) == [1, 1, 2, 2, 6, 30, 30]
    assert (pace.stretch_of("env-1"), pace.stretch_of("ups-1")) == (30, 1)
    assert pace.battery() == ("supply_v", 10.0)


def test_a_level_ends_a_little_above_where_it_began(pace: BatteryPace) -> None:
    """A battery that is spared recovers; it must not come and go with each reading."""
    assert stretches(pace, 11.9, 12.1, 12.23, 12.25, 12.6, 12.7) == [6, 6, 6, 2, 2, 1]


def test_a_battery_that_falls_or_rises_at_once_goes_to_its_level(pace: BatteryPace) -> None:
    assert stretches(pace, 10.0, 14.0, 11.9) == [30, 1, 6]


def test_while_the_battery_is_not_heard_all_stays_as_it_is(pace: BatteryPace) -> None:
    assert stretches(pace, None, 11.9, None) == [1, 6, 6]
    assert not pace.heard(FakeSource("env-1", ("supply_v",)), (10.0,))
    assert pace.stretch == 6


def test_a_source_without_the_metric_is_told_once_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pace = BatteryPace(PowerSettings(source="ups-1", metric="battery", levels=LEVELS))
    assert stretches(pace, 10.0, 10.0) == [1, 1]
    assert caplog.text.count("source ups-1 has no battery: periods stay as they are") == 1
