"""`kewang bench visit`: from the scanned label to the first reading that the page shows as stored.

The real stack with real agents: each run is a box fresh from its carton, switched on and waiting, and a technician
whose phone goes through the page's forms. Half of the runs over a good link, half with box and phone on a bad one.
"""

from __future__ import annotations

import io
import itertools
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from firmware_sim.layout import map_file
from kewang.bench.bad_link import CLEAR, BadLink, Weather
from kewang.bench.envelope import envelope
from kewang.bench.guard import Guard
from kewang.bench.phone import Phone, PhoneError, Visited, visit
from kewang.bench.process import PartFailed
from kewang.bench.programs import BoardsProgram
from kewang.bench.stack import MARDIKA, SITE, SecuredStack, Way, board_source

CLEAN_LIMIT_S: Final = 10.0
BAD_LIMIT_S: Final = 60.0
TAPS_LIMIT: Final = 12
SABOTAGES: Final = ("none", "gateway", "unlisted")
"""The gateway is stopped, so that nothing is stored; the box has another key than the label says."""
BAD: Final = Weather(0.6, 0.2)
_PARTS: Final = ("mosquitto", "sqlite")
_BOARD: Final = "market-env"
_VISIT_LIMIT_S: Final = 120.0
_SABOTAGED_LIMIT_S: Final = 20.0
_A_TECHNICIAN: Final = 25
"""Visits of one technician: more than 30 approvals an hour are refused."""


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """`clean` and `bad` runs, `at_once` of them at a time. `sabotage`: what is broken, to be found out."""

    clean: int = 25
    bad: int = 25
    at_once: int = 2
    sabotage: str = "none"
    seed: int = 1

    @property
    def limit_s(self) -> float:
        """How long a page may stay unready."""
        return _VISIT_LIMIT_S if self.sabotage == "none" else _SABOTAGED_LIMIT_S


@dataclass(frozen=True, slots=True)
class Run:
    """One visit; `visited` None with the reason in `trouble`."""

    device: str
    visited: Visited | None
    trouble: str = ""

    @property
    def green(self) -> bool:
        """Whether its last page is green and has a number."""
        return self.visited is not None and self.visited.result == "green" and bool(self.visited.number)


@dataclass
class Yard:
    """What the runs share. `free`: boards that no box reads now."""

    plan: VisitPlan
    stack: SecuredStack
    phone_link: BadLink
    api_link: BadLink
    broker_link: BadLink
    photo: bytes
    free: list[int]
    logins: list[tuple[str, str]] = field(default_factory=list)
    say: Callable[[str], None] = lambda text: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def links(self) -> tuple[BadLink, BadLink, BadLink]:
        """Of phone, device API, broker."""
        return self.phone_link, self.api_link, self.broker_link

    def weather(self, weather: Weather) -> None:
        """For connections from now on."""
        for link in self.links:
            link.weather = weather


