"""Time in the field, on real processes: boxes without network time, with wrong clocks, steps, power cuts and lies.

Agents, gateway and boards are the real programs, before Mosquitto and influxd. Each box is a machine whose wall clock,
boot clock and boot id are ours, and so is what its kernel says of the clock. The truth is in the boards' journals, by
the server's clock.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from firmware_sim.journal import read_journal
from kewang.bench.city import SOURCE, CityPlan, Device
from kewang.bench.envelope import envelope
from kewang.bench.field_books import Books
from kewang.bench.field_city import Box, FieldCity
from kewang.bench.field_stories import CALENDAR, NOW, STORIES, Kind, Story, seconds_to
from kewang.bench.field_truth import Dates, judge
from kewang.bench.process import PartFailed, wait_for
from kewang.bench.truth import Truth, summed

SABOTAGES: Final = ("none", "trusting")
"""To be found out: boxes believe any clock."""
_FASTER: Final = 10.0
_DRAIN_S: Final = 60.0
_LEDGER_S: Final = 30.0
_BUSY_FLUSH_S: Final = 10.0
"""Whatever was committed later excuses nothing, so this may be long."""
_LAST_MINUTES: Final = datetime(2027, 12, 31, 23, 50, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What the caller wants. `stories`: names of STORIES."""

    stories: Sequence[str] = tuple(STORIES)
    store: str = "influxd"
    sabotage: str = "none"


@dataclass
class Outcome:
    """What became of one city."""

    truth: Truth = field(default_factory=Truth)
    dates: dict[str, Dates] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    ledger_balanced: bool = False


def measure(plan: FieldPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The command's result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    chosen = [{name: story for name, story in group.items() if name in plan.stories} for group in (NOW, CALENDAR)]
    offsets_s = (0.0, seconds_to(_LAST_MINUTES))
    with ThreadPoolExecutor(2, "city") as pool:
        lived = [
            pool.submit(_live, plan, stories, offset_s, say)
            for stories, offset_s in zip(chosen, offsets_s, strict=True)
            if stories
        ]
        outcomes = [each.result() for each in lived]
    return _result(plan, outcomes, started_s)


def _live(plan: FieldPlan, stories: Mapping[str, Story], offset_s: float, say: Callable[[str], None]) -> Outcome:
    """One city and its boxes' stories: at once today, one after the other where the server's clock is moved."""
    city, outcome = FieldCity(_city_plan(plan, stories), offset_s), Outcome()
    today = offset_s == 0.0

    def tell(name: str) -> None:
        try:
            stories[name].live(Box(city, name, outcome.failed))
        except PartFailed as error:
            outcome.failed.append(str(error))
        say(f"{name}: over")

    try:
        city.server.check()
        if today:
            city.server.serve()
        city.start_server()
        with ThreadPoolExecutor(len(stories) if today else 1, "story") as pool:
            list(pool.map(tell, stories))
        _conclude(city, stories, outcome)
    finally:
        city.close()
    return outcome


def _city_plan(plan: FieldPlan, stories: Mapping[str, Story]) -> CityPlan:
    clock = "trusted" if plan.sabotage == "trusting" else "kernel"
    return CityPlan(
        tuple(Device(name, "market-env", clock=clock) for name in stories),
        store=plan.store,
        broker="mosquitto",
        faster=_FASTER,
        interval_s=0.1,
        flush_s=0.5,
        box_interval_s=0.5,
        keepalive_s=5,
        linked=True,
    )


def _conclude(city: FieldCity, stories: Mapping[str, Story], outcome: Outcome) -> None:
    """All boxes have power and a link: drain, stop, compare, ask the ledger."""
    city.boards.hush()
    for name, edge in city.edges.items():
        if not edge.is_running:
            Box(city, name, outcome.failed).on(city.server.offset_s, kept=True)
    if not city.drain(_DRAIN_S):
        outcome.failed.append(f"{city.open_rows()} readings still wait in outboxes after {_DRAIN_S:g} s")
    books = Books(city.house.url, city.now_ms())
    with suppress(TimeoutError):
        wait_for(lambda: books.balance(city.journals()), _LEDGER_S)
    city.stop_edges()
    truths = city.truth(flush_s=_BUSY_FLUSH_S)
    disagreements = books.disagreements(truths)
    outcome.failed += disagreements
    outcome.ledger_balanced = not disagreements
    outcome.truth = summed(truths.values())
    outcome.failed += outcome.truth.examples
    _judge(city, stories, outcome)


def _judge(city: FieldCity, stories: Mapping[str, Story], outcome: Outcome) -> None:
    points = list(city.database.points())
    for (name, _), journal in city.journals().items():
        given = {each.number: each for each in read_journal(journal)}
        mine = [point for point in points if (point.device, point.source) == (name, SOURCE) and point.number in given]
        dates = outcome.dates[name] = judge(mine, given)
        outcome.failed += [f"{name}: {text}" for text in dates.held_against(stories[name])]


def _result(plan: FieldPlan, outcomes: Sequence[Outcome], started_s: float) -> dict[str, Any]:
    truth = summed(outcome.truth for outcome in outcomes)
    dates = {name: each for outcome in outcomes for name, each in outcome.dates.items()}
    failed = [text for outcome in outcomes for text in outcome.failed]
    bad = {"lost": truth.lost, "stored twice": truth.duplicates, "wrong": truth.wrong}
    failed += [f"{count} {name}" for name, count in bad.items() if count]
    figures = {
        "sabotage": plan.sabotage,
        **truth.figures(),
        "ledger_balanced": all(outcome.ledger_balanced for outcome in outcomes),
        "wrong_dates": sum(each.kinds[Kind.WRONG] for each in dates.values()),
        "behind_ms": max((each.behind_ms for each in dates.values()), default=0),
        "ahead_ms": max((each.ahead_ms for each in dates.values()), default=0),
        "stories": [_figures(name, each) for name, each in dates.items()],
    }
    parts = ["mosquitto", plan.store]
    return envelope("bench field", seed=1, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _figures(name: str, dates: Dates) -> dict[str, Any]:
    counts = {str(kind): dates.kinds[kind] for kind in Kind}
    qualities = sorted(dates.qualities)
    return {"story": name, **counts, "qualities": qualities, "behind_ms": dates.behind_ms, "ahead_ms": dates.ahead_ms}
