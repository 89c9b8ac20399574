"""The ONVIF services of a simulated camera, to be mounted on its HTTP port."""

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from xml.etree import ElementTree

from aiohttp import web

from firmware_sim.cameras import onvif_answers as answers
from firmware_sim.cameras.auth import AuthKind, Door
from firmware_sim.cameras.onvif_answers import Account, Stream

PATH: Final = "/onvif/device_service"
"""One path for all services but events, as many cameras have it."""
SUBSCRIPTION_PATH: Final = "/onvif/subscription"
TOKEN_WINDOW_S: Final = 5.0
"""A login dated further from the camera's own clock is refused, as strict cameras do."""
_OPEN_TO_ALL: Final = frozenset({"GetSystemDateAndTime", "GetServices", "GetCapabilities"})
_BOMB: Final = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "'
    + "A" * 1000
    + '">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(8))
    + "]><b>&i;</b>"
)


class OnvifFault(StrEnum):
    """What the services do wrong while the fault lasts."""

    NONE = "none"
    UNAUTHORISED = "401"
    """Every login is refused."""
    HANG = "hang"
    HANG_EVENTS = "hang_events"
    """Only events never come."""
    GARBAGE = "garbage"
    BOMB = "bomb"
    """XML whose entities would expand to a hundred gigabytes."""
    ENDLESS = "endless"
    """A body that never ends."""
    UNSUPPORTED = "unsupported"
    """Only the clock; everything else is answered by ActionNotSupported."""


@dataclass
class OnvifState:
    """What a camera is and says now.

    `clock_ahead_s`: its clock against ours. `tamper`: topics of `onvif_answers.TAMPER` that are true now. `recording`:
    None = no recording service. `shy`: states are told only after a synchronisation point was asked for.
    `by_header`: accept HTTP digest instead of the token in the envelope. `by_reference`: a subscription is named by a
    header that the client has to send back, not by its address. `old`: knows no GetServices. `secretive`: tells not
    even its clock without a login. `forbidden`: names of the requests that this user may not make.
    """

    account: Account | None = None
    by_header: bool = False
    model: str = "KW-200"
    firmware: str = "1.4.2"
    serial: str = "KW0001"
    streams: Sequence[Stream] = ()
    clock_ahead_s: float = 0.0
    booted_s: float = field(default_factory=time.time)
    """Unix seconds, by the right clock."""
    tamper: frozenset[str] = frozenset()
    storage_failed: bool = False
    recording: bool | None = None
    shy: bool = False
    by_reference: bool = False
    old: bool = False
    secretive: bool = False
    forbidden: frozenset[str] = frozenset()
    fault: OnvifFault = OnvifFault.NONE

    def now(self) -> datetime:
        """The camera's time, UTC."""
        return datetime.fromtimestamp(time.time() + self.clock_ahead_s, UTC)


