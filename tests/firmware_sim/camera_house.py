"""A simulated camera for a test: quick, small, with a control file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_sim.cameras.camera import Camera, CameraSettings
from firmware_sim.cameras.faults import CameraFaults
from firmware_sim.cameras.server import serving, workers
from firmware_sim.faults import switch

QUICK = CameraSettings(width=160, height=96, fps=25.0, keyframe_interval_s=0.4, loop_s=0.8, midnight_s=43_200.0)


@asynccontextmanager
async def camera(folder: Path, fault: str | None = None, **changes: Any) -> AsyncIterator[Camera]:
    """A camera that listens, with `fault` from the start; `switch(folder / "control", ...)` changes it."""
    switch(folder / "control", fault)
    with workers() as executor:
        made = Camera(replace(QUICK, **changes), executor, faults=CameraFaults(control=folder / "control"))
        async with serving([made], statistics=folder / "statistics.json"):
            yield made
