"""From where a value is coloured: the limits of the shipped rules (gateway/incidents/rules.toml; a test compares)."""

from typing import Any, Final

from dashboards import look

LIMITS: Final[dict[str, tuple[float | None, float | None]]] = {
    "pm25_ugm3": (55.5, 150.5),
    "nh3_ppm": (25.0, 35.0),
    "h2s_ppm": (None, 10.0),
    "temp_c": (36.0, 40.0),
    "water_level_cm": (150.0, 200.0),
    "bin_fill_pct": (90.0, None),
    "disk_pct": (90.0, 97.0),
    "box_temp_c": (80.0, 95.0),
}
"""Metric -> (warning, critical)."""


def thresholds(metric: str) -> dict[str, Any]:
    """Grey, and the colours of a metric's limits; without limits grey."""
    warning, critical = LIMITS.get(metric, (None, None))
    steps = [(warning, look.WARN), (critical, look.ALARM)]
    return look.thresholds(*((value, colour) for value, colour in steps if value is not None))
