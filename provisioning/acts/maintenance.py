"""Spans of maintenance: the device may be silent, and nobody is called."""

from typing import Final

from sqlalchemy import select

from provisioning.acts import fields
from provisioning.acts.places import open_span, write_place
from provisioning.acts.rights import must, must_be_near
from provisioning.acts.rows import device_row, district_of
from provisioning.inventory import Device, Maintenance, Work
from provisioning.inventory.audit import record

LONGEST_MS: Final = 12 * 3_600_000
"""A span that nobody ends ends by itself after this."""


def begin(
    work: Work, device: str, *, visit: str | None = None, why: str = "", limit_ms: int = LONGEST_MS
) -> Maintenance:
    """Begin a span; the one that is open already, if there is one. Placements of installed devices show it."""
    must(work, "maintenance.begin", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    known = open_span(work.rows, device)
    if known:
        return known
    span = open_now(work, row, visit=visit, why=fields.text("reason", why, 200), limit_ms=limit_ms)
    record(work, "maintenance.begin", device, {"why": span.why, "until": span.until_ms})
    return span


def end(work: Work, device: str) -> Maintenance | None:
    """End the open span; None (and no audit row) if there is none."""
    must(work, "maintenance.end", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    span = close_now(work, row)
    if span:
        record(work, "maintenance.end", device, {"from": span.from_ms})
    return span


def end_overdue(work: Work) -> list[str]:
    """End every span whose time is over (for `upkeep`); the devices. One audit row for each."""
    must(work, "maintenance.end", "overdue")
    over = select(Maintenance.device).where(Maintenance.to_ms.is_(None), Maintenance.until_ms <= work.now_ms)
    devices = sorted(work.rows.scalars(over))
    for device in devices:
        close_now(work, device_row(work.rows, device))
        record(work, "maintenance.end", device, {"why": "overdue"})
    return devices


def open_now(work: Work, device: Device, *, visit: str | None, why: str, limit_ms: int = LONGEST_MS) -> Maintenance:
    """An open span, without an audit row: part of another act. The one that is open already, if there is one.

    That is the visit's from now on: its cameras are asked for pictures, and it ends with the visit.
    """
    known = open_span(work.rows, device.id)
    if known:
        known.visit = visit or known.visit
        return known
    until_ms = work.now_ms + max(1, min(limit_ms, LONGEST_MS))
    span = Maintenance(
        device=device.id, from_ms=work.now_ms, until_ms=until_ms, by=work.actor.name, visit=visit, why=why
    )
    work.rows.add(span)
    work.rows.flush()
    write_place(work, device)
    return span


def close_now(work: Work, device: Device) -> Maintenance | None:
    """Close the open span, without an audit row: part of another act."""
    span = open_span(work.rows, device.id)
    if span:
        span.to_ms = max(work.now_ms, span.from_ms)
        work.rows.flush()
    write_place(work, device)
    return span
