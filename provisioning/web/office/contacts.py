"""Who gets alerts, by which channel, and on which shifts."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Final, cast, get_args

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.ui.words import LANGUAGES
from provisioning.acts import contacts
from provisioning.acts import fields as checks
from provisioning.acts.contacts import NewContact, NewShift
from provisioning.inventory import Contact, Shift
from provisioning.inventory.people_tables import Channel
from provisioning.refusals import unknown
from provisioning.web.office import reads
from provisioning.web.office.forms import Choice, Field, Form, days_in
from provisioning.web.office.house import House
from provisioning.web.office.people import TONGUES
from provisioning.web.office_words import CHANNEL_WORDS

SHIFTS: Final = 4
"""Shifts that the form has room for; a contact that has more by other ways keeps its room."""
LATE_MS: Final = 600_000
"""The gateway asks each minute; people are told when it has not for so long."""
_EMPTY: Final = Shift(weekdays="", from_minute=-1, to_minute=-1)
Known = tuple[Contact, list[Shift]]


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Contacts:
    """`/office/contacts`, `/office/contact`, `/office/contact/{contact}/remove`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/contacts", self.list, methods=["GET"])
        router.add_api_route("/office/contact", self.ask_new, methods=["GET"])
        router.add_api_route("/office/contact", self.add, methods=["POST"])
        router.add_api_route("/office/contact/{contact}", self.ask, methods=["GET"])
        router.add_api_route("/office/contact/{contact}", self.change, methods=["POST"])
        router.add_api_route("/office/contact/{contact}/remove", self.ask_remove, methods=["GET"])
        router.add_api_route("/office/contact/{contact}/remove", self.remove, methods=["POST"])
        return router

    async def list(self, request: Request) -> Response:
        """Everybody, and who is on duty now."""
        who = await self._house.who(request)
        found = await self._house.desk.read(_all)
        now_ms, asked_ms = self._house.desk.inventory.clock_ms(), self._house.desk.asked.roster_ms
        now = datetime.fromtimestamp(now_ms / 1000, self._house.desk.options.zone)
        minute = now.hour * 60 + now.minute
        duty = {contact.id: contacts.on_duty(shifts, now.isoweekday(), minute) for contact, shifts in found}
        known = {"contacts": found, "duty": duty, "clock": clock, "asked_ms": asked_ms}
        known["late"] = asked_ms is None or now_ms - asked_ms > LATE_MS
        return await self._house.page(request, who, "contacts", known)

    async def ask_new(self, request: Request) -> Response:
        """The form, empty."""
        who = await self._house.who(request, "contact.put")
        return await self._house.form(request, who, await self._form(None))

    async def add(self, request: Request) -> Response:
        """Adds a contact."""
        who = await self._house.who(request, "contact.put")
        form = await self._form(None)
        return await self._house.act(
            request,
            who,
            lambda: form,
            lambda work, fields: contacts.add(work, _contact(fields), _shifts(fields, SHIFTS)),
            lambda _row: "/office/contacts?done=saved",
        )

    async def ask(self, contact: int, request: Request) -> Response:
        """The form of a contact."""
        who = await self._house.who(request, "contact.put")
        return await self._house.form(request, who, await self._form(await self._known(contact)))

    async def change(self, contact: int, request: Request) -> Response:
        """Writes a contact anew."""
        who = await self._house.who(request, "contact.put")
        known = await self._known(contact)
        form = await self._form(known)
        room = max(SHIFTS, len(known[1]))
        return await self._house.act(
            request,
            who,
            lambda: form,
            lambda work, fields: contacts.change(work, contact, _contact(fields), _shifts(fields, room)),
            lambda _row: "/office/contacts?done=saved",
        )

    async def ask_remove(self, contact: int, request: Request) -> Response:
        """What forgetting means."""
        who = await self._house.who(request, "contact.remove")
        return await self._house.form(request, who, _removal((await self._known(contact))[0]))

    async def remove(self, contact: int, request: Request) -> Response:
        """Forgets a contact."""
        who = await self._house.who(request, "contact.remove")
        known = await self._known(contact)
        return await self._house.act(
            request,
            who,
            lambda: _removal(known[0]),
            lambda work, fields: contacts.remove(work, contact),
            lambda _nothing: "/office/contacts?done=removed",
        )

    async def _known(self, contact: int) -> Known:
        found = await self._house.desk.read(lambda rows: _one(rows, contact))
        if found is None:
            raise unknown(_("contact"), str(contact)[:20])
        return found

    async def _form(self, known: Known | None) -> Form:
        districts = {site.district for site in await self._house.desk.read(reads.sites) if site.district}
        return _form(known, tuple(sorted(districts)))


