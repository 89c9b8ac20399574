"""What may stand in a field. Each check gives the value as it is kept, or raises Refused P-400 that names the field."""

import re
import unicodedata
import uuid
from typing import Any, Final

from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.identity import is_made, is_reserved, looks_made
from kewang.wire.names import is_device, is_source
from provisioning.refusals import Refused, bad_input

_SLUG: Final = re.compile(r"[a-z0-9-]{1,64}")
_LOGIN: Final = re.compile(r"[a-z0-9._-]{2,32}")
_FINGERPRINT: Final = re.compile(r"[A-Z2-7]{26}")
_HEX: Final = re.compile(r"[0-9a-f]{1,64}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{4,30}")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that nobody sees: control, format (bidi overrides too), halves of pairs, private, line ends."""
PHONE_AHEAD_MS: Final = 5 * 60_000
PHONE_BEHIND_MS: Final = 90 * 86_400_000


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


FIELDS: Final = {
    "accuracy": _("accuracy"),
    "address": _("address"),
    "assignee": _("technician"),
    "certificate": _("certificate"),
    "channel": _("channel"),
    "device": _("device id"),
    "district": _("district"),
    "driver": _("driver"),
    "feeder": _("feeder"),
    "fingerprint": _("fingerprint"),
    "kind": _("kind"),
    "language": _("language"),
    "lat": _("latitude"),
    "link": _("link"),
    "login": _("login name"),
    "lon": _("longitude"),
    "model": _("model"),
    "name": _("name"),
    "note": _("note"),
    "password": _("password"),
    "phone": _("telephone"),
    "photo": _("photo"),
    "preapproved": _("preapproved"),
    "reason": _("reason"),
    "request": _("request number"),
    "result": _("result"),
    "role": _("role"),
    "serial": _("serial number"),
    "settings": _("settings"),
    "shift": _("shift"),
    "site": _("site id"),
    "source": _("source"),
    "step": _("step"),
    "text": _("text"),
    "uplink": _("uplink"),
    "visit": _("visit number"),
}
"""Names of fields for people, by what the code calls them."""


def refuse(field: str, why: str, **values: Any) -> Refused:
    """P-400 for `field`."""
    return bad_input(FIELDS[field], why, **values)


def text(field: str, value: Any, most: int, *, least: int = 0, lines: bool = False) -> str:
    """Visible text of `least` to `most` characters without blanks around it; with line ends only if `lines`."""
    if not isinstance(value, str):
        raise refuse(field, _("%(field_word)s is not a text."))
    kept: str = unicodedata.normalize("NFC", value.replace("\r\n", "\n") if lines else value).strip()
    for letter in kept:
        if unicodedata.category(letter) in _INVISIBLE and not (lines and letter == "\n"):
            raise refuse(field, _("%(field_word)s has an invisible character (%(sign)s)."), sign=f"U+{ord(letter):04X}")
    if len(kept) > most:
        raise refuse(field, _("%(field_word)s is too long: at most %(limit)s characters."), limit=most)
    if len(kept) < least:
        raise refuse(field, _("%(field_word)s is missing or too short: at least %(limit)s characters."), limit=least)
    return kept


def slug(field: str, value: Any) -> str:
    """1 to 64 characters of a-z, 0-9 and -."""
    return _matching(field, value, _SLUG, _("%(field_word)s must have 1 to 64 characters of a-z, 0-9 and '-'."))


def optional_slug(field: str, value: Any) -> str | None:
    """As `slug`; None for nothing."""
    return None if value is None or value == "" else slug(field, value)


def login(value: Any) -> str:
    """A login name."""
    return _matching(
        "login", value, _LOGIN, _("%(field_word)s must have 2 to 32 characters of a-z, 0-9, '.', '_' and '-'.")
    )


def device(value: Any) -> str:
    """A device id."""
    if isinstance(value, str) and is_device(value):
        return value
    raise refuse("device", _("%(field_word)s must have 3 to 32 characters of a-z, 0-9 and '-'."))


def new_device(value: Any) -> str:
    """An id that a box may be given: not one of our own names, and not a made one that was mistyped."""
    name = device(value)
    if is_reserved(name):
        raise refuse("device", _("%(field_word)s is a name that no box may have."))
    if looks_made(name) and not is_made(name):
        raise refuse("device", _("%(field_word)s is mistyped: its last character does not fit."))
    return name


def source(value: Any) -> str:
    """The name of a source."""
    if isinstance(value, str) and is_source(value):
        return value
    raise refuse("source", _("%(field_word)s must have 1 to 32 characters of a-z, 0-9 and '-'."))


def fingerprint(value: Any) -> str:
    """A key's fingerprint; small letters are made capitals."""
    given: object = value.strip().upper() if isinstance(value, str) else value
    return _matching(
        "fingerprint",
        given,
        _FINGERPRINT,
        _("%(field_word)s must have 26 characters of A-Z and 2-7, as on the label."),
    )


def serial(value: Any) -> str:
    """A certificate's serial number."""
    return _matching("certificate", value, _HEX, _("%(field_word)s is wrong."))


def sha256(value: Any) -> str:
    """The hash of a picture."""
    if isinstance(value, str) and len(value) == 64 and _HEX.fullmatch(value):
        return value
    raise refuse("photo", _("%(field_word)s is wrong."))


def phone(value: Any) -> str:
    """A telephone number, "" for none."""
    if value == "":
        return ""
    return _matching("phone", value, _PHONE, _("%(field_word)s must be a telephone number, as +62 812 3456 789."))


def uuid_text(field: str, value: Any) -> str:
    """A UUID in its usual form."""
    try:
        found = str(uuid.UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        found = ""
    if found and found == value.lower():
        return found
    raise refuse(field, _("%(field_word)s is wrong."))


def one_of(field: str, value: Any, words: tuple[str, ...]) -> str:
    """One of `words`."""
    if isinstance(value, str) and value in words:
        return value
    raise refuse(field, _("%(field_word)s must be one of: %(choices)s."), choices=", ".join(words))


def degrees(field: str, value: Any, limit: int) -> float | None:
    """An angle of at most `limit` degrees to both sides; None for nothing."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= limit:
        return float(value)
    raise refuse(field, _("%(field_word)s must be a number from -%(limit)s to %(limit)s."), limit=limit)


def position(lat: Any, lon: Any) -> tuple[float | None, float | None]:
    """Latitude and longitude, both or none."""
    found = degrees("lat", lat, 90), degrees("lon", lon, 180)
    if (found[0] is None) != (found[1] is None):
        raise refuse("lat", _("Latitude and longitude must be given together."))
    return found


def metres(field: str, value: Any) -> float | None:
    """A distance of 0 to 100,000 m; None for nothing."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100_000:
        return float(value)
    raise refuse(field, _("%(field_word)s must be a number from 0 to %(limit)s."), limit=100_000)


def phone_ms(value: Any, now_ms: int) -> int:
    """A time by a phone's clock (Unix ms); `now_ms` if that clock is more than 5 min ahead or 90 days behind."""
    if isinstance(value, int) and 0 <= value <= MAX_DATE_MS:
        return value if now_ms - PHONE_BEHIND_MS <= value <= now_ms + PHONE_AHEAD_MS else now_ms
    return now_ms


def _matching(field: str, value: Any, pattern: re.Pattern[str], why: str) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise refuse(field, why)