class OnvifServices:
    """The services. `current` is asked at every request. `requests`: names of the requests, in order;
    `subscriptions`: the open ones."""

    def __init__(self, current: Callable[[], OnvifState]) -> None:
        self._current = current
        self._door: Door | None = None
        self._nonces: set[str] = set()
        self._told: set[str] = set()
        self._subscribed = 0
        self.requests: list[str] = []
        self.subscriptions: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """For the camera's HTTP port."""
        return [web.post(PATH, self._answer), web.post(SUBSCRIPTION_PATH, self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        state = self._current()
        if state.fault is OnvifFault.HANG:
            return await _silence(request)
        if state.fault is OnvifFault.ENDLESS:
            return await _endless(request)
        if state.fault in (OnvifFault.GARBAGE, OnvifFault.BOMB):
            return _soap(_BOMB if state.fault is OnvifFault.BOMB else "<s:Envelope>\x00 no &nd", 200)
        try:
            envelope = ElementTree.fromstring(await request.read())
            operation = next(iter(_find(envelope, "Body") or ()))
        except (ElementTree.ParseError, StopIteration):
            return _soap(answers.fault("Sender", "WellFormed"), 400)
        name = _local(operation)
        self.requests.append(name)
        is_open = name in _OPEN_TO_ALL and not state.secretive
        if name in state.forbidden or (not is_open and not self._admits(state, envelope, request)):
            return self._refusal(state)
        if name == "PullMessages" and state.fault is OnvifFault.HANG_EVENTS:
            return await _silence(request)
        return self._by_name(state, name, request, envelope)

    def _refusal(self, state: OnvifState) -> web.Response:
        refusal = _soap(answers.fault("Sender", "NotAuthorized"), 401 if state.by_header else 400)
        if state.by_header and self._door:
            refusal.headers["WWW-Authenticate"] = self._door.challenge()
        return refusal

    def _by_name(
        self, state: OnvifState, name: str, request: web.Request, envelope: ElementTree.Element
    ) -> web.Response:
        base = f"http://{request.host}"
        is_unknown = state.fault is OnvifFault.UNSUPPORTED and name != "GetSystemDateAndTime"
        if is_unknown or (state.old and name == "GetServices"):
            return _soap(answers.fault("Receiver", "ActionNotSupported"), 500)
        if request.path == SUBSCRIPTION_PATH or name == "CreatePullPointSubscription":
            return self._events(state, name, request, envelope)
        made: dict[str, Callable[[], str | None]] = {
            "GetSystemDateAndTime": lambda: answers.clock(state.now()),
            "GetDeviceInformation": lambda: answers.information(state.model, state.firmware, state.serial),
            "GetServices": lambda: answers.services(base + PATH, state.recording is not None),
            "GetCapabilities": lambda: answers.capabilities(base + PATH, state.recording is not None),
            "GetProfiles": lambda: answers.profiles(state.streams),
            "GetStreamUri": lambda: answers.address("GetStreamUri", state.streams, _token(envelope), request.host),
            "GetSnapshotUri": lambda: answers.address("GetSnapshotUri", state.streams, _token(envelope), request.host),
            "GetRecordingJobs": lambda: answers.recording_jobs(state.recording, state.streams),
            "GetRecordingJobState": lambda: answers.recording_job_state(state.recording),
        }
        body = made[name]() if name in made else None
        return _soap(body, 200) if body else _soap(answers.fault("Receiver", "ActionNotSupported"), 500)

    def _events(
        self, state: OnvifState, name: str, request: web.Request, envelope: ElementTree.Element
    ) -> web.Response:
        if name == "CreatePullPointSubscription":
            self._subscribed += 1
            subscription = f"s{self._subscribed}"
            self.subscriptions.add(subscription)
            place = f"http://{request.host}{SUBSCRIPTION_PATH}"
            return _soap(answers.subscription(place, subscription, state.by_reference, state.now()), 200)
        named = _find(envelope, "SubscriptionId") if state.by_reference else None
        subscription = (named.text or "") if named is not None else request.query.get("id", "")
        if subscription not in self.subscriptions:
            return _soap(answers.fault("Sender", "ResourceUnknownFault"), 400)
        if name == "Unsubscribe":
            self.subscriptions.discard(subscription)
            self._told.discard(subscription)
        elif name == "SetSynchronizationPoint":
            self._told.add(subscription)
        elif name == "PullMessages":
            is_silent = state.shy and subscription not in self._told
            return _soap(answers.messages(state.now(), [] if is_silent else self._states(state)), 200)
        return _soap(answers.empty(f"{name}Response"), 200)

    def _states(self, state: OnvifState) -> list[str]:
        rebooted = datetime.fromtimestamp(state.booted_s + state.clock_ahead_s, UTC)
        told = [answers.tamper(topic, topic in state.tamper, state.now()) for topic in answers.TAMPER]
        return [*told, answers.rebooted(rebooted, state.now()), answers.storage(state.storage_failed, state.now())]

    def _admits(self, state: OnvifState, envelope: ElementTree.Element, request: web.Request) -> bool:
        if state.fault is OnvifFault.UNAUTHORISED:
            return False
        if state.account is None:
            return True
        if state.by_header:
            self._door = self._door or Door(AuthKind.DIGEST, state.account.user, state.account.password)
            return self._door.admits("POST", request.headers.get("Authorization"))
        try:
            return self._token_fits(state.account, envelope, state.now())
        except ValueError:
            return False

    def _token_fits(self, account: Account, envelope: ElementTree.Element, now: datetime) -> bool:
        """WS-UsernameToken: right user, digest of nonce, date and password, a date near ours, a nonce not seen yet."""
        token = _find(envelope, "UsernameToken")
        if token is None:
            return False
        given = {_local(each): each.text or "" for each in token}
        nonce, created = given.get("Nonce", ""), given.get("Created", "")
        mixed = base64.b64decode(nonce) + created.encode() + account.password.encode()
        wanted = base64.b64encode(hashlib.sha1(mixed).digest())
        is_fresh = nonce not in self._nonces
        self._nonces.add(nonce)
        is_near = abs((datetime.fromisoformat(created) - now).total_seconds()) <= TOKEN_WINDOW_S
        fits = hmac.compare_digest(given.get("Password", "").encode(), wanted)
        return fits and is_near and is_fresh and given.get("Username") == account.user


def routes(current: Callable[[], OnvifState]) -> list[web.RouteDef]:
    """The ONVIF services as routes for a camera's HTTP port; `current` is asked at every request."""
    return OnvifServices(current).routes()


@asynccontextmanager
async def serving(
    services: OnvifServices, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """The services alone, for tests: yields the port."""
    app = web.Application()
    app.add_routes(services.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _silence(request: web.Request) -> web.StreamResponse:
    """No answer for as long as somebody waits for one."""
    # Nothing else in aiohttp tells a handler that the client has left.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return web.Response()


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/soap+xml"})
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"<a>" * 4096)
    return response


def _soap(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/soap+xml", charset="utf-8")


def _local(element: ElementTree.Element) -> str:
    return re.sub(r"^\{.*\}", "", str(element.tag))


def _find(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((each for each in element.iter() if _local(each) == name), None)


def _token(envelope: ElementTree.Element) -> str:
    named = _find(envelope, "ProfileToken")
    return (named.text or "") if named is not None else ""
