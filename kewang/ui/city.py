"""The city's own simplified drawing: for the boards as the file it is, for pages as outlines. No tile is fetched."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "maps" / "ambon.geojson"
Spot = tuple[float, float]
"""Degrees east, degrees north."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """`land`: closed outlines; `names`: of parts of the city, and where each is written."""

    land: tuple[tuple[Spot, ...], ...]
    names: tuple[tuple[str, Spot], ...]


@cache
def drawing() -> Drawing:
    """The shipped drawing, read once."""
    features = json.loads(FILE.read_text(encoding="utf-8"))["features"]
    shapes = [(one["geometry"]["type"], one["geometry"]["coordinates"], one["properties"]["name"]) for one in features]
    land = tuple(
        tuple((lon, lat) for lon, lat in ring) for kind, rings, _ in shapes if kind == "Polygon" for ring in rings
    )
    return Drawing(land, tuple((name, (at[0], at[1])) for kind, at, name in shapes if kind == "Point"))
