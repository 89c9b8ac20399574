"""300 boxes live through 30 days made short: does every one keep its certificate, and is no reading lost on the way?

Most are the real enrolment client, with its own folder, key and state, in a few threads of this process; a few are
whole agents with boards, over a broker that takes certificates alone. All ask the same real device API over TLS.
"""

import heapq
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.enrol import work
from edge.enrol.asking import Conversation
from edge.enrol.box import Box
from edge.enrol.errors import Unreachable
from edge.enrolled import Disk, Identity
from edge.enrolment_settings import EnrolmentSettings
from kewang.bench.envelope import envelope
from kewang.bench.office import OfficeHouse
from kewang.bench.process import wait_for
from kewang.bench.secure_line import SecureLine
from kewang.bench.truth import Truth, summed
from provisioning.authority import Lifetimes
from provisioning.devices.app import Rates
from provisioning.devices.limits import Rate
from provisioning.devices.office import Terms

DAYS: Final = 30
_THREADS: Final = 8
_ENROL_LIMIT_S: Final = 60.0
_RETRY_DAYS: Final = 1 / 24
"""How soon a box that reached nobody tries again: as its agent does, within the hour."""
_FREE: Final = Rates(Rate(5000, 5000), Rate(5000, 5000))
"""All boxes come from one address here."""


@dataclass(frozen=True, slots=True)
class RenewPlan:
    """`divide`: how many times shorter than in the field lifetimes are. `agents` of the devices are whole agents."""

    devices: int = 300
    agents: int = 2
    divide: float = 7200.0
    offline_share: float = 0.2
    seed: int = 1

    @property
    def day_s(self) -> float:
        """A day of the bench."""
        return 86_400 / self.divide


@dataclass(slots=True)
class Life:
    """A box in the bench. `offline`: seconds since the beginning between which it reaches nobody."""

    box: Box
    settings: EnrolmentSettings
    offline: tuple[float, float] = (0.0, 0.0)
    renewals: int = 0
    tries: int = 0
    trouble: str = ""
    serials: set[str] = field(default_factory=set)

    def talk(self, now_s: float) -> Conversation:
        """The way to the office, unless it is cut. Raises Unreachable."""
        if self.offline[0] <= now_s < self.offline[1]:
            raise Unreachable("no network")
        return work.talk(self.settings, self.box)


