"""Upgrade under chaos: n to n+1, then n+1 to versions that fail in three ways, then back to n, and no reading is lost.

Real processes: the agent's versions are folders made from this tree, started as systemd would; edge, gateway and broker
are killed meanwhile. The truth comes from the boards' journals and the database.
"""

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from edge.upgrade.home import TRIES, Home, Request
from edge.upgrade.proof import before, missing
from edge.upgrade.steps import Box, back, restart, status
from firmware_sim.journal import read_journal
from kewang.bench.chaos import Books
from kewang.bench.city import SOURCE, City, CityPlan, Device
from kewang.bench.envelope import envelope
from kewang.bench.process import Part, wait_for
from kewang.bench.programs import EdgeProgram
from kewang.bench.truth import Ending, Truth, summed
from kewang.bench.versions import CHECKOUT, FAULTS, NEW, OLD, failing, make_home

_FASTER: Final = 15.0
_DRAIN_S: Final = 90.0
_LEDGER_S: Final = 30.0
_DELIVERS_S: Final = 180.0
_LOOK_S: Final = 0.1
_ASKS: Final = 4
"""A good version whose trial the chaos spoilt is asked for so often."""


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """What the caller wants. `settle_s`: of each trial; a frail version ends sooner, a mute one gets no longer."""

    devices: int = 3
    faults: tuple[str, ...] = FAULTS
    settle_s: float = 25.0
    kills: bool = True
    seed: int = 1

    @property
    def frail_s(self) -> float:
        """After which a frail version is gone; 20 s with the default settle time."""
        return 0.8 * self.settle_s

    def within_s(self, version: str) -> float:
        """In which a version must deliver; a good one may take its time on a busy machine."""
        return self.settle_s if version == failing("mute") else _DELIVERS_S


class UnitEdge(EdgeProgram):
    """The agent as a service: whichever version the link names, started again whenever it ends."""

    @property
    def home(self) -> Home:
        """Where its versions lie."""
        return Home(self.folder / "home")

    def command(self) -> Sequence[str]:
        unit = CHECKOUT / "kewang" / "bench" / "unit.py"
        return [sys.executable, "-I", str(unit), str(self.home.folder), str(self.write_config())]

    def is_ready(self) -> bool:
        """As a service it is ready; what it starts may be broken on purpose."""
        return self.is_running

    def kill9(self) -> None:
        """The power goes: service, guard and agent at once."""
        if self.pid is not None:
            os.killpg(self.pid, signal.SIGKILL)
        super().kill9()

    def agents(self) -> dict[int, str]:
        """Processes of the agent that run now, guards too: pid -> command line and environment."""
        return {pid: words for pid, words in _below(self.pid or 0) if "edge run" in words}


def _below(pid: int) -> Iterator[tuple[int, str]]:
    """(pid, command line and environment) of everything that a process has started and that lives."""
    with suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            # The environment too: a version is known by its path.
            said = b"".join(Path(f"/proc/{child}/{name}").read_bytes() for name in ("cmdline", "environ"))
            yield child, said.replace(b"\0", b" ").decode(errors="replace")
            yield from _below(child)


class UpgradeCity(City):
    """A city whose agents are services."""

    edge_class = UnitEdge

    def unit(self, name: str) -> UnitEdge:
        """The service of a device."""
        edge = self.edges[name]
        assert isinstance(edge, UnitEdge)
        return edge


class Watch:
    """Writes down when an agent ended by itself or by its guard, for what it could not commit."""

    def __init__(self, city: UpgradeCity) -> None:
        self._city, self._stopping = city, threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        seen: dict[str, dict[int, str]] = {name: {} for name in self._city.edges}
        looked_ms = _now_ms()
        while not self._stopping.wait(_LOOK_S):
            before_ms, looked_ms = looked_ms, _now_ms()
            for name, known in seen.items():
                now = self._city.unit(name).agents()
                gone = [words for pid, words in known.items() if pid not in now]
                # What a frail version had not committed is gone with it; a guard lets the others commit.
                frail = any(f"versions/{failing('frail')}/" in words for words in gone)
                self._city.endings += [Ending(name, before_ms, looked_ms, frail)] if gone else []
                seen[name] = now


