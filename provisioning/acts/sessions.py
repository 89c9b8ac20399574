"""Login sessions: begin by password, go on while used, end."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from provisioning.acts import fields, passwords
from provisioning.acts.people import end_sessions, set_password
from provisioning.acts.rights import must
from provisioning.inventory import Actor, Audit, Inventory, LoginSession, Person, Work
from provisioning.inventory.actor import NOBODY, ActorRole
from provisioning.inventory.audit import HOUR_MS, record
from provisioning.refusals import Refused

IDLE_MS: Final = 12 * HOUR_MS
"""A session that nobody used for so long is over."""
TOUCH_MS: Final = 60_000
"""How exact `seen_ms` is kept."""
KEEP_MS: Final = 90 * 24 * HOUR_MS
"""How long a session that is over is remembered."""
FAILURES: Final = 5
"""Wrong passwords for one login name within `FAILURES_MS`, before it has to wait."""
FAILURES_MS: Final = 15 * 60_000
FAILURES_AN_HOUR: Final = 300
"""Tries with names that nobody has that leave a row, at most."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Login:
    """A session that began: `sid` belongs into the cookie and nowhere else."""

    sid: str
    person: Person


def log_in(inventory: Inventory, login: object, password: object) -> Login:
    """A new session. P-401 for a wrong name or password, in the same time; P-429 after 5 failures in 15 min."""
    person = _proven(inventory, login, password)
    if person is None:
        raise _wrong()
    with inventory.writing(actor(person)) as work:
        return _begin(work, person.login, str(password), person.password_hash)


def change_password(inventory: Inventory, login: str, present: object, new: str) -> Login:
    """One's own password changed by who knows the `present` one: every session ends, and a new one begins.

    A wrong one (P-401) is counted as a failed login is, and after too many there is P-429. P-400 for a bad new one.
    """
    person = _proven(inventory, login, present)
    if person is None:
        raise Refused(
            "P-401",
            "present-password",
            _("The present password is wrong."),
            _("Type it again. Forgotten: the administrator gives you a new one."),
            audited=False,
        )
    if new == present:
        raise fields.refuse("password", _("The new password is the present one. Choose another."))
    with inventory.writing(actor(person)) as work:
        set_password(work, person.login, new, instead_of=person.password_hash)
        return _begin(work, person.login, new, work.rows.get_one(Person, person.login).password_hash)


def _proven(inventory: Inventory, login: object, password: object) -> Person | None:
    """The person whose password this is; None leaves a row about a failure. Raises P-429 after too many."""
    name = login if isinstance(login, str) and len(login) <= 32 and login.isascii() and login.isprintable() else "?"
    with inventory.reading() as rows:
        if _failures(rows, inventory.clock_ms(), name) >= FAILURES:
            raise _wait()
        person = rows.get(Person, name)
    right = passwords.is_right(person.password_hash if person else None, password)
    if person is not None and right and not person.disabled:
        return person
    with inventory.writing(NOBODY) as work:
        _record_failure(work, name if person else "?")
    return None


def find(rows: Session, sid: str, now_ms: int) -> Person | None:
    """The person of a session that is still good; None if it ended, idled too long or its person is shut out."""
    session = rows.get(LoginSession, _hash(sid))
    if session is None or session.ended_ms is not None or now_ms - session.seen_ms > IDLE_MS:
        return None
    person = rows.get(Person, session.person)
    return person if person and not person.disabled else None


def actor(person: Person) -> Actor:
    """Who the person is for acts."""
    roles: dict[str, ActorRole] = {"technician": "technician", "operator": "operator", "admin": "admin"}
    return Actor(person.login, roles[person.role], person.district)


def touch(work: Work, sid: str) -> None:
    """Note that the session is used (at most once in `TOUCH_MS`; no audit row)."""
    session = work.rows.get(LoginSession, _hash(sid))
    if session and work.now_ms - session.seen_ms >= TOUCH_MS:
        session.seen_ms = work.now_ms


def needs_touch(rows: Session, sid: str, now_ms: int) -> bool:
    """Whether `touch` would change anything, so that most requests need no writing."""
    session = rows.get(LoginSession, _hash(sid))
    return session is not None and now_ms - session.seen_ms >= TOUCH_MS


def log_out(work: Work, sid: str) -> None:
    """End the session."""
    session = work.rows.get(LoginSession, _hash(sid))
    if session and session.ended_ms is None:
        session.ended_ms = work.now_ms
        record(work, "session.end", session.person)


def end_all(work: Work, login: str) -> int:
    """End every session of a person (own, or as administrator); how many."""
    if login != work.actor.name:
        must(work, "person.end-sessions", login)
    ended = end_sessions(work, login)
    record(work, "person.end-sessions", str(login)[:32], {"sessions": ended})
    return ended


def forget_old(work: Work) -> int:
    """Forget sessions that were over `KEEP_MS` ago (for `upkeep`; no audit row); how many."""
    old = LoginSession.seen_ms < work.now_ms - KEEP_MS
    count = work.rows.scalar(select(func.count()).select_from(LoginSession).where(old)) or 0
    work.rows.execute(delete(LoginSession).where(old))
    return count


def _begin(work: Work, login: str, password: str, proven: str) -> Login:
    """The person is read again: it may have been shut out, or got another password than that of the hash `proven`."""
    sid = secrets.token_urlsafe(24)
    person = work.rows.get(Person, login)
    if person is None or person.disabled:
        raise _wrong()
    if person.password_hash != proven and not passwords.is_right(person.password_hash, password):
        raise _wrong()
    if passwords.is_old(person.password_hash):
        person.password_hash = passwords.hashed(password)
    session = LoginSession(id_hash=_hash(sid), person=login, created_ms=work.now_ms, seen_ms=work.now_ms)
    work.rows.add(session)
    work.rows.flush()
    record(work, "session.begin", login)
    return Login(sid, person)


def _record_failure(work: Work, name: str) -> None:
    """A name of ours always leaves its row, or its limit would end with that of all: at most `FAILURES` at a time."""
    if name != "?" or _count(work.rows, work.now_ms - HOUR_MS, Audit.subject == "?") < FAILURES_AN_HOUR:
        record(work, "session.failure", name)


def _failures(rows: Session, now_ms: int, name: str) -> int:
    """Failures for `name` since it last got in, within `FAILURES_MS`."""
    begun = select(func.max(Audit.number)).where(Audit.act == "session.begin", Audit.subject == name)
    return _count(rows, now_ms - FAILURES_MS, Audit.subject == name, Audit.number > (rows.scalar(begun) or 0))


def _count(rows: Session, since_ms: int, *where: Any) -> int:
    lately = (Audit.act == "session.failure", Audit.actor == NOBODY.name, Audit.time_ms > since_ms)
    return rows.scalar(select(func.count()).select_from(Audit).where(*lately, *where)) or 0


def _hash(sid: str) -> str:
    return hashlib.sha256(str(sid).encode("utf-8", "surrogatepass")).hexdigest()


def _wrong() -> Refused:
    return Refused("P-401", "login", _("Name or password is wrong."), _("Try again."), audited=False)


def _wait() -> Refused:
    return Refused(
        "P-429",
        "login",
        _("Too many wrong passwords for this name."),
        _("Wait 15 minutes, or ask the administrator for a new password."),
        audited=False,
    )
