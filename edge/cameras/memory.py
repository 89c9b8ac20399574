"""What a camera's judgement has learned, kept on the box across restarts: one small file per camera."""

import logging
import math
from pathlib import Path
from typing import Final

from edge.cameras.health import CameraHealth, DamagedMemory
from edge.files import replace_bytes

log = logging.getLogger(__name__)

EVERY_S: Final = 600.0
"""It is written at most so often, and at the end."""
LIMIT_BYTES: Final = 2**21


class Memory:
    """The file at `path`; None: nothing is kept. Blocking; trouble with the disk is logged once and never raised."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept_s = -math.inf
        self._told = False

    def recall(self, health: CameraHealth, now_s: float) -> None:
        """Give `health` what was kept. Of a damaged file nothing: the camera is learned anew."""
        self._kept_s = now_s
        if self._path is None:
            return
        try:
            with self._path.open("rb") as file:
                kept = file.read(LIMIT_BYTES)
            health.restore(kept)
        except FileNotFoundError:
            log.info("%s: a new camera, its view is learned", self._path.stem)
        except (OSError, DamagedMemory) as error:
            log.warning("%s can't be used, the camera's view is learned anew: %s", self._path, error)

    def keep(self, health: CameraHealth, now_s: float) -> None:
        """Write what `health` has learned, if it is time to; with inf it always is."""
        if self._path is None or now_s - self._kept_s < EVERY_S:
            return
        self._kept_s = now_s if math.isfinite(now_s) else self._kept_s
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_bytes(self._path, health.dump(), 0o600)
        except OSError as error:
            if not self._told:
                log.warning("%s can't be written, a restart will learn the camera's view anew: %s", self._path, error)
            self._told = True
        else:
            self._told = False
