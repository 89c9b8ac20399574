"""Visits: what a technician did at a device, step by step, with pictures."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal, get_args

from sqlalchemy import delete, func, select, update

from provisioning.acts import fields
from provisioning.acts.devices import Spot
from provisioning.acts.maintenance import close_now, open_now
from provisioning.acts.rights import must, must_be_near
from provisioning.acts.rows import device_row, district_of, person_row, site_row, visit_row
from provisioning.inventory import Device, Photo, PhotoKind, Visit, VisitKind, Work
from provisioning.inventory.audit import record
from provisioning.pictures import PHOTOS
from provisioning.refusals import Refused, answered_differently, not_allowed

Result = Literal["green", "amber", "red", "left"]
"""`left`: the technician went away without an end."""
STEPS_LIMIT: Final = 200


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Picture:
    """A picture that lies in `photos/{sha256}` already. `expires_ms`: None keeps it as long as its visit."""

    sha256: str
    kind: PhotoKind
    taken_ms: int
    source: str | None = None
    expires_ms: int | None = None


def start(
    work: Work,
    visit: str,
    device: str,
    kind: VisitKind,
    *,
    site: str | None = None,
    spot: Spot | None = None,
    started_ms: int | None = None,
) -> Visit:
    """Begin the visit with the phone's own id `visit` (UUID), and maintenance with it. Again: the same visit."""
    must(work, "visit.start", device)
    row = device_row(work.rows, device)
    where = site_row(work.rows, site) if site else None
    must_be_near(work, where.district if where else district_of(work.rows, row))
    name = fields.uuid_text("visit", visit)
    kind_ = fields.one_of("kind", kind, get_args(VisitKind))
    if known := work.rows.get(Visit, name):
        if (known.device, known.kind, known.person) == (device, kind_, work.actor.name):
            return known
        raise answered_differently(name)
    made = _new_visit(work, name, row, kind_, where.id if where else row.site, spot, started_ms)
    open_now(work, row, visit=name, why=kind_)
    record(work, "visit.start", device, {"visit": name, "kind": kind_, "site": made.site})
    return made


def step(work: Work, visit: str, name: str, at_ms: int) -> Visit:
    """Note that a step was reached at Unix ms `at_ms`. The same step again changes nothing."""
    must(work, "visit.step", visit)
    row = _own(work, visit)
    said = fields.slug("step", name)
    if any(done["step"] == said for done in row.steps):
        return row
    if len(row.steps) >= STEPS_LIMIT:
        raise fields.refuse("step", _("%(field_word)s is too long: at most %(limit)s characters."), limit=STEPS_LIMIT)
    row.steps = [*row.steps, {"step": said, "ms": fields.phone_ms(at_ms, work.now_ms)}]
    work.rows.flush()
    record(work, "visit.step", row.device, {"visit": row.id, "step": said})
    return row


def finish(
    work: Work, visit: str, result: Result, *, reason: str = "", finished_ms: int | None = None, zone: tzinfo = UTC
) -> Visit:
    """End the visit and its maintenance. Green and amber get a number (`visit.number`); amber and red need a reason.

    Red: something does not work and can't be mended today; the device stays in its state.

    Does not accept the device: call `devices.accept` in the same `Work`. Again with the same result: the same visit.
    `zone` says which year it is for the number.
    """
    must(work, "visit.finish", visit)
    row = _own(work, visit)
    said = fields.one_of("result", result, get_args(Result))
    if row.finished_ms is not None:
        if row.result == said:
            return row
        raise answered_differently(row.id)
    row.reason = fields.text("reason", reason, 500, least=0 if said in ("green", "left") else 3, lines=True)
    row.finished_ms = max(row.started_ms, fields.phone_ms(finished_ms, work.now_ms))
    row.result = said
    if said in ("green", "amber"):
        row.year, row.ordinal = _next_number(work, zone)
    work.rows.flush()
    close_now(work, device_row(work.rows, row.device))
    why = {"reason": row.reason} if row.reason else {}
    record(work, "visit.finish", row.device, {"visit": row.id, "result": said, "number": row.number, **why})
    return row


