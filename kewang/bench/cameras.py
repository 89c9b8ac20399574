"""`kewang bench cameras`: production's judgement of cameras on simulated days it was not tuned on."""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from edge.cameras.health import CameraHealth
from edge.cameras.thresholds import Thresholds, load
from firmware_sim.cameras.scenes import filmed, find_film, painted
from firmware_sim.cameras.scenes.spoiled import Spoilable
from kewang.bench.cameras_drive import Judge, Zones
from kewang.bench.cameras_figures import family_figures, shortfalls
from kewang.bench.cameras_life import WARM_DAYS, CameraPlan, CameraResult, Case, live
from kewang.bench.cameras_plan import Weight, held_out_seeds, tuning_seeds
from kewang.bench.cameras_wire import InBackground, WirePlan
from kewang.bench.envelope import envelope
from kewang.bench.process import PartFailed, find_program

LEAST_DAYS: Final = 20
DAYS_A_CAMERA: Final = 2
"""Scored days at most: many cameras tell more than many days of few, and fill the cores evenly."""
NICE: Final = 5
"""The simulation gives way to the agents and cameras of the wire, which live in real time."""
SPREAD: Final = 2
"""Few days are spread over so many cameras, which can be simulated at one time."""
SLOW_A_CAMERA: Final = 2
DEFAULT_DAYS: Final = {"painted": 8, "filmed": 12}
"""Of film there are more: a painted picture takes half as long again, and the whole is to take 8 minutes."""
FULL_DAYS: Final = {"painted": 75, "filmed": 30}
TUNED: Final = "tuning seeds: good for tuning, no result"


@dataclass(frozen=True, slots=True)
class CamerasPlan:
    """What the caller wants. `days`: scored camera-days of each family; `make_judge`: another is only for tests."""

    days: dict[str, int]
    tune: bool = False
    weights: tuple[Weight, ...] = tuple(Weight)
    jobs: int = 0
    make_judge: Callable[[Zones], Judge] | None = None
    slow: int = SLOW_A_CAMERA
    warm_days: int = WARM_DAYS
    wire: WirePlan | None = None
    """The way through RTSP, MQTT and the database; None: not measured."""


def painted_scene(seed: int) -> Spoilable:
    """A market or a street, painted by formula."""
    return painted(seed, kind="market" if seed % 2 else "street")


def filmed_scene(seed: int) -> Spoilable:
    """Real frames of a fixed camera, altered."""
    return filmed(seed, film())


def film() -> Path:
    """The film's file. Raises PartFailed that says how to get it."""
    try:
        return find_film()
    except FileNotFoundError as error:
        raise PartFailed(str(error)) from None


SCENES: Final[Mapping[str, Callable[[int], Spoilable]]] = {"painted": painted_scene, "filmed": filmed_scene}
"""The families: they share no drawing code."""


def plan_of(
    *,
    full: bool = False,
    tune: bool = False,
    days: int = 0,
    family: str = "both",
    only: str = ",".join(Weight),
    jobs: int = 0,
) -> CamerasPlan:
    """The plan of the command's options. Raises ValueError with what to write."""
    if family not in (*SCENES, "both"):
        raise ValueError(f"--family {family!r}: write {', '.join(SCENES)} or both")
    weights = tuple(weight for weight in Weight if weight in only.split(","))
    if not weights or set(only.split(",")) - set(Weight):
        raise ValueError(f"--only {only!r}: write some of {', '.join(Weight)}")
    usual = FULL_DAYS if full else DEFAULT_DAYS
    chosen = {name: days or usual[name] for name in SCENES if family in (name, "both")}
    whole = not (tune or days) and weights == tuple(Weight)
    return CamerasPlan(chosen, tune=tune, weights=weights, jobs=jobs, wire=WirePlan() if whole else None)


def production(limits: Thresholds, zones: Zones) -> Judge:
    """The judgement the agent runs."""
    return CameraHealth(limits, zones)


