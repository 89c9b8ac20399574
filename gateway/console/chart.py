"""The map of the sites: what stands where in a drawing of WIDTH x HEIGHT, near sites as one mark. Pure.

Marks are as large on a phone as on a wall; places are in per cent. So marks never lie upon each other: a site so near
to a worse one that both would is counted with it, and a click looks closer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from gateway.console.forms import clean
from gateway.console.sites import SiteNow
from gateway.notify.phrases import place
from kewang.ui.city import Drawing, Spot

WIDTH: Final = 1000
HEIGHT: Final = 625
_NEAR: Final = 60.0
"""Marks nearer than this are one: 21 px on a phone of 390 px."""
_FAR_DEG: Final = 1.0
"""A site farther from the middle one is no part of the city: somebody mistyped its place."""
_LEAST_DEG: Final = 0.004
_ROOM: Final = 0.12
_LETTER: Final = 13.0
"""Room for a letter of a label, and of a line: 16 px letters on a map 650 px wide."""
_LINE: Final = 32.0
_LONGEST: Final = 24
_QUIET: Final = 25
"""With more marks than this what is normal has no label."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the earth, in degrees."""

    west: float
    south: float
    east: float
    north: float

    def has(self, at: Spot) -> bool:
        """Whether `at` lies in it."""
        return self.west <= at[0] <= self.east and self.south <= at[1] <= self.north

    def scaled(self, factor: float) -> "Box":
        """The same middle, `factor` times as wide."""
        return _box(((self.west + self.east) / 2, (self.south + self.north) / 2), (self.east - self.west) * factor)

    def __str__(self) -> str:
        return f"{self.west:.5f},{self.south:.5f},{self.east:.5f},{self.north:.5f}"


@dataclass(frozen=True, slots=True)
class Label:
    """A text in the drawing; x and y in per cent. `anchor`: as SVG calls it."""

    text: str
    x: float
    y: float
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Mark:
    """One or several near sites, the worst first; x and y in per cent. `closer`: what a look closer shows."""

    sites: tuple[SiteNow, ...]
    x: float
    y: float
    closer: Box
    label: Label | None = None

    @property
    def worst(self) -> SiteNow:
        """Whose state it shows."""
        return self.sites[0]


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing. `land`: the `d` of a path in WIDTH x HEIGHT; `off`: sites that are not on any map of the city."""

    box: Box
    land: str
    names: tuple[Label, ...]
    marks: tuple[Mark, ...]
    off: tuple[SiteNow, ...]


def asked_box(text: str) -> Box | None:
    """The box that an address names as `west,south,east,north`; None for anything else."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        return None
    # Also false for NaN.
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        return None
    return _box(((west + east) / 2, (south + north) / 2), min(max(east - west, _LEAST_DEG), 4 * _FAR_DEG))


def chart(sites: Sequence[SiteNow], drawing: Drawing, box: Box | None = None) -> Chart:
    """The drawing of `sites` (those first looked at first), of all of them or of those in `box`."""
    middle = _middle([site.at for site in sites if site.at])
    on = [site for site in sites if site.at and _is_near(site.at, middle)]
    off = tuple(site for site in sites if not (site.at and _is_near(site.at, middle)))
    box = box or around([site.at for site in on if site.at] or [spot for ring in drawing.land for spot in ring])
    marks = _labelled(_grouped([site for site in on if site.at and box.has(site.at)], box), box)
    return Chart(box, _path(drawing, box), _free_names(drawing, box, marks), tuple(marks), off)


def around(spots: Sequence[Spot]) -> Box:
    """A box with room around `spots`, as wide and high as the drawing is."""
    west, east = min(lon for lon, _ in spots), max(lon for lon, _ in spots)
    south, north = min(lat for _, lat in spots), max(lat for _, lat in spots)
    middle = ((west + east) / 2, (south + north) / 2)
    high = (north - south) * WIDTH / HEIGHT / _shrink(middle[1])
    return _box(middle, max(_LEAST_DEG, (1 + 2 * _ROOM) * max(east - west, high)))


def _box(middle: Spot, wide: float) -> Box:
    high = wide * _shrink(middle[1]) * HEIGHT / WIDTH
    return Box(middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2)


def _shrink(lat: float) -> float:
    """How much shorter a degree to the east is than one to the north; not 0 at a pole."""
    return max(0.05, math.cos(math.radians(lat)))


def _middle(spots: Sequence[Spot]) -> Spot:
    return (median(lon for lon, _ in spots), median(lat for _, lat in spots)) if spots else (0.0, 0.0)


