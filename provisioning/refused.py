"""Whom the broker must refuse, out of the inventory."""

from typing import Final, cast

from sqlalchemy import select

from provisioning.guard import Denied, Revocation, Wanted
from provisioning.inventory import Certificate, Device, Inventory

_DENIED: Final = ("revoked", "retired", "quarantined")


def wanted(inventory: Inventory) -> Wanted:
    """Boxes that are refused, and certificates that were revoked and have not ended by themselves."""
    with inventory.reading() as rows:
        denied = rows.execute(select(Device.id, Device.state).where(Device.state.in_(_DENIED)))
        live = Certificate.to_ms > inventory.clock_ms()
        revoked = rows.execute(
            select(Certificate.serial, Certificate.revoked_ms, Certificate.role).where(
                Certificate.revoked_ms.is_not(None), live
            )
        ).all()
        of_role = {
            wanted_role: frozenset(
                Revocation(serial, at_ms or 0) for serial, at_ms, role in revoked if role == wanted_role
            )
            for wanted_role in ("device", "service")
        }
        return Wanted(
            denied={device: cast(Denied, state) for device, state in denied},
            certificates=of_role["device"],
            services=of_role["service"],
        )
