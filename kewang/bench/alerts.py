"""`kewang bench alerts`: production's incidents and notices in simulated cities, beside what others would send."""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from kewang.bench.alerts_baselines import BASELINES
from kewang.bench.alerts_drive import driven
from kewang.bench.alerts_figures import Tally, figures_of, shortfalls, tally_of
from kewang.bench.alerts_memory import MEMORY_SIZES, memory_of, memory_shortfalls
from kewang.bench.alerts_plan import (
    DEFAULT_DAYS,
    DEFAULT_LOSS,
    DEFAULT_SEEDS,
    FULL_SEEDS,
    SWEEP_SEEDS,
    CityPlan,
    held_out_seeds,
    rules_sha256,
    swept,
    tuning_seeds,
)
from kewang.bench.alerts_preview import preview_of, preview_shortfalls
from kewang.bench.alerts_score import score
from kewang.bench.alerts_world import WorldPlan, world_of
from kewang.bench.envelope import envelope

LEAST_SEEDS: Final = 10
LEAST_DEVICES: Final = 1_000
LEAST_DAYS: Final = 30.0
TUNED: Final = "seeds that anybody may tune on: good for tuning, no result"
OURS: Final = "kewang"
_BASELINE_KEYS: Final = (
    *("missed", "false_share", "notices", "notices_per_incident", "ttd_s", "worst_10min", "cause_accuracy"),
    "compression",
)


@dataclass(frozen=True, slots=True)
class AlertsPlan:
    """What the caller wants. `seed`: the first of seeds of its own; 0: those that the rules draw."""

    devices: int = LEAST_DEVICES
    days: float = DEFAULT_DAYS
    seeds: int = DEFAULT_SEEDS
    loss: float = DEFAULT_LOSS
    seed: int = 0
    tune: bool = False
    main: bool = True
    sweep: bool = False
    memory: bool = False
    preview: bool = False
    sabotage: str = "none"
    jobs: int = 0

    def chosen(self, count: int) -> list[int]:
        """So many seeds."""
        if self.tune:
            return tuning_seeds(count)
        return [self.seed + n for n in range(count)] if self.seed else held_out_seeds(rules_sha256(), count)


Say = Callable[[str], None]
Result = dict[str, Tally]
"""By policy: ours, and the baselines."""


def plan_of(
    *, full: bool = False, sweep: bool = False, memory: bool = False, preview: bool = False, **wanted: Any
) -> AlertsPlan:
    """The plan of the command's options: sweep, memory and preview are runs of their own, `full` is everything."""
    main = full or not (sweep or memory or preview)
    if full:
        wanted["seeds"] = max(wanted.get("seeds") or 0, FULL_SEEDS)
    return AlertsPlan(**wanted, main=main, sweep=sweep or full, memory=memory or full, preview=preview or full)


def measure(plan: AlertsPlan, say: Say) -> dict[str, Any]:
    """The command's result. `say` is told of each city, with examples of what went wrong in it."""
    started_s, failed = time.monotonic(), list[str]()
    figures: dict[str, Any] = {"devices": plan.devices, "days": plan.days, "loss": plan.loss, "sabotage": plan.sabotage}
    if plan.tune or plan.seed:
        failed.append(TUNED)
    seeds = plan.chosen(plan.seeds)
    with _Workers(plan.jobs or len(os.sched_getaffinity(0))) as workers:
        if plan.main:
            figures |= _main(plan, seeds, workers, say)
            failed += [*_small(plan), *shortfalls(figures, plan.devices)]
        if plan.sweep:
            figures["sweep"] = [*_sweep(plan, workers, say)]
            failed += [f"sweep, {row['point']}: {row['missed']} missed" for row in figures["sweep"] if row["missed"]]
    if plan.memory:
        figures["memory"] = [memory_of(devices, say) for devices in MEMORY_SIZES]
        failed += memory_shortfalls(figures["memory"])
    if plan.preview:
        figures["preview"] = preview_of(WorldPlan(plan.devices, plan.days, seeds[0], plan.loss), say)
        failed += [*preview_shortfalls(figures["preview"]), *([] if plan.main else _small(plan, seeds=False))]
    figures["rules_sha256"] = rules_sha256()
    return envelope("bench alerts", seed=seeds[0], parts=(), started_s=started_s, failed=failed, figures=figures)


