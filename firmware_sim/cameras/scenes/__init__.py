"""Seeded scenes of fixed cameras with their truth: painted (a market or street of Ambon) and filmed (real frames)."""

from .film import find_film
from .filmed import filmed
from .painted import painted
from .seen import EXPECTED, PictureFault, Point, Scene, Truth, View
from .spoiled import spoiled

__all__ = ["EXPECTED", "PictureFault", "Point", "Scene", "Truth", "View", "filmed", "find_film", "painted", "spoiled"]
