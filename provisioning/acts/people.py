"""People who may log in: who they are, their passwords."""

from dataclasses import dataclass
from typing import get_args

from sqlalchemy import func, select, update

from kewang.ui.words import LANGUAGES, Language
from provisioning.acts import fields, passwords
from provisioning.acts.rights import must
from provisioning.acts.rows import person_row
from provisioning.inventory import LoginSession, Person, Role, Work
from provisioning.inventory.audit import record
from provisioning.refusals import Refused


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class NewPerson:
    """Somebody to let in. A technician without a district works in every one."""

    login: str
    name: str
    role: Role
    phone: str = ""
    district: str | None = None
    language: Language = "id"


@dataclass(frozen=True)
class PersonChange:
    """What is to be different; None leaves as it is. `district` "" means every district."""

    name: str | None = None
    phone: str | None = None
    role: Role | None = None
    district: str | None = None
    language: Language | None = None


def add(work: Work, person: NewPerson, password: str | None = None) -> tuple[Person, str]:
    """Let somebody in; the person and the password, which is made up if none is given and can't be read again."""
    must(work, "person.add", person.login)
    login = fields.login(person.login)
    if work.rows.get(Person, login):
        raise Refused("P-409", "person", _("The login name %(login)s is taken."), _("Choose another."), login=login)
    chosen = passwords.made_up() if password is None else passwords.judged(password, login)
    row = Person(
        login=login,
        name=fields.text("name", person.name, 64, least=1),
        phone=fields.phone(person.phone),
        role=fields.one_of("role", person.role, get_args(Role)),
        district=fields.optional_slug("district", person.district),
        language=fields.one_of("language", person.language, LANGUAGES),
        password_hash=passwords.hashed(chosen),
        created_ms=work.now_ms,
        changed_ms=work.now_ms,
    )
    work.rows.add(row)
    work.rows.flush()
    record(work, "person.add", login, {"role": row.role, "district": row.district})
    return row, chosen


def change(work: Work, login: str, change: PersonChange) -> Person:
    """Change what is known of somebody. The last administrator who may log in stays one (P-409)."""
    must(work, "person.change", login)
    row = person_row(work.rows, login)
    if change.name is not None:
        row.name = fields.text("name", change.name, 64, least=1)
    if change.phone is not None:
        row.phone = fields.phone(change.phone)
    if change.role is not None:
        if change.role != "admin":
            _not_the_last_admin(work, row)
        row.role = fields.one_of("role", change.role, get_args(Role))
    if change.district is not None:
        row.district = fields.optional_slug("district", change.district)
    if change.language is not None:
        row.language = fields.one_of("language", change.language, LANGUAGES)
    row.changed_ms = work.now_ms
    work.rows.flush()
    record(work, "person.change", login, {"role": row.role, "district": row.district, "name": row.name})
    return row


def set_language(work: Work, language: Language) -> Person:
    """The actor's own language, for the pages."""
    work.doing.update(act="person.language", subject=work.actor.name)
    row = person_row(work.rows, work.actor.name)
    row.language = fields.one_of("language", language, LANGUAGES)
    record(work, "person.language", row.login, {"language": row.language})
    return row


def set_password(work: Work, login: str, password: str | None = None, *, instead_of: str | None = None) -> str:
    """A new password, made up if none is given; all sessions of the person end. Own password, or as administrator.

    `instead_of`: the hash that was proven; P-409 if somebody has changed it since.
    """
    if login == work.actor.name:
        work.doing.update(act="person.password", subject=login)
    else:
        must(work, "person.password", login)
    row = person_row(work.rows, login)
    if instead_of is not None and row.password_hash != instead_of:
        raise Refused(
            "P-409", "password", _("The password was changed meanwhile."), _("Log in with the new one, then try again.")
        )
    chosen = passwords.made_up() if password is None else passwords.judged(password, row.login)
    row.password_hash, row.changed_ms = passwords.hashed(chosen), work.now_ms
    end_sessions(work, row.login)
    record(work, "person.password", row.login)
    return chosen


def disable(work: Work, login: str) -> Person:
    """Shut somebody out: no login from now on, all sessions end. Not the last administrator."""
    must(work, "person.disable", login)
    row = person_row(work.rows, login)
    if row.disabled:
        return row
    _not_the_last_admin(work, row)
    row.disabled, row.changed_ms = True, work.now_ms
    ended = end_sessions(work, row.login)
    record(work, "person.disable", row.login, {"sessions": ended})
    return row


def enable(work: Work, login: str) -> Person:
    """Let somebody in again."""
    must(work, "person.enable", login)
    row = person_row(work.rows, login)
    if row.disabled:
        row.disabled, row.changed_ms = False, work.now_ms
        record(work, "person.enable", row.login)
    return row


def end_sessions(work: Work, login: str) -> int:
    """End every session of a person, without an audit row; how many."""
    open_ones = (LoginSession.person == login, LoginSession.ended_ms.is_(None))
    count = work.rows.scalar(select(func.count()).select_from(LoginSession).where(*open_ones)) or 0
    work.rows.execute(update(LoginSession).where(*open_ones).values(ended_ms=work.now_ms))
    return count


def _not_the_last_admin(work: Work, row: Person) -> None:
    others = (Person.role == "admin", Person.disabled.is_(False), Person.login != row.login)
    if row.role == "admin" and not work.rows.scalar(select(func.count()).select_from(Person).where(*others)):
        raise Refused(
            "P-409",
            "last-admin",
            _("%(login)s is the last administrator."),
            _("Make somebody else an administrator first."),
            login=row.login,
        )
