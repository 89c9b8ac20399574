"""People who get alerts, and when."""

from dataclasses import dataclass

from kewang.ui.words import Language
from provisioning.inventory import Contact, Shift, Work


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
    raise NotImplementedError


def change(work: Work, contact: int, to: NewContact, shifts: tuple[NewShift, ...]) -> Contact:
    """Write a contact and its shifts anew."""
    raise NotImplementedError


def remove(work: Work, contact: int) -> None:
    """Forget a contact and its shifts."""
    raise NotImplementedError


def on_duty(shifts: list[Shift], weekday: int, minute: int) -> bool:
    """Whether one of `shifts` covers ISO `weekday` at `minute` of the day."""
    raise NotImplementedError
