"""Numbers and times as people of each language write them."""

from datetime import datetime, tzinfo

from kewang.ui.words import Language


def number(value: float, decimals: int, language: Language) -> str:
    """`1234.5` as `1.234,5` (id) or `1,234.5` (en); never `-0`."""
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "id" else text


def percent(part: int, whole: int, language: Language) -> str:
    """`part` of `whole` in per cent, rounded down: only all is 100. Nothing of nothing is 100."""
    if part >= whole:
        return "100"
    hundredths = max(0, part) * 10_000 // whole
    return number(hundredths / 100, 2, language)


def clock(date_ms: int, zone: tzinfo) -> str:
    """Time of day, `14:32:10`."""
    return _local(date_ms, zone).strftime("%H:%M:%S")


def moment(date_ms: int, now_ms: int, zone: tzinfo) -> str:
    """A past time as short as it stays clear: time of day if of today, else with the date (`21/11/2026 14:32`)."""
    then = _local(date_ms, zone)
    return then.strftime("%H:%M:%S" if then.date() == _local(now_ms, zone).date() else "%d/%m/%Y %H:%M")


def day(date_ms: int, zone: tzinfo) -> str:
    """A date, `21/11/2026`."""
    return _local(date_ms, zone).strftime("%d/%m/%Y")


def zone_name(date_ms: int, zone: tzinfo) -> str:
    """The zone's short name (`WIT`)."""
    return _local(date_ms, zone).strftime("%Z")


def _local(date_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(date_ms / 1000, zone)