def lived(plan: CityPlan) -> Result:
    """One city from its first day to its last, as production tells it and as others would."""
    world = world_of(plan.world)
    said = {OURS: driven(world, plan.sabotage, plan.rules)}
    if plan.baselines:
        said |= {name: policy(world) for name, policy in BASELINES.items()}
    return {name: tally_of(world.city, score(world.city, world.outages, told)) for name, told in said.items()}


class _Workers:
    """Processes that live cities; with one job, this process."""

    def __init__(self, jobs: int) -> None:
        self._pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin) if jobs > 1 else None

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for each in multiprocessing.active_children():  # after Ctrl-C nobody waits for a city that was begun
                each.terminate()

    def results(self, plans: Iterable[CityPlan]) -> Iterator[Result]:
        """One for each plan, in order."""
        yield from self._pool.map(lived, plans) if self._pool else map(lived, plans)


def _begin() -> None:
    gc.disable()  # a city's events are kept to its end, and searching them for cycles is in vain


def _main(plan: AlertsPlan, seeds: Sequence[int], workers: _Workers, say: Say) -> dict[str, Any]:
    cities = [CityPlan(WorldPlan(plan.devices, plan.days, seed, plan.loss), plan.sabotage) for seed in seeds]
    results: list[Result] = []
    for seed, result in zip(seeds, workers.results(cities), strict=True):
        results.append(result)
        say(_line(seed, result[OURS], len(results), len(seeds)))
        for case in result[OURS].cases:
            say(f"  {case}")
    by_seed = [{"seed": seed, **_some(figures_of([each[OURS]]))} for seed, each in zip(seeds, results, strict=True)]
    baselines = [
        {"name": name, **{key: figures[key] for key in _BASELINE_KEYS}}
        for name in BASELINES
        for figures in [figures_of([each[name] for each in results])]
    ]
    ours = figures_of([each[OURS] for each in results])
    return {"seeds": len(seeds), "test_seeds": [*seeds], **ours, "by_seed": by_seed, "baselines": baselines}


def _sweep(plan: AlertsPlan, workers: _Workers, say: Say) -> Iterator[dict[str, Any]]:
    for point, cities in swept(plan.chosen(SWEEP_SEEDS)):
        results = [*workers.results(cities)]
        row = {"point": point, **_some(figures_of([each[OURS] for each in results]))}
        if "k3 grouped" in results[0]:
            peer = figures_of([each["k3 grouped"] for each in results])
            row |= {"k3_grouped_false_share": peer["false_share"], "k3_grouped_notices": peer["notices_per_incident"]}
        say(f"{point}: {row}")
        yield row


def _some(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that a row of a table has room for."""
    keys = ("incidents", "missed", "masked", "false_share", "notices_per_incident", "worst_10min", "cause_accuracy")
    spreads = {
        f"{name}_{key}_s": figures["ttd_s"][name][key]
        for name in ("site", "wired", "cellular")
        for key in ("p50", "p95")
    }
    return {key: figures[key] for key in keys} | spreads | {"compression": figures["compression"]}


def _small(plan: AlertsPlan, *, seeds: bool = True) -> Iterator[str]:
    for name, value, least in (
        *([("seeds", plan.seeds, LEAST_SEEDS)] if seeds else []),
        ("devices", plan.devices, LEAST_DEVICES),
        ("days", plan.days, LEAST_DAYS),
    ):
        if value < least:
            yield f"{name}: {value:g}, must be at least {least:g}"


def _line(seed: int, tally: Tally, number: int, of: int) -> str:
    return (
        f"city {number} of {of} (seed {seed}): {sum(tally.fates.values())} outages, {tally.fates['missed']} missed, "
        f"{tally.notices} notices, {tally.false} of {tally.told} false, {tally.worst} in the worst 10 minutes"
    )
