"""Who a box is: its id with a check character, the fingerprint of its key, the address on its label, the typed code.

>>> new_id("amb", "cam", bytes(4))
'amb-cam-00000k'
>>> build_label("kewang.ambon.go.id", "amb-cam-00000k", "A" * 26)
'HTTPS://KEWANG.AMBON.GO.ID/D/AMB-CAM-00000K/AAAAAAAAAAAAAAAAAAAAAAAAAA'
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from kewang.wire.errors import WireError
from kewang.wire.names import check_device, is_device

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 characters that nobody mistakes for each other: without i, l, o and u."""
RANDOM_BYTES: Final = 4
"""What `new_id` wants; it uses 25 bits of them."""
FINGERPRINT_CHARACTERS: Final = 26
TYPED_CHARACTERS: Final = 8

_RESERVED: Final = frozenset({"gateway", "provisioning", "broker", "kick"})
_RESERVED_BEGINNINGS: Final = ("gw", "canary-", "kewang")
_LOOK_ALIKE: Final = {"i": "1", "l": "1", "o": "0", "u": "v"}
_PART: Final = re.compile(r"[a-z0-9]{2,8}")
_MADE: Final = re.compile(rf"[a-z0-9]{{2,8}}-[a-z0-9]{{2,8}}-[{ALPHABET}]{{6}}")
_FINGERPRINT: Final = re.compile(rf"[A-Z2-7]{{{FINGERPRINT_CHARACTERS}}}")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?")
_LABEL: Final = re.compile(r"https://([^/]+)/d/([^/]+)/([^/]+)", re.IGNORECASE)
_TYPED: Final = re.compile(r"\s*([A-Za-z0-9-]{3,32})[\s/.]+([A-Za-z0-9]{4})[\s-]?([A-Za-z0-9]{4})\s*")
_MISTAKEN: Final = str.maketrans("018", "OIB")
"""Digits that base32 does not have, as the letters that a person meant."""


@dataclass(frozen=True, slots=True)
class Label:
    """What the QR code on a box says: the web app's host, the box's id, the fingerprint of its key."""

    host: str
    device: str
    fingerprint: str


def new_id(city: str, kind: str, random: bytes) -> str:
    """A new id `{city}-{kind}-{6 characters}` from `RANDOM_BYTES` random bytes. Raises WireError."""
    for part in (city, kind):
        if not _PART.fullmatch(part):
            raise WireError(f"city and kind are 2 to 8 characters of a-z and 0-9, not {part!r}")
    if len(random) != RANDOM_BYTES:
        raise WireError(f"an id is made from {RANDOM_BYTES} random bytes, not from {len(random)}")
    number = int.from_bytes(random, "big")
    start = f"{city}-{kind}-" + "".join(ALPHABET[number >> 5 * place & 31] for place in range(5))
    return check_issuable(start + check_character(start))


def check_character(start: str) -> str:
    """The last character of an id that begins with `start`.

    A polynomial over GF(32), so that every single wrong character and every swap of two neighbours is found; i and l
    count as 1, o as 0, u as v (they only occur in city and kind). Raises WireError for other characters.
    """
    return ALPHABET[_times_x(_remainder(start))]


def is_made(device: str) -> bool:
    """Whether `device` has the form of a made id and its check character is right. Ids chosen by hand are valid too."""
    return looks_made(device) and _remainder(device) == 0


def looks_made(device: str) -> bool:
    """Whether `device` has the form of a made id: if it is unknown and not `is_made`, it was mistyped."""
    return _MADE.fullmatch(device) is not None


def is_reserved(device: str) -> bool:
    """Whether `device` is a name of ours that no box may have."""
    return device in _RESERVED or device.startswith(_RESERVED_BEGINNINGS)


def check_issuable(device: str) -> str:
    """`device` itself if a box may have it, else WireError."""
    if is_reserved(check_device(device)):
        raise WireError(f"{device!r} is a name that no box may have: choose another id")
    return device


def fingerprint(spki_der: bytes) -> str:
    """The fingerprint of a public key (SubjectPublicKeyInfo, DER): 130 bits of its SHA-256 in 26 base32 characters."""
    return base64.b32encode(hashlib.sha256(spki_der).digest())[:FINGERPRINT_CHARACTERS].decode()


def check_fingerprint(text: str) -> str:
    """`text` in capitals if it is a fingerprint, else WireError."""
    if not _FINGERPRINT.fullmatch(text.upper()) or not text.isascii():
        raise WireError(f"a fingerprint is {FINGERPRINT_CHARACTERS} characters of A-Z and 2-7, not {text!r}")
    return text.upper()


def build_label(host: str, device: str, fingerprint: str) -> str:
    """The address on the label, in capitals (a smaller QR code). `host` may end in a port. Raises WireError."""
    if not _HOST.fullmatch(host.lower()) or not host.isascii():
        raise WireError(f"host {host!r} is not a name or IPv4 address, with a port or without")
    return f"HTTPS://{host}/D/{check_device(device)}/{check_fingerprint(fingerprint)}".upper()


def parse_label(address: str) -> Label:
    """The inverse of `build_label`, in capitals or not. Raises WireError for anything else."""
    found = _LABEL.fullmatch(address) if address.isascii() else None
    if found is None:
        raise WireError(f"not the address of a label: {address!r}")
    host, device, printed = found[1].lower(), found[2].lower(), found[3]
    build_label(host, device, printed)
    return Label(host, device, printed.upper())


def build_typed(device: str, fingerprint: str) -> str:
    """What a person types when the QR code can't be read: the id and the first 8 characters of the fingerprint."""
    return f"{check_device(device).upper()} {check_fingerprint(fingerprint)[:TYPED_CHARACTERS]}"


def parse_typed(text: str) -> tuple[str, str]:
    """The inverse of `build_typed`: id and 8 characters. Any case; a space, `/` or `.` between; 0 for O is forgiven.

    Raises WireError.
    """
    found = _TYPED.fullmatch(text) if text.isascii() else None
    if found is None or not is_device(found[1].lower()):
        raise WireError("type the code of the label: the id, a space, and the 8 characters below it")
    start = (found[2] + found[3]).upper().translate(_MISTAKEN)
    if not re.fullmatch(r"[A-Z2-7]{8}", start):
        raise WireError("the 8 characters below the id are A-Z and 2-7")
    return _forgiven(found[1].lower()), start


def _forgiven(device: str) -> str:
    """`device` with i, l, o and u in its last six characters as what they look like, if that makes its check right."""
    head, dash, tail = device.rpartition("-")
    meant = head + dash + "".join(_LOOK_ALIKE.get(each, each) for each in tail)
    return meant if is_made(meant) else device


def _remainder(text: str) -> int:
    """`text` as a polynomial over GF(32), at x = the generator."""
    found = 0
    for each in text:
        if each != "-":
            value = ALPHABET.find(_LOOK_ALIKE.get(each, each))
            if value < 0:
                raise WireError(f"an id has no {each!r}")
            found = _times_x(found) ^ value
    return found


def _times_x(value: int) -> int:
    """`value` times the generator of GF(32), modulo x^5 + x^2 + 1."""
    return value << 1 ^ (0b100101 if value & 16 else 0)
