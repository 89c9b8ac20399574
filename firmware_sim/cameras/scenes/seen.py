"""What a scene gives: pictures with the truth behind them, and the names of what can spoil a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kewang.wire.cameras import CameraReason

Point: TypeAlias = tuple[float, float]
"""A place in the picture: x to the right, y down, each 0 to 1."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really there. `persons`: in view; None = not known honestly.

    In view: at least a third of the person visible, and at least a 25th of the picture high.

    `litter_pct`: share (0–100) of the zone's area under what stands still and is no part of the clean view: litter,
    left goods, stalls. `benign`: names of the harmless events happening now.
    """

    persons: int | None
    litter_pct: float
    infrared: bool
    benign: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class View:
    """One picture as I420 (uint8, shape (height * 3 // 2, width)) and the truth behind it."""

    i420: NDArray[np.uint8]
    truth: Truth


class Scene(Protocol):
    """A fixed camera's view, the same for the same seed and time, at any time in any order."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def zone(self) -> Sequence[Point]:
        """The polygon of ground that should be clean."""
        ...

    def at(self, time_s: float) -> View:
        """The view `time_s` seconds after local midnight of day 0; days go on after 86,400."""
        ...


class PictureFault(StrEnum):
    """What can be wrong with a picture."""

    FROZEN = "frozen"
    BLACK = "black"
    WHITE = "white"
    NO_SIGNAL = "no_signal"
    COVER = "cover"
    MOVED = "moved"
    BLUR = "blur"
    NOISE = "noise"
    COLOUR = "colour"
    DIRT = "dirt"
    FOG_LENS = "fog_lens"
    PARTIAL_COVER = "partial_cover"
    MILD_BLUR = "mild_blur"
    MOVED_SMALL = "moved_small"


EXPECTED: Final[Mapping[PictureFault, frozenset[CameraReason]]] = MappingProxyType(
    {
        PictureFault.FROZEN: frozenset({CameraReason.FROZEN}),
        PictureFault.BLACK: frozenset({CameraReason.BLACK}),
        PictureFault.WHITE: frozenset({CameraReason.WASHED_OUT}),
        PictureFault.NO_SIGNAL: frozenset({CameraReason.NO_SIGNAL}),
        PictureFault.COVER: frozenset({CameraReason.COVERED}),
        PictureFault.MOVED: frozenset({CameraReason.MOVED}),
        PictureFault.BLUR: frozenset({CameraReason.BLURRED}),
        PictureFault.NOISE: frozenset({CameraReason.NOISY}),
        PictureFault.COLOUR: frozenset({CameraReason.COLOUR}),
        PictureFault.DIRT: frozenset({CameraReason.DIRTY_LENS}),
        PictureFault.FOG_LENS: frozenset({CameraReason.DIRTY_LENS, CameraReason.BLURRED}),
        PictureFault.PARTIAL_COVER: frozenset({CameraReason.PARTLY_COVERED, CameraReason.COVERED}),
        PictureFault.MILD_BLUR: frozenset({CameraReason.BLURRED}),
        PictureFault.MOVED_SMALL: frozenset({CameraReason.MOVED}),
    }
)
"""The reasons that name each fault rightly."""
