"""What is known of a camera as bytes, so that it outlives a restart: an npz file without anything that could run."""

import io
import tokenize
import zipfile
import zlib
from collections import deque
from typing import Any, Final

import numpy as np

from edge.cameras.market import MarketView
from edge.cameras.reference import Reference
from edge.cameras.sight import Sight
from edge.cameras.slow import SlowTrack
from edge.cameras.stream import NORM_LENGTH, Stream
from edge.cameras.thresholds import Thresholds

VERSION: Final = 1
_LIMIT_BYTES: Final = 1_000_000
_WHOLE_LIMIT_BYTES: Final = 2_000_000
"""Of everything unpacked: about 400 kB with all hours and views."""
_DAMAGED: Final = (
    *(KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, RuntimeError),
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What numpy and zipfile raise over flipped bits, as worn cards give them back: methods of packing that nobody knows,
encryption, headers that are no Python, shapes that nothing can hold."""
_STEPS: Final = ("edges", "settled", "clean")
_MODES: Final = {False: "day_", True: "infrared_"}


class DamagedMemory(Exception):
    """Kept references can't be read (damaged, or of another version); go on, the camera is learned anew."""


def pack(sight: Sight, stream: Stream) -> bytes:
    """Everything learned; 50 to 150 kB."""
    arrays: dict[str, Any] = {"version": np.array(VERSION), **sight.slow.arrays()}
    for mode, prefix in _MODES.items():
        arrays |= sight.references[mode].arrays(prefix) | sight.market.views[mode].arrays(prefix)
        arrays[f"{prefix}fps"] = np.array(stream.norms[mode], np.float64)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def unpack(kept: bytes, sight: Sight, stream: Stream, limits: Thresholds) -> None:
    """The reverse of `pack`, into `sight` and `stream`. Raises DamagedMemory, and both are as they were."""
    try:
        arrays = _arrays(kept)
        slow = SlowTrack(limits.slow)
        slow.take(arrays)
        references = {mode: Reference.of(arrays, prefix) for mode, prefix in _MODES.items()}
        views = {mode: MarketView.of(arrays, prefix, limits.market) for mode, prefix in _MODES.items()}
        norms = {mode: _norm(arrays[f"{prefix}fps"]) for mode, prefix in _MODES.items()}
    except _DAMAGED as error:
        raise DamagedMemory(f"kept references can't be read ({type(error).__name__}): they are learned anew") from None
    sight.slow, sight.references, sight.market.views, stream.norms = slow, references, views, norms


def _arrays(kept: bytes) -> dict[str, Any]:
    if len(kept) > _LIMIT_BYTES:
        raise ValueError("too large")
    with zipfile.ZipFile(io.BytesIO(kept)) as packed:
        if sum(each.file_size for each in packed.infolist()) > _WHOLE_LIMIT_BYTES:
            raise ValueError("too large when unpacked")
    with np.load(io.BytesIO(kept), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if int(arrays["version"]) != VERSION:
        raise ValueError("another version")
    for name, array in arrays.items():
        if np.isinf(array).any() or (name.endswith(_STEPS) and array.dtype != np.int8):
            raise ValueError("numbers that can't be")
    return arrays


def _norm(kept: Any) -> deque[float]:
    values = np.asarray(kept, np.float64).ravel()
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("frame rates that can't be")
    return deque((float(value) for value in values), maxlen=NORM_LENGTH)
