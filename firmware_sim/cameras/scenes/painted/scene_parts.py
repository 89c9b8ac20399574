"""How a fault gets into a painted picture on its way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from firmware_sim.cameras.scenes.planes import Planes

Touch: TypeAlias = Callable[[Planes, float, bool], None]
"""Changes a picture in place: planes, time, whether in infrared."""


@dataclass(frozen=True, slots=True)
class Spoiling:
    """What a fault does: in front of the lens, in the signal before the text, over everything; `grain` times the noise.

    `still`: noise stays as it was too, as in a sensor that hangs.
    """

    optics: Touch | None = None
    signal: Touch | None = None
    over: Touch | None = None
    grain: float = 1.0
    still: bool = False


HEALTHY: Final = Spoiling()