def add_photo(work: Work, device: str, picture: Picture, *, visit: str | None = None) -> Photo:
    """Note a picture of a visit, or a thumbnail. The same picture again is the same row; a thumbnail's is newer."""
    must(work, "photo.add", device)
    row = device_row(work.rows, device)
    seen = _own(work, visit) if visit else None
    if seen and seen.device != device:
        raise answered_differently(seen.id)
    if seen is None and work.actor.role != "device":
        must_be_near(work, district_of(work.rows, row))
    if work.actor.role == "device" and work.actor.name != f"device:{device}":
        raise not_allowed("photo.add")
    made = _photo(work, row, picture, seen.id if seen else None)
    of = (Photo.device == device, Photo.kind == made.kind, Photo.visit == made.visit, Photo.source == made.source)
    if known := work.rows.scalars(select(Photo).where(Photo.sha256 == made.sha256, *of)).first():
        if made.kind == "thumbnail":  # a camera that hangs shows what it showed at an earlier visit
            known.taken_ms, known.expires_ms = made.taken_ms, made.expires_ms
        return known
    work.rows.add(made)
    work.rows.flush()
    record(work, "photo.add", device, {"visit": made.visit, "kind": made.kind, "sha256": made.sha256})
    return made


def ask_pictures(work: Work, visit: str) -> None:
    """Thumbnails that came during this open visit are over now: its box is asked for new ones."""
    must(work, "visit.pictures", visit)
    row = _own(work, visit)
    if row.finished_ms is not None:
        raise answered_differently(row.id)
    shown = (Photo.device == row.device, Photo.kind == "thumbnail", Photo.expires_ms > work.now_ms)
    work.rows.execute(update(Photo).where(*shown).values(expires_ms=work.now_ms))
    record(work, "visit.pictures", row.device, {"visit": row.id})


def drop_expired_photos(work: Work) -> list[str]:
    """Forget pictures whose time is over (for `upkeep`) and delete their files; the hashes.

    A file is deleted before the rows are kept as gone: a power cut between leaves a row whose picture is missing, and
    the next call ends it.
    """
    must(work, "photo.expire", "photos")
    over = work.rows.scalars(select(Photo).where(Photo.expires_ms <= work.now_ms)).all()
    hashes = sorted({photo.sha256 for photo in over})
    work.rows.execute(delete(Photo).where(Photo.id.in_([photo.id for photo in over])))
    needed = set(work.rows.scalars(select(Photo.sha256).where(Photo.sha256.in_(hashes))))
    for name in hashes:
        if name not in needed:
            (work.folder / PHOTOS / name).unlink(missing_ok=True)
    if hashes:
        record(work, "photo.expire", "photos", {"count": len(hashes)})
    return hashes


def _new_visit(
    work: Work, name: str, device: Device, kind: str, site: str | None, spot: Spot | None, started_ms: Any
) -> Visit:
    lat, lon = fields.position(spot.lat, spot.lon) if spot else (None, None)
    made = Visit(
        id=name,
        device=device.id,
        person=person_row(work.rows, work.actor.name).login,
        kind=kind,
        site=site,
        lat=lat,
        lon=lon,
        accuracy_m=fields.metres("accuracy", spot.accuracy_m) if spot else None,
        steps=[],
        started_ms=fields.phone_ms(started_ms, work.now_ms),
    )
    work.rows.add(made)
    work.rows.flush()
    return made


def _own(work: Work, visit: str) -> Visit:
    """The visit, if it is the actor's own or the actor is of the office."""
    row = visit_row(work.rows, visit)
    if work.actor.role == "technician" and row.person != work.actor.name:
        raise Refused(
            "P-403", "visit", _("This visit is of somebody else."), _("Begin a visit of your own."), visit=row.id
        )
    return row


def _photo(work: Work, device: Device, picture: Picture, visit: str | None) -> Photo:
    return Photo(
        sha256=fields.sha256(picture.sha256),
        kind=fields.one_of("photo", picture.kind, get_args(PhotoKind)),
        device=device.id,
        source=None if picture.source is None else fields.source(picture.source),
        visit=visit,
        taken_ms=fields.phone_ms(picture.taken_ms, work.now_ms),
        expires_ms=picture.expires_ms,
    )


def _next_number(work: Work, zone: tzinfo) -> tuple[int, int]:
    year = datetime.fromtimestamp(work.now_ms / 1000, zone).year
    last = work.rows.scalar(select(func.max(Visit.ordinal)).where(Visit.year == year))
    return year, (last or 0) + 1
