"""Letters of dots for text in filmed pictures: five by seven, as character generators of old cameras had them."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.planes import Planes

_ROWS: Final = {
    "0": "0E11131519110E",
    "1": "040C040404040E",
    "2": "0E11010204081F",
    "3": "1F02040201110E",
    "4": "02060A121F0202",
    "5": "1F101E0101110E",
    "6": "0608101E11110E",
    "7": "1F010204080808",
    "8": "0E11110E11110E",
    "9": "0E11110F01020C",
    ":": "000C0C000C0C00",
    "-": "0000001F000000",
    "/": "00010204081000",
    " ": "00000000000000",
    "A": "0E11111F111111",
    "C": "0E11101010110E",
    "D": "1C12111111121C",
    "E": "1F10101E10101F",
    "F": "1F10101E101010",
    "G": "0E11101711110F",
    "I": "0E04040404040E",
    "K": "11121418141211",
    "L": "1010101010101F",
    "M": "111B1515111111",
    "N": "11191513111111",
    "O": "0E11111111110E",
    "P": "1E11111E101010",
    "R": "1E11111E141211",
    "S": "0F10100E01011E",
    "T": "1F040404040404",
    "U": "1111111111110E",
    "V": "11111111110A04",
    "Y": "1111110A040404",
}


def text(words: str, dot: int) -> NDArray[np.bool_]:
    """The words as dots of `dot` pixels: bool, (7 · dot, 6 · dot · letters)."""
    return np.concatenate([_letter(letter, dot) for letter in words], axis=1)


@lru_cache(maxsize=256)
def _letter(letter: str, dot: int) -> NDArray[np.bool_]:
    rows = np.zeros((7, 6), np.bool_)
    for row, bits in enumerate(bytes.fromhex(_ROWS.get(letter, _ROWS[" "]))):
        rows[row, :5] = [bool(bits & (16 >> column)) for column in range(5)]
    return rows.repeat(dot, 0).repeat(dot, 1)


def put(planes: Planes, words: str, x: float, y: float, dot: int, luma: float = 240.0) -> None:
    """Writes words with their left upper corner at (x, y), each 0 to 1, on a dim ground."""
    dots = text(words, dot)
    height, width = planes.y.shape
    top, left = int(y * (height - dots.shape[0])), int(x * max(0, width - dots.shape[1]))
    patch = planes.y[top : top + dots.shape[0], left : left + dots.shape[1]]
    patch *= 0.55
    patch[dots[:, : patch.shape[1]]] = luma
