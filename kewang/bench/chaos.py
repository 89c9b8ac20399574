"""Chaos: small cities, each hurt by its own story, and afterwards the truth about every reading and the ledger's word.

A seed is one story. Even seeds may lose the database (and get it back, or not); odd ones have a disk that fills up.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.ledger import SourceLedger, device_totals, ledger
from gateway.ports import Misconfigured, RetryLater
from gateway.stores import open_store
from kewang.bench.acts import Cast, Kind, schedule
from kewang.bench.city import SOURCE, City, CityPlan, Device
from kewang.bench.envelope import envelope
from kewang.bench.havoc import Havoc
from kewang.bench.process import wait_for
from kewang.bench.truth import Series, Truth, summed

PARTS: Final = ("edge", "gateway", "broker", "store")
BROKER: Final = "mosquitto"
NAMES: Final = ("pasar-1", "pasar-2", "kali-1")
SABOTAGES: Final = ("none", "early-ack", "tag")
_FASTER: Final = 15.0
_DRAIN_LIMIT_S: Final = 90.0
_LEDGER_LIMIT_S: Final = 30.0
_BELIEVED_MS: Final = 300_000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """What the caller wants. `jobs`: cities at one time."""

    seeds: int = 20
    first_seed: int = 1
    seconds_per_seed: float = 20.0
    store: str = "influxd"
    sabotage: str = "none"
    jobs: int = 4
    processes: int = 1
    """Ingest processes of each gateway."""


@dataclass(slots=True)
class SeedResult:
    """One story and what became of it."""

    seed: int
    acts: int
    truth: Truth
    kills: Counter[str]
    done: Counter[str]
    ledger_balanced: bool = False
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For the result's `per_seed`."""
        return {
            "seed": self.seed,
            "ok": not self.failed,
            "seconds": round(self.seconds, 1),
            **self.truth.figures(),
            "ledger_balanced": self.ledger_balanced,
            "kills": {part: self.kills[part] for part in PARTS},
            "acts": dict(sorted(self.done.items())),
            "failed": self.failed,
        }


