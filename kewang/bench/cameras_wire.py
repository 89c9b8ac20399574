"""Cameras the whole way: painted, encoded, served over RTSP, watched by real agents, through broker and gateway.

What the database then holds is compared with the same judgement in this process, on the picture before it was encoded.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from edge.cameras.health import CameraHealth
from edge.cameras.thresholds import load
from firmware_sim.cameras.scenes import PictureFault, Scene, painted
from kewang.bench.cameras_drive import HEALTHY
from kewang.bench.cameras_plan import LIMIT_S, RIGHT_TYPE, Fault, LinkFault, Weight
from kewang.bench.cameras_served import KINDS, CameraRow, camera_rows, painted_cameras
from kewang.bench.guard import Guard
from kewang.bench.houses import SqliteHouse
from kewang.bench.parts import Mosquitto
from kewang.bench.process import READY_LIMIT_S, MissingPart, Part, PartFailed, wait_for
from kewang.bench.programs import EdgeProgram, GatewayProgram
from kewang.wire.cameras import CameraState

FAULTS: Final[Mapping[Fault, str]] = {
    PictureFault.FROZEN: "frozen",
    PictureFault.BLACK: "black",
    PictureFault.WHITE: "white",
    PictureFault.NO_SIGNAL: "no_signal",
    LinkFault.UNREACHABLE: "refused",
    LinkFault.SILENT: "silent",
}
"""The hard faults, and what the simulated camera calls them: one camera each."""
TOLERANCE: Final = {"brightness_pct": 1.0, "contrast_pct": 2.0}
"""Points between a picture after the encoder and one before: it softens, and people walk on."""
PICTURE: Final = "first_keyframe_ms"
"""What every look has that brought a picture."""
LEAST_ALIKE: Final = 0.98
BOXES: Final = 4
_HOUR: Final = 10.0
_FPS: Final = 5.0
_AGES_S: Final = tuple(sorted((step / 4 for step in range(-8, 33)), key=lambda age_s: abs(age_s - 4)))
"""A row is dated in its session, most often 4 s after its key frame; an exposure that pumps changes within a second."""
_FLUSH_S: Final = 2.0
_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class WirePlan:
    """`samples`: looks with a picture to compare; `well`: cameras without a fault, looked at more often than usual.

    `before_s`: from the first rows until the faults.
    """

    samples: int = 200
    well: int = 10
    faults: tuple[Fault, ...] = tuple(FAULTS)
    picture_s: float = 60.0
    """Of the cameras with a fault: production's."""
    well_picture_s: float = 20.0
    before_s: float = 90.0
    limit_s: float = 420.0
    seed: int = 1


class Street:
    """Cameras, boxes, broker and gateway of a plan, on this machine, in one temporary folder."""

    def __init__(self, plan: WirePlan) -> None:
        self.plan = plan
        self.count = len(plan.faults) + plan.well
        self.folder = Path(tempfile.mkdtemp(prefix="kewang-"))
        self.guard = Guard(self.folder)
        self.broker = Mosquitto(self.folder / "broker")
        self.house = SqliteHouse(self.folder / "store")
        self.gateway = GatewayProgram(self.folder / "gateway", self.broker.port, self.house.url)
        self.cameras = painted_cameras(self.folder / "cameras", self.count, seed=plan.seed, hour=_HOUR, fps=_FPS)
        self.started_s = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            undo.callback(self.guard.close)
            for part in (self.broker, self.cameras):
                undo.enter_context(self._guarded(part))
            self.started_s = time.time()
            undo.enter_context(self._guarded(self.gateway))
            wait_for(lambda: self.gateway.get("/ready") is not None, READY_LIMIT_S)
            with ThreadPoolExecutor(BOXES, "start") as pool:
                list(pool.map(lambda box: undo.enter_context(self._guarded(box)), self._boxes()))
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _guarded(self, part: Part) -> Part:
        part.guard = self.guard
        return part

    def _boxes(self) -> list[EdgeProgram]:
        paces = [self.plan.picture_s] * len(self.plan.faults) + [self.plan.well_picture_s] * self.plan.well
        watched = [
            {"name": f"cam-{index}", "url": self.cameras.rtsp(index), "picture_s": pace}
            for index, pace in enumerate(paces)
        ]
        return [self._box(box, watched[box::BOXES]) for box in range(BOXES)]

    def _box(self, box: int, watched: Sequence[Mapping[str, object]]) -> EdgeProgram:
        name = f"box-{box}"
        return EdgeProgram(self.folder / name, name, self.broker.port, flush_s=_FLUSH_S, cameras=lambda: watched)

    def rows(self) -> list[CameraRow]:
        """All looks the database holds now, in order of time."""
        return camera_rows(self.house.file)


def _camera(row: CameraRow) -> int:
    return int(row.source.removeprefix("cam-"))


def _date_s(row: CameraRow) -> float:
    return row.date_ms / 1000


@dataclass(slots=True)
class Walk:
    """What was seen in the database. `switched_s`: Unix s of the faults; `told_s`: camera -> s until it was there."""

    rows: list[CameraRow]
    started_s: float
    switched_s: float
    told_s: dict[int, float]


