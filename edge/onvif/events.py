"""What the camera reports of itself, pulled once: tamper, storage, its last restart."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, tostring

from edge.net.errors import CameraError
from edge.onvif import markup
from edge.onvif.soap import Caller
from kewang.wire.cameras import Tamper

_EVENTS: Final = "http://www.onvif.org/ver10/events/wsdl"
_NOTIFICATION: Final = "http://docs.oasis-open.org/wsn"
UNSUBSCRIBE_S: Final = 1.0
_PULL_LIMIT: Final = 200
_MAX_REFERENCES: Final = 8
_MAX_REFERENCE_BYTES: Final = 4_000
_PREFIX: Final = re.compile(r"[\w.-]+:")
_TAMPER: Final = {
    "VideoSource/ImageTooBlurry": Tamper.BLURRED,
    "VideoSource/ImageTooDark": Tamper.EXPOSURE,
    "VideoSource/ImageTooBright": Tamper.EXPOSURE,
    "VideoSource/GlobalSceneChange": Tamper.CHANGED,
    "RuleEngine/TamperDetector/Tamper": Tamper.CHANGED,
    "VideoSource/SignalLoss": Tamper.SIGNAL_LOSS,
}
"""Beginnings of topics (ONVIF Imaging, Analytics and Media specifications), and the bit that each sets."""
_STORAGE_FAILURE: Final = "Device/HardwareFailure/StorageFailure"
_LAST_REBOOT: Final = "Monitoring/OperatingTime/LastReboot"


@dataclass(frozen=True, slots=True)
class Notice:
    """The state of one property. `topic` without namespaces; `sources`: what it is about; `data`: its items by name."""

    topic: str
    sources: frozenset[str]
    data: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """Whether its first item that is true or false is true."""
        stated = (value.lower() for value in self.data.values())
        return next((value in ("true", "1") for value in stated if value in ("true", "1", "false", "0")), False)


async def pull(caller: Caller, path: str) -> tuple[Notice, ...]:
    """The properties as they are now. Raises CameraError. The subscription is ended again, whatever happens."""
    created = await _ask(caller, "EventPortType", "CreatePullPointSubscription", path, "", _SUBSCRIBE)
    where = caller.path_of(markup.text(markup.find(created, "Address"), limit=500))
    reference = "".join(_references(markup.find(created, "ReferenceParameters")))
    try:
        notices = await _pull_once(caller, where, reference)
        if not notices:
            await _ask(caller, "PullPointSubscription", "SetSynchronizationPoint", where, reference, "")
            notices = await _pull_once(caller, where, reference)
        return notices
    finally:
        await _unsubscribe(caller, where, reference)


async def _pull_once(caller: Caller, path: str, reference: str) -> tuple[Notice, ...]:
    answer = await _ask(caller, "PullPointSubscription", "PullMessages", path, reference, _PULL)
    found: dict[tuple[str, frozenset[str]], Notice] = {}
    for message in list(markup.children(answer, "NotificationMessage"))[:_PULL_LIMIT]:
        notice = _notice(message)
        found[notice.topic, notice.sources] = notice
    return tuple(found.values())


async def _unsubscribe(caller: Caller, path: str, reference: str) -> None:
    """Within a second, also when the look is cancelled. What can't be ended ends by itself after a minute."""
    action = f"{_NOTIFICATION}/bw-2/SubscriptionManager/UnsubscribeRequest"
    with suppress(CameraError, TimeoutError):
        async with asyncio.timeout(UNSUBSCRIBE_S):
            await caller.call(action, f'<b:Unsubscribe xmlns:b="{_NOTIFICATION}/b-2"/>', path, header=reference)


def _references(given: Element | None) -> Iterator[str]:
    """What the camera wants to see again in the header of every request to this subscription."""
    for each in list(given if given is not None else ())[:_MAX_REFERENCES]:
        each.tail = None
        each.set("{http://www.w3.org/2005/08/addressing}IsReferenceParameter", "true")
        written = tostring(each, encoding="unicode")
        if len(written) <= _MAX_REFERENCE_BYTES:
            yield written


def _notice(message: Element) -> Notice:
    topic = _PREFIX.sub("", markup.text(message, "Topic"))
    inner = markup.child(message, "Message", "Message")
    deleted = inner is not None and inner.get("PropertyOperation") == "Deleted"
    data = {} if deleted else dict(_items(markup.child(inner, "Data")))
    return Notice(topic, frozenset(value for _, value in _items(markup.child(inner, "Source"))), data)


def _items(given: Element | None) -> Iterator[tuple[str, str]]:
    for item in markup.children(given, "SimpleItem"):
        yield markup.clean(item.get("Name", ""), 64), markup.clean(item.get("Value", ""), 64)


def tamper(notices: Iterable[Notice], sources: frozenset[str]) -> Tamper | None:
    """What the camera's own analysis says; None if it has none. `sources`: tokens of the picture in question; a notice
    about others is passed over, one about nothing in particular counts. Empty: everything counts."""
    found: Tamper | None = None
    for notice in notices:
        bit = next((bit for start, bit in _TAMPER.items() if _is_about(notice.topic, start)), None)
        if bit is not None and _concerns(notice, sources):
            found = (found or Tamper(0)) | (bit if notice.holds else Tamper(0))
    return found


def storage_failed(notices: Iterable[Notice]) -> bool | None:
    """Whether some storage of the camera reports a failure; None if it reports about none."""
    states = [notice.holds for notice in notices if _is_about(notice.topic, _STORAGE_FAILURE)]
    return any(states) if states else None


def last_reboot_s(notices: Iterable[Notice]) -> float | None:
    """When the camera started last, Unix seconds by its own clock; None if it does not say."""
    for notice in notices:
        if _is_about(notice.topic, _LAST_REBOOT):
            return next((at for at in map(_unix_s, notice.data.values()) if at is not None), None)
    return None


def _is_about(topic: str, start: str) -> bool:
    return topic == start or topic.startswith(f"{start}/")


def _concerns(notice: Notice, sources: frozenset[str]) -> bool:
    return not sources or not notice.sources or bool(notice.sources & sources)


def _unix_s(given: str) -> float | None:
    try:
        moment = datetime.fromisoformat(given)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


async def _ask(caller: Caller, port: str, name: str, path: str, header: str, inside: str) -> Element:
    body = f'<e:{name} xmlns:e="{_EVENTS}">{inside}</e:{name}>'
    return await caller.call(f"{_EVENTS}/{port}/{name}Request", body, path, header=header)


_SUBSCRIBE: Final = "<e:InitialTerminationTime>PT60S</e:InitialTerminationTime>"
_PULL: Final = f"<e:Timeout>PT1S</e:Timeout><e:MessageLimit>{_PULL_LIMIT}</e:MessageLimit>"
