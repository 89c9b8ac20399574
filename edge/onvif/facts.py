"""What ONVIF tells of a camera, and how it fails: the currency of this folder."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge.net.address import Address
from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason, Tamper

DEVICE_PATH: Final = "/onvif/device_service"
"""Where every camera has its device service unless discovery says otherwise (ONVIF Core, section 5.1.1)."""
SERVICE_PATH: Final = re.compile(r"/[!-~]{0,300}")
"""A path that may go into a request line."""


class Recording(IntEnum):
    """Codes of the metric `recording`."""

    UNKNOWN = 0
    YES = 1
    NO = 2


class Unsupported(CameraError):
    """The camera answers that it can't do this: not a fault."""

    def __init__(self, detail: str) -> None:
        super().__init__(CameraReason.SERVER_ERROR, detail)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A camera's device service. `host` of IPv6 is without brackets."""

    host: str
    port: int = 80
    path: str = DEVICE_PATH
    tls: bool = False

    @property
    def address(self) -> Address:
        """The service's address."""
        return Address("https" if self.tls else "http", self.host, self.port, self.path)


@dataclass(frozen=True, slots=True)
class Profile:
    """A stream that the camera offers. Its addresses hold no credentials and lie on the host that was asked.

    In an address that wants the login inside, `{user}` and `{password}` stand for it.
    """

    token: str
    name: str = ""
    codec: str = ""
    width: int | None = None
    height: int | None = None
    source: str = ""
    """Token of the picture it shows: the same for a large and a small stream of one camera."""
    sources: frozenset[str] = frozenset()
    """Tokens by which events name that picture."""
    stream_url: str | None = None
    snapshot_url: str | None = None


@dataclass(frozen=True, slots=True)
class OnvifFacts:
    """What one look found; None, empty and UNKNOWN = the camera did not tell.

    `reason` NONE: the camera answered all that it supports; else the first failure, with `detail` for people.
    `clock_offset_s`: camera UTC minus ours, ± 1 s. `uptime_s`: since its last restart, as far as it says so.
    """

    reason: CameraReason = CameraReason.NOT_MEASURED
    detail: str = ""
    clock_offset_s: float | None = None
    uptime_s: float | None = None
    recording: Recording = Recording.UNKNOWN
    tamper: Tamper | None = None
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    profiles: tuple[Profile, ...] = ()
