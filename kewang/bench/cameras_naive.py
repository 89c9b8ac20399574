"""What most tutorials do: fixed thresholds on one picture and the one before. It is measured beside ours."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.picture import Picture
from kewang.wire.cameras import CameraReason

DARK: Final = 40.0
BRIGHT: Final = 215.0
BLURRED: Final = 100.0
CHANGED: Final = 30.0
CONFIRMATIONS: Final = (1, 3)
"""So many bad pictures in a row raise its alarm: both ways are measured."""


class Naive:
    """Mean luma, variance of the Laplacian, difference to the picture before."""

    def __init__(self) -> None:
        self._last: NDArray[np.int16] | None = None

    def judge(self, picture: Picture) -> CameraReason | None:
        """What is wrong with `picture` (I420, uint8, (rows * 3 / 2, columns)); None: nothing."""
        luma = picture[: picture.shape[0] * 2 // 3].astype(np.int16)
        last, self._last = self._last, luma
        mean = float(luma.mean())
        if mean < DARK:
            return CameraReason.BLACK
        if mean > BRIGHT:
            return CameraReason.WASHED_OUT
        if laplacian_variance(luma) < BLURRED:
            return CameraReason.BLURRED
        changed = last is not None and float(np.abs(luma - last).mean()) > CHANGED
        return CameraReason.MOVED if changed else None


def laplacian_variance(luma: NDArray[np.int16]) -> float:
    """Variance of the four-neighbour Laplacian of `luma`, (rows, columns), grey levels squared."""
    inner = luma[1:-1, 1:-1]
    answer = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    flat = answer.ravel().astype(np.float32)
    return float(flat @ flat) / flat.size - float(flat.mean()) ** 2


def confirmed(found: Sequence[CameraReason | None], times: int) -> Iterator[CameraReason | None]:
    """The alarm after each picture: the last reason once `times` pictures in a row were bad, until one is good."""
    bad = 0
    for reason in found:
        bad = bad + 1 if reason else 0
        yield reason if bad >= times else None
