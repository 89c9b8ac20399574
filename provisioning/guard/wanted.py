"""Whom the broker must refuse, asked of the inventory."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.guard.ports import Denied, Revocation, Wanted
from provisioning.inventory.tables import Certificate, Device

_WHY: Final[dict[str, Denied]] = {"revoked": "revoked", "retired": "retired", "quarantined": "quarantined"}


def wanted(rows: Session, now_ms: int) -> Wanted:
    """What the inventory wants at `now_ms`. Who has no certificate that is still good is refused by its end alone."""
    good = select(Certificate.subject).where(Certificate.to_ms > now_ms)
    listed = select(Device.id, Device.state).where(Device.state.in_(_WHY), Device.id.in_(good))
    denied = {device: _WHY[state] for device, state in rows.execute(listed)}
    revoked = select(Certificate.serial, Certificate.revoked_ms, Certificate.role).where(
        Certificate.revoked_ms.is_not(None), Certificate.to_ms > now_ms
    )
    found = [(Revocation(serial, at_ms or 0), role) for serial, at_ms, role in rows.execute(revoked)]
    return Wanted(
        denied,
        frozenset(each for each, role in found if role == "device"),
        frozenset(each for each, role in found if role == "service"),
    )
