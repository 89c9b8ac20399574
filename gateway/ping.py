"""The dead man's switch: while all of us is proven to be well, an address elsewhere is asked. Silence is the alarm.

Whoever keeps that address (healthchecks.io, Uptime Kuma, a server elsewhere) tells people when the pings stay away: the
one thing that a gateway that is dead or cut off can't tell itself. Nothing is said when we are not well.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from gateway.notify.guard import Forbidden, Guard
from gateway.notify.http import Http, answered
from gateway.ports import Misconfigured, Poison, RetryLater
from gateway.settings import PingSettings
from kewang.runtime.settings import SettingsError, secret

log = logging.getLogger(__name__)

LASTS_S: Final = 900.0
"""Pings that fail for so long are trouble of ours that people are told of."""
TRY_S: Final = 10.0
PAUSES_S: Final = (0.0, 5.0, 10.0)
"""Before each try of one ping."""


class Ping:
    """Asks one address for ever. `now_s`: a clock that never steps. Raises SettingsError if it is not allowed."""

    def __init__(
        self, settings: PingSettings, now_s: Callable[[], float], pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        self._url, self._every_s = secret(settings.url_file), settings.every_s
        self._now_s, self._pauses_s = now_s, pauses_s
        guard = Guard(settings.allowed, plain_http=settings.plain_http)
        try:
            guard.check_url(self._url)
        except (Forbidden, ValueError) as error:
            why = error if isinstance(error, Forbidden) else "this is no address"
            raise SettingsError(f"incidents.ping.url_file: {settings.url_file}: {why}") from None
        parts = urlsplit(self._url)
        self._name = f"the ping of {parts.hostname}"
        self._http = Http(self._name, [self._url, parts.path.strip("/"), parts.query], guard, TRY_S)
        self._said: str | None = None
        self._failing: str | None = None
        self._since_s = 0.0

    @property
    def trouble(self) -> str | None:
        """Why no ping gets through, once that has lasted."""
        return self._failing if self._failing and self._now_s() >= self._since_s + LASTS_S else None

    async def run(self, doubt: Callable[[], str | None]) -> None:
        """Ping until cancelled, but never while there is a `doubt` (in words) that we are well."""
        try:
            while True:
                began_s = self._now_s()
                try:
                    await self.turn(doubt)
                except Exception as error:  # noqa: BLE001 - no traceback: what a library says may hold the address
                    self._failed(f"unexpected {type(error).__name__}")
                await asyncio.sleep(max(0.0, began_s + self._every_s - self._now_s()))
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def turn(self, doubt: Callable[[], str | None]) -> None:
        """One ping, tried again a few times."""
        failed = ""
        for pause_s in self._pauses_s:
            await asyncio.sleep(pause_s)
            if (why := doubt()) is not None:
                self._say("withheld", logging.WARNING, f"withheld while we are not proven to be well: {why}")
                return
            try:
                await self._ask()
            except RetryLater as error:
                failed = str(error)
            except (Misconfigured, Poison) as error:
                failed = str(error)
                break
            else:
                self._failing = None
                self._say("well", logging.INFO, "gets through")
                return
        self._failed(failed)

    async def _ask(self) -> None:
        answer = await self._http.get(self._url)
        said = self._http.scrubbed(answer.body.decode(errors="replace"))
        if (trouble := answered(self._name, answer, said)) is not None:
            raise trouble

    def _failed(self, why: str) -> None:
        if self._failing is None:
            self._since_s = self._now_s()
        self._failing = why
        self._say("failed", logging.ERROR, f"does not get through: {why}")

    def _say(self, state: str, level: int, text: str) -> None:
        """Once for each change."""
        if state != self._said:
            log.log(level, "%s %s", self._name, text)
            self._said = state
