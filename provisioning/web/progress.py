"""The waiting screen's lines, from what is known of a device: recognised, connected, first reading stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kewang.ui.figures import number
from kewang.ui.words import Language, words
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import BY_NAME
from provisioning.gateway_api import Acceptance, StoredSource
from provisioning.inventory import Source
from provisioning.web.reads import CAMERA, Card

Mark = Literal["good", "wait", "warn", "alarm"]
_RECOGNISED: Final = frozenset({"active", "installed"})
_WORD: Final[dict[str, int]] = {"id": 0, "en": 1}
_SHOWN: Final = 3
"""Values of a source on its line."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Line:
    """One line: how it is, in words, and what to do (with a code) when it is not well. Texts are translated already."""

    mark: Mark
    text: str
    next_step: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Waited:
    """How long has been waited, and from when on it is late. In s."""

    waited_s: float
    late_s: float
    late_source_s: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """What arrived of a device since its visit began. `complete`: the technician may go on."""

    lines: tuple[Line, ...]
    complete: bool
    reasons: tuple[str, ...] = ()
    """Why it may be accepted although it is not complete; offered only when it is late."""
    reason: str = ""
    """Why it is complete and yet amber."""


def arrived(card: Card, acceptance: Acceptance | None, waited: Waited, language: Language) -> Arrived:
    """The waiting screen. `acceptance` None: the gateway gives no answer."""
    known = _recognised(card, waited, language)
    if acceptance is None or acceptance.trouble:
        return Arrived((known, _blind(language)), False)
    connected = _connected(acceptance, known.mark == "good", waited, language)
    sources = tuple(_source(source, acceptance, connected.mark == "good", waited, language) for source in card.sources)
    if not card.sources:
        sources = (_any_source(acceptance, connected.mark == "good", waited, language),)
    lines = (known, connected, *sources)
    complete = all(line.mark in ("good", "warn") for line in lines)
    late = waited.waited_s > waited.late_source_s and known.mark == "good" == connected.mark
    degraded = any(line.mark == "warn" for line in lines)
    reasons = ("sensor-later", "weak-link") if late and not complete else ()
    return Arrived(lines, complete, reasons, "camera-degraded" if complete and degraded else "")


def _recognised(card: Card, waited: Waited, language: Language) -> Line:
    say = words(language).gettext
    if card.device.state in _RECOGNISED:
        return Line("good", say(_("Device recognised")))
    if waited.waited_s <= waited.late_s:
        return Line("wait", say(_("Waiting for the device. Switch it on.")))
    step = _("1) Check power and lamp. 2) Check the network cable or SIM card. 3) Wait 2 minutes.")
    return Line("alarm", say(_("The device has not called yet.")), say(step), "P-NET")


def _connected(acceptance: Acceptance, recognised: bool, waited: Waited, language: Language) -> Line:
    say = words(language).gettext
    if _heard(acceptance, waited):
        return Line("good", say(_("Connected")))
    if not recognised or waited.waited_s <= waited.late_s:
        return Line("wait", say(_("Waiting for the connection")))
    step = _("Move the antenna or check the cable, then wait 2 minutes. Still nothing: call the office.")
    return Line("alarm", say(_("The device is recognised but not connected.")), say(step), "P-MQ")


def _heard(acceptance: Acceptance, waited: Waited) -> bool:
    """Whether the gateway heard the device since the visit began; by ages, for the clocks are two."""
    return acceptance.heard_ms is not None and acceptance.now_ms - acceptance.heard_ms <= waited.waited_s * 1000


def _blind(language: Language) -> Line:
    say = words(language).gettext
    step = _("Nothing is lost: the device keeps its readings. Wait; this page tries again by itself.")
    return Line("warn", say(_("The office can't look into its database right now.")), say(step), "P-503")


def _source(source: Source, acceptance: Acceptance, connected: bool, waited: Waited, language: Language) -> Line:
    stored = acceptance.of(source.name)
    if stored is None:
        return _nothing(source.name, source.driver == CAMERA, connected, waited, language)
    if source.driver == CAMERA:
        return camera_line(source.name, stored.values, language)
    return Line("good", f"{source.name}: {_values(stored, language)}")


def _nothing(name: str, camera: bool, connected: bool, waited: Waited, language: Language) -> Line:
    say = words(language).gettext
    if not connected or waited.waited_s <= waited.late_source_s:
        return Line("wait", say(_("Waiting for the first reading of %(source)s")) % {"source": name})
    step = (
        _("Check the camera's power and network cable, then wait a minute.")
        if camera
        else _("Check the sensor's cable and plug, then wait a minute.")
    )
    return Line("alarm", say(_("No reading of %(source)s yet.")) % {"source": name}, say(step), "P-SRC")


def _any_source(acceptance: Acceptance, connected: bool, waited: Waited, language: Language) -> Line:
    """For a box whose sources nobody has written down: its own reading is enough."""
    say = words(language).gettext
    stored = next((one for one in acceptance.sources if one.rows), None)
    if stored is not None:
        return Line("good", say(_("First reading stored: %(values)s")) % {"values": _values(stored, language)})
    return _nothing("box", False, connected, waited, language)


def camera_line(name: str, values: Mapping[str, float], language: Language) -> Line:
    """How a camera is, as the box sees it: state, reason and the first step, in words."""
    state = CameraState(_code(values.get("camera_state"), STATE_WORDS))
    reason = CameraReason(_code(values.get("camera_reason"), REASON_WORDS))
    column = _WORD[language]
    delivers = values.get("reachable") == 1 and state is not CameraState.DOWN
    if state is CameraState.OK or (delivers and reason in (CameraReason.LEARNING, CameraReason.NONE)):
        return Line("good", f"{name}: {words(language).gettext(_('the picture arrives'))}")
    told = STATE_WORDS[state][column]
    if reason is not CameraReason.NONE:
        told = f"{told}: {REASON_WORDS[reason][column]}"
    step = FIRST_STEPS[reason][column].replace("`", "") if reason in FIRST_STEPS else ""
    mark: Mark = "warn" if state is CameraState.DEGRADED else "alarm"
    if state is CameraState.UNKNOWN:
        mark = "wait"
    return Line(mark, f"{name}: {told}", step, f"P-CAM-{reason.value}")


def _code(value: float | None, known: Mapping[Any, object]) -> int:
    return next((int(code) for code in known if code == value), 0)


def _values(stored: StoredSource, language: Language) -> str:
    shown = [(BY_NAME[name], value) for name, value in stored.values.items() if name in BY_NAME][:_SHOWN]
    told = [f"{number(value, metric.decimals, language)} {metric.unit}".strip() for metric, value in shown]
    return ", ".join(told) or words(language).gettext(_("stored"))