def measure(plan: VisitPlan, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The envelope with its figures. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    with _yard(plan, say) as yard:
        clean = _runs(yard, "clean", plan.clean, CLEAR)
        opened, killed = (sum(getattr(each, name) for each in yard.links) for name in ("opened", "killed"))
        bad = _runs(yard, "bad", plan.bad, BAD)
        opened, killed = (
            sum(getattr(each, name) for each in yard.links) - before
            for name, before in (("opened", opened), ("killed", killed))
        )
    figures = {
        "runs": len(clean) + len(bad),
        "green": sum(run.green for run in (*clean, *bad)),
        "taps": max((run.visited.taps for run in (*clean, *bad) if run.visited), default=0),
        "first_reading_s": quantiles(clean),
        "bad_link": quantiles(bad) | {"connections": opened, "killed": killed},
    }
    failed = judge(figures, clean, bad)
    return envelope("bench visit", seed=plan.seed, parts=_PARTS, started_s=started_s, failed=failed, figures=figures)


def judge(figures: dict[str, Any], clean: Sequence[Run], bad: Sequence[Run]) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    failed = [f"{run.device} is not green: {run.trouble}" for run in (*clean, *bad) if not run.green]
    for name, limit_s in (("first_reading_s", CLEAN_LIMIT_S), ("bad_link", BAD_LIMIT_S)):
        p95 = figures[name]["p95"]
        if p95 is not None and p95 > limit_s:
            failed.append(f"{name}: p95 is {p95} s, at most {limit_s:g} s")
    if figures["taps"] > TAPS_LIMIT:
        failed.append(f"{figures['taps']} taps, at most {TAPS_LIMIT}")
    return failed


def quantiles(runs: Sequence[Run]) -> dict[str, Any]:
    """p50 and p95 in s of the runs whose readings were shown; None without any."""
    times = sorted(run.visited.first_reading_s for run in runs if run.visited)
    return {f"p{share}": _nearest(times, share) for share in (50, 95)}


def _nearest(times: Sequence[float], share: int) -> float | None:
    """The nearest rank."""
    return round(times[-(-share * len(times) // 100) - 1], 2) if times else None


@contextmanager
def _yard(plan: VisitPlan, say: Callable[[str], None]) -> Iterator[Yard]:
    folder = Path(tempfile.mkdtemp(prefix="kewang-visit-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        guard = Guard(folder)
        stack.callback(guard.close)
        links = [BadLink(seed=plan.seed + number) for number in range(3)]
        for link in links:
            stack.callback(link.close)
        boards = BoardsProgram(folder / "boards", [_BOARD] * plan.at_once, seed=plan.seed)
        boards.guard = guard
        stack.enter_context(boards)
        city = stack.enter_context(SecuredStack(folder / "stack", guard=guard, told_broker_port=links[2].port))
        _aim(city, links)
        yard = Yard(plan, city, links[0], links[1], links[2], a_photo(plan.seed), list(boards.ports), say=say)
        people = -(-(plan.clean + plan.bad) // _A_TECHNICIAN)
        yard.logins = [(login, city.technician(login)) for login in (f"rudi-{n}" for n in range(people))]
        if plan.sabotage == "gateway":
            city.gateway.stop()
        yield yard


def _aim(city: SecuredStack, links: Sequence[BadLink]) -> None:
    settings = city.office.settings
    ports = settings.web.port, settings.devices.port, city.office.rules.devices.port
    for link, port in zip(links, ports, strict=True):
        link.target = port


def a_photo(seed: int) -> bytes:
    """A photo as the phone's script sends it: 1280 px, about 100 kB."""
    rng = random.Random(seed)
    image = Image.frombytes("RGB", (320, 240), rng.randbytes(320 * 240 * 3)).resize((1280, 960))
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=50)
    return kept.getvalue()


def _runs(yard: Yard, name: str, count: int, weather: Weather) -> list[Run]:
    """So many visits in this weather, some at a time."""
    yard.weather(weather)
    offset = 0 if name == "clean" else yard.plan.clean
    people = itertools.islice(itertools.cycle(yard.logins), offset, offset + count)
    with ThreadPoolExecutor(yard.plan.at_once) as pool:
        return list(pool.map(lambda it: _run(yard, f"amb-{name}-{it[0]:03d}", *it[1]), enumerate(people)))


def _run(yard: Yard, device: str, login: str, password: str) -> Run:
    with yard.lock:
        board = yard.free.pop()
    try:
        visited, trouble = _visited(yard, device, board, login, password), ""
    except (PhoneError, TimeoutError, PartFailed) as error:
        visited, trouble = None, str(error).strip() or type(error).__name__
    finally:
        with yard.lock:
            yard.free.append(board)
    run = Run(device, visited, trouble)
    yard.say(f"{device}: {f'{visited.first_reading_s:.1f} s, {visited.result}' if visited else trouble}")
    return run


def _visited(yard: Yard, device: str, board: int, login: str, password: str) -> Visited:
    stack = yard.stack
    source = board_source("env-1", board, map_file(_BOARD))
    box = stack.box(device, [source], way=Way(api_port=yard.api_link.port))
    label = stack.label_path(device)
    if yard.plan.sabotage == "unlisted":
        label = f"{label[:-8]}AAAAAAAA"
    with box, Phone(f"http://localhost:{yard.phone_link.port}", MARDIKA) as phone:
        stack.await_state(device, "pending")
        phone.log_in(login, password)
        return visit(phone, label, SITE, yard.photo, camera=False, limit_s=yard.plan.limit_s)
