"""Passwords: made up, judged, hashed with argon2 and checked."""

import secrets
import threading
from functools import cache
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from provisioning.acts import fields

LEAST_CHARACTERS: Final = 10
MOST_CHARACTERS: Final = 200
_LETTERS: Final = "abcdefghjkmnpqrstvwxyz23456789"
_hasher: Final = PasswordHasher()
_at_once: Final = threading.BoundedSemaphore(2)
"""A hash takes 64 MiB: a crowd at the login page must not take all memory."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def made_up() -> str:
    """A new password of four groups (78 bits), without letters that look alike."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def judged(password: Any, login: str) -> str:
    """`password`, if it is one. Raises P-400."""
    if not isinstance(password, str) or not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise fields.refuse(
            "password",
            _("%(field_word)s must have %(least)s to %(most)s characters."),
            least=LEAST_CHARACTERS,
            most=MOST_CHARACTERS,
        )
    if login in password.lower() or len(set(password)) < 4 or not password.isprintable():
        raise fields.refuse("password", _("%(field_word)s is too easy to guess."))
    return password


def hashed(password: str) -> str:
    """The argon2 hash."""
    with _at_once:
        return _hasher.hash(password)


def is_right(hash_: str | None, password: object) -> bool:
    """Whether `password` has this hash; without a hash it takes as long and is never right."""
    given = password if isinstance(password, str) and len(password) <= MOST_CHARACTERS else ""
    with _at_once:
        try:
            right = _hasher.verify(hash_ or _nobodys(), given.encode("utf-8", "surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False
    return bool(right) and hash_ is not None


def is_old(hash_: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hash_)


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
