"""Family A: a market or street of Ambon painted from nothing."""

from .scene import Painted
from .world import Kind

__all__ = ["Painted", "painted"]


def painted(
    seed: int, width: int = 320, height: int = 180, kind: Kind = "market", benign: bool = True, *, codec: bool = True
) -> Painted:
    """The scene of a seed. `benign`: with its harmless events; `codec`: through a JPEG round trip at the end."""
    if width % 4 or height % 4:
        raise ValueError(f"{width} x {height} can't be painted: choose width and height as multiples of 4")
    return Painted(seed, width, height, kind, benign, codec)
