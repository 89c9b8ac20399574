"""Faults of a simulated camera, several at a time: planned in seconds since its start, or switched by a file."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from firmware_sim.cameras.scenes import PictureFault


class TransportFault(StrEnum):
    """What a camera does wrong on the wire while the fault lasts. Some take a value (`NAME=VALUE`)."""

    REFUSED = "refused"
    """Nobody listens."""
    HANG = "hang"
    """Connections are taken and never answered."""
    UNAUTHORISED = "401"
    NOT_FOUND = "404"
    BUSY = "453"
    UNAVAILABLE = "503"
    SERVER_ERROR = "500"
    NO_TCP = "461"
    """SETUP refuses TCP; UDP works."""
    NO_UDP = "no_udp"
    REDIRECT = "redirect"
    """DESCRIBE names another host."""
    NOT_RTSP = "not_rtsp"
    """Speaks HTTP on the RTSP port."""
    ENDLESS_HEADER = "endless_header"
    HUGE_LENGTH = "huge_length"
    """DESCRIBE announces a body of 4 GB and goes on sending it."""
    DRIBBLE = "dribble"
    """Answers come a byte at a time, VALUE seconds apart."""
    SILENT = "silent"
    """PLAY answers 200 and nothing comes."""
    STALL = "stall"
    """The stream stops after VALUE pictures of a session."""
    RESET = "reset"
    """The connection breaks after VALUE pictures of a session."""
    LOSS = "loss"
    """VALUE (0 to 1) of the packets are lost."""
    SLOW_FPS = "slow_fps"
    """VALUE pictures a second."""
    WRONG_CLOCK = "wrong_clock"
    """The camera's clock is VALUE seconds ahead."""
    NOT_RECORDING = "not_recording"
    """ONVIF tells that nothing is recorded."""
    UNKNOWN_CODEC = "unknown_codec"
    """The stream is announced as something nobody knows."""
    GARBAGE = "garbage"
    """Pictures hold noise instead of slices."""
    HUGE_KEYFRAME = "huge_keyframe"
    """Key frames of VALUE megabytes."""
    EIGHT_K = "eight_k"
    """Key frames of 7680 × 4320 pixels."""
    BAD_FRAMES = "bad_frames"
    """Lengths of interleaved frames are wrong."""


DEFAULTS: Final[Mapping[TransportFault, float]] = {
    TransportFault.DRIBBLE: 1.0,
    TransportFault.STALL: 10,
    TransportFault.RESET: 10,
    TransportFault.LOSS: 0.05,
    TransportFault.SLOW_FPS: 2.0,
    TransportFault.WRONG_CLOCK: 300.0,
    TransportFault.HUGE_KEYFRAME: 16,
}
"""The value of a fault that is named without one."""
_LOWEST: Final = {TransportFault.SLOW_FPS: 0.1, TransportFault.WRONG_CLOCK: -math.inf}
_HIGHEST: Final = {TransportFault.LOSS: 1.0, TransportFault.HUGE_KEYFRAME: 64, TransportFault.SLOW_FPS: 60}
HOW: Final = "write e.g. black, loss=0.05 or 461,wrong_clock=300"


@dataclass(frozen=True, slots=True)
class Switched:
    """The faults that hold at a time: on the wire with their values, and at most one of the picture."""

    wire: Mapping[TransportFault, float] = field(default_factory=dict)
    picture: PictureFault | None = None

    def __contains__(self, fault: TransportFault) -> bool:
        return fault in self.wire

    def value(self, fault: TransportFault, otherwise: float = 0.0) -> float:
        """The value of `fault`; `otherwise` while it does not hold."""
        return self.wire.get(fault, otherwise)

    def with_(self, other: "Switched") -> "Switched":
        """Both together; `other` wins."""
        return Switched({**self.wire, **other.wire}, other.picture or self.picture)

    def __str__(self) -> str:
        told = [f"{fault}={value:g}" if fault in DEFAULTS else str(fault) for fault, value in self.wire.items()]
        return ",".join([*told, *([str(self.picture)] if self.picture else [])]) or "none"


NOTHING: Final = Switched()


@dataclass(frozen=True, slots=True)
class CameraSpell:
    """Faults from `start_s` (seconds since the camera's start) on, for `length_s`."""

    faults: Switched
    start_s: float
    length_s: float

    def holds(self, at_s: float) -> bool:
        """Whether it lasts at `at_s`."""
        return self.start_s <= at_s < self.start_s + self.length_s


class CameraFaults:
    """The faults of one camera: a plan, and a control file that overrules it while it names any.

    The control file is JSON, `{"fault": "loss=0.05,black"}`; an absent file or `{"fault": null}` leaves it to the plan.
    """

    def __init__(self, plan: tuple[CameraSpell, ...] = (), control: Path | None = None) -> None:
        self._plan = plan
        self._control = control
        self._seen: tuple[int, int] | None = None
        self._switched: Switched | None = None

    def at(self, at_s: float) -> Switched:
        """The faults `at_s` seconds after the camera's start."""
        switched = self._read_control()
        if switched is not None:
            return switched
        held = NOTHING
        for spell in self._plan:
            held = held.with_(spell.faults) if spell.holds(at_s) else held
        return held

    def _read_control(self) -> Switched | None:
        if self._control is None:
            return None
        try:
            status = self._control.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._switched = _faults_in(self._control)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            self._switched = self._seen = None
        return self._switched


def parse(text: str) -> Switched:
    """The faults in `text`: `none`, or names by commas, some with a value. Raises ValueError that lists the faults."""
    held = NOTHING
    for part in text.split(","):
        held = held.with_(_one(part.strip()))
    return held


def parse_plan(text: str) -> tuple[CameraSpell, ...]:
    """The plan in `text`: `none`, or spells `fault[=value]@start+length` in seconds, by commas. Raises ValueError."""
    return () if text in ("", "none") else tuple(_spell(part) for part in text.split(","))


def _spell(text: str) -> CameraSpell:
    named, _, times = text.partition("@")
    start, _, length = times.partition("+")
    try:
        return CameraSpell(_one(named.strip()), float(start), float(length) if length else math.inf)
    except ValueError as error:
        raise ValueError(f"{text!r} is not fault@start+length, e.g. black@60+300: {error}") from None


def _one(text: str) -> Switched:
    name, _, value = text.partition("=")
    if name == "none" and not value:
        return NOTHING
    if name in set(PictureFault) and not value:
        return Switched(picture=PictureFault(name))
    if name not in set(TransportFault):
        known = ", ".join([*TransportFault, *PictureFault])
        raise ValueError(f"{text!r} is no fault of a camera: {HOW}; faults are {known}")
    fault = TransportFault(name)
    return Switched({fault: _value(fault, value)})


def _value(fault: TransportFault, text: str) -> float:
    if not text:
        return DEFAULTS.get(fault, 1.0)
    value = float(text) if fault in DEFAULTS else math.nan
    if not _LOWEST.get(fault, 0.0) <= value <= _HIGHEST.get(fault, 1e9):
        raise ValueError(f"{fault}={text} can't be: {HOW}")
    return value


def _faults_in(control: Path) -> Switched | None:
    """The faults a control file names; a file with nonsense names none."""
    try:
        named = json.loads(control.read_text()).get("fault")
        return None if named is None else parse(named)
    except (ValueError, AttributeError):
        return None
