"""The inventory, the technicians' work and the audit log as CSV files, for offices and spreadsheets."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from statistics import median
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kewang.ui.words import Language, words
from provisioning.acts import csv_files
from provisioning.acts.rights import must
from provisioning.inventory import Audit, Certificate, Device, Person, Site, Task, Visit, Work
from provisioning.inventory.audit import HOUR_MS, record

_UNFINISHED: Final = "unfinished"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Done:
    """What one technician did in a span: visits that ended green or amber by kind, those that did not, and tasks.

    `unfinished` are visits that ended red, of any kind; `repairs` are tasks done; `repair_h` the median of the hours
    from a task's beginning to its end, None without one.
    """

    person: str
    name: str
    installs: int
    replacements: int
    moves: int
    retirements: int
    checks: int
    unfinished: int
    repairs: int
    repair_h: float | None


def work_done(rows: Session, from_ms: int, to_ms: int) -> list[Done]:
    """What every technician did from Unix ms `from_ms` up to `to_ms`, by login."""
    ended = (Visit.finished_ms >= from_ms, Visit.finished_ms < to_ms)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for person, kind, result in rows.execute(select(Visit.person, Visit.kind, Visit.result).where(*ended)):
        counts[person][kind if result in ("green", "amber") else _UNFINISHED] += 1
    hours: defaultdict[str, list[float]] = defaultdict(list)
    for task in rows.scalars(select(Task).where(Task.done_ms >= from_ms, Task.done_ms < to_ms)):
        if task.assignee and task.done_ms:
            hours[task.assignee].append((task.done_ms - task.created_ms) / HOUR_MS)
    people = rows.scalars(select(Person).order_by(Person.login)).all()
    worked = [one for one in people if one.role == "technician" or one.login in counts or one.login in hours]
    return [_done(one, counts[one.login], hours[one.login]) for one in worked]


def work_csv(work: Work, from_ms: int, to_ms: int, language: Language) -> str:
    """`work_done` as a file."""
    must(work, "work.export", "work")
    done = work_done(work.rows, from_ms, to_ms)
    record(work, "work.export", "work", {"from": from_ms, "to": to_ms})
    header = [
        _("login name"), _("name"), _("installed"), _("replaced"), _("moved"), _("taken down"), _("checked"),
        _("not finished"), _("repairs"), _("time to repair (h, median)"),
    ]  # fmt: skip
    return csv_files.write(_translated(header, language), [list(asdict(one).values()) for one in done])


def inventory_csv(work: Work, language: Language, zone: tzinfo) -> str:
    """Every device, where it is and how its certificate stands."""
    must(work, "inventory.export", "inventory")
    ends = _ends(work.rows)
    sites = {site.id: site for site in work.rows.scalars(select(Site))}
    devices = work.rows.scalars(select(Device).order_by(Device.id)).all()
    record(work, "inventory.export", "inventory", {"count": len(devices)})
    header = [
        _("device id"), _("kind"), _("model"), _("serial number"), _("fingerprint"), _("state"), _("since"),
        _("site id"), _("site name"), _("latitude"), _("longitude"), _("installed by"), _("certificate until"),
        _("note"),
    ]  # fmt: skip
    rows = (_device_row(device, sites.get(device.site or ""), ends.get(device.id), zone) for device in devices)
    return csv_files.write(_translated(header, language), rows)


def audit_csv(work: Work, from_ms: int, to_ms: int, language: Language, zone: tzinfo) -> str:
    """The rows of the audit log of a span."""
    must(work, "audit.export", "audit")
    span = select(Audit).where(Audit.time_ms >= from_ms, Audit.time_ms < to_ms).order_by(Audit.number)
    found = work.rows.scalars(span).all()
    record(work, "audit.export", "audit", {"from": from_ms, "to": to_ms})
    header = [_("number"), _("time"), _("who"), _("act"), _("subject"), _("detail"), _("hash")]
    rows = ([r.number, _time(r.time_ms, zone), r.actor, r.act, r.subject, r.detail, r.hash] for r in found)
    return csv_files.write(_translated(header, language), rows)


def _done(person: Person, visits: Counter[str], hours: list[float]) -> Done:
    return Done(
        person=person.login,
        name=person.name,
        installs=visits["install"],
        replacements=visits["replace"],
        moves=visits["move"],
        retirements=visits["retire"],
        checks=visits["check"],
        unfinished=visits[_UNFINISHED],
        repairs=len(hours),
        repair_h=round(median(hours), 2) if hours else None,
    )


def _ends(rows: Session) -> dict[str, int]:
    """Until when each device's newest certificate holds."""
    good = select(Certificate.subject, func.max(Certificate.to_ms)).where(Certificate.revoked_ms.is_(None))
    return {row[0]: row[1] for row in rows.execute(good.group_by(Certificate.subject))}


def _device_row(device: Device, site: Site | None, to_ms: int | None, zone: tzinfo) -> list[object]:
    lat = device.lat if device.lat is not None or site is None else site.lat
    lon = device.lon if device.lon is not None or site is None else site.lon
    return [
        device.id, device.kind, device.model, device.serial, device.fingerprint, device.state,
        _time(device.state_ms, zone), device.site, site.name if site else None, lat, lon, device.placed_by,
        _time(to_ms, zone), device.note,
    ]  # fmt: skip


def _time(date_ms: int | None, zone: tzinfo) -> str | None:
    if date_ms is None:
        return None
    return datetime.fromtimestamp(date_ms / 1000, zone).isoformat(sep=" ", timespec="seconds")


def _translated(texts: Iterable[str], language: Language) -> list[str]:
    return [words(language).gettext(text) for text in texts]
