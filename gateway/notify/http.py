"""HTTP to those who carry our messages, and to the office: requests that end, and what their answers ask of us.

Texts hold no secret.
"""

import asyncio
import email.utils
import json
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.notify.guard import Forbidden, Guard
from gateway.notify.message import Unclear
from gateway.ports import Misconfigured, Poison, RetryLater

ANSWER_BYTES: Final = 64 * 1024
LONGEST_AFTER_S: Final = 3600.0
_LIMITS: Final = aiohttp.ClientTimeout(total=None, connect=10.0)
"""No total: aiohttp's own clock for that swallows a cancellation that comes together with its end."""
_NO_HEADERS: Final[Mapping[str, str]] = {}
_LATER: Final = frozenset({408, 409, 425, 429})
_MEND: Final = frozenset({401, 403, 404, 405, 407, 410})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of the body the beginning, as much as is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Http:
    """Requests to one server. `secrets` are cut out of every text; no URL is ever in one: it may hold them too.

    `ca_file`: trust anchor for https in place of the system's. `answer_bytes`: so much of an answer is read.
    """

    def __init__(
        self,
        name: str,
        secrets: Iterable[str] = (),
        guard: Guard | None = None,
        limit_s: float = 15.0,
        ca_file: Path | None = None,
        answer_bytes: int = ANSWER_BYTES,
    ) -> None:
        self._name, self._secrets = name, [secret for secret in secrets if secret]
        self._guard = guard
        self._limit_s, self._answer_bytes = limit_s, answer_bytes
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._open: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer. Raises RetryLater, Unclear or Misconfigured if there is none."""
        return await self._ask("POST", url, body, headers)

    async def get(self, url: str, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """The same without a body."""
        return await self._ask("GET", url, None, headers)

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        try:
            if self._guard is not None:
                self._guard.check_url(url)
            asked = self._session().request(
                method, url, data=body, headers=headers, timeout=_LIMITS, allow_redirects=False
            )
            async with asyncio.timeout(self._limit_s), asked as answer:
                return Answer(answer.status, answer.headers, await _body(answer.content, self._answer_bytes))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._unanswered(error) from None

    def scrubbed(self, text: str, also: Iterable[str] = ()) -> str:
        """`text` on one line without any secret nor what is `also` one, short enough for a log."""
        for secret in [*self._secrets, *filter(None, also)]:
            text = text.replace(secret, "***")
        return " ".join(text.encode("utf-8", "replace").decode().split())[:300]

    async def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            await self._open.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None or self._open.closed:
            connector = self._guard.connector() if self._guard else aiohttp.TCPConnector(limit=4, ssl=self._tls)
            self._open = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._open

    def _unanswered(self, error: Exception) -> RetryLater | Misconfigured:
        if isinstance(error, Forbidden) or isinstance(getattr(error, "os_error", None), Forbidden):
            forbidden = error if isinstance(error, Forbidden) else error.os_error  # type: ignore[attr-defined]
            return Misconfigured(f"{self._name}: {self.scrubbed(str(forbidden))}")
        if isinstance(error, (aiohttp.InvalidURL, ValueError)) and not isinstance(error, aiohttp.ClientConnectionError):
            return Misconfigured(f"{self._name}: its address is none: mend it")
        if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError) and not isinstance(error, ConnectionError):
            return Misconfigured(f"{self._name}: {self.scrubbed(str(error))}: mend the certificate or the address")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return RetryLater(f"{self._name} can't be reached: {type(error).__name__}", 0.0)
        return Unclear(f"{self._name} gave no answer: {type(error).__name__}", 0.0)


async def _body(content: aiohttp.StreamReader, limit_bytes: int) -> bytes:
    """All of it, or its beginning: one `read` gives what has arrived so far."""
    found = bytearray()
    while len(found) < limit_bytes and (piece := await content.read(limit_bytes - len(found))):
        found += piece
    return bytes(found)


def answered(name: str, answer: Answer, said: str) -> RetryLater | Misconfigured | Poison | None:
    """What an answer asks of us as HTTP goes; None: it is done. `said`: its reason, scrubbed."""
    text = f"{name} answered {answer.status}: {said}"
    if 200 <= answer.status < 300:
        return None
    if answer.status >= 500:
        return Unclear(text, retry_after_s(answer.headers))
    if answer.status in _LATER:
        return RetryLater(text, retry_after_s(answer.headers))
    if answer.status in _MEND or answer.status < 400:
        return Misconfigured(f"{text}: mend its address or secret")
    return Poison(text)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds (a number or a date), within bounds; 0 if there is none."""
    text = headers.get("Retry-After", "")
    try:
        wait_s = float(text)
    except ValueError:
        date = email.utils.parsedate_tz(text)
        wait_s = email.utils.mktime_tz(date) - time.time() if date else 0.0
    return min(max(wait_s, 0.0), LONGEST_AFTER_S) if wait_s == wait_s else 0.0
