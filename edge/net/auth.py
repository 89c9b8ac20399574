"""Login to a camera: basic and digest (RFC 7616, RFC 2617), the strongest offer that we know."""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

REFUSED: Final = (CameraReason.AUTH, "user or password is refused")
_TOKEN = re.compile(r'([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')
_OFFERS_LIMIT: Final = 16
_HASHES: Final = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
_STRENGTH: Final = ("BASIC", "MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS")


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to log in that a server offers. `way`: BASIC, a digest algorithm, or the name of one unknown to us."""

    way: str
    fields: dict[str, str]

    @property
    def strength(self) -> int:
        """Greater is stronger; -1: we don't know it."""
        usable = self.way == "BASIC" or "nonce" in self.fields
        return _STRENGTH.index(self.way) if usable and self.way in _STRENGTH else -1

    @property
    def stale(self) -> bool:
        return self.fields.get("stale", "").lower() == "true"


def offers(headers: Sequence[str]) -> list[Offer]:
    """What the WWW-Authenticate headers offer; one header may hold several."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers[:_OFFERS_LIMIT]:
        for match in _TOKEN.finditer(header):
            if "=" not in match[0]:
                found.append((match[1], {}))
            elif found:
                quoted = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
                found[-1][1].setdefault(match[1].lower(), quoted)
    return [Offer(_way(scheme, fields), fields) for scheme, fields in found[:_OFFERS_LIMIT]]


def _way(scheme: str, fields: dict[str, str]) -> str:
    return fields.get("algorithm", "MD5").upper() if scheme.lower() == "digest" else scheme.upper()


@dataclass(slots=True)
class Login:
    """Name and password for one camera, and how it wants them. Its repr shows neither."""

    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(8), repr=False)
    _offer: Offer | None = field(default=None, repr=False)
    _count: int = 0

    @property
    def known(self) -> bool:
        """Whether there is anything to log in with."""
        return self.user is not None

    def meet(self, offered: Sequence[Offer]) -> Offer | None:
        """From now on log in by the strongest of these. None: we know none of them."""
        best = max(offered, key=lambda offer: offer.strength, default=None)
        if best is None or best.strength < 0:
            return None
        self._offer, self._count = best, 0
        return best

    def take_up(self, headers: Sequence[str], *, refused: bool) -> None:
        """From now on log in as these WWW-Authenticate headers ask for. Raises CameraError (AUTH) when that is no use.

        `refused`: they answer a request that had a login already; then only a nonce that is too old is a reason to try
        again, for cameras lock out who tries too often.
        """
        offered = offers(headers)
        if not self.known:
            raise CameraError(CameraReason.AUTH, "the camera wants a login: give user and password_file")
        if refused and not any(offer.stale for offer in offered):
            raise CameraError(*REFUSED)
        if self._offer is not None and self._offer.way != "BASIC":
            # Who had a digest does not need the password readable: an impostor would ask for it so.
            offered = [offer for offer in offered if offer.way != "BASIC"]
        if self.meet(offered) is None:
            ways = ", ".join(re.sub(r"[^A-Za-z0-9-]", "", offer.way)[:20] for offer in offered) or "none"
            raise CameraError(CameraReason.AUTH, f"the camera offers no way to log in that is known here ({ways})")

    def header(self, method: str, url: str) -> dict[str, str]:
        """The Authorization header of a request; empty before the camera asked for one."""
        if self._offer is None or self.user is None:
            return {}
        if self._offer.way == "BASIC":
            return {"Authorization": "Basic " + self._basic()}
        return {"Authorization": "Digest " + self._digest(self._offer, method, url)}

    def _basic(self) -> str:
        return b64encode(f"{self.user}:{self.password or ''}".encode()).decode()

    def _digest(self, offer: Offer, method: str, url: str) -> str:
        self._count += 1
        count, ours = f"{self._count:08x}", self.nonce()
        realm, nonce = offer.fields.get("realm", ""), offer.fields["nonce"]
        qop = _quality(offer.fields.get("qop", ""))
        secret = _hash(offer.way, f"{self.user}:{realm}:{self.password or ''}")
        if offer.way.endswith("-SESS"):
            secret = _hash(offer.way, f"{secret}:{nonce}:{ours}")
        # Our requests have no body, so the body's hash is that of nothing.
        body = ":" + _hash(offer.way, "") if qop == "auth-int" else ""
        asked = _hash(offer.way, f"{method}:{url}{body}")
        between = f"{nonce}:{count}:{ours}:{qop}" if qop else nonce
        quoted = {"username": self.user or "", "realm": realm, "nonce": nonce, "uri": url}
        quoted["response"] = _hash(offer.way, f"{secret}:{between}:{asked}")
        if "opaque" in offer.fields:
            quoted["opaque"] = offer.fields["opaque"]
        bare = {"algorithm": offer.fields["algorithm"]} if "algorithm" in offer.fields else {}
        if qop or offer.way.endswith("-SESS"):
            quoted["cnonce"] = ours
        if qop:
            bare |= {"qop": qop, "nc": count}
        told = [f'{name}="{_escaped(value)}"' for name, value in quoted.items()]
        return ", ".join([*told, *(f"{name}={value}" for name, value in bare.items())])


def _quality(offered: str) -> str:
    known = {word.strip().lower() for word in offered.split(",")}
    return next((word for word in ("auth", "auth-int") if word in known), "")


def _hash(way: str, text: str) -> str:
    return _HASHES[way.removesuffix("-SESS")](text.encode("utf-8", "surrogateescape")).hexdigest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
