"""SOAP to one camera: envelope, login, faults."""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edge.net.address import Address
from edge.net.auth import Login, offers
from edge.net.errors import CameraError
from edge.net.http import Head, post
from edge.onvif import markup
from edge.onvif.facts import SERVICE_PATH, Endpoint, Unsupported
from kewang.wire.cameras import CameraReason

MAX_BODY_BYTES: Final = 256 * 1024
_WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_CANNOT: Final = frozenset({"ActionNotSupported", "OptionalActionNotImplemented", "NoRecordings", "NotSupported"})
_REFUSED: Final = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"})
_STATUSES: Final = {
    401: (CameraReason.AUTH, "user or password refused"),
    403: (CameraReason.AUTH, "this user may not ask that"),
    404: (CameraReason.NOT_FOUND, "no ONVIF service at this path"),
    405: (CameraReason.NOT_FOUND, "no ONVIF service at this path"),
    503: (CameraReason.BUSY, "the camera says it is busy"),
}
_SUBCODE: Final = re.compile(r"[A-Za-z]{1,40}")


class _Asker:
    """Who asks: by the token in the envelope, until the camera asks for HTTP digest. No repr shows the password."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self._password = password
        self._login = Login(user, password)
        self._met = False

    def token(self, camera_s: float) -> str:
        """WS-UsernameToken: the password goes as base64(SHA-1(nonce + created + password))."""
        nonce = os.urandom(16)
        now = datetime.fromtimestamp(camera_s, UTC)
        created = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
        digest = hashlib.sha1(nonce + created.encode() + self._password.encode()).digest()
        return _SECURITY.format(user=escape(self.user), digest=_base64(digest), nonce=_base64(nonce), created=created)

    def authorization(self, path: str) -> dict[str, str]:
        """The header of HTTP digest; none before the camera has asked for it."""
        return self._login.header("POST", path)

    def challenged(self, answer: Head) -> bool:
        """Whether `answer` asks for a digest that was not given yet, or for a fresh one: then ask once more. Basic is
        never answered: it would send the password readable."""
        if answer.status != 401:
            return False
        digests = [offer for offer in offers(answer.headers.get("www-authenticate", [])) if offer.way != "BASIC"]
        if self._met and not any(offer.stale for offer in digests):
            return False
        self._met = self._login.meet(digests) is not None
        return self._met


class Caller:
    """Requests to one camera, one after the other. Each raises CameraError and takes at most `timeout_s`.

    `clock_offset_s`: set it as soon as it is known, for a camera refuses a login that is dated by another clock.
    `wall_s`: our date, Unix seconds.
    """

    def __init__(
        self, endpoint: Endpoint, user: str | None, password: str | None, timeout_s: float, wall_s: Callable[[], float]
    ) -> None:
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self.wall_s = wall_s
        self.clock_offset_s = 0.0
        self._login = _Asker(user, password or "") if user else None

    async def call(
        self, action: str, body: str, path: str | None = None, *, login: bool = True, header: str | None = None
    ) -> Element:
        """The answer's body element. `action`: namespace/Name; `body`: its XML; `header`: WS-Addressing is wanted, and
        this XML goes along in the header."""
        where = path or self.endpoint.path
        who = self._login if login else None
        extra = "" if header is None else self._addressing(action, where) + header
        head, answer = await self._send(action, where, extra, body, who)
        if who and who.challenged(head):
            head, answer = await self._send(action, where, extra, body, who)
        return _content(head.status, answer)

    async def _send(self, action: str, path: str, extra: str, body: str, who: _Asker | None) -> tuple[Head, bytes]:
        """One request. A camera that asked for HTTP digest gets no token beside it: it might look at that first."""
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
        authorization = who.authorization(path) if who else {}
        token = who.token(self.wall_s() + self.clock_offset_s) if who and not authorization else ""
        sent = _ENVELOPE.format(header=token + extra, body=body).encode()
        headers |= authorization
        return await post(self._at(path), sent, headers, limit_bytes=MAX_BODY_BYTES, timeout_s=self.timeout_s)

    def path_of(self, address: str) -> str:
        """The path in an address that the camera named for one of its services; on its own host, whatever it says."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return self.endpoint.path
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return path if SERVICE_PATH.fullmatch(path) else self.endpoint.path

    def _at(self, path: str) -> Address:
        return replace(self.endpoint.address, path=path)

    def _addressing(self, action: str, path: str) -> str:
        to = self._at(path).url
        return f"<a:Action>{action}</a:Action><a:MessageID>urn:uuid:{uuid4()}</a:MessageID><a:To>{escape(to)}</a:To>"


def _base64(given: bytes) -> str:
    return base64.b64encode(given).decode()


def _content(status: int, answer: bytes) -> Element:
    """What stands in the body of `answer`. A fault tells more than the status beside it, so it is looked at first."""
    if not answer.strip():
        raise _by_status(status, "the answer is empty")
    try:
        envelope = markup.parse(answer)
    except CameraError:
        if status == 200:
            raise
        raise _by_status(status, "the answer is not SOAP") from None
    body = markup.child(envelope, "Body")
    content = next(iter(body), None) if body is not None else None
    if content is not None and markup.local(content) == "Fault":
        raise _fault(content, status)
    if status != 200 or body is None or content is None:
        raise _by_status(status, "the answer is not SOAP")
    return content


def _by_status(status: int, otherwise: str) -> CameraError:
    if status in _STATUSES:
        return CameraError(*_STATUSES[status])
    if 300 <= status < 400:
        return CameraError(CameraReason.REDIRECT, "it redirects elsewhere, which is not followed")
    if status >= 400:
        return CameraError(CameraReason.SERVER_ERROR, f"the camera answers with HTTP status {status}")
    return CameraError(CameraReason.PROTOCOL, otherwise)


def _fault(fault: Element, status: int) -> CameraError:
    codes = tuple(_codes(fault))
    if status == 401 or _REFUSED.intersection(codes):
        return CameraError(*_STATUSES[401])
    if _CANNOT.intersection(codes):
        return Unsupported("the camera does not support this")
    return CameraError(CameraReason.SERVER_ERROR, f"the camera reports a fault: {' '.join(codes) or 'without a code'}")


def _codes(fault: Element) -> Iterator[str]:
    """The fault's codes, from general to special, without their namespaces; SOAP 1.2 and 1.1."""
    for element in fault.iter():
        if markup.local(element) in ("Value", "faultcode"):
            code = markup.text(element).rpartition(":")[2]
            if _SUBCODE.fullmatch(code):
                yield code


_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">'
    "<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
)
_SECURITY: Final = (
    f'<w:Security xmlns:w="{_WSSE}-wssecurity-secext-1.0.xsd"'
    f' xmlns:u="{_WSSE}-wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>{{user}}</w:Username>'
    f'<w:Password Type="{_WSSE}-username-token-profile-1.0#PasswordDigest">{{digest}}</w:Password>'
    f'<w:Nonce EncodingType="{_WSSE}-soap-message-security-1.0#Base64Binary">{{nonce}}</w:Nonce>'
    "<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
)
