"""One conversation with the office's device API: over TLS with the pinned root, by the office's own time. Blocking."""

import contextlib
import http.client
import secrets
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlsplit

from edge.enrol.errors import Refusing, Unreachable, Unusable
from edge.enrol.keys import BoxKey, Office, valid_der_at
from kewang.wire.enrolment import (
    DATE_HEADER,
    DEVICE_HEADER,
    SIGNATURE_HEADER,
    Code,
    Config,
    Enrol,
    Issued,
    Pending,
    Refusal,
    Renew,
    Time,
    request_text,
    time_text,
)
from kewang.wire.errors import WireError
from kewang.wire.models import Message

TIMEOUT_S: Final = 20.0
MAX_ANSWER_BYTES: Final = 400_000
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""
_STEP_ASIDE_MS: Final = 2000
"""A date that was used before is left behind by up to so much; the office takes dates within minutes."""
EARLIEST_MS: Final = 1_767_225_600_000
"""2026-01-01: no office of ours is older."""

M = TypeVar("M", bound=Message)
Monotonic = Callable[[], float]


class Conversation:
    """A connection. Entering it asks for the time; nothing else is said before the other side's dates are checked.

    The machine's own clock is never asked: a box without a battery may believe that it is 1970. Everything raises
    Unreachable, Refusing or Unusable.
    """

    def __init__(
        self, url: str, roots: bytes, *, timeout_s: float = TIMEOUT_S, monotonic_s: Monotonic = time.monotonic
    ):
        parts = urlsplit(url)
        self._office, self._monotonic_s = Office(roots), monotonic_s
        self._host, self._port, self._url = parts.hostname or "", parts.port or 443, url
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= _NO_CHECK_TIME
        context.load_verify_locations(cadata=roots.decode("ascii", "replace"))
        self._http = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        self._offset_ms = 0
        self._last_ms = 0

    def __enter__(self) -> Self:
        try:
            self._ask_time()
        except BaseException:
            self._http.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def now_ms(self) -> int:
        """The office's time."""
        return self._offset_ms + int(self._monotonic_s() * 1000)

    def enrol(self, asked: Enrol) -> Issued | Pending:
        """Ask for the first certificate."""
        status, body, _ = self._say("POST", "/v1/enrol", asked.encode())
        return _decoded(Pending, body) if status == http.client.ACCEPTED else _decoded(Issued, body)

    def renew(self, device: str, key: BoxKey, csr: str) -> Issued:
        """Ask for the next one; `key` is the old one."""
        _, body, _ = self._signed(device, key, "POST", "/v1/renew", Renew(csr=csr).encode())
        return _decoded(Issued, body)

    def config(self, device: str, key: BoxKey, tag: str) -> tuple[Config, str] | None:
        """What is to be read, and its tag; None if it is still that of `tag`."""
        known = {"If-None-Match": f'"{tag}"'} if tag else {}
        status, body, headers = self._signed(device, key, "GET", "/v1/config", b"", known)
        if status == http.client.NOT_MODIFIED:
            return None
        return _decoded(Config, body), headers.get("ETag", "").strip('"')[:64]

    def thumbnail(self, device: str, key: BoxKey, source: str, jpeg: bytes) -> None:
        """Show a picture."""
        headers = {"Content-Type": "image/jpeg"}
        self._signed(device, key, "POST", f"/v1/thumbnail/{quote(source, safe='')}", jpeg, headers)

    def _ask_time(self) -> None:
        nonce = secrets.token_urlsafe(18)
        asked_s = self._monotonic_s()
        _, body, _ = self._say("GET", f"/v1/time?nonce={nonce}", b"")
        told = _decoded(Time, body)
        if told.nonce != nonce or told.unix_ms < EARLIEST_MS:
            raise Unusable("the office told a time that can't be: its administrator has to set the server's clock")
        self._office.check(told.chain, time_text(nonce, told.unix_ms), told.sig, told.unix_ms)
        # The middle of asking and hearing: on a slow link the better guess.
        self._offset_ms = told.unix_ms - int((asked_s + self._monotonic_s()) * 500)
        peer = self._http.sock.getpeercert(binary_form=True) if isinstance(self._http.sock, ssl.SSLSocket) else None
        if peer is None or not valid_der_at(peer, told.unix_ms):
            raise Unreachable("the certificate of the device API has ended: its administrator has to renew it")
        self._http.auto_open = 0  # another connection would be another certificate

    def _signed(
        self, device: str, key: BoxKey, method: str, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        self._last_ms = max(self.now_ms(), self._last_ms + 1)
        try:
            return self._say(method, path, body, self._signature(device, key, method, path, body) | (headers or {}))
        except Refusing as error:
            if error.code != Code.REPLAY:
                raise
        # An earlier conversation took this millisecond: the office's clock was set back, or was told less exactly.
        self._last_ms += 1 + secrets.randbelow(_STEP_ASIDE_MS)
        return self._say(method, path, body, self._signature(device, key, method, path, body) | (headers or {}))

    def _signature(self, device: str, key: BoxKey, method: str, path: str, body: bytes) -> dict[str, str]:
        """Headers that sign a request at `_last_ms`."""
        signature = key.sign(request_text(method, path, self._last_ms, body))
        return {DEVICE_HEADER: device, DATE_HEADER: str(self._last_ms), SIGNATURE_HEADER: signature}

    def _say(
        self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        """Status, body and headers of an answer that is no refusal."""
        try:
            self._http.request(method, path, body or None, headers or {})
            answer = self._http.getresponse()
            content = answer.read(MAX_ANSWER_BYTES)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"{self._url} is not the office that is pinned: {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(f"{self._url}: {why}: check the cable or SIM, and enrolment.url") from None
        if answer.status >= http.client.BAD_REQUEST:
            raise _refusal(answer.status, content, answer.headers.get("Retry-After", ""))
        return answer.status, content, answer.headers


def _refusal(status: int, body: bytes, retry_after: str) -> Exception:
    retry_s = float(retry_after) if retry_after.isdigit() else None
    with contextlib.suppress(WireError):
        said = Refusal.decode(body)
        return Refusing(said.code, f"{said.text.id} / {said.text.en}", retry_s)
    if status >= http.client.INTERNAL_SERVER_ERROR:
        return Unreachable(f"the device API answers {status}: its administrator has to look at its log")
    return Refusing(f"P-{status}", "what answers there is not the device API: check enrolment.url", retry_s)


def _decoded(kind: type[M], body: bytes) -> M:
    try:
        return kind.decode(body)
    except WireError as error:
        raise Unusable(f"the office's answer can't be understood ({error}): update Kewang on the box") from None
