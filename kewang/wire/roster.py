"""Who gets alerts and when they are on duty, as provisioning's office page has it and the gateway asks for it.

`GET /api/v1/roster` of the web app, with the token that both have (`Authorization: Bearer ...`) and `If-None-Match`.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from kewang.wire.models import Message, Version

PATH: Final = "/api/v1/roster"
CONTACTS_LIMIT: Final = 500
SHIFTS_LIMIT: Final = 20
TECHNICIANS_LIMIT: Final = 1000
LIMIT_BYTES: Final = 2 << 20
"""A longer answer is none: all contacts with all their shifts, and 10,000 sites, are shorter."""

ContactChannel = Literal["whatsapp", "sms", "email", "telegram", "webhook"]
_Slug = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


class Shift(Message):
    """ISO weekdays (`12345`), minutes of the city's day; over midnight if `to_minute` <= `from_minute`."""

    weekdays: Annotated[str, Field(pattern=r"^[1-7]{1,7}$")]
    from_minute: Annotated[int, Field(ge=0, le=1439)]
    to_minute: Annotated[int, Field(ge=1, le=1440)]

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether somebody on this shift is on duty on ISO `weekday` at `minute` of the day."""
        today = str(weekday) in self.weekdays
        if self.from_minute < self.to_minute:
            return today and self.from_minute <= minute < self.to_minute
        yesterday = str((weekday - 2) % 7 + 1) in self.weekdays
        return (today and minute >= self.from_minute) or (yesterday and minute < self.to_minute)


class Contact(Message):
    """Somebody to be told, by one channel. `district` None: of the whole city. Without shifts: always on duty."""

    name: Annotated[str, Field(max_length=64)]
    channel: ContactChannel
    address: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
    language: Literal["id", "en"]
    district: _Slug | None = None
    shifts: Annotated[tuple[Shift, ...], Field(max_length=SHIFTS_LIMIT)] = ()

    def on_duty(self, weekday: int, minute: int) -> bool:
        """On ISO `weekday` at `minute` of the city's day."""
        return not self.shifts or any(shift.covers(weekday, minute) for shift in self.shifts)


class Technician(Message):
    """Somebody who may be given a task. `district` None: of the whole city."""

    login: Annotated[str, Field(pattern=r"^[a-z0-9._-]{2,32}$")]
    name: Annotated[str, Field(max_length=64)]
    language: Literal["id", "en"]
    district: _Slug | None = None


class Roster(Message):
    """All contacts, the city's time zone by its name, the district of every site that has one, and technicians."""

    v: Version = 1
    time_zone: Annotated[str, Field(min_length=1, max_length=64)]
    contacts: Annotated[tuple[Contact, ...], Field(max_length=CONTACTS_LIMIT)] = ()
    districts: Annotated[dict[_Slug, _Slug], Field(max_length=10_000)] = Field(default_factory=dict)
    technicians: Annotated[tuple[Technician, ...], Field(max_length=TECHNICIANS_LIMIT)] = ()