def measure(plan: RenewPlan, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kewang-renew-"))
    try:
        figures, failed = _lived(plan, folder, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return envelope(
        "bench renew",
        seed=plan.seed,
        parts=["mosquitto", "cryptography"],
        started_s=started_s,
        failed=failed,
        figures=figures,
    )


def _lived(plan: RenewPlan, folder: Path, say: Callable[[str], None]) -> tuple[dict[str, Any], list[str]]:
    house = OfficeHouse(
        folder / "office",
        lifetimes=Lifetimes().divided(plan.divide),
        day_ms=int(1000 * plan.day_s),
        rates=_FREE,
    )
    names = [f"amb-agent-{number}" for number in range(plan.agents)]
    with house, SecureLine(folder / "line", house, names) as line:
        house.stop()
        house.terms = Terms("localhost", line.broker.tls_port, int(1000 * plan.day_s))
        house.start()
        lives = _enrolled(plan, folder, house, say)
        for device, edge in line.edges.items():
            _register(house, edge.identity, device)
            edge.start()
            wait_for(lambda edge=edge: Identity(edge.identity, Disk()).enrolled, _ENROL_LIMIT_S)  # type: ignore[misc]
        first = {device: _serial(edge.identity) for device, edge in line.edges.items()}
        took_s = _live(plan, lives, say)
        again = {device: _serial(edge.identity) for device, edge in line.edges.items()}
        drained = line.drain()
        line.stop_edges()
        truth = summed(line.truth().values())
    figures = _figures(plan, lives, truth, took_s)
    figures["agents_renewed"] = sum(first[device] != again[device] for device in first)
    return figures, _failed(plan, figures, drained)


def _enrolled(plan: RenewPlan, folder: Path, house: OfficeHouse, say: Callable[[str], None]) -> list[Life]:
    rng = random.Random(plan.seed)
    count = plan.devices - plan.agents

    def one(number: int) -> Life:
        own = folder / "boxes" / str(number)
        box = _register(house, own, f"amb-box-{number}")
        life = Life(box, EnrolmentSettings(url=house.url, ca_file=house.ca_file, folder=own))
        report = work.once(box, lambda: life.talk(-1))
        life.serials.add(box.identity.state.serial or "")
        life.trouble = report.trouble
        return life

    with ThreadPoolExecutor(_THREADS, "boxes") as pool:
        lives = list(pool.map(one, range(count)))
    for life in rng.sample(lives, int(plan.offline_share * count)):
        begins_s = rng.uniform(0, 2 / 3) * DAYS * plan.day_s
        life.offline = (begins_s, begins_s + DAYS * plan.day_s / 3)
    say(f"{len(lives)} boxes are enrolled")
    return lives


def _register(house: OfficeHouse, folder: Path, device: str) -> Box:
    box = Box(folder)
    box.begin(device, "amb", "box")
    house.register(device, box.key.fingerprint, preapproved=True)
    return box


def _live(plan: RenewPlan, lives: Sequence[Life], say: Callable[[str], None]) -> float:
    """30 days: each box does what is due when it is due; then whoever was away comes back. How long it took, in s."""
    began_s, end_s = time.monotonic(), DAYS * plan.day_s
    due = [(_due_s(life, 0.0), number) for number, life in enumerate(lives)]
    heapq.heapify(due)
    with ThreadPoolExecutor(_THREADS, "boxes") as pool:
        while due and due[0][0] <= end_s:
            ready = []
            while due and due[0][0] <= time.monotonic() - began_s:
                ready.append(heapq.heappop(due)[1])
            for number, next_s in zip(ready, pool.map(lambda n: _pass(plan, lives[n], began_s), ready), strict=True):
                heapq.heappush(due, (next_s, number))
            if not ready:
                time.sleep(min(1.0, max(0.005, due[0][0] - (time.monotonic() - began_s))))
    rest_s = end_s - (time.monotonic() - began_s)
    if rest_s > 0:
        time.sleep(rest_s)
    say(f"{DAYS} days are over after {time.monotonic() - began_s:.0f} s")
    return time.monotonic() - began_s


def _pass(plan: RenewPlan, life: Life, began_s: float) -> float:
    """One try of a box; when its next is due, in seconds since the beginning."""
    now_s = time.monotonic() - began_s
    report = work.once(life.box, lambda: life.talk(now_s))
    life.tries += 1
    life.trouble = report.trouble
    state = life.box.identity.state
    if state.serial and state.serial not in life.serials:
        life.serials.add(state.serial)
        life.renewals += 1
    now_s = time.monotonic() - began_s
    return now_s + _RETRY_DAYS * plan.day_s if report.trouble else max(_due_s(life, now_s), now_s + 0.05)


def _due_s(life: Life, now_s: float) -> float:
    """When this box's renewal is due, in seconds since the beginning."""
    return now_s + (life.box.identity.state.renew_ms - time.time_ns() // 1_000_000) / 1000


def _serial(folder: Path) -> str | None:
    return Box(folder).identity.state.serial


def _figures(plan: RenewPlan, lives: Sequence[Life], truth: Truth, took_s: float) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    stuck = [life for life in lives if life.box.identity.state.not_after_ms <= now_ms or not life.renewals]
    return {
        "devices": plan.devices,
        "agents": plan.agents,
        "divide": plan.divide,
        "days": DAYS,
        "lived_s": round(took_s, 1),
        "offline": sum(life.offline[1] > 0 for life in lives),
        "renewals": sum(life.renewals for life in lives),
        "tries": sum(life.tries for life in lives),
        "stuck": len(stuck),
        "stuck_why": sorted({life.trouble for life in stuck})[:5],
        "produced": truth.produced,
        "stored": truth.stored,
        "lost": truth.lost,
        "duplicates": truth.duplicates,
        "wrong": truth.wrong,
    }


def _failed(plan: RenewPlan, figures: dict[str, Any], drained: bool) -> list[str]:
    failed = []
    if figures["stuck"]:
        failed.append(f"{figures['stuck']} boxes have no certificate, or never renewed theirs")
    if figures["agents_renewed"] < plan.agents:
        failed.append(f"only {figures['agents_renewed']} of {plan.agents} agents renewed their certificate")
    if not drained:
        failed.append("the agents' outboxes were not empty a minute after the end")
    for key in ("lost", "duplicates", "wrong"):
        if figures[key]:
            failed.append(f"{key}: {figures[key]}")
    if plan.agents and not figures["stored"]:
        failed.append("no reading was stored: nothing was proved")
    return failed
