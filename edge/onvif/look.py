"""One look at a camera by ONVIF: ask what it supports, keep what it tells, whatever fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

from edge.net.errors import CameraError
from edge.onvif import device, events, media, recording
from edge.onvif.facts import Endpoint, OnvifFacts, Profile, Recording, Unsupported
from edge.onvif.soap import Caller
from kewang.wire.cameras import CameraReason

REQUEST_S: Final = 5.0
_MAX_UPTIME_S: Final = 20 * 365 * 86_400.0
_FINAL: Final = frozenset(
    {
        CameraReason.DNS,
        CameraReason.REFUSED,
        CameraReason.UNROUTABLE,
        CameraReason.TIMEOUT,
        CameraReason.AUTH,
        CameraReason.BUSY,
    }
)
"""After these nothing more is asked: it would wait in vain, or lock the account by one more wrong password."""
T = TypeVar("T")


async def look(
    endpoint: Endpoint,
    user: str | None = None,
    password: str | None = None,
    timeout_s: float = 15.0,
    *,
    stream_path: str | None = None,
    streams: bool = True,
    events: bool = True,
    wall_s: Callable[[], float] = time.time,
) -> OnvifFacts:
    """What the camera tells within `timeout_s` (and a second more to end a subscription). Never raises for anything
    remote; what came before a failure counts.

    `stream_path`: path of the stream in question; of a camera with several pictures only that one's events and
    recordings count. `streams`: also the addresses of its streams. `events`: also tamper, uptime, recording.
    `wall_s`: our date in Unix seconds.
    """
    looking = _Look(Caller(endpoint, user, password, min(REQUEST_S, timeout_s), wall_s))
    try:
        async with asyncio.timeout(timeout_s):
            await looking.run(stream_path, streams, events)
    except TimeoutError:
        looking.note(CameraError(CameraReason.TIMEOUT, f"not done within {timeout_s:g} s"))
    except CameraError as error:
        looking.note(error)
    return looking.told()


class _Look:
    """What is known so far."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._facts = OnvifFacts()
        self._first: CameraError | None = None
        self._let_in = False

    def note(self, error: CameraError) -> None:
        """Keep the first failure: the others follow from it."""
        self._first = self._first or error

    def told(self) -> OnvifFacts:
        """The facts with the reason why some are missing."""
        if self._first is None:
            return replace(self._facts, reason=CameraReason.NONE)
        return replace(self._facts, reason=self._first.reason, detail=self._first.detail)

    async def run(self, stream_path: str | None, streams: bool, with_events: bool) -> None:
        """Everything, each thing before what needs it. Raises CameraError when it makes no sense to go on."""
        await self._clock()
        services = await self._try(device.services(self._caller)) or {}
        await self._information()
        if with_events or streams:
            await self._profiles(services, stream_path, streams)
        if with_events:
            ours = self._profile(stream_path)
            failed = await self._events(services, ours)
            await self._recording(services, ours, failed)

    async def _try(self, asked: Awaitable[T]) -> T | None:
        """The answer, or None if there is none. Raises CameraError when it makes no sense to go on."""
        try:
            return await asked
        except Unsupported:
            return None
        except CameraError as error:
            if self._let_in and error.reason is CameraReason.AUTH:
                return None  # the password is right: this user may not ask that, and no account gets locked by it
            self.note(error)
            if error.reason in _FINAL:
                raise
            return None

    async def _clock(self) -> None:
        offset_s = await self._try(device.clock_offset_s(self._caller))
        self._caller.clock_offset_s = offset_s or 0.0
        self._facts = replace(self._facts, clock_offset_s=offset_s)

    async def _information(self) -> None:
        told = await self._try(device.information(self._caller))
        self._let_in = told is not None
        if told:
            self._facts = replace(self._facts, **asdict(told))

    async def _profiles(self, services: Mapping[str, str], stream_path: str | None, streams: bool) -> None:
        if not services.keys() & {"media", "media2"}:
            return
        found = await self._try(media.profiles(self._caller, services)) or ()
        self._facts = replace(self._facts, profiles=found)
        wanted = media.MAX_ADDRESSES if streams or (stream_path and len(found) > 1) else 0
        for number, profile in enumerate(found[:wanted]):
            told = await self._try(media.with_addresses(self._caller, services, profile)) or profile
            now = self._facts.profiles
            self._facts = replace(self._facts, profiles=(*now[:number], told, *now[number + 1 :]))

    def _profile(self, stream_path: str | None) -> Profile | None:
        """The profile whose stream has this path; None if that is not known or makes no difference."""
        for profile in self._facts.profiles if stream_path else ():
            parts = urlsplit(profile.stream_url or "")
            if stream_path in (parts.path, f"{parts.path}?{parts.query}"):
                return profile
        return None

    async def _events(self, services: Mapping[str, str], ours: Profile | None) -> bool | None:
        """Whether the camera's storage failed; None if that is not told."""
        if "events" not in services:
            return None
        notices = await self._try(events.pull(self._caller, services["events"])) or ()
        self._facts = replace(
            self._facts,
            tamper=events.tamper(notices, ours.sources if ours else frozenset()),
            uptime_s=self._uptime_s(events.last_reboot_s(notices)),
        )
        return events.storage_failed(notices)

    def _uptime_s(self, last_reboot_s: float | None) -> float | None:
        """Both ends by the camera's own clock."""
        if last_reboot_s is None or self._facts.clock_offset_s is None:
            return None
        uptime_s = self._caller.wall_s() + self._facts.clock_offset_s - last_reboot_s
        return max(uptime_s, 0.0) if -2 <= uptime_s <= _MAX_UPTIME_S else None

    async def _recording(self, services: Mapping[str, str], ours: Profile | None, failed: bool | None) -> None:
        told = Recording.UNKNOWN
        if "recording" in services:
            tokens = ours.sources | {ours.token} if ours else frozenset()
            told = await self._try(recording.state(self._caller, services["recording"], tokens)) or told
        self._facts = replace(self._facts, recording=Recording.NO if failed else told)
