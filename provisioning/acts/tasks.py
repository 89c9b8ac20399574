"""Tasks: what somebody should look at."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.wire.incident_task import Wish
from provisioning.acts import fields
from provisioning.acts.rights import must, must_be_near
from provisioning.acts.rows import device_row, district_of, is_row_number, person_name, person_row, site_name
from provisioning.inventory import Device, Task, Work
from provisioning.inventory.audit import record
from provisioning.refusals import Refused, unknown


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def assign(
    work: Work, text: str, *, device: str | None = None, source: str | None = None, assignee: str | None = None
) -> Task:
    """A new open task, for one technician or (None) for whoever takes it."""
    must(work, "task.assign", device or "-")
    row = Task(
        device=device_row(work.rows, device).id if device else None,
        source=fields.source(source) if source else None,
        text=fields.text("text", text, 500, least=1, lines=True),
        assignee=_able(work, assignee) if assignee else None,
        by=work.actor.name,
        created_ms=work.now_ms,
    )
    work.rows.add(row)
    work.rows.flush()
    record(work, "task.assign", row.device or "-", {"task": row.id, "assignee": row.assignee, "source": row.source})
    return row


def assign_incident(work: Work, wish: Wish) -> Task:
    """The task of an incident: a new one, or the one that is not done yet, which goes to another if nobody took it.

    P-409 `taken` if somebody else works at it.
    """
    must(work, "task.assign", f"incident {wish.incident}")
    row = of_incident(work.rows, wish.incident, wish.opened_ms)
    if row is None:
        return _new_of_incident(work, wish)
    if wish.to in (None, row.assignee):
        return row
    if row.state == "taken":
        raise _somebody_elses(work, row)
    row.assignee = _able(work, wish.to)
    record(work, "task.assign", row.device or "-", {"task": row.id, "assignee": row.assignee, "incident": row.incident})
    return row


def of_incident(rows: Session, incident: int, opened_ms: int) -> Task | None:
    """The task of an incident that is not done."""
    wanted = select(Task).where(Task.incident == incident, Task.incident_ms == opened_ms, Task.state != "done")
    return rows.scalars(wanted.order_by(Task.id.desc()).limit(1)).first()


def _new_of_incident(work: Work, wish: Wish) -> Task:
    known = work.rows.get(Device, wish.device) if wish.device else None
    row = Task(
        device=known.id if known else None,
        source=wish.source if known else None,
        text=fields.text("text", wish.text, 500, least=1, lines=True),
        assignee=_able(work, wish.to) if wish.to else None,
        by=work.actor.name,
        created_ms=work.now_ms,
        incident=wish.incident,
        incident_ms=wish.opened_ms,
        link=wish.link,
    )
    work.rows.add(row)
    work.rows.flush()
    detail = {"task": row.id, "assignee": row.assignee, "incident": row.incident}
    record(work, "task.assign", row.device or "-", detail)
    return row


def _able(work: Work, login: str | None) -> str:
    """The login of somebody who can do it. P-404 for others, also who is shut out."""
    person = person_row(work.rows, login)
    if person.disabled:
        raise unknown(_("person"), login)
    return person.login


def take(work: Work, task: int) -> Task:
    """open → taken, by the actor. P-409 `taken` if somebody else has it."""
    row = _row(work, task, "task.take")
    if row.state == "taken" and row.assignee == work.actor.name:
        return row
    if row.state != "open" or row.assignee not in (None, work.actor.name):
        raise _somebody_elses(work, row)
    row.assignee = person_row(work.rows, work.actor.name).login
    row.state, row.taken_ms = "taken", work.now_ms
    record(work, "task.take", row.device or "-", {"task": row.id})
    return row


def done(work: Work, task: int, note: str = "") -> Task:
    """open, taken → done."""
    row = _row(work, task, "task.done")
    if row.state == "done" and row.assignee == work.actor.name:
        return row
    if row.state == "done" or (work.actor.role == "technician" and row.assignee not in (None, work.actor.name)):
        raise _somebody_elses(work, row)
    if work.actor.role == "technician":
        row.assignee = work.actor.name
    row.state, row.done_ms = "done", work.now_ms
    row.taken_ms = row.taken_ms or work.now_ms
    row.note = fields.text("note", note, 500, lines=True) or row.note
    record(work, "task.done", row.device or "-", {"task": row.id})
    return row


def note(work: Work, task: int, note: str) -> Task:
    """Write down something about a task."""
    row = _row(work, task, "task.note")
    if work.actor.role == "technician" and row.assignee not in (None, work.actor.name):
        raise _somebody_elses(work, row)
    row.note = fields.text("note", note, 500, lines=True)
    record(work, "task.note", row.device or "-", {"task": row.id})
    return row


def _row(work: Work, task: Any, act: str) -> Task:
    """The task, for somebody who may do `act` to it."""
    must(work, act, task)
    found = work.rows.get(Task, task) if is_row_number(task) else None
    if found is None:
        raise unknown(_("task"), task)
    device = work.rows.get(Device, found.device) if found.device else None
    if device:
        must_be_near(work, district_of(work.rows, device))
    return found


def _somebody_elses(work: Work, row: Task) -> Refused:
    device = work.rows.get(Device, row.device) if row.device else None
    return Refused(
        "P-409",
        "taken",
        _("%(by)s has this task since %(since_ms)s."),
        _("Choose another task, or call the office."),
        by=person_name(work.rows, row.assignee or row.by),
        site=site_name(work.rows, device.site if device else None),
        since_ms=row.done_ms or row.taken_ms or row.created_ms,
    )
