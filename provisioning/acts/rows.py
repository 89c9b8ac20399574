"""Rows that acts look up, and the words for a device's state."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.wire.names import is_device
from provisioning.inventory import Device, Person, Site, Source, Visit
from provisioning.refusals import unknown, unknown_device


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


STATES: Final = {
    "new": _("in the list"),
    "pending": _("waiting for approval"),
    "approved": _("approved"),
    "active": _("connected"),
    "installed": _("installed"),
    "quarantined": _("set apart"),
    "revoked": _("revoked"),
    "retired": _("retired"),
}
"""Words for a device's state."""

ACTS: Final = {
    "device.approve": _("approved"),
    "device.certificate": _("connected"),
    "device.accept": _("accepted"),
    "device.quarantine": _("set apart"),
    "device.release": _("released"),
    "device.revoke": _("revoked"),
    "device.replace": _("replaced"),
    "device.move": _("moved"),
}
"""Words for what can't be done to it."""


def device_row(rows: Session, device: object) -> Device:
    """The device's row. Raises P-404."""
    found = rows.get(Device, device) if isinstance(device, str) and is_device(device) else None
    if found is None:
        raise unknown_device(str(device))
    return found


def site_row(rows: Session, site: object) -> Site:
    """The site's row. Raises P-404."""
    found = rows.get(Site, site) if _askable(site) else None
    if found is None:
        raise unknown(_("site"), site)
    return found


def person_row(rows: Session, login: object) -> Person:
    """The person's row. Raises P-404."""
    found = rows.get(Person, login) if _askable(login) else None
    if found is None:
        raise unknown(_("person"), login)
    return found


def visit_row(rows: Session, visit: object) -> Visit:
    """The visit's row. Raises P-404."""
    found = rows.get(Visit, str(visit).lower()) if _askable(visit) else None
    if found is None:
        raise unknown(_("visit"), visit)
    return found


def district_of(rows: Session, device: Device) -> str | None:
    """The district of the site where the device is, or is to be."""
    site = rows.get(Site, device.site) if device.site else None
    return site.district if site else None


def site_name(rows: Session, site: str | None) -> str:
    """The name people know a site by; `-` for none."""
    found = rows.get(Site, site) if site else None
    return (found.name or found.id) if found else "-"


def person_name(rows: Session, who: str | None) -> str:
    """The name of an actor: a person's own, else as the audit log says it."""
    found = rows.get(Person, who) if who else None
    return found.name if found else (who or "-")


def source_names(rows: Session, device: str) -> list[str]:
    """Names of the device's sources, sorted."""
    return list(rows.scalars(select(Source.name).where(Source.device == device).order_by(Source.name)))


def is_row_number(number: object) -> bool:
    """Whether a row may have this number: a whole one that fits, and not `True`."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63


def _askable(name: object) -> bool:
    """Whether a database can be asked for `name`: no NUL, no half of a pair, nothing endless."""
    return isinstance(name, str) and name.isprintable() and len(name) <= 200
