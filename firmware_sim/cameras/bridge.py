"""The scenes, or a stand-in with two faults until they are there."""

from typing import Any

try:
    from firmware_sim.cameras.scenes import PictureFault, spoiled
except ImportError:
    from enum import StrEnum

    class PictureFault(StrEnum):  # type: ignore[no-redef]
        """All, of which two work."""

        FROZEN = "frozen"
        BLACK = "black"
        WHITE = "white"
        NO_SIGNAL = "no_signal"
        COVER = "cover"
        MOVED = "moved"
        BLUR = "blur"
        NOISE = "noise"
        COLOUR = "colour"
        DIRT = "dirt"
        FOG_LENS = "fog_lens"
        PARTIAL_COVER = "partial_cover"
        MILD_BLUR = "mild_blur"
        MOVED_SMALL = "moved_small"

    class _Spoiled:
        def __init__(self, scene: Any, fault: str, start_s: float) -> None:
            self._scene, self._fault, self._start_s = scene, fault, start_s

        def at(self, time_s: float) -> Any:
            view = self._scene.at(self._start_s if self._fault == "frozen" else time_s)
            if self._fault == "black":
                view.i420[: view.i420.shape[0] * 2 // 3] = 16
            return view

    def spoiled(scene: Any, fault: Any, start_s: float, seed: int, end_s: float = 0) -> Any:
        """`scene` with `fault`."""
        return _Spoiled(scene, fault, start_s)


__all__ = ["PictureFault", "spoiled"]
