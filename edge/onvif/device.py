"""The device service: clock, services, model."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from edge.net.errors import CameraError
from edge.onvif import markup
from edge.onvif.soap import Caller
from kewang.wire.cameras import CameraReason

_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
_SERVICES: Final = {
    "http://www.onvif.org/ver10/media/wsdl": "media",
    "http://www.onvif.org/ver20/media/wsdl": "media2",
    "http://www.onvif.org/ver10/events/wsdl": "events",
    "http://www.onvif.org/ver10/recording/wsdl": "recording",
}
_CAPABILITIES: Final = {
    "media": ("Media", "XAddr"),
    "events": ("Events", "XAddr"),
    "recording": ("Extension", "Recording", "XAddr"),
}
_FIELDS: Final = (
    ("Date", "Year", 1970, 2100),
    ("Date", "Month", 1, 12),
    ("Date", "Day", 1, 31),
    ("Time", "Hour", 0, 23),
    ("Time", "Minute", 0, 59),
    ("Time", "Second", 0, 60),
)


@dataclass(frozen=True, slots=True)
class Information:
    """Who made the camera, and which one it is, by the names of OnvifFacts; empty = not told."""

    manufacturer: str
    model: str
    firmware: str
    serial: str


async def clock_offset_s(caller: Caller) -> float | None:
    """Camera UTC minus ours, ± 1 s, because the camera tells whole seconds; None if it does not tell UTC.

    Asked without a login, as the specification allows, for a login needs to be dated by this clock.
    """
    before_s = caller.wall_s()
    try:
        answer = await _ask(caller, "GetSystemDateAndTime", login=False)
    except CameraError as error:
        if error.reason is not CameraReason.AUTH:
            raise
        answer = await _ask(caller, "GetSystemDateAndTime")
    camera_s = _utc_s(markup.find(answer, "UTCDateTime"))
    return None if camera_s is None else camera_s + 0.5 - (before_s + caller.wall_s()) / 2


def _utc_s(moment: Element | None) -> int | None:
    """Unix seconds of a DateTime element; None if it is no date of our times."""
    fields = []
    for part, name, low, high in _FIELDS:
        field = markup.number(moment, part, name)
        if field is None or not low <= field <= high:
            return None
        fields.append(field)
    return calendar.timegm((*fields, 0, 0, 0))


async def information(caller: Caller) -> Information:
    """Maker, model, firmware and serial number. Raises CameraError."""
    answer = await _ask(caller, "GetDeviceInformation")
    names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
    return Information(*(markup.text(answer, name, limit=64) for name in names))


async def services(caller: Caller) -> Mapping[str, str]:
    """Path of each service we use that the camera has: media, media2, events, recording. Raises CameraError."""
    try:
        return await _by_services(caller)
    except CameraError as error:
        if error.reason is not CameraReason.SERVER_ERROR:
            raise
    return await _by_capabilities(caller)


async def _by_services(caller: Caller) -> Mapping[str, str]:
    answer = await _ask(caller, "GetServices", "<d:IncludeCapability>false</d:IncludeCapability>")
    found = {}
    for service in markup.children(answer, "Service"):
        name = _SERVICES.get(markup.text(service, "Namespace"))
        if name:
            found[name] = caller.path_of(markup.text(service, "XAddr", limit=500))
    return found


async def _by_capabilities(caller: Caller) -> Mapping[str, str]:
    """What cameras from before 2011 answer."""
    answer = await _ask(caller, "GetCapabilities", "<d:Category>All</d:Category>")
    all_of_them = markup.child(answer, "Capabilities")
    told = {name: markup.text(all_of_them, *path, limit=500) for name, path in _CAPABILITIES.items()}
    return {name: caller.path_of(address) for name, address in told.items() if address}


async def _ask(caller: Caller, name: str, inside: str = "", *, login: bool = True) -> Element:
    return await caller.call(f"{_DEVICE}/{name}", f'<d:{name} xmlns:d="{_DEVICE}">{inside}</d:{name}>', login=login)