def _all(rows: Session) -> list[Known]:
    shifts: defaultdict[int, list[Shift]] = defaultdict(list)
    for shift in rows.scalars(select(Shift).order_by(Shift.id)):
        shifts[shift.contact].append(shift)
    return [(row, shifts[row.id]) for row in rows.scalars(select(Contact).order_by(Contact.name, Contact.id))]


def _one(rows: Session, contact: int) -> Known | None:
    found = rows.get(Contact, contact) if 0 < contact < 2**63 else None
    if found is None:
        return None
    return found, list(rows.scalars(select(Shift).where(Shift.contact == contact).order_by(Shift.id)))


def clock(minute: int) -> str:
    """Minutes of the day as `08:00`; the day's end is `24:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}" if minute >= 0 else ""


def _minute(text: str, *, end: bool = False) -> int:
    """The inverse; an end at 00:00 is the day's end. Raises Refused P-400."""
    hours, _colon, minutes = text.strip()[:5].partition(":")
    if not (hours.isascii() and hours.isdecimal() and minutes.isascii() and minutes.isdecimal()):
        raise checks.refuse("shift", _("%(field_word)s: give its days, its beginning and its end."))
    found = int(hours) * 60 + int(minutes)
    return 1440 if end and found == 0 else found


def _shifts(fields: dict[str, str], room: int) -> tuple[NewShift, ...]:
    """Shifts that are filled in, all or in part: what is half is refused, not forgotten."""
    found = []
    for at in range(room):
        days, begin, end = days_in(fields, f"days{at}"), fields.get(f"from{at}", ""), fields.get(f"to{at}", "")
        if days or begin.strip() or end.strip():
            found.append(NewShift(days, _minute(begin), _minute(end, end=True)))
    return tuple(found)


def _contact(fields: dict[str, str]) -> NewContact:
    return NewContact(
        fields.get("name", ""),
        fields.get("channel", ""),
        fields.get("address", "").strip(),
        cast(Any, fields.get("language", "id")),
        fields.get("district", "").strip() or None,
    )


def _form(known: Known | None, districts: tuple[str, ...]) -> Form:
    contact, shifts = known or (Contact(name="", channel="whatsapp", address="", language="id", district=""), [])
    channels = tuple(Choice(each, CHANNEL_WORDS[each], say=True) for each in get_args(Channel))
    return Form(
        title=_("Change a contact") if known else _("Add a contact"),
        lead=_("Without a shift a contact is on duty always."),
        action=f"/office/contact/{contact.id}" if known else "/office/contact",
        back="/office/contacts",
        button=_("Save"),
        fields=(
            Field("name", _("Name"), value=contact.name, required=True),
            Field("channel", _("Channel"), "choice", contact.channel, choices=channels),
            Field("address", _("Address"), "code", contact.address, most=200, required=True,
                  hint=_("+62 number without spaces, e-mail address, @name, or https address")),
            Field("language", _("Language"), "choice", contact.language,
                  choices=tuple(Choice(each, TONGUES[each]) for each in LANGUAGES)),
            Field("district", _("District"), "code", contact.district or "", suggest=districts,
                  hint=_("Empty: alerts of the whole city.")),
            *(field for at in range(max(SHIFTS, len(shifts))) for field in _shift_fields(at, shifts)),
        ),
    )  # fmt: skip


def _shift_fields(at: int, shifts: list[Shift]) -> tuple[Field, ...]:
    shift = shifts[at] if at < len(shifts) else _EMPTY
    return (
        Field(f"days{at}", _("Shift: days"), "days", shift.weekdays),
        Field(f"from{at}", _("from"), "time", clock(shift.from_minute), most=5),
        Field(f"to{at}", _("to"), "time", clock(shift.to_minute % 1440 if shift.to_minute > 0 else -1), most=5),
    )


def _removal(contact: Contact) -> Form:
    return Form(
        title=_("Forget this contact?"),
        about=contact.name,
        lead=_("It gets no alert from now on."),
        action=f"/office/contact/{contact.id}/remove",
        back="/office/contacts",
        button=_("Forget it"),
        danger=True,
    )
