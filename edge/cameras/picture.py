"""Measures of one picture, or of one against another: pure functions on arrays, with shapes and units."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

ROWS: Final = 180
COLUMNS: Final = 320

Picture: TypeAlias = NDArray[np.uint8]
"""A picture as I420: uint8, shape (270, 320): 180 rows of luma (0–255) of 320 pixels, then Cb and Cr, 90 rows of 160
pixels each, packed (the shape FFmpeg's `yuv420p` has as an array)."""
