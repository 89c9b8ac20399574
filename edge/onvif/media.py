"""The media service: which streams the camera offers, and where."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edge.net.errors import CameraError
from edge.onvif import markup
from edge.onvif.facts import Profile
from edge.onvif.soap import Caller
from kewang.wire.cameras import CameraReason

MAX_PROFILES: Final = 32
MAX_ADDRESSES: Final = 16
"""Profiles whose addresses are asked for: two requests each. A recorder may have hundreds."""
_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2: Final = "http://www.onvif.org/ver20/media/wsdl"
_SCHEMA: Final = "http://www.onvif.org/ver10/schema"
_STREAM: Final = (
    f'<m:StreamSetup xmlns:t="{_SCHEMA}"><t:Stream>RTP-Unicast</t:Stream><t:Transport><t:Protocol>RTSP</t:Protocol>'
    "</t:Transport></m:StreamSetup>"
)
_VALUE: Final = r"[^&;/?]*?(?=_[a-zA-Z]+=|[&;/?]|$)"
_USER: Final = re.compile(rf"(?i)((?:^|[/?&;_])(?:username|user|usr|login)=){_VALUE}")
_PASSWORD: Final = re.compile(rf"(?i)((?:^|[/?&;_])(?:password|passwd|passw|pass|pwd)=){_VALUE}")
_PRINTABLE: Final = re.compile(r"[!-~]{1,500}")
_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http", "https"})


async def profiles(caller: Caller, services: Mapping[str, str]) -> tuple[Profile, ...]:
    """The profiles, without addresses, the smallest picture first. Raises CameraError."""
    wanted = "<m:Type>VideoSource</m:Type><m:Type>VideoEncoder</m:Type>" if "media" not in services else ""
    answer = await _ask(caller, services, "GetProfiles", wanted)
    found = [_profile(each) for each in list(markup.children(answer, "Profiles"))[:MAX_PROFILES]]
    return tuple(sorted(found, key=lambda profile: (profile.width or 0) * (profile.height or 0)))


async def with_addresses(caller: Caller, services: Mapping[str, str], found: Profile) -> Profile:
    """`found` with the addresses of its stream and its still picture, as far as the camera tells them."""
    token = f"<m:ProfileToken>{escape(found.token)}</m:ProfileToken>"
    stream = (_STREAM if "media" in services else "<m:Protocol>RTSP</m:Protocol>") + token
    return replace(
        found,
        stream_url=await _address(caller, services, "GetStreamUri", stream),
        snapshot_url=await _address(caller, services, "GetSnapshotUri", token),
    )


def _profile(element: Element) -> Profile:
    encoder = markup.find(element, "VideoEncoderConfiguration", "VideoEncoder")
    source = markup.find(element, "VideoSourceConfiguration", "VideoSource")
    shown = markup.text(source, "SourceToken", limit=64)
    tokens = {shown, "" if source is None else source.get("token", "")[:64]}
    return Profile(
        token=element.get("token", "")[:64],
        name=markup.text(element, "Name", limit=64),
        codec=markup.text(encoder, "Encoding", limit=16),
        width=markup.number(encoder, "Resolution", "Width"),
        height=markup.number(encoder, "Resolution", "Height"),
        source=shown,
        sources=frozenset(tokens - {""}),
    )


async def _address(caller: Caller, services: Mapping[str, str], name: str, inside: str) -> str | None:
    """None if the camera has no such address, which many don't for still pictures."""
    try:
        answer = await _ask(caller, services, name, inside)
    except CameraError as error:
        if error.reason is not CameraReason.SERVER_ERROR:
            raise
        return None
    uri = markup.find(answer, "Uri")
    return credential_free(markup.text(uri, limit=501), caller.endpoint.host)


def credential_free(address: str, host: str) -> str | None:
    """`address` without credentials and at `host`; None if it is no address of a stream.

    Cameras behind a translated address name the one they have inside; and what names another host must not lead the
    box's password there. A login inside the path becomes `{user}` and `{password}`.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if not _PRINTABLE.fullmatch(address) or parts.scheme not in _SCHEMES or not parts.hostname:
        return None
    place = f"[{host}]" if ":" in host else host
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    path = _PASSWORD.sub(r"\1{password}", _USER.sub(r"\1{user}", path))
    return f"{parts.scheme}://{place}{f':{port}' if port else ''}{path}"


async def _ask(caller: Caller, services: Mapping[str, str], name: str, inside: str) -> Element:
    """By the older media service, which nearly every camera has; by the newer one of cameras that have only that."""
    service = "media" if "media" in services else "media2"
    namespace = _MEDIA if service == "media" else _MEDIA2
    body = f'<m:{name} xmlns:m="{namespace}">{inside}</m:{name}>'
    return await caller.call(f"{namespace}/{name}", body, services.get(service))
