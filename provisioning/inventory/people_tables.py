"""The tables about people, what they are asked to do, and what was done."""

from typing import Any, Literal, get_args

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from kewang.ui.words import LANGUAGES
from provisioning.inventory.base import HEX, LOGIN, SLUG, Base, at_most, between, letters, one_of
from provisioning.inventory.tables import RowId

Role = Literal["technician", "operator", "admin"]
Channel = Literal["whatsapp", "sms", "email", "telegram", "webhook"]
TaskState = Literal["open", "taken", "done"]


class Person(Base):
    """Somebody who may log in. `district` limits a technician to the sites of one district."""

    __tablename__ = "person"
    __table_args__ = (
        *letters("login", LOGIN, 2, 32),
        at_most("name", 64),
        at_most("phone", 32),
        one_of("role", get_args(Role)),
        *letters("district", SLUG, 1, 64),
        one_of("language", LANGUAGES),
    )

    login: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(default="")
    role: Mapped[str]
    district: Mapped[str | None]
    language: Mapped[str] = mapped_column(default="id")
    password_hash: Mapped[str]
    disabled: Mapped[bool] = mapped_column(default=False)
    created_ms: Mapped[int]
    changed_ms: Mapped[int]


class LoginSession(Base):
    """One login. `id_hash` is SHA-256 of the session's id, which only the cookie holds."""

    __tablename__ = "login_session"
    __table_args__ = (*letters("id_hash", HEX, 64, 64), Index(None, "person", "ended_ms"))

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.login"))
    created_ms: Mapped[int]
    seen_ms: Mapped[int]
    ended_ms: Mapped[int | None]


class Contact(Base):
    """Somebody who gets alerts, by one channel."""

    __tablename__ = "contact"
    __table_args__ = (
        at_most("name", 64),
        one_of("channel", get_args(Channel)),
        at_most("address", 200),
        one_of("language", LANGUAGES),
        *letters("district", SLUG, 1, 64),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str]
    channel: Mapped[str]
    address: Mapped[str]
    language: Mapped[str] = mapped_column(default="id")
    district: Mapped[str | None]
    changed_ms: Mapped[int]


class Shift(Base):
    """When a contact is on duty: ISO weekdays (`12345`), minutes of the city's day; over midnight if to <= from."""

    __tablename__ = "shift"
    __table_args__ = (
        *letters("weekdays", "1-7", 1, 7),
        between("from_minute", 0, 1439),
        between("to_minute", 1, 1440),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    contact: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"))
    weekdays: Mapped[str]
    from_minute: Mapped[int]
    to_minute: Mapped[int]


class Task(Base):
    """Something a technician is asked to do: a fault, or a wish of the office.

    `incident`, `incident_ms`: number of the gateway's incident it is about, and when that opened; `link`: its page.
    """

    __tablename__ = "task"
    __table_args__ = (
        at_most("text", 500),
        at_most("note", 500),
        at_most("link", 300),
        one_of("state", get_args(TaskState)),
        Index(None, "assignee", "state"),
        Index(None, "device", "state"),
        Index(None, "incident"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    device: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    source: Mapped[str | None]
    text: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    assignee: Mapped[str | None] = mapped_column(ForeignKey("person.login"))
    state: Mapped[str] = mapped_column(default="open")
    by: Mapped[str]
    created_ms: Mapped[int]
    taken_ms: Mapped[int | None]
    done_ms: Mapped[int | None]
    incident: Mapped[int | None]
    incident_ms: Mapped[int | None]
    link: Mapped[str] = mapped_column(default="")


class Request(Base):
    """A request that a phone may send again: the second time it gets the first time's answer."""

    __tablename__ = "request"
    __table_args__ = (*letters("id", HEX + "-", 36, 36), Index(None, "done_ms"))

    id: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    digest: Mapped[str]
    answer: Mapped[dict[str, Any]]
    done_ms: Mapped[int]


class Audit(Base):
    """What was done. `hash` covers the row and the hash before it; rows are never changed or deleted."""

    __tablename__ = "audit"
    __table_args__ = (
        *letters("hash", HEX, 64, 64),
        *letters("previous", HEX, 64, 64),
        Index(None, "subject", "number"),
        Index(None, "actor", "time_ms"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time_ms: Mapped[int]
    actor: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str]
