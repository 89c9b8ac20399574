"""What a camera films, encoded: live, painted as time goes, or a short clip encoded once and repeated.

Blocking, for a worker thread. Pictures of one film are asked for by one thread at a time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware_sim.cameras.codecs import I420, Codec, Encoded, Encoder
from firmware_sim.cameras.scenes import PictureFault


class Seen(Protocol):
    """One picture of a scene."""

    @property
    def i420(self) -> I420: ...


class Paints(Protocol):
    """A scene: the picture at any time, in seconds since local midnight of day 0."""

    def at(self, time_s: float) -> Seen: ...

    def spoil(self, fault: PictureFault, start_s: float, seed: int) -> Callable[[float], Seen]:
        """What `at` is to be from `start_s` on."""
        ...


@dataclass(frozen=True, slots=True)
class Take:
    """How a scene is filmed. `midnight_s`: seconds since local midnight when the camera started."""

    scene: Callable[[int, int], Paints]
    seed: int
    codec: Codec
    width: int
    height: int
    fps: float
    keyframe_interval_s: float
    midnight_s: float

    @property
    def group(self) -> int:
        """Pictures from one key frame to the next."""
        return max(1, round(self.fps * self.keyframe_interval_s))

    def encoder(self) -> Encoder:
        """A fresh encoder; its first picture must be a key frame."""
        return Encoder(self.codec, self.width, self.height, self.fps)


class Film(Protocol):
    """Pictures by number, each encoded after the one before it."""

    def prepare(self) -> None:
        """Make what takes long, so that the first picture comes at once."""

    def first_number(self, at_s: float) -> int:
        """The number of the picture with which a stream begins `at_s` seconds after the camera's start."""

    def unit(self, number: int, at_s: float, fault: PictureFault | None) -> Encoded:
        """The access unit of picture `number`."""

    def picture(self, at_s: float, fault: PictureFault | None) -> I420:
        """The picture itself."""


class Spoilt:
    """The scene of a take, with the picture fault that holds now: it begins when it is first asked for."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._clean = take.scene(take.width, take.height)
        self._shown: Callable[[float], Seen] = self._clean.at
        self._fault: PictureFault | None = None
        self._lock = threading.Lock()

    def at(self, at_s: float, fault: PictureFault | None) -> I420:
        """The picture `at_s` seconds after the camera's start."""
        time_s = self._take.midnight_s + at_s
        with self._lock:
            if fault is not self._fault:
                self._fault = fault
                self._shown = self._clean.spoil(fault, time_s, self._take.seed) if fault else self._clean.at
            return self._shown(time_s).i420


class Live:
    """Painted and encoded as time goes."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._scene = Spoilt(take)
        self._encoder = take.encoder()
        self._next = -1

    def prepare(self) -> None:
        """Paint one picture: a scene makes its canvas with the first."""
        self.picture(0.0, None)

    def first_number(self, at_s: float) -> int:
        """0: whoever comes first gets a key frame first."""
        return 0

    def unit(self, number: int, at_s: float, fault: PictureFault | None) -> Encoded:
        """A key frame every `keyframe_interval_s`, and wherever the numbers do not go on."""
        if number != self._next:
            self._encoder = self._take.encoder()
        key = number % self._take.group == 0 or number != self._next
        self._next = number + 1
        return self._encoder.encode(self.picture(at_s, fault), key=key)

    def picture(self, at_s: float, fault: PictureFault | None) -> I420:
        """The picture `at_s` seconds after the camera's start."""
        return self._scene.at(at_s, fault)


class Loop:
    """A clip of about `loop_s`, whole groups of it, encoded when it is first asked for; one for each picture fault.

    A stream begins wherever the clip is at that time, as with a camera that never stops.
    """

    def __init__(self, take: Take, loop_s: float) -> None:
        self._take = take
        self._scene = Spoilt(take)
        self._length = take.group * max(1, round(loop_s / take.keyframe_interval_s))
        self._clips: dict[PictureFault | None, tuple[Encoded, ...]] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Encode the clip."""
        self._clip(None)

    def first_number(self, at_s: float) -> int:
        """Where the clip is."""
        return int(at_s * self._take.fps)

    def unit(self, number: int, at_s: float, fault: PictureFault | None) -> Encoded:
        """The access unit of the clip's picture `number`, which counts on over its end."""
        return self._clip(fault)[number % self._length]

    def picture(self, at_s: float, fault: PictureFault | None) -> I420:
        """The clip's picture at this time."""
        return self._scene.at(self._second(int(at_s * self._take.fps)), fault)

    def _second(self, number: int) -> float:
        return number % self._length / self._take.fps

    def _clip(self, fault: PictureFault | None) -> tuple[Encoded, ...]:
        with self._lock:
            if fault not in self._clips:
                encoder = self._take.encoder()
                self._clips[fault] = tuple(
                    encoder.encode(self._scene.at(self._second(n), fault), key=n % self._take.group == 0)
                    for n in range(self._length)
                )
            return self._clips[fault]
