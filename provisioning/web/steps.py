"""Steps of a visit as acts. Each request is done once, in one transaction, however often the phone sends it."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, cast, get_args

from kewang.wire.identity import TYPED_CHARACTERS
from provisioning.acts import devices, visits
from provisioning.acts.devices import Spot
from provisioning.acts.once import once
from provisioning.inventory import Actor, Inventory, Visit, VisitKind, Work
from provisioning.refusals import Refused, bad_input, label_mismatch, unknown, unknown_device
from provisioning.web import reads
from provisioning.web.flow import AMBER, LEAVING, first_on_server

KINDS: Final = get_args(VisitKind)
OLDEST_MS: Final = 30 * 86_400_000
"""A phone that was without a signal for longer is not believed about the date."""
NOTE_LIMIT: Final = 400
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of a technician. `request`: the phone's id for it; `fields`: of the form, not believed yet.

    `amber`: why it is accepted although something is missing, as the server sees it; not of the form.
    """

    visit: str
    name: str
    request: str
    at_ms: int
    fields: Mapping[str, str]
    amber: str = ""


def checked_id(text: str) -> str:
    """A UUID in lower case, or P-400."""
    if _UUID.fullmatch(text.lower()) is None:
        raise bad_input("request", _("This page's number can't be read. Reload the page and do it again."))
    return text.lower()


def new_id() -> str:
    """A new id for a request or a visit, as a phone's script makes them."""
    return str(uuid.uuid4())


def label_fits(fingerprint: str, label: str) -> bool:
    """Whether `label` is the device's: the whole fingerprint, or at least the characters that are typed."""
    typed = label.strip().upper()
    return len(typed) >= TYPED_CHARACTERS and fingerprint.startswith(typed)


def do(inventory: Inventory, actor: Actor, step: Step, zone: tzinfo) -> dict[str, Any]:
    """Does `step` once; the answer for the phone: `{"receipt", "visit": {...}}`. Raises Refused."""
    with inventory.writing(actor) as work:
        content = {"visit": step.visit, "step": step.name, **step.fields}
        answer = once(work, step.request, content, lambda: _done(work, step, zone))
    return {"receipt": step.request, "visit": answer["visit"]}


def _done(work: Work, step: Step, zone: tzinfo) -> dict[str, Any]:
    visit = _own(work, step)
    at_ms = believed(step.at_ms, work.now_ms)
    if visit is None:
        visit = _begin(work, step, at_ms)
    elif visit.finished_ms is not None:
        return {"visit": told_again(work, visit, step.name)}
    if step.name == "leave":
        return {"visit": _left(work, visit, step.fields)}
    if step.amber:
        visits.step(work, visit.id, AMBER + step.amber, at_ms)
    visits.step(work, visit.id, step.name, at_ms)
    return {"visit": settle(work, visit.id, zone)}


def _own(work: Work, step: Step) -> Visit | None:
    visit = work.rows.get(Visit, step.visit)
    if visit is not None and visit.person != work.actor.name:
        raise unknown(_("visit"), step.visit)
    return visit


def _begin(work: Work, step: Step, at_ms: int) -> Visit:
    """The first step that the server hears of: it says which device, by which label, and what is to be done."""
    kind = step.fields.get("kind", "")
    if kind not in KINDS or step.name != first_on_server(cast(VisitKind, kind)):
        raise unknown(_("visit"), step.visit)
    device = step.fields.get("device", "").lower()
    of = reads.card(work.rows, device)
    if of is None:
        raise unknown_device(device[:32])
    if not label_fits(of.device.fingerprint, step.fields.get("fingerprint", "")):
        raise label_mismatch(device)
    site, spot = step.fields.get("site", ""), _spot(step.fields)
    if kind != "install":  # only that begins without a signal; readings from before its begin count for nothing
        at_ms = work.now_ms
    begun = visits.start(
        work, step.visit, device, cast(VisitKind, kind), site=site or of.device.site, spot=spot, started_ms=at_ms
    )
    _move(work, begun, of.device.fingerprint, step.fields.get("old", ""), site, spot)
    return begun


def _move(work: Work, visit: Visit, label: str, old: str, site: str, spot: Spot | None) -> None:
    """What the visit does to the device at its begin."""
    if visit.kind == "install":
        devices.approve(work, visit.device, site, spot, label=label)
    elif visit.kind == "replace":
        devices.replace(work, old.lower(), visit.device, label=label)
    elif visit.kind == "move":
        devices.move(work, visit.device, site, spot)
    elif visit.kind == "retire":
        devices.retire(work, visit.device, reason=f"visit {visit.id}")


def settle(work: Work, number: str, zone: tzinfo) -> dict[str, Any]:
    """Ends the visit when its last step is done: the device is accepted, the visit gets its number (year of `zone`)."""
    work.rows.flush()
    open_visit = reads.visit(work.rows, number)
    if open_visit is None:
        raise unknown(_("visit"), number)
    progress, visit = open_visit.progress, open_visit.visit
    if progress.next is None and visit.finished_ms is None:
        result = cast(visits.Result, progress.result)
        visit = visits.finish(work, number, result, reason=", ".join(progress.reasons), zone=zone)
        if open_visit.card.device.state == "active":
            devices.accept(work, visit.device, visit=number)
    return told(visit, progress.done)


def told(visit: Visit, done: frozenset[str]) -> dict[str, Any]:
    """What the phone is told of a visit."""
    return {"done": sorted(done), "finished": visit.finished_ms is not None, "number": visit.number}


def told_again(work: Work, visit: Visit, name: str) -> dict[str, Any]:
    """The same once more: a last step that was tapped twice. Raises P-409 for a step that an ended visit has not."""
    ended = reads.visit(work.rows, visit.id)
    done = ended.progress.done if ended else frozenset()
    if name not in done and (name, visit.result) != ("leave", "red"):
        raise over(visit)
    return told(visit, done)


def _left(work: Work, visit: Visit, fields: Mapping[str, str]) -> dict[str, Any]:
    """Ends the visit red. What can't be seen of the note is left out: who typed it may be far from the phone by now."""
    reason = fields.get("reason", "")
    if reason not in LEAVING:
        raise bad_input("reason", _("Choose one of the reasons."))
    note = "".join(letter for letter in fields.get("note", "") if letter.isprintable()).strip()[:NOTE_LIMIT]
    return told(visits.finish(work, visit.id, "red", reason=f"{reason}\n{note}".strip()), frozenset())


def _spot(fields: Mapping[str, str]) -> Spot | None:
    """Where the phone says it is; None if it says nothing that can be read."""
    try:
        lat, lon = float(fields.get("lat", "")), float(fields.get("lon", ""))
        accuracy_m = float(fields.get("accuracy_m") or "nan")
    except ValueError:
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    return Spot(lat, lon, accuracy_m if math.isfinite(accuracy_m) and accuracy_m >= 0 else None)


def believed(at_ms: int, now_ms: int) -> int:
    """When the phone says it was, if that can be: not in the future, not a month ago; else now."""
    return at_ms if now_ms - OLDEST_MS <= at_ms <= now_ms else now_ms


def over(visit: Visit) -> Refused:
    """P-409: the visit has ended already."""
    return Refused(
        "P-409",
        "over",
        _("This visit to %(device)s has ended already."),
        _("Scan the label to begin a new one."),
        audited=False,
        device=visit.device,
    )
