"""People who get alerts, and when."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, get_args

from sqlalchemy import delete, func, select

from kewang.ui.words import LANGUAGES, Language
from kewang.wire.roster import CONTACTS_LIMIT, SHIFTS_LIMIT
from kewang.wire.roster import Shift as WireShift
from provisioning.acts import fields
from provisioning.acts.rights import must
from provisioning.acts.rows import is_row_number
from provisioning.inventory import Contact, Shift, Work
from provisioning.inventory.audit import record
from provisioning.inventory.people_tables import Channel
from provisioning.refusals import Refused, unknown

_ADDRESSES: Final = {
    "whatsapp": re.compile(r"\+[0-9]{6,15}"),
    "sms": re.compile(r"\+[0-9]{6,15}"),
    "email": re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"),
    "telegram": re.compile(r"@[A-Za-z0-9_]{5,32}|-?[0-9]{5,20}"),
    "webhook": re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?=&%-]*)?"),
}
_DAY: Final = 1440


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class NewContact:
    """Somebody to be told, by one channel: `whatsapp`, `sms`, `email`, `telegram`, `webhook`."""

    name: str
    channel: str
    address: str
    language: Language = "id"
    district: str | None = None


@dataclass(frozen=True)
class NewShift:
    """`weekdays` as ISO numbers (`12345`), minutes of the city's day; over midnight if `to_minute` <= `from_minute`."""

    weekdays: str
    from_minute: int
    to_minute: int


def add(work: Work, contact: NewContact, shifts: tuple[NewShift, ...] = ()) -> Contact:
    """Add a contact with shifts."""
    must(work, "contact.put", "new")
    if (work.rows.scalar(select(func.count()).select_from(Contact)) or 0) >= CONTACTS_LIMIT:
        raise Refused(
            "P-409", "full", _("There are %(most)s contacts already."), _("Forget one first."), most=CONTACTS_LIMIT
        )
    row = Contact()
    _write(work, row, contact, shifts)
    record(work, "contact.put", str(row.id), {"channel": row.channel, "name": row.name, "shifts": len(shifts)})
    return row


def change(work: Work, contact: int, to: NewContact, shifts: tuple[NewShift, ...]) -> Contact:
    """Write a contact and its shifts anew."""
    must(work, "contact.put", contact)
    row = _row(work, contact)
    _write(work, row, to, shifts)
    record(work, "contact.put", str(row.id), {"channel": row.channel, "name": row.name, "shifts": len(shifts)})
    return row


def remove(work: Work, contact: int) -> None:
    """Forget a contact and its shifts."""
    must(work, "contact.remove", contact)
    row = _row(work, contact)
    work.rows.execute(delete(Shift).where(Shift.contact == row.id))
    work.rows.delete(row)
    work.rows.flush()
    record(work, "contact.remove", str(contact), {"name": row.name})


def on_duty(shifts: Iterable[Shift], weekday: int, minute: int) -> bool:
    """Whether one of `shifts` covers ISO `weekday` at `minute` of the day; a contact without shifts always is."""
    every = [as_told(shift) for shift in shifts]
    return not every or any(shift.covers(weekday, minute) for shift in every)


def as_told(shift: Shift) -> WireShift:
    """The shift as the gateway is told of it."""
    return WireShift(weekdays=shift.weekdays, from_minute=shift.from_minute, to_minute=shift.to_minute)


def _row(work: Work, contact: Any) -> Contact:
    found = work.rows.get(Contact, contact) if is_row_number(contact) else None
    if found is None:
        raise unknown(_("contact"), contact)
    return found


def _write(work: Work, row: Contact, contact: NewContact, shifts: tuple[NewShift, ...]) -> None:
    row.name = fields.text("name", contact.name, 64, least=1)
    row.channel = fields.one_of("channel", contact.channel, get_args(Channel))
    row.address = fields.text("address", contact.address, 200, least=1)
    if not _ADDRESSES[row.channel].fullmatch(row.address):
        raise fields.refuse("address", _("%(field_word)s does not fit the channel %(channel)s."), channel=row.channel)
    row.language = fields.one_of("language", contact.language, LANGUAGES)
    row.district = fields.optional_slug("district", contact.district)
    row.changed_ms = work.now_ms
    made = [_shift(shift) for shift in shifts]
    if len(made) > SHIFTS_LIMIT:
        raise fields.refuse("shift", _("%(field_word)s is wrong."))
    work.rows.add(row)
    work.rows.flush()
    work.rows.execute(delete(Shift).where(Shift.contact == row.id))
    for shift in made:
        shift.contact = row.id
        work.rows.add(shift)
    work.rows.flush()


def _shift(shift: NewShift) -> Shift:
    days: object = shift.weekdays
    if not isinstance(days, str) or not re.fullmatch(r"[1-7]{1,7}", days) or len(set(days)) != len(days):
        raise fields.refuse("shift", _("%(field_word)s is wrong."))
    minutes: tuple[object, object] = (shift.from_minute, shift.to_minute)
    if not all(isinstance(minute, int) and not isinstance(minute, bool) for minute in minutes):
        raise fields.refuse("shift", _("%(field_word)s is wrong."))
    if not (0 <= shift.from_minute < _DAY and 0 < shift.to_minute <= _DAY):
        raise fields.refuse("shift", _("%(field_word)s is wrong."))
    return Shift(weekdays="".join(sorted(days)), from_minute=shift.from_minute, to_minute=shift.to_minute)
