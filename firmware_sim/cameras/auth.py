"""The door of a camera: basic (RFC 7617) or digest (RFC 7616, MD5 or SHA-256) over RTSP and HTTP alike."""

import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from enum import StrEnum
from typing import Final

REALM: Final = "IP Camera"
_PAIR: Final = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_NONCES: Final = 256


class AuthKind(StrEnum):
    """What a camera asks for."""

    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"
    """Digest with MD5, as nearly all cameras have it."""
    DIGEST_SHA256 = "digest-sha256"


class Door:
    """Lets requests in whose Authorization header proves the password; every answer of 401 carries a fresh nonce."""

    def __init__(self, kind: AuthKind, user: str, password: str) -> None:
        self.kind = kind
        self._user, self._password = user, password
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"Door({self.kind})"

    def challenge(self) -> str:
        """A value for WWW-Authenticate."""
        if self.kind is AuthKind.BASIC:
            return f'Basic realm="{REALM}"'
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = None
        while len(self._nonces) > _NONCES:
            self._nonces.popitem(last=False)
        named = 'algorithm=SHA-256, qop="auth"' if self.kind is AuthKind.DIGEST_SHA256 else 'algorithm="MD5"'
        return f'Digest realm="{REALM}", nonce="{nonce}", {named}'

    def admits(self, method: str, authorization: str | None) -> bool:
        """Whether a request of `method` with this header may come in."""
        if self.kind is AuthKind.NONE:
            return True
        scheme, _, rest = (authorization or "").partition(" ")
        if self.kind is AuthKind.BASIC:
            return scheme.lower() == "basic" and hmac.compare_digest(rest.strip().encode(), self._basic())
        return scheme.lower() == "digest" and self._digest_fits(method, _pairs(rest))

    def _basic(self) -> bytes:
        return base64.b64encode(f"{self._user}:{self._password}".encode())

    def _digest_fits(self, method: str, given: dict[str, str]) -> bool:
        if given.get("nonce") not in self._nonces or given.get("username") != self._user:
            return False
        inner = _hash(self.kind, f"{self._user}:{REALM}:{self._password}")
        asked = _hash(self.kind, f"{method}:{given.get('uri', '')}")
        between = [given[key] for key in ("nonce", "nc", "cnonce", "qop") if key in given] if "qop" in given else []
        wanted = _hash(self.kind, ":".join([inner, *(between or [given["nonce"]]), asked]))
        return hmac.compare_digest(given.get("response", "").encode(), wanted.encode())


def _hash(kind: AuthKind, text: str) -> str:
    make = hashlib.sha256 if kind is AuthKind.DIGEST_SHA256 else hashlib.md5
    return make(text.encode()).hexdigest()


def _pairs(text: str) -> dict[str, str]:
    return {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(text)}