def measure(plan: WirePlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures under `wire`, with `failed` among them. Raises MissingPart, PartFailed."""
    began_s = time.monotonic()
    with Street(plan) as street:
        walk = _watch(street, say)
    well = [row for row in walk.rows if _camera(row) >= len(plan.faults) or _date_s(row) < walk.switched_s]
    pictures = [row for row in well if PICTURE in row.values]
    alike = Comparison(plan.seed, walk.started_s).alike(pictures)
    wrong = sum(row.state in (CameraState.DEGRADED, CameraState.DOWN) for row in well)
    figures = {
        "cameras": street.count,
        "boxes": BOXES,
        "samples": len(pictures),
        "alike": round(alike / max(1, len(pictures)), 3),
        "states_wrong": wrong,
        "faults": {str(fault): walk.told_s.get(index) for index, fault in enumerate(plan.faults)},
        "limit_s": LIMIT_S[Weight.HARD],
        "seconds": round(time.monotonic() - began_s, 1),
    }
    return {**figures, "failed": list(shortfalls(plan, figures))}


def _watch(street: Street, say: Callable[[str], None]) -> Walk:
    """Look into the database until it holds enough, and each fault in its right state."""
    plan, walk = street.plan, Walk([], street.started_s, 0.0, {})
    end_s = time.monotonic() + plan.limit_s
    while time.monotonic() < end_s and not _is_done(plan, walk):
        time.sleep(_POLL_S)
        walk.rows = street.rows()
        if not walk.switched_s and _may_switch(street, walk):
            walk.switched_s = time.time()
            for index, fault in enumerate(plan.faults):
                street.cameras.switch(index, FAULTS[fault])
            say(f"wire: {len(walk.rows)} looks are in the database; now {len(plan.faults)} cameras get a fault each")
        _note(plan, walk)
    return walk


def _may_switch(street: Street, walk: Walk) -> bool:
    seen = {_camera(row) for row in walk.rows if PICTURE in row.values}
    return len(seen) == street.count and time.time() - _date_s(walk.rows[0]) > street.plan.before_s


def _is_done(plan: WirePlan, walk: Walk) -> bool:
    pictures = sum(PICTURE in row.values for row in walk.rows if _camera(row) >= len(plan.faults))
    return pictures >= plan.samples and len(walk.told_s) == len(plan.faults)


def _note(plan: WirePlan, walk: Walk) -> None:
    """The moment a fault's right state was first found in the database."""
    now_s = time.time()
    for row in walk.rows if walk.switched_s else ():
        if _date_s(row) < walk.switched_s or _camera(row) >= len(plan.faults) or _camera(row) in walk.told_s:
            continue
        if row.state is CameraState.DOWN and row.reason in RIGHT_TYPE[plan.faults[_camera(row)]]:
            walk.told_s[_camera(row)] = round(now_s - walk.switched_s, 1)


class Comparison:
    """The same moments judged in this process, on pictures that never saw an encoder for video."""

    def __init__(self, seed: int, started_s: float) -> None:
        self._seed, self._started_s = seed, started_s
        self._scenes: dict[int, Scene] = {}

    def alike(self, rows: Sequence[CameraRow]) -> int:
        """How many of `rows` say what is said here, at one of the moments they may mean."""
        return sum(any(self._is_alike(row, age_s) for age_s in _AGES_S) for row in rows)

    def _is_alike(self, row: CameraRow, age_s: float) -> bool:
        here = self.metrics(_camera(row), _HOUR * 3600 + _date_s(row) - self._started_s - age_s)
        return all(abs(row.values.get(name, math.inf) - here[name]) <= points for name, points in TOLERANCE.items())

    def metrics(self, camera: int, time_s: float) -> Mapping[str, float]:
        """What production makes of the picture camera `camera` sees at `time_s` after midnight."""
        if camera not in self._scenes:
            self._scenes[camera] = painted(self._seed + camera, kind=KINDS[camera % len(KINDS)])
        return CameraHealth(load()).saw(HEALTHY, self._scenes[camera].at(time_s).i420, time_s).metrics


def shortfalls(plan: WirePlan, figures: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each thing that is not as it must be."""
    if figures["samples"] < plan.samples:
        yield f"wire: {figures['samples']} samples, must be at least {plan.samples}"
    if figures["alike"] < LEAST_ALIKE:
        yield f"wire: {figures['alike']:g} of the samples are as in this process, must be at least {LEAST_ALIKE:g}"
    if figures["states_wrong"]:
        yield f"wire: {figures['states_wrong']} looks at cameras without a fault say degraded or down"
    for fault, told_s in figures["faults"].items():
        if told_s is None or told_s > figures["limit_s"]:
            after = "never" if told_s is None else f"after {told_s:g} s"
            yield f"wire: {fault} was in the database {after}, must be within {figures['limit_s']:g} s"


class InBackground:
    """The measurement in a thread of its own: it waits for cameras most of its time."""

    def __init__(self, plan: WirePlan, say: Callable[[str], None]) -> None:
        self._pool = ThreadPoolExecutor(1, "wire")
        self._result = self._pool.submit(measure, plan, say)

    def figures(self) -> dict[str, Any]:
        """Wait for it. A part that did not run is a failure among the figures: those of the cameras took hours."""
        try:
            return self._result.result()
        except (MissingPart, PartFailed, TimeoutError) as error:
            return {"failed": [f"wire: {error}"]}
        finally:
            self._pool.shutdown()
