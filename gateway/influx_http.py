"""HTTP towards InfluxDB: requests that end in time, and the one place that says what an answer asks of the gateway."""

import email.utils
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import aiohttp

from gateway.line_protocol import encode
from gateway.points import refusal
from gateway.ports import BUCKETS, Bucket, Misconfigured, Poison, RetryLater, Split, Table, bucket_of

TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 60.0
CONNECTIONS: Final = 8
MAX_BODY_BYTES: Final = 1024 * 1024
"""A larger write is split here: InfluxDB 1 answers one above its own limit (25 MB) by cutting the connection, and a
large body sent in one piece holds up the event loop."""
AFTER_S: Final = 1.0
LONGEST_AFTER_S: Final = 300.0
_MISSING: Final = ("database not found", "retention policy not found")
"""What InfluxDB 1 says with status 500 when the fault is in the address."""
_STATUS_ADVICE: Final = {
    401: "user, password or token are wrong: mend the secret file",
    403: "this user or token may not do that: give it the right to write and read",
    404: "no such database, bucket or organisation: mend the address or run 'kewang gateway init'",
}


class InfluxHttp:
    """Requests to one server over at most CONNECTIONS connections, opened when needed."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
        self.base_url, self._timeout_s = base_url, timeout_s
        self._headers = dict(headers)
        self._open: aiohttp.ClientSession | None = None

    async def post(
        self, path: str, query: Mapping[str, str], body: bytes | Mapping[str, str], timeout_s: float | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers, body) of the answer. Raises RetryLater or Misconfigured if there is none."""
        limit = aiohttp.ClientTimeout(total=timeout_s or self._timeout_s)
        try:
            async with self._session().post(
                self.base_url + path, params=query, data=body, timeout=limit, allow_redirects=False
            ) as answer:
                return answer.status, answer.headers, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error, self.base_url) from error

    async def lines(
        self, path: str, query: Mapping[str, str], body: Mapping[str, str], take: Callable[[bytes], None]
    ) -> None:
        """Hand the answer to `take` line by line as it comes: its whole is never here. Raises RetryLater or
        Misconfigured, also after some lines."""
        limit = aiohttp.ClientTimeout(sock_connect=self._timeout_s, sock_read=READ_TIMEOUT_S)
        plain = {"Accept-Encoding": "identity"}  # to pack these answers costs InfluxDB a quarter of making them
        try:
            async with self._session().post(
                self.base_url + path, params=query, data=body, headers=plain, timeout=limit, allow_redirects=False
            ) as answer:
                if answer.status >= 300:
                    refused = answered(answer.status, answer.headers, await answer.read())
                    raise refused or Misconfigured(f"{self.base_url} answered {answer.status}")
                rest = b""
                async for block in answer.content.iter_any():
                    *whole, rest = (rest + block).split(b"\n")
                    for line in whole:
                        take(line)
                take(rest)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error, self.base_url) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            await self._open.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None or self._open.closed:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS)
            self._open = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self._open


def unanswered(error: Exception, url: str) -> RetryLater | Misconfigured:
    """What it means that a request got no answer."""
    if isinstance(error, aiohttp.InvalidURL):
        return Misconfigured(f"{url} is no address: mend the store's url")
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)) and not isinstance(error, ConnectionError):
        return Misconfigured(f"{url}: {error}: mend the certificate or the address")
    return RetryLater(f"{url} does not answer: {type(error).__name__} {error}")


def answered(
    status: int, headers: Mapping[str, str], body: bytes, tables: Sequence[Table] = ()
) -> RetryLater | Misconfigured | Split | Poison | None:
    """What an answer to a write of `tables` (none: to another request) asks of the gateway; None: it is done."""
    if 200 <= status < 300:
        return None
    said = f"InfluxDB answered {status}: {error_text(body)}"
    if status >= 500 and any(missing in said for missing in _MISSING):
        return Misconfigured(f"{said}; {_STATUS_ADVICE[404]}")
    if status in (408, 429) or status >= 500:
        return RetryLater(said, _after_s(headers))
    if tables and status in (400, 413, 422):
        return refusal(tables, said)
    return Misconfigured(f"{said}; {_STATUS_ADVICE.get(status, 'is this the address of an InfluxDB?')}")


def error_text(body: bytes) -> str:
    """The reason in an error answer, short enough for a log."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if isinstance(told, dict):
        told = told.get("message") or told.get("error") or told
        return str(told)[:500]
    return body.decode(errors="replace").strip()[:500]


def body_of(part: Sequence[Table], tables: Sequence[Table]) -> bytes:
    """`part` of `tables` as a write's body. Raises Split or Poison, of all of them."""
    try:
        body = encode(part)
    except ValueError as error:
        raise refusal(tables, str(error)) from None
    if len(body) > MAX_BODY_BYTES:
        raise refusal(tables, f"a write of {len(body)} bytes, the limit is {MAX_BODY_BYTES}")
    return body


def by_bucket(tables: Sequence[Table]) -> list[tuple[Bucket, list[Table]]]:
    """The tables that have rows, by where they live; what is kept for ever first, readings last."""
    parts: dict[Bucket, list[Table]] = {}
    for table in tables:
        if table.rows:
            parts.setdefault(bucket_of(table.measurement), []).append(table)
    return [(bucket, parts[bucket]) for bucket in BUCKETS if bucket in parts]


def shard_days(bucket: Bucket, days: int) -> int:
    """Length of a shard: quarantine holds any date from 1970 to 2200, long ones keep their number small."""
    return {"kept": 364, "years": 28, "months": 7, "raw": 1 if days else 7}[bucket]


def _after_s(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds (a number or a date), within bounds."""
    text = headers.get("Retry-After", "")
    try:
        wait_s = float(text)
    except ValueError:
        date = email.utils.parsedate_tz(text)
        wait_s = email.utils.mktime_tz(date) - time.time() if date else AFTER_S
    return min(max(wait_s, 0.0), LONGEST_AFTER_S) if wait_s == wait_s else AFTER_S
