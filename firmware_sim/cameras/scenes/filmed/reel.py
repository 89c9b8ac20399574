"""The film cut for one camera: a crop at some size, its empty background, and who moves in each frame."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
FILM_WIDTH: Final = 768
FILM_HEIGHT: Final = 576
EVERY: Final = 4
"""One frame in four is kept: 2.5 a second."""
FRAMES_A_SECOND: Final = 2.5
STRANGE: Final = 18
CELL_ROWS: Final = 45
PERSON_FILM_PX: Final = 3_300.0
"""Area of the box around a person in the film, in its own pixels, as far as cells tell: measured on its frames."""


@dataclass(frozen=True, slots=True)
class Framing:
    """The part of the film a camera sees: its middle, film pixels per pixel of 320, mirrored or not, its roll."""

    x: float
    y: float
    scale: float
    mirrored: bool
    roll: float

    def places(self, width: int, height: int, fine: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where in the film each pixel looks, x and y, each (height, width)."""
        down, across = np.mgrid[0:height, 0:width].astype(float)
        across, down = (across + 0.5 + fine - width / 2) * 320 / width, (down + 0.5 + fine - height / 2) * 320 / width
        if self.mirrored:
            across = -across
        cos, sin = np.cos(self.roll) * self.scale, np.sin(self.roll) * self.scale
        return self.x + across * cos - down * sin, self.y + across * sin + down * cos

    def seen(self, x: float, y: float) -> tuple[float, float]:
        """Where a film pixel is in the picture, 0 to 1 each, or beyond."""
        dx, dy = (x - self.x) / self.scale, (y - self.y) / self.scale
        across = dx * np.cos(self.roll) + dy * np.sin(self.roll)
        down = -dx * np.sin(self.roll) + dy * np.cos(self.roll)
        return 0.5 + (-across if self.mirrored else across) / 320, 0.5 + down / 180


@dataclass(frozen=True, slots=True)
class Reel:
    """Frames as luma (n, height, width) and chroma (n, 2, height / 2, width / 2), and the place when it is empty.

    Per frame: the cells (n, 45, 80) where somebody is, and how many persons.
    """

    luma: Bytes
    chroma: Bytes
    empty_luma: Bytes
    empty_chroma: Bytes
    cells: NDArray[np.bool_]
    persons: NDArray[np.int64]


@lru_cache(maxsize=1)
def _whole(video: Path) -> tuple[Bytes, ...]:
    with av.open(str(video)) as opened:
        return tuple(
            np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)
            for number, frame in enumerate(opened.decode(video=0))
            if number % EVERY == 0
        )


@lru_cache(maxsize=6)
def reel(video: Path, framing: Framing, width: int, height: int) -> Reel:
    """The film as this camera would have seen it."""
    frames = _whole(video)
    fine = [_index(framing, width, height, part, FILM_WIDTH, FILM_HEIGHT) for part in (-0.25, 0.25)]
    half = _index(framing, width // 2, height // 2, 0.0, FILM_WIDTH // 2, FILM_HEIGHT // 2)
    luma = np.stack([_mean(frame[:FILM_HEIGHT].ravel(), fine) for frame in frames])
    area = FILM_WIDTH * FILM_HEIGHT // 4
    tones = [frame[FILM_HEIGHT:].ravel() for frame in frames]
    chroma = np.stack([np.stack([tone[:area][half], tone[area : 2 * area][half]]) for tone in tones])
    empty_luma = np.median(luma[::5], axis=0).astype(np.uint8)
    empty_chroma = np.median(chroma[::5], axis=0).astype(np.uint8)
    cells = np.stack([_strange(frame, empty_luma) for frame in luma])
    typical = PERSON_FILM_PX / framing.scale**2 / 16
    return Reel(
        luma, chroma, empty_luma, empty_chroma, np.stack([_grown(one) for one in cells]), _counts(cells, typical)
    )


def _index(framing: Framing, width: int, height: int, fine: float, columns: int, rows: int) -> NDArray[np.int64]:
    x, y = framing.places(width, height, fine)
    x, y = x * columns / FILM_WIDTH, y * rows / FILM_HEIGHT
    return _mirrored(y, rows) * columns + _mirrored(x, columns)


def _mirrored(place: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Beyond its border the film goes on as in a mirror."""
    turn = np.abs(place.astype(np.int64)) % (2 * length)
    return np.where(turn < length, turn, 2 * length - 1 - turn)


def _mean(flat: Bytes, places: list[NDArray[np.int64]]) -> Bytes:
    total = np.zeros(places[0].shape, np.uint16)
    for place in places:
        total += flat[place]
    return np.asarray(total // len(places), np.uint8)


def _strange(frame: Bytes, empty: Bytes) -> NDArray[np.bool_]:
    height, width = frame.shape
    side = height // CELL_ROWS
    other = np.abs(frame.astype(np.int16) - empty) > STRANGE
    return np.asarray(other.reshape(CELL_ROWS, side, width // side, side).mean((1, 3)) > 0.22, np.bool_)


def _grown(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown = cells.copy()
    grown[1:] |= cells[:-1]
    grown[:-1] |= cells[1:]
    grown[:, 1:] |= cells[:, :-1]
    grown[:, :-1] |= cells[:, 1:]
    return grown


def _counts(cells: NDArray[np.bool_], typical: float) -> NDArray[np.int64]:
    """Separate moving patches per frame; a patch as large as several persons counts as several, specks not at all."""
    return np.array(
        [sum(max(1, round(area / typical)) for area in _patches(one) if area > 0.18 * typical) for one in cells]
    )


def _patches(cells: NDArray[np.bool_]) -> list[int]:
    left = {(int(y), int(x)) for y, x in np.argwhere(cells)}
    areas = []
    while left:
        edge, area = [left.pop()], 0
        while edge:
            y, x = edge.pop()
            area += 1
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
        areas.append(area)
    return areas
