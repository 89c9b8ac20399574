"""Login sessions: begin by password, go on while used, end."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from provisioning.inventory import Actor, Inventory, Person, Work

IDLE_MS: Final = 12 * 3_600_000
"""A session that nobody used for so long is over."""
TOUCH_MS: Final = 60_000
"""How exact `seen_ms` is kept."""


@dataclass(frozen=True)
class Login:
    """A session that began: `sid` belongs into the cookie and nowhere else."""

    sid: str
    person: Person


def log_in(inventory: Inventory, login: str, password: str) -> Login:
    """A new session. P-401 for a wrong name or password, in the same time; P-429 after 5 failures in 15 min."""
    raise NotImplementedError


def find(rows: Session, sid: str, now_ms: int) -> Person | None:
    """The person of a session that is still good; None if it ended, idled too long or its person is shut out."""
    raise NotImplementedError


def actor(person: Person) -> Actor:
    """Who the person is for acts."""
    raise NotImplementedError


def touch(work: Work, sid: str) -> None:
    """Note that the session is used (at most once in `TOUCH_MS`; no audit row)."""
    raise NotImplementedError


def log_out(work: Work, sid: str) -> None:
    """End the session."""
    raise NotImplementedError


def end_all(work: Work, login: str) -> int:
    """End every session of a person (own, or as administrator); how many."""
    raise NotImplementedError
