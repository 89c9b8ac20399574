"""People who may log in: who they are, their passwords."""

from dataclasses import dataclass

from kewang.ui.words import Language
from provisioning.inventory import Person, Role, Work


@dataclass(frozen=True)
class NewPerson:
    """Somebody to let in. A technician needs a district, or sees every one."""

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
    raise NotImplementedError


def change(work: Work, login: str, change: PersonChange) -> Person:
    """Change what is known of somebody. The last administrator who may log in stays one (P-409)."""
    raise NotImplementedError


def set_password(work: Work, login: str, password: str | None = None) -> str:
    """A new password, made up if none is given; all sessions of the person end. Own password, or as administrator."""
    raise NotImplementedError


def disable(work: Work, login: str) -> Person:
    """Shut somebody out: no login from now on, all sessions end. Not the last administrator."""
    raise NotImplementedError


def enable(work: Work, login: str) -> Person:
    """Let somebody in again."""
    raise NotImplementedError
