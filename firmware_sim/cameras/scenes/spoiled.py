"""A scene with a fault from some moment on; each family knows by itself how a fault looks in its pictures."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from .seen import PictureFault, Point, Scene, View


class Spoilable(Scene, Protocol):
    """A scene that can show faults."""

    def spoil(self, fault: PictureFault, start_s: float, seed: int) -> Callable[[float], View]:
        """What `at` is to be from `start_s` on; strength and looks of the fault come from `seed`."""
        ...


class Spoiled:
    """See `spoiled`."""

    def __init__(self, scene: Spoilable, fault: PictureFault, start_s: float, seed: int, end_s: float) -> None:
        self._scene, self._start_s, self._end_s = scene, start_s, end_s
        self._faulty = scene.spoil(fault, start_s, seed)

    @property
    def width(self) -> int:
        return self._scene.width

    @property
    def height(self) -> int:
        return self._scene.height

    @property
    def zone(self) -> Sequence[Point]:
        """The healthy scene's zone."""
        return self._scene.zone

    def at(self, time_s: float) -> View:
        """See `Scene.at`."""
        return self._faulty(time_s) if self._start_s <= time_s < self._end_s else self._scene.at(time_s)


def spoiled(scene: Spoilable, fault: PictureFault, start_s: float, seed: int, end_s: float = math.inf) -> Scene:
    """The scene, with `fault` from `start_s` until `end_s`; before and after, exactly the scene itself."""
    return Spoiled(scene, PictureFault(fault), start_s, seed, end_s)
