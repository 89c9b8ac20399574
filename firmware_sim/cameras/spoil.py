"""Access units as a broken or hostile camera sends them: noise for slices, key frames far too large."""

import random
from functools import lru_cache

import numpy as np

from firmware_sim.cameras.codecs import Codec, Encoded, Encoder
from firmware_sim.cameras.faults import Switched, TransportFault

SPOILING = frozenset({TransportFault.GARBAGE, TransportFault.HUGE_KEYFRAME, TransportFault.EIGHT_K})
"""Faults that change what is in an access unit."""
_EIGHT_K = (7680, 4320)


def spoil(unit: Encoded, codec: Codec, faults: Switched) -> Encoded:
    """`unit` as it leaves the camera under `faults`."""
    if TransportFault.EIGHT_K in faults and unit.is_key:
        unit = _eight_k(codec)
    if TransportFault.GARBAGE in faults:
        unit = Encoded(tuple(nal if codec.is_parameters(nal) else _noise(nal, codec) for nal in unit.nals), unit.is_key)
    if TransportFault.HUGE_KEYFRAME in faults and unit.is_key:
        megabytes = faults.value(TransportFault.HUGE_KEYFRAME)
        unit = Encoded((*unit.nals[:-1], unit.nals[-1] + b"\xa5" * int(megabytes * 1_000_000)), True)
    return unit


def _noise(nal: bytes, codec: Codec) -> bytes:
    """About as long as `nal` and of its type, the rest noise without a start code in it.

    A decoder finds some picture in almost any bits, so the noise begins with a slice header that can't be: a kind
    of slice (H.264) or a parameter set (H.265) of a number beyond 8,000.
    """
    noise = random.Random(len(nal)).randbytes(max(len(nal), 16)).replace(b"\0", b"\x55")
    return nal[: codec.header_bytes] + b"\x80\1" + noise


@lru_cache(maxsize=2)
def _eight_k(codec: Codec) -> Encoded:
    """A key frame of grey, 7680 × 4320 pixels; a few kilobytes."""
    width, height = _EIGHT_K
    return Encoder(codec, width, height, 10).encode(np.full((height * 3 // 2, width), 128, np.uint8), key=True)
