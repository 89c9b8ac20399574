"""The moves of a device: from the list to the wall and away again."""

from dataclasses import dataclass

from sqlalchemy import select

from provisioning.acts import fields
from provisioning.acts.moves import (
    PLACED,
    SHUT,
    Spot,
    check_label,
    in_the_list,
    measure,
    must_be,
    must_be_free,
    must_be_itself,
    must_fit,
    not_too_often,
    put_there,
    set_state,
    shut_out,
)
from provisioning.acts.places import write_place
from provisioning.acts.rights import must, must_be_near
from provisioning.acts.rows import ACTS, STATES, device_row, district_of, site_row, visit_row
from provisioning.acts.sources import copy_all
from provisioning.inventory import Certificate, Device, Work
from provisioning.inventory.audit import record
from provisioning.refusals import Refused, blocked, wrong_state

__all__ = ["Issued", "NewDevice", "Spot"]


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class NewDevice:
    """A box for the list, as a label or a line of a CSV file says it."""

    id: str
    kind: str
    fingerprint: str
    model: str = ""
    serial: str = ""
    site: str | None = None
    preapproved: bool = False
    note: str = ""


@dataclass(frozen=True)
class Issued:
    """A certificate that the authority made. `serial` is lower-case hex, `fingerprint` of its key, times Unix ms."""

    serial: str
    fingerprint: str
    chain: str
    from_ms: int
    to_ms: int


def add(work: Work, device: NewDevice) -> Device:
    """nothing → new. P-409 if the id or the fingerprint is in the list already."""
    must(work, "device.add", device.id)
    row = new_row(work, device)
    record(work, "device.add", row.id, {"kind": row.kind, "fingerprint": row.fingerprint, "site": row.site})
    return row


def new_row(work: Work, device: NewDevice) -> Device:
    """The row of a new device, checked and in the table, without an audit row: part of `add` and of imports."""
    row = Device(
        id=fields.new_device(device.id),
        kind=fields.slug("kind", device.kind),
        fingerprint=fields.fingerprint(device.fingerprint),
        model=fields.text("model", device.model, 64),
        serial=fields.text("serial", device.serial, 64),
        note=fields.text("note", device.note, 500, lines=True),
        site=site_row(work.rows, device.site).id if device.site else None,
        preapproved=bool(device.preapproved),
        state_by=work.actor.name,
        state_ms=work.now_ms,
        created_ms=work.now_ms,
        changed_ms=work.now_ms,
    )
    if row.preapproved and row.site is None:
        raise fields.refuse("preapproved", _("A preapproved device needs a site."))
    known = select(Device.id).where((Device.id == row.id) | (Device.fingerprint == row.fingerprint))
    if there := work.rows.scalars(known).first():
        raise in_the_list(row.id, there)
    work.rows.add(row)
    work.rows.flush()
    return row


def request_seen(work: Work, device: str, fingerprint: str, *, hw: str = "", fw: str = "") -> Device:
    """A box asks to be let in: new → pending, or → approved if it was preapproved for a site.

    Seen again it changes nothing and leaves no audit row. P-404 unknown; P-403 a key that is not the label's, or a box
    that is revoked, retired or quarantined. The answer's `state` says what to tell the box.
    """
    must(work, "device.request", device)
    row = device_row(work.rows, device)
    if fields.fingerprint(fingerprint) != row.fingerprint:
        raise Refused("P-403", "key", _("This is not the key of %(device)s."), _("Call the office."), device=device)
    if row.state in SHUT:
        raise blocked(device, STATES[row.state])
    row.hw, row.fw = fields.text("model", hw, 128), fields.text("model", fw, 64)
    if row.state != "new":
        return row
    go_on = row.preapproved and row.site is not None
    set_state(work, row, "approved" if go_on else "pending")
    if go_on:
        put_there(work, row)
    record(work, "device.request", device, {"state": row.state, "hw": row.hw, "fw": row.fw})
    return row


def approve(work: Work, device: str, site: str, spot: Spot | None = None, *, label: str | None = None) -> Device:
    """new, pending → approved, at `site`. `label`: the fingerprint that was scanned, checked against the list.

    Again by the same person for the same site changes nothing. P-409 `taken` names who has it, where and since when;
    P-409 `label`; P-403 `blocked`, `district`; P-404 device or site; P-429 more than 30 within an hour by a technician.
    """
    must(work, "device.approve", device)
    row = device_row(work.rows, device)
    where = site_row(work.rows, site)
    must_be_near(work, where.district)
    check_label(row, label)
    if row.state in PLACED and row.placed_by == work.actor.name and row.site == where.id:
        return row
    must_be_free(work, row)
    not_too_often(work)
    row.site = where.id
    measure(row, spot)
    set_state(work, row, "approved")
    put_there(work, row)
    record(work, "device.approve", device, {"site": where.id, "lat": row.lat, "lon": row.lon})
    return row


def certificate_given(work: Work, device: str, issued: Issued) -> Device:
    """approved → active; for an active or installed box a renewal. The same serial again changes nothing."""
    must(work, "device.certificate", device)
    row = device_row(work.rows, device)
    must_be_itself(work, device)
    serial = fields.serial(issued.serial)
    if known := work.rows.get(Certificate, serial):
        if known.subject == device and known.chain == issued.chain:
            return row
        raise fields.refuse("certificate", _("%(field_word)s is wrong."))
    must_be(row, PLACED, "device.certificate")
    work.rows.add(
        Certificate(
            serial=serial,
            subject=device,
            fingerprint=fields.fingerprint(issued.fingerprint),
            chain=issued.chain,
            from_ms=issued.from_ms,
            to_ms=issued.to_ms,
            issued_ms=work.now_ms,
            role="device",
        )
    )
    if row.state == "approved":
        set_state(work, row, "active")
    work.rows.flush()
    record(work, "device.certificate", device, {"serial": serial, "to": issued.to_ms})
    return row