def _is_near(at: Spot, middle: Spot) -> bool:
    return max(abs(at[0] - middle[0]), abs(at[1] - middle[1])) <= _FAR_DEG


def _on(at: Spot, box: Box) -> tuple[float, float]:
    """Where in the drawing."""
    x = (at[0] - box.west) / (box.east - box.west) * WIDTH
    return x, (box.north - at[1]) / (box.north - box.south) * HEIGHT


def _grouped(sites: Iterable[SiteNow], box: Box) -> list[tuple[tuple[float, float], list[SiteNow]]]:
    """Each site with the first one before it that is too near, by a grid: a city has many sites."""
    groups: list[tuple[tuple[float, float], list[SiteNow]]] = []
    cells: dict[tuple[int, int], list[int]] = {}
    for site in sites:
        assert site.at is not None
        x, y = _on(site.at, box)
        column, row = int(x // _NEAR), int(y // _NEAR)
        around_it = [(column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        near = sorted(number for cell in around_it for number in cells.get(cell, ()))
        found = next((n for n in near if math.dist(groups[n][0], (x, y)) < _NEAR), None)
        if found is None:
            cells.setdefault((column, row), []).append(len(groups))
            groups.append(((x, y), [site]))
        else:
            groups[found][1].append(site)
    return groups


_Room = tuple[float, float, float, float]


def _labelled(groups: list[tuple[tuple[float, float], list[SiteNow]]], box: Box) -> list[Mark]:
    """The marks, each with its worst site's name where there is room for it; the worst choose first."""
    taken: list[_Room] = [(x - 16, y - 16, x + 16, y + 16) for (x, y), _ in groups]
    marks = []
    for (x, y), sites in groups:
        label = None
        if len(groups) <= _QUIET or sites[0].state.key != "normal":
            label = _label(_said(sites), x, y, taken)
        spots = [site.at for site in sites if site.at]
        closer = around(spots) if len(sites) > 1 else box
        marks.append(Mark(tuple(sites), *_percent(x, y), closer, label))
    return marks


def _said(sites: Sequence[SiteNow]) -> str:
    name = clean(place(sites[0].name), 200)
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"
    return f"{short} +{len(sites) - 1}" if len(sites) > 1 else short


def _label(text: str, x: float, y: float, taken: list[_Room]) -> Label | None:
    wide = len(text) * _LETTER
    for anchor, left, side in (("start", x + 20, x + 22), ("end", x - 20 - wide, x - 22)):
        room = (left, y - _LINE / 2, left + wide, y + _LINE / 2)
        if room[0] >= 0 and room[2] <= WIDTH and not any(_overlap(room, other) for other in taken):
            taken.append(room)
            return Label(text, *_percent(side, y), anchor)
    return None


def _overlap(one: _Room, other: _Room) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _free_names(drawing: Drawing, box: Box, marks: Sequence[Mark]) -> tuple[Label, ...]:
    """The names of parts of the city that lie on no mark and on no label."""
    taken = [_room_of(mark) for mark in marks] + [
        _room_of_label(mark.label) for mark in marks if mark.label is not None
    ]
    names = []
    for name, at in drawing.names:
        x, y = _on(at, box)
        wide = len(name) * _LETTER / 2
        room = (x - wide, y - _LINE / 2, x + wide, y + _LINE / 2)
        inside = room[0] >= 0 and room[2] <= WIDTH and room[1] >= 0 and room[3] <= HEIGHT
        if inside and not any(_overlap(room, other) for other in taken):
            taken.append(room)
            names.append(Label(name, *_percent(x, y), "middle"))
    return tuple(names)


def _room_of(mark: Mark) -> _Room:
    x, y = mark.x * WIDTH / 100, mark.y * HEIGHT / 100
    return x - 16, y - 16, x + 16, y + 16


def _room_of_label(label: Label) -> _Room:
    x, y, wide = label.x * WIDTH / 100, label.y * HEIGHT / 100, len(label.text) * _LETTER
    left = x - wide if label.anchor == "end" else x
    return left, y - _LINE / 2, left + wide, y + _LINE / 2


def _percent(x: float, y: float) -> tuple[float, float]:
    return round(x / WIDTH * 100, 2), round(y / HEIGHT * 100, 2)


def _path(drawing: Drawing, box: Box) -> str:
    rings = ([_on(spot, box) for spot in ring] for ring in drawing.land)
    return "".join("M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in ring) + "Z" for ring in rings)
