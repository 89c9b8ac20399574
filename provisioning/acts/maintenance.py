"""Spans of maintenance: the device may be silent, and nobody is called."""

from typing import Final

from provisioning.inventory import Maintenance, Work

LONGEST_MS: Final = 12 * 3_600_000
"""A span that nobody ends ends by itself after this."""


def begin(
    work: Work, device: str, *, visit: str | None = None, why: str = "", limit_ms: int = LONGEST_MS
) -> Maintenance:
    """Begin a span; the one that is open already, if there is one. Placements of installed devices show it."""
    raise NotImplementedError


def end(work: Work, device: str) -> Maintenance | None:
    """End the open span; None (and no audit row) if there is none."""
    raise NotImplementedError


def end_overdue(work: Work) -> list[str]:
    """End every span whose time is over (for `upkeep`); the devices. One audit row for each."""
    raise NotImplementedError
