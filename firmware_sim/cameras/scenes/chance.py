"""Chance without state: numbers that depend on their keys alone, so any moment can be asked for in any order."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_WORD: Final = 0xFFFFFFFFFFFFFFFF


def mix(key: int) -> int:
    """64 well-mixed bits of one key (the finaliser of SplitMix64)."""
    key = (key + int(_STEP)) & _WORD
    key = ((key ^ (key >> 30)) * int(_MIX_1)) & _WORD
    key = ((key ^ (key >> 27)) * int(_MIX_2)) & _WORD
    return key ^ (key >> 31)


@lru_cache(maxsize=65_536)
def uniform(*keys: int) -> float:
    """0 ≤ number < 1 that depends on the keys alone."""
    state = 0
    for key in keys:
        state = mix((state ^ (key & _WORD)) & _WORD)
    return (state >> 11) / (1 << 53)


def uniforms(key: int, which: NDArray[np.int64], salt: int) -> NDArray[np.float64]:
    """One number 0 ≤ n < 1 per element of `which`, for this key and salt."""
    numbers: NDArray[np.float64] = uniforms_of(key, which, [salt])[0]
    return numbers


def uniforms_of(key: int, which: NDArray[np.int64], salts: Iterable[int]) -> NDArray[np.float64]:
    """The same for several salts at once: a row for each."""
    state = which.astype(np.uint64) * _STEP + np.array([[mix(key ^ mix(salt))] for salt in salts], np.uint64)
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def drift(key: int, time_s: float, period_s: float) -> float:
    """A number from -1 to 1 that wanders smoothly; it takes about `period_s` to forget where it was."""
    place = time_s / period_s
    whole = int(np.floor(place))
    part = place - whole
    ease = part * part * (3 - 2 * part)
    before, after = uniform(key, whole), uniform(key, whole + 1)
    return 2 * (before + (after - before) * ease) - 1


def generator(*keys: int) -> np.random.Generator:
    """A generator for things made once: the same for the same keys."""
    return np.random.default_rng([key & _WORD for key in keys])
