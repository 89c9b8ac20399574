"""Numbers and times in both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kewang.ui import figures

WIT = ZoneInfo("Asia/Jayapura")
NOON_MS = int(datetime(2026, 11, 22, 3, 0, 5, tzinfo=UTC).timestamp() * 1000)


def test_numbers() -> None:
    assert figures.number(1234.56, 1, "id") == "1.234,6"
    assert figures.number(1234.56, 1, "en") == "1,234.6"
    assert figures.number(-0.04, 1, "en") == "0.0"
    assert figures.number(2**53, 0, "id") == "9.007.199.254.740.992"


def test_percent_is_100_only_for_all() -> None:
    assert figures.percent(10, 10, "id") == "100"
    assert figures.percent(0, 0, "id") == "100"
    assert figures.percent(999_999, 1_000_000, "id") == "99,99"
    assert figures.percent(1, 3, "en") == "33.33"
    assert figures.percent(-1, 3, "en") == "0.00"


def test_times_are_local_and_as_short_as_they_stay_clear() -> None:
    assert figures.clock(NOON_MS, WIT) == "12:00:05"
    assert figures.zone_name(NOON_MS, WIT) == "WIT"
    assert figures.moment(NOON_MS - 60_000, NOON_MS, WIT) == "11:59:05"
    assert figures.moment(NOON_MS - 13 * 3_600_000, NOON_MS, WIT) == "21/11/2026 23:00"
