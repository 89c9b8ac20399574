"""What the moves of a device have in common: checks before, changes of the row."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select, update

from provisioning.acts import fields
from provisioning.acts.maintenance import close_now
from provisioning.acts.places import write_place
from provisioning.acts.rights import APPROVALS_AN_HOUR
from provisioning.acts.rows import ACTS, STATES, person_name, site_name
from provisioning.inventory import Actor, Audit, Certificate, Device, Work
from provisioning.inventory.audit import HOUR_MS
from provisioning.refusals import Refused, blocked, label_mismatch, not_allowed, taken, too_often, wrong_state

PLACED: Final = ("approved", "active", "installed")
SHUT: Final = ("quarantined", "revoked", "retired")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Spot:
    """Where exactly, as the phone measured it (degrees, m); without it the site's position holds."""

    lat: float
    lon: float
    accuracy_m: float | None = None


def check_label(row: Device, label: str | None) -> None:
    """Raises P-409 when the label that was scanned has another fingerprint."""
    if label is not None and fields.fingerprint(label) != row.fingerprint:
        raise label_mismatch(row.id)


def must_be(row: Device, states: tuple[str, ...], act: str) -> None:
    """Raises P-409 unless the device is in one of `states`; P-403 if it is shut out."""
    if row.state not in states:
        if row.state in ("revoked", "retired"):
            raise blocked(row.id, STATES[row.state])
        raise wrong_state(row.id, STATES[row.state], ACTS[act])


def must_be_itself(work: Work, device: str) -> None:
    """Raises P-403 when a box asks for another one."""
    if work.actor.role == "device" and work.actor != Actor.device(device):
        raise not_allowed("device.certificate")


def shut_out(work: Work, row: Device, state: str) -> None:
    """Revoke or retire the device with its certificates, without an audit row."""
    set_state(work, row, state)
    open_ones = (Certificate.subject == row.id, Certificate.revoked_ms.is_(None))
    work.rows.execute(update(Certificate).where(*open_ones).values(revoked_ms=work.now_ms))
    close_now(work, row)


def set_state(work: Work, row: Device, state: str) -> None:
    """Bring the row into `state`, by the actor, now."""
    row.state, row.state_by, row.state_ms, row.changed_ms = state, work.actor.name, work.now_ms, work.now_ms


def put_there(work: Work, row: Device) -> None:
    """The actor has put the device where its row says, now."""
    row.placed_by, row.placed_ms, row.changed_ms = work.actor.name, work.now_ms, work.now_ms
    work.rows.flush()
    write_place(work, row)


def measure(row: Device, spot: Spot | None) -> None:
    """Note the position that was measured; None for that of the site."""
    row.lat, row.lon = fields.position(spot.lat, spot.lon) if spot else (None, None)


def must_be_free(work: Work, row: Device) -> None:
    """Raises P-403 or P-409 for a device that is not there to be put up."""
    if row.state in SHUT:
        raise blocked(row.id, STATES[row.state])
    if row.state in PLACED:
        who, since_ms = person_name(work.rows, row.placed_by), row.placed_ms or row.state_ms
        raise taken(row.id, STATES[row.state], site_name(work.rows, row.site), who, since_ms)


def must_fit(gone: Device, comes: Device) -> None:
    """Raises P-409 unless the one can stand for the other."""
    if gone.site is None or gone.state in ("new", "pending", "retired"):
        raise wrong_state(gone.id, STATES[gone.state], ACTS["device.replace"])
    if gone.kind != comes.kind or gone.id == comes.id:
        raise Refused(
            "P-409",
            "kind",
            _("%(new)s can't stand for %(old)s: it is of the kind %(what)s."),
            _("Take a device of the same kind."),
            old=gone.id,
            new=comes.id,
            what=comes.kind,
        )


def not_too_often(work: Work) -> None:
    """Raises P-429 for a technician who approved more devices within the hour than anybody can put up."""
    if work.actor.role != "technician":
        return
    lately: Any = select(func.count()).where(
        Audit.actor == work.actor.name,
        Audit.time_ms > work.now_ms - HOUR_MS,
        Audit.act.in_(("device.approve", "device.replace")),
    )
    if (work.rows.scalar(lately) or 0) >= APPROVALS_AN_HOUR:
        raise too_often(APPROVALS_AN_HOUR)


def in_the_list(device: str, there: str) -> Refused:
    """P-409: the id or the key is that of `there`."""
    return Refused(
        "P-409",
        "listed",
        _("%(device)s or its key is in the list already, as %(there)s."),
        _("Look that device up first."),
        device=device,
        there=there,
    )
