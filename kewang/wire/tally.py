"""Tally: what a device says it made and dropped, per run, source and UTC hour."""

from dataclasses import dataclass

HOUR_MS = 3_600_000
MAX_TALLIES = 50
"""Entries a heartbeat may carry."""


@dataclass(frozen=True, slots=True, order=True)
class Tally:
    """Rows made and dropped so far (cumulative) in one cell."""

    run: str
    source: str
    hour: int
    """Unix hour: Unix ms // 3,600,000."""
    made: int
    dropped: int
