"""What the devices of a fleet say: any row can be computed again from (seed, device, number); none is written down."""

import math
import zlib
from collections.abc import Sequence
from typing import Final

from firmware_sim.layout import RUNNING_NUMBER
from kewang.wire.catalogue import metric

DEFAULT_METRICS: Final = (RUNNING_NUMBER, "temp_c", "rh_pct")
_TYPICAL: Final = {
    "temp_c": (27.5, 3.0),
    "rh_pct": (80.0, 9.0),
    "pressure_hpa": (1010.0, 3.0),
    "noise_dba": (58.0, 12.0),
}
"""Middle and swing of metrics whose whole believed range no sensor ever sees."""


class Truth:
    """Rows of a fleet's devices. `metrics`: names; the running number is the row's number, from 1."""

    def __init__(self, seed: int, metrics: Sequence[str] = DEFAULT_METRICS) -> None:
        self._seed = seed
        self.metrics = tuple(metrics)
        self._shapes = [_shape(name) for name in self.metrics]

    def row(self, device: str, number: int) -> tuple[float, ...]:
        """The values of row `number` of `device`, one per metric: a slow swing with a little noise."""
        phase = zlib.crc32(f"{self._seed}/{device}".encode())
        noise = zlib.crc32(number.to_bytes(8, "big"), phase)
        return tuple(
            number
            if shape is None
            else round(shape[0] + shape[1] * _swing(number / 60 + phase % 997 + i, noise >> (i % 16) & 0xFF), shape[2])
            for i, shape in enumerate(self._shapes)
        )


def _shape(name: str) -> tuple[float, float, int] | None:
    """(middle, swing, decimals) of a metric; None for the running number."""
    if name == RUNNING_NUMBER:
        return None
    found = metric(name)
    middle, swing = _TYPICAL.get(name, ((found.low + found.high) / 2, (found.high - found.low) / 4))
    return middle, swing, found.decimals


def _swing(angle: float, noise: int) -> float:
    """From -1 to 1; `noise` from 0 to 255 moves it by 5 %."""
    return 0.95 * math.sin(angle) + 0.05 * (noise / 127.5 - 1)