class Story:
    """What one device goes through. `problems`: what went otherwise than it must."""

    def __init__(self, city: UpgradeCity, name: str, options: UpgradeOptions) -> None:
        self.city, self.name, self.options = city, name, options
        self.edge = city.unit(name)
        self.box = Box(self.edge.home, self.edge.write_config(), self.edge.outbox)
        self.rng = random.Random(f"{options.seed}/{name}")
        self.problems: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.kills = 0
        self._dying = threading.Lock()

    def run(self) -> None:
        """n, n+1, what fails, and back to n."""
        self._delivers(OLD)
        if not self._new():
            self.problems.append(f"{self.name}: {NEW} was not proven: {self._last()}")
            return
        for fault in self.options.faults:
            self._fails(fault)
            self._delivers(NEW)
        self._settled(lambda: back(self.box))
        self._delivers(OLD)

    def _new(self) -> bool:
        for _ in range(_ASKS):
            if self._tried(NEW) == "proven":
                self.outcomes["proven"] += 1
                self._delivers(NEW)
                return True
            self.outcomes["asked_again"] += 1
        return False

    def _fails(self, fault: str) -> None:
        state, told = self._tried(failing(fault)), status(self.box)
        self.outcomes[f"{fault}_{state}"] += 1
        if (state, told["current"], told["upgrade"]["tries"]) != ("failed", NEW, TRIES):
            self.problems.append(f"{self.name}: {fault}: {state}, current {told['current']}, {self._last()}")

    def _tried(self, version: str) -> str:
        """How the trial of `version` ended, with a power cut in the middle of it."""
        wanted = Request(
            version=version,
            before=self.box.current,
            within_s=self.options.within_s(version),
            settle_s=self.options.settle_s,
        )
        self._settled(lambda: self.box.home.ask(wanted))
        power = threading.Timer(self.rng.uniform(1, self.options.settle_s), self._power_cut)
        if self.options.kills:
            power.start()
        try:
            wait_for(lambda: self._state() != "trying", TRIES * (wanted.within_s + wanted.settle_s + 60) + 60)
        except TimeoutError:
            return "undecided"
        finally:
            power.cancel()
            if self.options.kills:
                power.join()
        return self._state()

    def _settled(self, step: Callable[[], object]) -> None:
        """Do what root does, and start anew."""
        step()
        restart(self.edge.outbox)

    def _state(self) -> str:
        """Proven once the link has moved; of what failed only the verdict tells before the next start."""
        request, verdict = self.box.home.request(), self.box.verdict()
        assert request
        assert verdict
        return "failed" if verdict.state == "failed" else request.state

    def _last(self) -> str:
        return str(status(self.box)["upgrade"])

    def _power_cut(self) -> None:
        with self._dying:
            self.kills += 1
            self.city.end_edge(self.name, kill=True)
            time.sleep(self.rng.uniform(0.1, 1.0))
            self.edge.start()

    def _delivers(self, version: str) -> None:
        """The version that is current now stores readings."""
        was = before(self.edge.outbox)
        try:
            wait_for(lambda: not missing(self.edge.outbox, was), _DELIVERS_S)
        except (TimeoutError, OSError) as error:
            self.problems.append(f"{self.name}: {version} does not deliver: {error!r}: {self.edge.log_tail()}")
        if self.box.home.current() != version:
            self.problems.append(f"{self.name}: {self.box.home.current()} is current, not {version}")


