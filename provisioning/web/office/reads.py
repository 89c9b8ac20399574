"""What the office's pages show of devices, read from the inventory. Nothing here changes anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from provisioning.acts.rows import device_row
from provisioning.inventory import Audit, Certificate, Device, Maintenance, Photo, Place, Site, Source, Task, Visit
from provisioning.web.reads import newest_thumbnails

PAGE: Final = 50
HISTORY: Final = 30
"""Rows of each kind on a device's page, the newest."""
MAINTENANCE: Final = "maintenance"
"""Asked for as if it were a state."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `page` counts from 1."""

    text: str = ""
    state: str = ""
    site: str = ""
    page: int = 1

    @property
    def where(self) -> list[ColumnElement[bool]]:
        """As conditions on Device, with Site joined."""
        found: list[ColumnElement[bool]] = []
        if self.text:
            word = self.text.lower()
            columns = (Device.id, Device.fingerprint, Device.serial, Device.model, Device.note, Site.name, Site.id)
            found.append(or_(*(func.lower(column).contains(word, autoescape=True) for column in columns)))
        if self.state == MAINTENANCE:
            found.append(Device.id.in_(select(Maintenance.device).where(Maintenance.to_ms.is_(None))))
        elif self.state:
            found.append(Device.state == self.state)
        if self.site:
            found.append(Device.site == self.site)
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A device in the list. `until_ms`: when its maintenance ends, None outside of one."""

    device: Device
    site: Site | None
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the list, and how many there are."""

    rows: list[Listed]
    total: int

    @property
    def pages(self) -> int:
        """How many pages."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True, slots=True)
class Detail:
    """One device with everything that is known of it, the newest first."""

    device: Device
    site: Site | None
    sources: Sequence[Source]
    places: list[tuple[Place, str]]
    certificates: Sequence[Certificate]
    spans: Sequence[Maintenance]
    visits: list[tuple[Visit, list[Photo]]]
    thumbnails: list[Photo]
    tasks: Sequence[Task]
    audit: Sequence[Audit]
    replaced_by: str | None

    @property
    def open_span(self) -> Maintenance | None:
        """The maintenance it stands in."""
        return next((span for span in self.spans if span.to_ms is None), None)


def search(rows: Session, query: Query) -> Found:
    """The devices that fit, by id."""
    wanted = select(Device, Site).outerjoin(Site, Site.id == Device.site).where(*query.where)
    counted = select(func.count(Device.id)).outerjoin(Site, Site.id == Device.site).where(*query.where)
    total = rows.scalar(counted) or 0
    page = rows.execute(wanted.order_by(Device.id).offset((query.page - 1) * PAGE).limit(PAGE)).all()
    until = _until(rows, [device.id for device, _ in page])
    return Found([Listed(device, site, until.get(device.id)) for device, site in page], total)


def matching(rows: Session, query: Query, limit: int) -> Sequence[Device]:
    """The devices that fit, on all pages, at most `limit`."""
    wanted = select(Device).outerjoin(Site, Site.id == Device.site).where(*query.where)
    return rows.scalars(wanted.order_by(Device.id).limit(limit)).all()


def counts(rows: Session) -> dict[str, int]:
    """How many devices in each state, and in maintenance."""
    found = dict(rows.execute(select(Device.state, func.count()).group_by(Device.state)).all())
    spans = select(func.count(Maintenance.device.distinct())).where(Maintenance.to_ms.is_(None))
    return found | {MAINTENANCE: rows.scalar(spans) or 0}


def sites(rows: Session) -> Sequence[Site]:
    """All sites by name."""
    return rows.scalars(select(Site).order_by(Site.name, Site.id)).all()


def detail(rows: Session, name: str, now_ms: int) -> Detail:
    """One device. Raises Refused P-404."""
    device = device_row(rows, name)
    of = device.id
    return Detail(
        device,
        rows.get(Site, device.site) if device.site else None,
        rows.scalars(select(Source).where(Source.device == of).order_by(Source.name)).all(),
        _places(rows, of),
        _newest(rows, select(Certificate).where(Certificate.subject == of).order_by(Certificate.issued_ms.desc())),
        _newest(rows, select(Maintenance).where(Maintenance.device == of).order_by(Maintenance.from_ms.desc())),
        _visits(rows, of, now_ms),
        newest_thumbnails(rows, of, now_ms),
        _newest(rows, select(Task).where(Task.device == of).order_by(Task.created_ms.desc())),
        _newest(rows, select(Audit).where(Audit.subject == of).order_by(Audit.number.desc())),
        rows.scalars(select(Device.id).where(Device.replaces == of).limit(1)).first(),
    )


def _newest(rows: Session, wanted: Select[Any]) -> Sequence[Any]:
    return rows.scalars(wanted.limit(HISTORY)).all()


def _places(rows: Session, device: str) -> list[tuple[Place, str]]:
    wanted = select(Place, Site.name).join(Site, Site.id == Place.site).where(Place.device == device)
    return list(rows.execute(wanted.order_by(Place.from_ms.desc()).limit(HISTORY)).all())


def _visits(rows: Session, device: str, now_ms: int) -> list[tuple[Visit, list[Photo]]]:
    visits = _newest(rows, select(Visit).where(Visit.device == device).order_by(Visit.started_ms.desc()))
    photos: defaultdict[str | None, list[Photo]] = defaultdict(list)
    wanted = select(Photo).where(Photo.visit.in_([visit.id for visit in visits]))
    for photo in rows.scalars(wanted.where(or_(Photo.expires_ms.is_(None), Photo.expires_ms > now_ms))):
        photos[photo.visit].append(photo)
    return [(visit, sorted(photos[visit.id], key=lambda photo: photo.taken_ms)) for visit in visits]


def _until(rows: Session, devices: list[str]) -> dict[str, int]:
    wanted = select(Maintenance.device, Maintenance.until_ms)
    wanted = wanted.where(Maintenance.to_ms.is_(None), Maintenance.device.in_(devices))
    return dict(rows.execute(wanted).all())