def measure(
    plan: CamerasPlan, say: Callable[[str], None], show: Callable[[Case], None] | None = None
) -> dict[str, Any]:
    """The command's result. `say` is told of each camera, `show` of each miss and false alarm.

    A KeyboardInterrupt ends it early, with the figures of the cameras that are done. Raises MissingPart, PartFailed.
    """
    started_s, limits = time.monotonic(), load()
    cameras = sorted(_cameras(plan, limits), key=lambda camera: camera.number)  # both families from the first minute
    _look_for_parts(plan)
    wire = InBackground(plan.wire, say) if plan.wire else None
    results: list[CameraResult] = []
    with suppress(KeyboardInterrupt):
        for result in _lived(cameras, plan.jobs or len(os.sched_getaffinity(0))):
            results.append(result)
            say(_line(result, len(results), len(cameras), time.monotonic() - started_s))
            if show:
                for case in result.cases:
                    show(case)
    figures = _figures(plan, results) | {"thresholds_sha256": limits.sha256, "wire": wire.figures() if wire else {}}
    failed, parts, seed = _failed(plan, figures), ["numpy", "av", "mosquitto"], cameras[0].seed
    if len(results) < len(cameras):
        failed.insert(0, f"ended early, after {len(results)} of {len(cameras)} cameras")
    return envelope("bench cameras", seed=seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _look_for_parts(plan: CamerasPlan) -> None:
    """What is missing is said at once, not after minutes. Raises MissingPart, PartFailed."""
    if "filmed" in plan.days:
        film()
    if plan.wire:
        find_program("mosquitto")


def _figures(plan: CamerasPlan, results: Sequence[CameraResult]) -> dict[str, Any]:
    """Those of the first family, with those of the second inside; `camera_days` counts both."""
    first, *others = [family_figures([each for each in results if each.family == family]) for family in plan.days]
    days = sum(result.days for result in results)
    second = others[0] if others else {}
    return {"families": list(plan.days), **first, "camera_days": days, "second_family": second}


def _cameras(plan: CamerasPlan, limits: Thresholds) -> Iterator[CameraPlan]:
    for family, days in plan.days.items():
        count = max(-(-days // DAYS_A_CAMERA), min(days, SPREAD))
        seeds = tuning_seeds(count) if plan.tune else held_out_seeds(limits.sha256, family, count)
        for number, seed in enumerate(seeds):
            own = days // count + (number < days % count)
            makers = SCENES[family], plan.make_judge or partial(production, limits)
            yield CameraPlan(family, seed, number, *makers, own, plan.slow, plan.weights, plan.warm_days)


def _lived(cameras: Sequence[CameraPlan], jobs: int) -> Iterator[CameraResult]:
    """Each camera's result as it comes; with one job, in this process."""
    if jobs == 1:
        yield from map(live, cameras)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin_worker) as pool:
        try:
            for done in as_completed([pool.submit(live, camera) for camera in cameras]):
                yield done.result()
        except BaseException:  # Ctrl-C too: a camera takes minutes, nobody waits for those that were begun
            pool.shutdown(wait=False, cancel_futures=True)
            for each in multiprocessing.active_children():
                each.terminate()
            raise


def _begin_worker() -> None:
    os.nice(NICE)
    gc.disable()  # ten thousands of looks are kept to the end of a camera, and searching them for cycles is in vain


def _line(result: CameraResult, number: int, of: int, seconds: float) -> str:
    founds = result.ours.found
    return (
        f"camera {number} of {of} ({result.family} {result.seed}): {sum(one.in_time for one in founds)} of "
        f"{len(founds)} faults in time, {len(result.ours.false_alarms)} false alarms in {result.calm_days:.1f} days; "
        f"{seconds:.0f} s"
    )


def _failed(plan: CamerasPlan, figures: Mapping[str, Any]) -> list[str]:
    failed = [TUNED] if plan.tune else []
    if figures["camera_days"] < LEAST_DAYS:
        failed.append(f"camera_days: {figures['camera_days']}, must be at least {LEAST_DAYS}")
    failed += shortfalls(figures)
    second, wire = figures["second_family"], figures["wire"]
    failed += [f"second_family: {each}" for each in shortfalls(second)] if second else ["second_family: not measured"]
    return failed + (wire["failed"] if wire else ["wire: not measured"])
