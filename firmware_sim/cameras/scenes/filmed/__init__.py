"""Family B: real frames of a fixed camera, altered. It shares no drawing code with the painted family."""

from pathlib import Path

from .scene import Filmed

__all__ = ["Filmed", "filmed"]


def filmed(seed: int, video: Path, width: int = 320, height: int = 180, benign: bool = True) -> Filmed:
    """The scene of a seed from the film `video` (see `find_film`); 16 : 9, the height a multiple of 180."""
    if width * 9 != height * 16 or height % 180:
        raise ValueError(
            f"{width} x {height} does not fit the film's cells: choose 320 x 180, 640 x 360 or another multiple"
        )
    return Filmed(seed, video, width, height, benign)
