"""What the technician's pages show, read from the inventory. Nothing here changes anything."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from provisioning.inventory import Device, Photo, Site, Source, Task, Visit, VisitKind
from provisioning.web.flow import Progress, done_steps

CAMERA: Final = "camera"
LISTED_DEVICES: Final = 5000
"""Devices that the phone keeps for places without a signal."""
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Card:
    """A device with what belongs to it."""

    device: Device
    site: Site | None
    sources: tuple[Source, ...]

    @property
    def cameras(self) -> bool:
        """Whether it has a camera: then the notice is asked for, and whether the picture is clear."""
        return any(source.driver == CAMERA for source in self.sources) or self.device.kind in ("cam", CAMERA)


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """A visit and where it is."""

    visit: Visit
    card: Card
    photos: tuple[Photo, ...]

    @property
    def progress(self) -> Progress:
        """Its steps: noted ones, and the photos that have arrived."""
        kind = cast(VisitKind, self.visit.kind)
        noted = [str(step["step"]) for step in self.visit.steps]
        return Progress(kind, self.card.cameras, done_steps(kind, noted, [photo.kind for photo in self.photos]))


def card(rows: Session, device: str) -> Card | None:
    """The device `device`, or None."""
    found = rows.get(Device, device)
    if found is None:
        return None
    sources = rows.scalars(select(Source).where(Source.device == device).order_by(Source.name))
    return Card(found, rows.get(Site, found.site) if found.site else None, tuple(sources))


def visit(rows: Session, number: str) -> OpenVisit | None:
    """The visit with the phone's id `number`, or None."""
    found = rows.get(Visit, number)
    of = card(rows, found.device) if found else None
    if found is None or of is None:
        return None
    photos = rows.scalars(select(Photo).where(Photo.visit == number).order_by(Photo.taken_ms))
    return OpenVisit(found, of, tuple(photos))


def open_visits(rows: Session, person: str, device: str | None = None) -> list[Visit]:
    """Visits of `person` that have not ended, newest first."""
    wanted = select(Visit).where(Visit.person == person, Visit.finished_ms.is_(None))
    if device is not None:
        wanted = wanted.where(Visit.device == device)
    return list(rows.scalars(wanted.order_by(Visit.started_ms.desc()).limit(SHOWN)))


def ended_visits(rows: Session, person: str) -> list[tuple[Visit, str]]:
    """The newest visits of `person` that ended, with the name of their site."""
    wanted = (
        select(Visit, Site.name)
        .join(Device, Device.id == Visit.device)
        .outerjoin(Site, Site.id == Device.site)
        .where(Visit.person == person, Visit.finished_ms.is_not(None))
        .order_by(Visit.started_ms.desc())
        .limit(SHOWN)
    )
    return [(visit, name or "") for visit, name in rows.execute(wanted)]


def sites(rows: Session, district: str | None) -> list[Site]:
    """The sites of a district (None: all), by name; those without one are everybody's."""
    return list(rows.scalars(select(Site).where(_near(district)).order_by(Site.name)))


def known_devices(rows: Session, district: str | None) -> dict[str, dict[str, object]]:
    """What the phone keeps for places without a signal: by device its site, its sources, whether it has a camera."""
    wanted = select(Device).where(Device.state.not_in(("revoked", "retired"))).order_by(Device.id).limit(LISTED_DEVICES)
    sources = defaultdict[str, list[str]](list)
    with_camera = set[str]()
    for device, name, driver in rows.execute(select(Source.device, Source.name, Source.driver).order_by(Source.name)):
        sources[device].append(name)
        if driver == CAMERA:
            with_camera.add(device)
    near = None if district is None else {site.id for site in sites(rows, district)}
    return {
        device.id: {
            "site": device.site,
            "installed": device.state == "installed",
            "sources": sources[device.id],
            "cameras": device.id in with_camera or device.kind in ("cam", CAMERA),
        }
        for device in rows.scalars(wanted)
        if near is None or device.site is None or device.site in near
    }


def installed(rows: Session, district: str | None) -> list[tuple[Device, Site]]:
    """Installed devices of a district with their site, by site."""
    wanted = select(Device, Site).join(Site, Site.id == Device.site).where(Device.state == "installed", _near(district))
    return [(device, site) for device, site in rows.execute(wanted.order_by(Site.name, Device.id))]


def ended_red(rows: Session, district: str | None) -> list[tuple[Device, Site, Visit]]:
    """Devices in use of a district whose newest visit that ended has ended red, with their site, by site."""
    newest = select(func.max(Visit.finished_ms)).where(Visit.device == Device.id).correlate(Device).scalar_subquery()
    wanted = (
        select(Device, Site, Visit)
        .join(Site, Site.id == Device.site)
        .join(Visit, Visit.device == Device.id)
        .where(Visit.result == "red", Visit.finished_ms == newest, Device.state.not_in(("revoked", "retired")))
        .where(_near(district))
    )
    return [(device, site, visit) for device, site, visit in rows.execute(wanted.order_by(Site.name, Device.id))]


def tasks(rows: Session, person: str) -> list[Task]:
    """Tasks that `person` may take or has taken, newest first."""
    mine: Sequence[ColumnElement[bool]] = (Task.assignee == person, Task.assignee.is_(None))
    wanted = select(Task).where(Task.state != "done", or_(*mine)).order_by(Task.created_ms.desc())
    return list(rows.scalars(wanted.limit(SHOWN)))


def newest_thumbnails(rows: Session, device: str, now_ms: int, since_ms: int = 0) -> list[Photo]:
    """The newest picture of each camera of `device` that may still be shown, if it was taken at `since_ms` or later."""
    wanted = (
        select(Photo)
        .where(Photo.device == device, Photo.kind == "thumbnail", Photo.taken_ms >= since_ms)
        .where(or_(Photo.expires_ms.is_(None), Photo.expires_ms > now_ms))
        .order_by(Photo.taken_ms, Photo.id)
    )
    newest = {photo.source: photo for photo in rows.scalars(wanted)}
    return [newest[source] for source in sorted(newest, key=str)]


def picture(rows: Session, sha256: str, now_ms: int) -> Photo | None:
    """A picture that may still be shown, by its hash."""
    wanted = (
        select(Photo).where(Photo.sha256 == sha256).where(or_(Photo.expires_ms.is_(None), Photo.expires_ms > now_ms))
    )
    return rows.scalars(wanted.limit(1)).first()


def _near(district: str | None) -> ColumnElement[bool]:
    """As `must_be_near`: who has no district works everywhere, and everybody works at a site without one."""
    return true() if district is None else or_(Site.district == district, Site.district.is_(None))
