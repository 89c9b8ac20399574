"""What is said to a camera, request by request; without sockets or time, over anything that answers (`Line`)."""

import re
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from edge.net.address import Address
from edge.net.auth import REFUSED, Login
from edge.net.errors import CameraError
from edge.rtsp import messages
from edge.rtsp.messages import Response
from edge.rtsp.sdp import Video, base_url, control_url, video
from kewang.wire.cameras import CameraReason

Lower = Literal["tcp", "udp"]
"""The way of packets: inside the connection, or as datagrams."""

UNSUPPORTED: Final = (CameraReason.TRANSPORT, "the camera sends neither over TCP nor over UDP as asked")
_UNSUPPORTED_STATUS: Final = 461
_TRIES: Final = 3
_SESSION_LIMIT: Final = 256
_REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})
_REASONS: Final = {
    401: REFUSED,
    403: (CameraReason.AUTH, "this user may not see the stream"),
    404: (CameraReason.NOT_FOUND, "the camera has no stream of this name: check the path of its url"),
    410: (CameraReason.NOT_FOUND, "the camera has no such stream any more: check the path of its url"),
    415: (CameraReason.CODEC, "the camera can't describe its stream as SDP"),
    453: (CameraReason.BUSY, "not enough bandwidth: too many are watching this camera"),
    _UNSUPPORTED_STATUS: UNSUPPORTED,
    503: (CameraReason.BUSY, "the camera has no free place now: too many are watching it"),
    505: (CameraReason.PROTOCOL, "the camera does not speak RTSP 1.0"),
}


class Redirected(Exception):
    """The camera sends us elsewhere: `location`, as it wrote it."""

    def __init__(self, location: str) -> None:
        super().__init__("redirected")
        self.location = location


class Line(Protocol):
    """A connection to the camera, one request at a time."""

    async def ask(self, request: bytes) -> Response:
        """Send `request` and give its answer. Raises CameraError."""


@dataclass(frozen=True, slots=True)
class Way:
    """What SETUP agreed on. TCP: `media` and `control` are channels; UDP: the camera's ports (None: not told)."""

    lower: Lower
    media: int | None
    control: int | None


class Dialogue:
    """One session with one camera, in order: options, describe, setup, play, teardown.

    Every method raises CameraError with the reason that a refusal means, and Redirected.
    """

    def __init__(self, line: Line, address: Address, login: Login) -> None:
        self._line, self._login = line, login
        self._url = self._base = address.wire_url
        self._aggregate = self._control = self._url
        self._cseq = 0
        self._session: str | None = None

    @property
    def open(self) -> bool:
        """Whether the camera holds a session for us, which needs a TEARDOWN."""
        return self._session is not None

    async def options(self) -> None:
        """Ask what it can do; that it can't say so is no harm."""
        response = await self._ask("OPTIONS", self._url)
        if 400 <= response.status < 500 and response.status not in _REASONS:
            return
        _check(response, "OPTIONS")

    async def describe(self) -> Video:
        """What the camera sends."""
        response = await self._ask("DESCRIBE", self._url, {"Accept": "application/sdp"})
        _check(response, "DESCRIBE")
        found = video(response.body)
        self._base = base_url(self._url, response.header("content-base"), response.header("content-location"))
        self._control = control_url(self._base, found.control)
        self._aggregate = control_url(self._base, found.aggregate)
        return found

    async def setup(self, lower: Lower, port: int = 0) -> Way | None:
        """Agree on a way; `port`: ours for datagrams, the next one being for RTCP. None: the camera can't (461)."""
        asked = "RTP/AVP/TCP;unicast;interleaved=0-1" if lower == "tcp" else _datagrams(port)
        response = await self._ask("SETUP", self._control, {"Transport": asked})
        if response.status == _UNSUPPORTED_STATUS:
            return None
        _check(response, "SETUP")
        session = (response.header("session") or "").partition(";")[0].strip()
        if not session or len(session) > _SESSION_LIMIT:
            raise CameraError(CameraReason.PROTOCOL, "SETUP was answered without a usable session")
        self._session = session
        return _way(lower, response.header("transport") or "")

    async def play(self) -> None:
        """Let it send; the first packets may come before this returns."""
        response = await self._ask("PLAY", self._aggregate, {"Range": "npt=0.000-"})
        _check(response, "PLAY")

    def teardown(self) -> bytes:
        """The request that ends the session; its answer does not matter. Login as known by now."""
        headers = {"Session": self._session or "", **self._login.header("TEARDOWN", self._aggregate)}
        self._session = None
        self._cseq += 1
        return messages.request("TEARDOWN", self._aggregate, self._cseq, headers)

    async def _ask(self, method: str, url: str, headers: dict[str, str] | None = None) -> Response:
        """The answer, logged in when the camera wants that; 401 is not retried without a reason to."""
        fresh = False
        for _ in range(_TRIES):
            login = self._login.header(method, url)
            session = {"Session": self._session} if self._session else {}
            self._cseq += 1
            asked = messages.request(method, url, self._cseq, {**(headers or {}), **session, **login})
            response = await self._line.ask(asked)
            if response.status != 401:
                return response
            self._login.take_up(response.headers.get("www-authenticate", []), refused=fresh and bool(login))
            fresh = True
        raise CameraError(*REFUSED)


def _check(response: Response, method: str) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if status in _REDIRECTS:
        raise Redirected(response.header("location") or "")
    if status in _REASONS:
        raise CameraError(*_REASONS[status])
    reason = CameraReason.SERVER_ERROR if status >= 500 or status == 454 else CameraReason.PROTOCOL
    raise CameraError(reason, f"the camera answered {status} to {method}")


def _datagrams(port: int) -> str:
    return f"RTP/AVP;unicast;client_port={port}-{port + 1}"


def _way(lower: Lower, transport: str) -> Way:
    """What the camera says that it does; where it says nothing, what was asked for."""
    told = {key.strip().lower(): value for key, _, value in (part.partition("=") for part in transport.split(";"))}
    if lower == "udp":
        return Way("udp", *_pair(told.get("server_port", "")))
    if transport and not {"rtp/avp/tcp", "interleaved"} & told.keys():
        raise CameraError(CameraReason.TRANSPORT, "the camera answered the wish for TCP with another way")
    media, control = _pair(told.get("interleaved", ""))
    return Way("tcp", 0 if media is None else media, 1 if control is None else control)


def _pair(text: str) -> tuple[int | None, int | None]:
    found = re.match(r"\s*(\d{1,5})(?:-(\d{1,5}))?", text)
    if not found or int(found[1]) > 65_535:
        return None, None
    first = int(found[1])
    return first, int(found[2]) if found[2] else first + 1
