"""Power cuts: a box's disk forgets what was not synced, its agent is killed, and nothing it had committed is missing.

Two boxes in turn, one with a clock and one without; Mosquitto, the real gateway and its database behind them. Half of
the lives have no link: what a disk forgets then, nobody else has. The truth comes from the boards' journals, the
database and the outboxes; what an agent had told as committed before a cut is never excused, not even within its
flush time.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.settings import Profile
from kewang.bench.buses import percentile
from kewang.bench.chaos import Books
from kewang.bench.city import CityPlan, Device
from kewang.bench.envelope import envelope
from kewang.bench.powercuts_box import Acks, CutCity, Life, Power, lives
from kewang.bench.powercuts_disk import private_mounts
from kewang.bench.process import wait_for
from kewang.bench.truth import Truth, summed

LAYER: Final = "ext4 on a loop device, shut down by EXT4_IOC_SHUTDOWN (NOLOGFLUSH), then kill -9"
SABOTAGES: Final = ("none", "sync-off", "tag")
BOXES: Final = {"pasar-1": "trusted", "kali-1": "untrusted"}
"""Name -> clock."""
FLUSH_S: Final[dict[Profile, float]] = {"wired": 1.0, "cellular": 1.0, "card": 3.0}
"""By profile. With `card` it is longer than heartbeats are apart, as in the field."""
FULL_MB: Final = 1.0
_FASTER: Final = 15.0
_DRAIN_S: Final = 120.0
_LEDGER_S: Final = 30.0
_TELL_EVERY: Final = 25


@dataclass(frozen=True, slots=True)
class PowercutsPlan:
    """What the caller wants. `sabotage`: `sync-off`, the agents' disks lie; `tag`, a spoilt gateway stores twice.

    `full`: the boxes' rings are full of what is stored, so that room has to be made for what comes.
    """

    cuts: int = 150
    seed: int = 1
    sabotage: str = "none"
    start_limit_ms: float = 1500.0
    """From the start of an agent to its first commit."""
    profile: Profile = "wired"
    full: bool = False

    @property
    def flush_s(self) -> float:
        """How often an agent commits."""
        return FLUSH_S[self.profile]

    @property
    def story(self) -> list[Life]:
        """What happens."""
        return list(lives(self.seed, list(BOXES), self.cuts, self.flush_s))


@dataclass(slots=True)
class Outcome:
    """What became of a story."""

    truth: Truth
    power: Power
    damaged: int
    repairs: int
    failed: list[str]


def measure(plan: PowercutsPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The command's result. Call it in a thread that may be cut off from the mounts of others, and stays so.

    Raises MissingPart, PartFailed.
    """
    started_s = time.monotonic()
    private_mounts()
    city = CutCity(_city_plan(plan), lies=plan.sabotage == "sync-off")
    acks = Acks(list(BOXES))
    try:
        city.start_server()
        with acks.listening(city.broker.port):
            power = Power(city, acks)
            for name in BOXES:
                power.install(name, full=plan.full)
            for number, life in enumerate(plan.story, 1):
                power.live(life)
                if number % _TELL_EVERY == 0:
                    say(f"{number} cuts, slowest start {max(power.starts_ms, default=0):.0f} ms")
            outcome = _conclude(city, power)
    finally:
        city.close()
    return _result(plan, outcome, started_s)


def _city_plan(plan: PowercutsPlan) -> CityPlan:
    return CityPlan(
        tuple(Device(name, "market-env", clock=clock) for name, clock in BOXES.items()),
        broker="mosquitto",
        faster=_FASTER,
        interval_s=0.1,
        profile=plan.profile,
        flush_s=plan.flush_s,
        budget_mb=FULL_MB if plan.full else 64,
        box_interval_s=1.0,
        keepalive_s=5,
        linked=True,
        seed=plan.seed,
        sabotage="tag" if plan.sabotage == "tag" else None,
    )


def _conclude(city: CutCity, power: Power) -> Outcome:
    """All boxes have power and a link again: drain, ask the ledger, stop, compare."""
    failed, books = [], Books(city)
    city.cut(BOXES, False)
    for name in BOXES:
        power.start(name)
    damaged = city.damaged
    if not city.drain(_DRAIN_S):
        failed.append(f"{city.open_rows()} readings still wait in outboxes after {_DRAIN_S:g} s")
    try:
        wait_for(books.quiet, 0.0 if city.plan.sabotage else _LEDGER_S)
    except TimeoutError:
        failed.append(f"the ledger does not balance: {books.trouble}")
    city.stop_edges()
    truths = city.truth(frozenset(name for name, clock in BOXES.items() if clock == "trusted"))
    books.quiet()
    truth = summed(truths.values())
    bad = {"lost": truth.lost, "duplicates": truth.duplicates, "wrong": truth.wrong}
    failed += [f"{count} {name}" for name, count in bad.items() if count]
    failed += books.disagreements(truths, set()) + truth.examples
    repairs = sum(disk.repairs for disk in city.forgetful.values())
    return Outcome(truth, power, damaged, repairs, failed)


def _result(plan: PowercutsPlan, outcome: Outcome, started_s: float) -> dict[str, Any]:
    story, starts, failed = plan.story, _spread(outcome.power.starts_ms), list(outcome.failed)
    if outcome.damaged:
        failed.append(f"{outcome.damaged} outboxes were set aside as damaged: a cut damages nothing")
    if starts["max"] > plan.start_limit_ms:
        failed.append(f"a start took {starts['max']} ms, more than {plan.start_limit_ms:g}")
    figures = {
        "layer": LAYER,
        "sabotage": plan.sabotage,
        "cuts": plan.cuts,
        "moments": dict(sorted(Counter(life.moment.value for life in story).items())),
        "without_link": sum(not life.linked for life in story),
        "profile": plan.profile,
        "full_ring": plan.full,
        "flush_s": plan.flush_s,
        **outcome.truth.figures(),
        "damaged_outboxes": outcome.damaged,
        "file_system_repairs": outcome.repairs,
        "starts": len(outcome.power.starts_ms),
        "start_ms": starts,
        "start_cpu_ms": _spread(outcome.power.starts_cpu_ms),
    }
    parts = ["mosquitto", "sqlite"]
    return envelope("bench powercuts", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _spread(times_ms: Sequence[float]) -> dict[str, int]:
    return {"p50": round(percentile(times_ms, 50)), "p99": round(percentile(times_ms, 99)), "max": round(max(times_ms))}
