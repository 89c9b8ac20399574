"""The history of where a device is: one new row for each change of place, sources or life."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.acts.rows import site_row, source_names
from provisioning.inventory import Device, Maintenance, Place, Work

_LIVES = {"active": "approved"}
"""What a placement calls a state; the others it calls by name."""


def last_place(rows: Session, device: str) -> Place | None:
    """The newest row."""
    return rows.scalars(select(Place).where(Place.device == device).order_by(Place.from_ms.desc()).limit(1)).first()


def open_span(rows: Session, device: str) -> Maintenance | None:
    """The device's open span of maintenance."""
    return rows.scalars(select(Maintenance).where(Maintenance.device == device, Maintenance.to_ms.is_(None))).first()


def write_place(work: Work, device: Device) -> Place | None:
    """Where the device is now, as a new row if anything is different. None for one that was never approved."""
    before = last_place(work.rows, device.id)
    if device.site is None or (before is None and device.placed_ms is None):
        return before
    now = _now(work, device)
    if before is not None:
        if _same(before, now):
            return before
        now.from_ms = max(now.from_ms, before.from_ms + 1)
    work.rows.add(now)
    work.rows.flush()
    return now


def _now(work: Work, device: Device) -> Place:
    site = site_row(work.rows, device.site or "")
    return Place(
        device=device.id,
        from_ms=work.now_ms,
        site=site.id,
        lat=site.lat if device.lat is None else device.lat,
        lon=site.lon if device.lon is None else device.lon,
        uplink=site.uplink,
        feeder=site.feeder,
        link=site.link,
        kind=device.kind,
        sources=source_names(work.rows, device.id),
        life=_life(work.rows, device),
        by=work.actor.name,
    )


def _life(rows: Session, device: Device) -> str:
    if device.state == "installed" and open_span(rows, device.id):
        return "maintenance"
    return _LIVES.get(device.state, device.state)


def _same(one: Place, other: Place) -> bool:
    names = ("site", "lat", "lon", "uplink", "feeder", "link", "kind", "sources", "life")
    return all(getattr(one, name) == getattr(other, name) for name in names)