def accept(work: Work, device: str, *, visit: str | None = None, reason: str = "") -> Device:
    """active → installed. A technician's needs a visit whose result is green or amber; an operator's a reason."""
    must(work, "device.accept", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    reason = _reason(reason)
    if row.state == "installed":
        return row
    must_be(row, ("active",), "device.accept")
    seen = visit_row(work.rows, visit) if visit else None
    well = seen is not None and seen.device == device and seen.result in ("green", "amber")
    if not well and (work.actor.role == "technician" or not reason):
        raise Refused(
            "P-403",
            "not-green",
            _("%(device)s is not green yet."),
            _("Finish the checks, or ask an operator to accept it with a reason."),
            device=device,
        )
    set_state(work, row, "installed")
    write_place(work, row)
    record(work, "device.accept", device, {"visit": visit, "reason": reason})
    return row


def quarantine(work: Work, device: str, reason: str) -> Device:
    """active, installed → quarantined: it is heard no more, but not thrown out."""
    must(work, "device.quarantine", device)
    row = device_row(work.rows, device)
    if row.state == "quarantined":
        return row
    must_be(row, ("active", "installed"), "device.quarantine")
    row.before_quarantine = row.state
    set_state(work, row, "quarantined")
    write_place(work, row)
    record(work, "device.quarantine", device, {"reason": _reason(reason)})
    return row


def release(work: Work, device: str, reason: str) -> Device:
    """quarantined → what it was before."""
    must(work, "device.release", device)
    row = device_row(work.rows, device)
    must_be(row, ("quarantined",), "device.release")
    set_state(work, row, row.before_quarantine or "active")
    row.before_quarantine = None
    write_place(work, row)
    record(work, "device.release", device, {"reason": _reason(reason)})
    return row


def revoke(work: Work, device: str, reason: str) -> Device:
    """Any but retired → revoked; all its certificates too. Again: nothing. The guard does the rest."""
    must(work, "device.revoke", device)
    row = device_row(work.rows, device)
    if row.state == "revoked":
        return row
    if row.state == "retired":
        raise wrong_state(device, STATES["retired"], ACTS["device.revoke"])
    before = row.state
    shut_out(work, row, "revoked")
    record(work, "device.revoke", device, {"reason": _reason(reason), "was": before})
    return row


def retire(work: Work, device: str, reason: str = "") -> Device:
    """Any → retired: taken down for good; its certificates are revoked."""
    must(work, "device.retire", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    if row.state == "retired":
        return row
    before = row.state
    shut_out(work, row, "retired")
    record(work, "device.retire", device, {"reason": _reason(reason), "was": before})
    return row


def replace(work: Work, old: str, new: str, *, label: str | None = None, reason: str = "") -> Device:
    """The box `new` takes over the site, position, sources and history of `old`, which is revoked. Gives `new`.

    `new` becomes approved, as by `approve`; `new.replaces` is `old`.
    """
    must(work, "device.replace", new)
    gone, comes = device_row(work.rows, old), device_row(work.rows, new)
    must_be_near(work, district_of(work.rows, gone))
    check_label(comes, label)
    if comes.replaces == old and comes.placed_by == work.actor.name:
        return comes
    must_fit(gone, comes)
    must_be_free(work, comes)
    not_too_often(work)
    comes.site, comes.lat, comes.lon, comes.replaces = gone.site, gone.lat, gone.lon, old
    copy_all(work, old, comes)
    shut_out(work, gone, "revoked")
    set_state(work, comes, "approved")
    put_there(work, comes)
    detail = {"old": old, "site": comes.site, "reason": _reason(reason)}
    record(work, "device.replace", new, detail)
    return comes


def move(work: Work, device: str, site: str, spot: Spot | None = None) -> Device:
    """A device that is approved, active or installed hangs somewhere else from now on; its state stays."""
    must(work, "device.move", device)
    row, where = device_row(work.rows, device), site_row(work.rows, site)
    must_be_near(work, district_of(work.rows, row))
    must_be_near(work, where.district)
    must_be(row, PLACED, "device.move")
    before, position = row.site, (row.lat, row.lon)
    row.site = where.id
    measure(row, spot)
    if before == row.site and position == (row.lat, row.lon):
        return row
    put_there(work, row)
    record(work, "device.move", device, {"from": before, "to": where.id, "lat": row.lat, "lon": row.lon})
    return row


def describe(work: Work, device: str, *, note: str | None = None, model: str | None = None) -> Device:
    """Change what is said about a device; None leaves as it is."""
    must(work, "device.describe", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    row.note = row.note if note is None else fields.text("note", note, 500, lines=True)
    row.model = row.model if model is None else fields.text("model", model, 64)
    row.changed_ms = work.now_ms
    record(work, "device.describe", device, {"note": row.note, "model": row.model})
    return row


def _reason(reason: str) -> str:
    return fields.text("reason", reason, 500, lines=True)