class Mayhem:
    """Kills gateway and broker again and again while the block lasts. `kills` counts them."""

    def __init__(self, city: City, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self._parts: list[Part] = [city.gateway, city.broker]
        self._rng, self._stopping = random.Random(f"mayhem/{seed}"), threading.Event()
        self._thread = threading.Thread(target=self._run, name="mayhem")

    def __enter__(self) -> "Mayhem":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._rng.uniform(6, 12)):
            part = self._rng.choice(self._parts)
            self.kills[part.name] += 1
            part.kill9()
            self._stopping.wait(self._rng.uniform(0.2, 2.0))
            part.start()


def measure(options: UpgradeOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """The command's result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    city = UpgradeCity(_plan(options))
    try:
        for name in city.edges:
            make_home(city.unit(name).home.folder, options.frail_s)
        city.start()
        stories = [Story(city, name, options) for name in city.edges]
        kills = _play(city, stories, options)
        for story in stories:
            say(f"{story.name}: {dict(story.outcomes)}, {story.kills} power cuts")
        truth, failed = _conclude(city)
    finally:
        city.close()
    return _result(options, stories, kills, truth, failed, started_s)


def _plan(options: UpgradeOptions) -> CityPlan:
    devices = tuple(Device(f"kali-{number}", "river") for number in range(1, options.devices + 1))
    return CityPlan(
        devices,
        broker="mosquitto",
        faster=_FASTER,
        interval_s=0.2,
        flush_s=1.0,
        box_interval_s=1.0,
        keepalive_s=5,
        seed=options.seed,
    )


def _play(city: UpgradeCity, stories: Sequence[Story], options: UpgradeOptions) -> Counter[str]:
    with Watch(city), ThreadPoolExecutor(len(stories), "story") as pool:
        if not options.kills:
            list(pool.map(Story.run, stories))
            return Counter()
        with Mayhem(city, options.seed) as mayhem:
            list(pool.map(Story.run, stories))
        return mayhem.kills


def _conclude(city: City) -> tuple[Truth, list[str]]:
    """Drain, stop, and compare with the journals; the ledger must say the same."""
    failed, books = [], Books(city)
    if not city.drain(_DRAIN_S):
        failed.append(f"{city.open_rows()} readings still wait in outboxes")
    try:
        wait_for(books.quiet, _LEDGER_S)
    except TimeoutError:
        failed.append(f"the ledger does not balance: {books.trouble}")
    city.stop_edges()
    city.endings = [_from_last_reading(city, each) for each in city.endings]
    truths = city.truth(frozenset(city.edges))
    books.quiet()
    truth = summed(truths.values())
    bad = {"lost": truth.lost, "duplicates": truth.duplicates, "wrong": truth.wrong}
    failed += [f"{count} {name}" for name, count in bad.items() if count]
    return truth, failed + books.disagreements(truths, set()) + truth.examples


def _from_last_reading(city: City, ending: Ending) -> Ending:
    """An agent that is stopped reads no more, then drains for seconds: only its last reading was on its way."""
    given = read_journal(city.journals()[ending.device, SOURCE])
    last_ms = max((each.unix_ms for each in given if each.unix_ms <= ending.unix_ms), default=ending.began_ms)
    return ending if ending.killed else replace(ending, began_ms=min(ending.began_ms, last_ms))


def _result(
    options: UpgradeOptions,
    stories: Sequence[Story],
    kills: Counter[str],
    truth: Truth,
    failed: list[str],
    started_s: float,
) -> dict[str, Any]:
    outcomes: Counter[str] = sum((story.outcomes for story in stories), Counter())
    figures = {
        "devices": options.devices,
        "faults": list(options.faults),
        "settle_s": options.settle_s,
        **truth.figures(),
        "outcomes": dict(sorted(outcomes.items())),
        "kills": {**kills, "edge": sum(story.kills for story in stories)},
    }
    failed = [problem for story in stories for problem in story.problems] + failed
    return envelope(
        "bench upgrade",
        seed=options.seed,
        parts=["mosquitto"],
        started_s=started_s,
        failed=failed,
        figures=figures,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
