"""Who may do what: one table, looked up by every act."""

from typing import Final

from kewang.wire.errors import printable
from provisioning.inventory import Work
from provisioning.refusals import not_allowed, other_district

_OFFICE: Final = frozenset({"operator", "admin"})
_FIELD: Final = frozenset({"technician"}) | _OFFICE
_ADMIN: Final = frozenset({"admin"})
_SYSTEM: Final = frozenset({"system"})

APPROVALS_AN_HOUR: Final = 30
"""Devices that a technician may approve or replace within an hour."""

RIGHTS: Final = {
    "device.add": _OFFICE,
    "device.request": frozenset({"device"}),
    "device.approve": _FIELD,
    "device.certificate": frozenset({"device", "system"}) | _ADMIN,
    "device.accept": _FIELD,
    "device.quarantine": _OFFICE | _SYSTEM,
    "device.release": _OFFICE,
    "device.revoke": _OFFICE,
    "device.replace": _FIELD,
    "device.move": _FIELD,
    "device.retire": _FIELD,
    "device.describe": _FIELD,
    "maintenance.begin": _FIELD,
    "maintenance.end": _FIELD | _SYSTEM,
    "visit.start": _FIELD,
    "visit.step": _FIELD,
    "visit.finish": _FIELD,
    "visit.pictures": _FIELD,
    "photo.add": _FIELD | {"device"},
    "photo.expire": _SYSTEM,
    "source.put": _FIELD,
    "source.remove": _FIELD,
    "site.put": _OFFICE,
    "site.remove": _OFFICE,
    "contact.put": _OFFICE,
    "contact.remove": _OFFICE,
    "task.assign": _OFFICE | _SYSTEM,
    "task.take": _FIELD,
    "task.done": _FIELD,
    "task.note": _FIELD,
    "person.add": _ADMIN,
    "person.change": _ADMIN,
    "person.disable": _ADMIN,
    "person.enable": _ADMIN,
    "person.password": _ADMIN,
    "person.end-sessions": _ADMIN,
    "inventory.import": _OFFICE,
    "inventory.export": _OFFICE,
    "work.export": _OFFICE,
    "audit.read": _OFFICE,
    "audit.export": _OFFICE,
    "backup.make": _ADMIN,
    "authority.ca": _ADMIN,
    "authority.key": _ADMIN,
    "device.bundle": _OFFICE,
}
"""Roles by act. Own things (own password, own sessions) need no right."""


def may(role: str, act: str) -> bool:
    """Whether `role` has the right for `act`."""
    return role in RIGHTS[act]


def must(work: Work, act: str, subject: object) -> None:
    """Raises P-403 without the right. What is being tried is remembered for the row of a refusal."""
    work.doing.update(act=act, subject=printable(str(subject), 64))
    if not may(work.actor.role, act):
        raise not_allowed(act)


def must_be_near(work: Work, district: str | None) -> None:
    """Raises P-403 when a technician works outside of the own district; what has no district is everybody's."""
    actor = work.actor
    if actor.role == "technician" and None not in (actor.district, district) and actor.district != district:
        raise other_district(district)
