"""Colours as people with a colour vision deficiency see them, and how far two colours are apart.

Simulation: Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
IEEE Transactions on Visualization and Computer Graphics 15(6), 2009: their matrices for severity 1.0, on linear RGB.
Chromium's Emulation.setEmulatedVisionDeficiency, which makes our pictures, uses the same ones. Distance: CIE 1976
ΔE*ab (D65); 2.3 is a just noticeable difference (Mahy, Van Eycken, Oosterlinck, Color Research & Application 19(2),
1994).
"""

import math
from collections.abc import Iterable
from typing import Final

Three = tuple[float, float, float]
JUST_NOTICEABLE: Final = 2.3
VISION: Final[dict[str, tuple[Three, Three, Three]]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE: Final = (0.95047, 1.0, 1.08883)


def distance(first: str, second: str, vision: str) -> float:
    """ΔE*ab of two colours `#rrggbb` as they are seen."""
    return math.dist(_lab(_seen(first, vision)), _lab(_seen(second, vision)))


def _seen(colour: str, vision: str) -> Three:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    red, green, blue = (min(1.0, max(0.0, value)) for value in _times(VISION[vision], linear))
    return red, green, blue


def _lab(linear: Three) -> Three:
    x, y, z = (_f(value / white) for value, white in zip(_times(_XYZ, linear), _WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _f(t: float) -> float:
    return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116


def _times(matrix: Iterable[Three], vector: Iterable[float]) -> list[float]:
    three = list(vector)
    return [sum(a * b for a, b in zip(row, three, strict=True)) for row in matrix]
