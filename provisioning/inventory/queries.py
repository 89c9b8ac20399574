"""Questions that commands and pages ask alike."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.inventory.people_tables import Audit, Person
from provisioning.inventory.tables import Device


def new_devices(rows: Session) -> Sequence[Device]:
    """Devices that nobody has approved yet, by id."""
    return rows.scalars(select(Device).where(Device.state.in_(("new", "pending"))).order_by(Device.id)).all()


def newest_audit(rows: Session, limit: int, subject: str | None = None) -> list[Audit]:
    """The newest rows of the audit log, oldest first; those about `subject` alone if one is given."""
    newest = select(Audit).order_by(Audit.number.desc()).limit(limit)
    return list(rows.scalars(newest.where(Audit.subject == subject) if subject else newest))[::-1]


def everybody(rows: Session) -> Sequence[Person]:
    """All people, by login name."""
    return rows.scalars(select(Person).order_by(Person.login)).all()
