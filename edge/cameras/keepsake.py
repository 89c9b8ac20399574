"""What is known of a camera's views as bytes, so that it outlives a restart."""

import io
import zipfile
import zlib
from typing import Any, Final

import numpy as np

from edge.cameras.reference import Reference
from edge.cameras.slow import SlowTrack
from edge.cameras.thresholds import Thresholds

VERSION: Final = 1
_LIMIT_BYTES: Final = 1_000_000
_MODES: Final = {False: "day_", True: "infrared_"}


class DamagedMemory(Exception):
    """Kept references can't be read (damaged, or of another version); go on, the camera is learned anew."""


def pack(references: dict[bool, Reference], slow: SlowTrack) -> bytes:
    """Everything as an npz file; 50 to 150 kB."""
    arrays: dict[str, Any] = {"version": np.array(VERSION), **slow.arrays()}
    for mode, prefix in _MODES.items():
        arrays |= references[mode].arrays(prefix)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def unpack(kept: bytes, thresholds: Thresholds) -> tuple[dict[bool, Reference], SlowTrack]:
    """The reverse of `pack`. Raises DamagedMemory."""
    try:
        with np.load(io.BytesIO(kept[:_LIMIT_BYTES]), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if int(arrays["version"]) != VERSION:
            raise ValueError("another version")
        slow = SlowTrack(thresholds.slow)
        slow.take(arrays)
        return {mode: Reference.of(arrays, prefix) for mode, prefix in _MODES.items()}, slow
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedMemory(f"kept references can't be read ({type(error).__name__}): they are learned anew") from None