def run(options: ChaosOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """All seeds; the command's result. Raises MissingPart."""
    started_s = time.monotonic()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with ThreadPoolExecutor(options.jobs, "seed") as pool:
        results = list(pool.map(lambda seed: _told(run_seed(seed, options), say), seeds))
    return _result(options, results, started_s)


def _told(result: SeedResult, say: Callable[[str], None]) -> SeedResult:
    truth = result.truth
    say(
        f"seed {result.seed}: {'ok' if not result.failed else 'FAILED'} in {result.seconds:.0f} s, {result.acts} acts, "
        f"{truth.produced} readings, lost {truth.lost}, duplicates {truth.duplicates}, wrong {truth.wrong}"
    )
    for reason in result.failed:
        say(f"  {reason}")
    return result


def run_seed(seed: int, options: ChaosOptions) -> SeedResult:
    """One city and its story. A folder of a seed that failed is kept, and named in `failed`."""
    began_s = time.monotonic()
    plan, cast = story(seed, options)
    acts = schedule(seed, options.seconds_per_seed, cast)
    city = City(plan)
    havoc = Havoc(city, acts)
    result = SeedResult(seed, len(acts), Truth(), havoc.kills, havoc.done)
    try:
        city.start()
        havoc.run(options.seconds_per_seed)
        _conclude(city, havoc, result)
    except Exception as error:  # noqa: BLE001 (one seed's trouble is that seed's result; the others go on)
        result.failed.append(f"the bench itself: {error!r}")
    finally:
        if result.failed and options.sabotage == "none":
            result.failed.append(f"everything of this seed is kept in {_kept(city)}")
        city.close()
    result.seconds = time.monotonic() - began_s
    return result


def story(seed: int, options: ChaosOptions) -> tuple[CityPlan, Cast]:
    """The city of a seed, and who in it can suffer what."""
    rng = random.Random(f"city-{seed}")
    rebuilds = seed % 2 == 0
    clocks = "trusted", "untrusted", rng.choice(("trusted", "untrusted"))
    devices = tuple(
        Device(name, board, clock=clock, small_disk=not rebuilds and name == NAMES[0])
        for name, board, clock in zip(NAMES, ("market-env", "market-env", "river"), clocks, strict=True)
    )
    plan = CityPlan(
        devices,
        store=options.store,
        broker=BROKER,
        faster=_FASTER,
        interval_s=0.1,
        flush_s=1.0,
        box_interval_s=1.0,
        keepalive_s=5,
        linked=True,
        seed=seed,
        board_faults=_board_faults(rng),
        sabotage=None if options.sabotage == "none" else options.sabotage,
        processes=options.processes,
    )
    stepping = [device.name for device in devices if device.clock == "trusted"]
    return plan, Cast(NAMES, stepping, None if rebuilds else NAMES[0], rebuilds, options.processes)


def _board_faults(rng: random.Random) -> str:
    """Impossible values, values without a number and a stuck sensor, each for a second or two."""
    spells = [
        f"{fault}@{rng.uniform(2, 20):.1f}+{rng.uniform(0.5, 2):.1f}" for fault in ("out_of_range", "nan", "stuck")
    ]
    return ",".join(spells)


def _conclude(city: City, havoc: Havoc, result: SeedResult) -> None:
    """Drain, ask the ledger, stop the agents, and compare."""
    result.failed += havoc.problems
    drained = city.drain(_DRAIN_LIMIT_S)
    books = Books(city)
    try:
        wait_for(books.quiet, 0.0 if city.plan.sabotage else _LEDGER_LIMIT_S)
    except TimeoutError:
        result.failed.append(f"the ledger does not balance: {books.trouble}")
    city.stop_edges()
    truths = city.truth(frozenset(city.edges) - {act.target for act in havoc.acts if act.kind is Kind.EDGE_CLOCK})
    result.truth = truth = summed(truths.values())
    books.quiet()
    disagreements = books.disagreements(truths, stepped(havoc))
    result.ledger_balanced = not disagreements and not books.trouble
    checks = (
        (drained, f"{truth.in_outbox} readings still wait in outboxes after {_DRAIN_LIMIT_S:g} s"),
        (not truth.lost, f"{truth.lost} lost"),
        (not truth.duplicates, f"{truth.duplicates} duplicates"),
        (not truth.wrong, f"{truth.wrong} wrong"),
        (not disagreements, "; ".join(disagreements)),
    )
    result.failed += [text for well, text in checks if not well] + truth.examples


def stepped(havoc: Havoc) -> set[str]:
    """Devices that had a clock too wrong to be believed: what they stated then is in quarantine with its heartbeat."""
    steps = (act for act in havoc.acts if act.kind is Kind.EDGE_CLOCK)
    return {act.target for act in steps if not -13 * _DAY_MS < act.offset_ms < _BELIEVED_MS}


class Books:
    """The ledger, computed by the gateway's own code from the database alone, held against the truth."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._sources: list[SourceLedger] = []
        self.trouble = "not read yet"

    def quiet(self) -> bool:
        """Read it now; whether nothing is missing but what the bench destroyed and what heartbeats have on the way."""
        try:
            self._sources, held = asyncio.run(_read(self._city.house.url))
        except (RetryLater, Misconfigured) as error:
            self.trouble = str(error)
            return False
        destroyed = Counter(device for device, _ in self._city.excused for _ in self._city.excused[device, _])
        totals = device_totals(self._sources, held)
        short = {name: total.lost for name, total in totals.items() if total.lost > destroyed[name]}
        short |= {s.device: s.missing for s in self._sources if s.source == SOURCE and s.missing > destroyed[s.device]}
        self.trouble = f"missing: {short}" if short else ""
        return not short

    def disagreements(self, truths: Mapping[Series, Truth], unstated: set[str]) -> list[str]:
        """Where the ledger and the truth differ; not for devices whose outbox was destroyed or that are `unstated`."""
        made = {(source.device, source.source): source for source in self._sources}
        devices = {device for device, _ in self._city.excused} | unstated
        return [
            f"ledger of {series[0]}: {_difference(made.get(series), truth)}"
            for series, truth in truths.items()
            if series[0] not in devices and _difference(made.get(series), truth)
        ]


def _difference(source: SourceLedger | None, truth: Truth) -> str:
    if source is None:
        return "nothing" if truth.produced else ""
    stated = source.made, source.found, source.dropped
    true = truth.produced, truth.stored + truth.quarantined, truth.dropped_declared
    return "" if stated == true else f"made, found, dropped {stated}, in truth {true}"


async def _read(url: str) -> tuple[list[SourceLedger], dict[str, int]]:
    now_ms = time.time_ns() // 1_000_000
    store = open_store(url)
    try:
        return await ledger(store, now_ms - 30 * _DAY_MS, now_ms + _DAY_MS), await store.held()
    finally:
        await store.close()


def _kept(city: City) -> Path:
    """A copy of the city's folder, which outlives it."""
    kept = Path(tempfile.mkdtemp(prefix="kewang-kept-"))
    shutil.copytree(city.folder, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock", "balloon"))
    return kept


def _result(options: ChaosOptions, results: list[SeedResult], started_s: float) -> dict[str, Any]:
    kills: Counter[str] = sum((result.kills for result in results), Counter())
    done: Counter[str] = sum((result.done for result in results), Counter())
    failed = [f"seed {result.seed}: {reason}" for result in results for reason in result.failed]
    failed += [f"no {part} was killed" for part in PARTS if not kills[part]]
    figures = {
        "devices": len(NAMES),
        "sites": 1,
        **summed(result.truth for result in results).figures(),
        "broker": BROKER,
        "store": options.store,
        "sabotage": options.sabotage,
        "seeds": options.seeds,
        "seeds_ok": sum(not result.failed for result in results),
        "kills": {part: kills[part] for part in PARTS},
        "acts": dict(sorted(done.items())),
        "ledger_balanced": all(result.ledger_balanced for result in results),
        "per_seed": [result.figures() for result in results],
    }
    parts = [BROKER, options.store]
    return envelope(
        "bench chaos", seed=options.first_seed, parts=parts, started_s=started_s, failed=failed, figures=figures
    )
