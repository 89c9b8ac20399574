"""Settings of a camera."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.cameras.streams import Lower, Manner
from edge.net.address import Address, parse
from edge.onvif import Endpoint
from edge.sources.settings import SecretFile, SettingsPath, SourceSettings, problem
from kewang.runtime.settings import secret

Kind = Literal["auto", "rtsp", "mjpeg", "snapshot", "other"]
Share = Annotated[float, Field(ge=0, le=1)]
Zone = Annotated[tuple[tuple[Share, Share], ...], Field(min_length=3, max_length=32)]
"""Corners of a polygon as (x, y), shares of the picture's width and height from the upper left."""

_OF_SCHEME = {
    "rtsp": ("rtsp", "other"),
    "rtsps": ("rtsp", "other"),
    "http": ("mjpeg", "snapshot", "other"),
    "https": ("mjpeg", "snapshot", "other"),
    "rtmp": ("other",),
}


class CameraSettings(SourceSettings):
    """A camera: what it delivers, what its picture is worth, what its clock says. Only numbers leave the box."""

    interval_s: float = Field(default=20.0, exclude=True, description="Not for cameras.")
    timeout_s: float = Field(default=5.0, gt=0, le=30, description="Seconds a camera has for each answer.")
    url: str = Field(
        description="Its stream: rtsp://, or http:// for MJPEG or single pictures; best the small one (sub-stream). "
        "Without user and password; `{user}` and `{password}` stand for them where a camera wants them inside."
    )
    user: str | None = Field(default=None, description="User of the camera; best one that may only watch.")
    password_file: SecretFile | None = Field(default=None, description="File with its password, chmod 600.")
    main_url: str | None = Field(
        default=None, description="Its large stream: every slow_s it is tried whether it delivers."
    )
    kind: Kind = Field(
        default="auto",
        description="`rtsp`, `mjpeg`, `snapshot`; `other`: what FFmpeg can open (RTMP, HLS). `auto`: by the url.",
    )
    transport: Lower = Field(
        default="auto", description="How RTSP brings the packets; `auto`: TCP, and UDP if the camera refuses that."
    )
    redirects: bool = Field(default=False, description="Follow the camera when it sends us to another host.")
    reach_s: float = Field(default=20.0, ge=0.2, le=3600, description="Seconds between two looks whether it answers.")
    picture_s: float = Field(default=60.0, ge=0.2, le=3600, description="Seconds between two looks at its picture.")
    slow_s: float = Field(
        default=900.0, ge=0.2, le=86_400, description="Seconds between two looks at main stream and ONVIF."
    )
    suspicion_s: float = Field(default=10.0, ge=0.1, le=600, description="Seconds to the next look on suspicion.")
    watch_s: float = Field(default=4.5, ge=0.2, le=30, description="Seconds its stream is watched.")
    zones: tuple[Zone, ...] = Field(
        default=(),
        max_length=16,
        description="Where order counts, as polygons of [x, y] from 0 (left, top) to 1: for `clutter_pct`.",
    )
    ptz: bool = Field(default=False, description="It turns by itself or by hand: a moved view is then no fault.")
    onvif: bool = Field(default=False, description="Ask it by ONVIF too: clock, uptime, recording, tamper events.")
    onvif_url: str | None = Field(default=None, description="Its ONVIF service, where it is not at the usual place.")
    clock_tolerance_s: float | None = Field(
        default=None, gt=0, le=86_400, description="Its clock may be wrong by so much; default: as tested."
    )
    folder: SettingsPath | None = Field(
        default=None, description="Where its learned view is kept; default: `cameras` beside the outbox."
    )

    @field_validator("url", "main_url")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        if url is not None:
            _parsed(url, None, "?")
        return url

    @field_validator("onvif_url")
    @classmethod
    def _onvif_url(cls, url: str | None) -> str | None:
        if url is not None and _parsed(url, None, None).scheme not in ("http", "https"):
            raise problem("the ONVIF service's url begins with http:// or https://; usually onvif = true is enough")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "interval_s" in self.model_fields_set:
            raise problem("a camera has no interval_s: give reach_s, picture_s or slow_s, or leave it out")
        if self.password_file and not self.user:
            raise problem("password_file without user: give user too")
        scheme = self.address().scheme
        if self.kind != "auto" and self.kind not in _OF_SCHEME[scheme]:
            raise problem(f'kind = "{self.kind}" does not go with {scheme}://: leave kind out')
        return self

    def address(self) -> Address:
        """Its stream, with the login."""
        return _parsed(self.url, self.user, self._password())

    def main_address(self) -> Address | None:
        """Its large stream, with the login."""
        return None if self.main_url is None else _parsed(self.main_url, self.user, self._password())

    def endpoint(self) -> Endpoint | None:
        """Its ONVIF service; None: don't ask."""
        if self.onvif_url is not None:
            given = parse(self.onvif_url)
            return Endpoint(given.host, given.port, given.path, given.scheme == "https")
        return Endpoint(self.address().host) if self.onvif else None

    def manner(self) -> Manner:
        """How to look at it."""
        return Manner(self.timeout_s, self.watch_s, self.transport, self.redirects)

    def memory_file(self, beside: Path | None) -> Path | None:
        """Where its learned view is kept. `beside`: the agent's state folder."""
        folder = self.folder or (beside / "cameras" if beside else None)
        return folder / f"{self.name}.npz" if folder else None

    def _password(self) -> str | None:
        return secret(self.password_file) if self.password_file else None


def _parsed(url: str, user: str | None, password: str | None) -> Address:
    try:
        return parse(url, user, password)
    except ValueError as error:
        raise problem(str(error)) from None
