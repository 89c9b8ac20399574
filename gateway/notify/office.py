"""Asks provisioning's office page who gets alerts, each minute, and goes on with its last good answer; wishes tasks.

That answer is kept beside the notices, so provisioning may be away for days, and the gateway may start without it.
"""

import asyncio
import logging
import sqlite3
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.notify.contacts import OfficeSettings, unreachable
from gateway.notify.http import Answer, Http, answered
from gateway.notify.outbox import Outbox
from gateway.ports import Misconfigured, Poison, RetryLater
from kewang.runtime.backoff import Backoff
from kewang.runtime.settings import SettingsError, secret
from kewang.ui.words import LANGUAGES, Language
from kewang.wire.errors import WireError
from kewang.wire.incident_task import PATH as TASKS_PATH
from kewang.wire.incident_task import Given, Tasks, Wish
from kewang.wire.roster import LIMIT_BYTES, PATH, Roster

log = logging.getLogger(__name__)

OFFICE: Final = "office"
"""The name of its last good answer in the outbox."""
_REFUSALS: Final = frozenset({400, 403, 404, 409, 507})
FIRST_S: Final = 600.0
"""So long nobody worries that there was no answer yet."""
OLD_S: Final = 86_400.0
"""An answer that is older makes people look, though it is used on."""


class TaskRefused(Exception):
    """The office does not give that task; nothing was done. `texts`: why, and the next step, by language."""

    def __init__(self, texts: Mapping[Language, str]) -> None:
        super().__init__(texts["en"])
        self.texts = texts


class Office:
    """`now_s`: a clock that never steps. `count` hears what each answer was: new, same, refused, away."""

    def __init__(self, settings: OfficeSettings, outbox: Outbox, now_s: Callable[[], float]) -> None:
        """Raises SettingsError for a token or certificate that can't be used."""
        secret(settings.token_file)
        self._settings, self._outbox, self._now_s = settings, outbox, now_s
        self._http = _http(settings)
        self._tag = ""
        self._good_s = now_s()
        self.roster = kept_roster(outbox)
        self.count: Callable[[str], None] = lambda what: None
        self.then: Callable[[], Awaitable[None]] = _nothing
        """Done after each answer."""

    async def run(self) -> None:
        """Ask for ever, until cancelled."""
        backoff = Backoff("asking the office who gets alerts", log, longest_s=self._settings.every_s)
        try:
            while True:
                try:
                    await self.ask()
                    await self.then()
                except (RetryLater, Misconfigured, Poison) as error:
                    self.count("away")
                    await backoff.failed(error)
                except WireError as error:
                    self.count("refused")
                    await backoff.failed(error)
                except sqlite3.Error as error:
                    await backoff.failed(error)
                else:
                    backoff.succeeded()
                    await asyncio.sleep(self._settings.every_s)
        finally:
            await self._http.close()

    async def ask(self) -> None:
        """Ask once. Raises RetryLater, Misconfigured or Poison without an answer, WireError for one that is none."""
        headers = {"If-None-Match": self._tag} if self._tag else {}
        answer = await self._http.get(self._url(PATH), await self._headers() | headers)
        if answer.status != 304:
            await self._take(answer)
        self.count("same" if answer.status == 304 else "new")
        self._good_s = self._now_s()

    async def assign(self, wish: Wish) -> Given:
        """The task that `wish` became. Raises TaskRefused, else as `ask`."""
        answer = await self._http.post(self._url(TASKS_PATH), wish.encode(), await self._headers())
        if answer.status in _REFUSALS and (texts := _texts(answer)):
            raise TaskRefused(texts)
        _check(answer)
        given = Given.decode(answer.body)
        if (given.incident, given.opened_ms) != (wish.incident, wish.opened_ms):
            raise WireError("the office answers about another incident")
        return given

    async def tasks(self) -> Tasks:
        """What became of the newest tasks. Raises as `ask`."""
        answer = await self._http.get(self._url(TASKS_PATH), await self._headers())
        _check(answer)
        return Tasks.decode(answer.body)

    def trouble(self) -> str | None:
        """What people should know of the list, in words; None while it is good."""
        since_s = self._now_s() - self._good_s
        if self.roster is None:
            return "the office's list of contacts never came" if since_s >= FIRST_S else None
        if since_s >= OLD_S:
            return "the office's list of contacts is more than a day old"
        served = any(self._settings.by.get(one.channel) for one in self.roster.contacts)
        return None if served or not self._settings.by else "nobody of the office's list can be told"

    async def _take(self, answer: Answer) -> None:
        _check(answer)
        roster = Roster.decode(answer.body)
        _check_zone(roster.time_zone)
        if roster != self.roster:
            await asyncio.to_thread(self._outbox.put, (), {OFFICE: roster.encode().decode()})
            log.info("the office's list of contacts is new: %d", len(roster.contacts))
            for channel, count in unreachable(roster, self._settings.by).items():
                log.warning("%d contacts wish %s, which no channel serves: see office.by", count, channel)
        self.roster, self._tag = roster, answer.headers.get("ETag", "")[:200]

    def _url(self, path: str) -> str:
        return self._settings.url.rstrip("/") + path

    async def _headers(self) -> dict[str, str]:
        token = await asyncio.to_thread(self._token)
        return {"Authorization": f"Bearer {token}", "Accept": "application/json", "Content-Type": "application/json"}

    def _token(self) -> str:
        try:
            return secret(self._settings.token_file)
        except SettingsError as error:
            raise Misconfigured(str(error)) from None


def kept_roster(outbox: Outbox) -> Roster | None:
    """The last good answer that was kept beside the notices."""
    kept: Any = outbox.kept(OFFICE)
    with suppress(WireError):
        return Roster.decode(kept.encode()) if isinstance(kept, str) else None
    return None


async def _nothing() -> None:
    """Nobody wants anything."""


def _check(answer: Answer) -> None:
    if (trouble := answered("the office", answer, "see url and token_file of [office]")) is not None:
        raise trouble
    if len(answer.body) >= LIMIT_BYTES:
        raise WireError("the office's answer is too long")


def _texts(answer: Answer) -> dict[Language, str]:
    """Why it refuses; {} for an answer that is not provisioning's own."""
    found = answer.json().get("text")
    told = [found.get(language) for language in LANGUAGES] if isinstance(found, dict) else []
    texts = ["".join(filter(str.isprintable, text))[:500] for text in told if isinstance(text, str)]
    return dict(zip(LANGUAGES, texts, strict=True)) if len(texts) == len(LANGUAGES) else {}


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise WireError(f"roster: {name!r} is no time zone") from None


def _http(settings: OfficeSettings) -> Http:
    try:
        return Http("the office", ca_file=settings.ca_file, answer_bytes=LIMIT_BYTES)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"office.ca_file: {settings.ca_file}: {error}") from None
