"""`kewang dashboards check`: every query of every board on a real database, filled by the production code."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from dashboards import alerts, lint, schema
from dashboards.boards import all_boards
from dashboards.portable import measurements
from dashboards.voice import Voice
from gateway.influx1_sink import Influx1Store
from gateway.ports import Lives
from kewang.bench.boards_ask import Asked, Influx, ask, ask_rules
from kewang.bench.boards_seed import Seeder
from kewang.bench.boards_town import town
from kewang.bench.parts import Influxd
from kewang.ui.words import LANGUAGES

Json = dict[str, Any]
SLOW_MS: Final = 300.0
DATABASE: Final = "kewang"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is checked. `drop`: this measurement is taken away before the boards are asked."""

    devices: int = 10_000
    seed: int = 1
    drop: str | None = None
    zone: str = "Asia/Jayapura"
    hours: int = 26


@dataclass(slots=True)
class Found:
    """What came out."""

    boards: Sequence[Json]
    asked: Sequence[Asked]
    schema_errors: Sequence[str]
    lint_errors: Sequence[str]
    points: int = 0
    hours: int = 0
    strict: bool = True
    """Whether every query must find something: in a database that holds one of everything."""

    def figures(self) -> dict[str, Any]:
        """As figures.md names them."""
        walls = [one for one in self.asked if one.wall]
        slowest = max(walls, key=lambda one: one.answer.ms, default=None)
        return {
            "boards": len(self.boards),
            "panels": sum(len(lint.panels(one)) for one in self.boards),
            "queries": len(self.asked),
            "empty": sum(not one.answer.values and not self._is_quiet(one) for one in self.asked),
            "quiet": sum(self._is_quiet(one) for one in self.asked),
            "slow": sum(one.answer.ms > SLOW_MS for one in walls),
            "slowest_ms": round(slowest.answer.ms, 1) if slowest else 0.0,
            "slowest_panel": slowest.where if slowest else "",
            "slowest_other_ms": round(max((one.answer.ms for one in self.asked if not one.wall), default=0.0), 1),
            "seeded_points": self.points,
            "seeded_hours": self.hours,
            "schema_errors": len(self.schema_errors),
            "lint_errors": len(self.lint_errors),
            "quiet_panels": self._quiet_panels(),
        }

    def _quiet_panels(self) -> list[dict[str, str]]:
        """Each once."""
        found = {(one.board, one.panel): None for one in self.asked if self._is_quiet(one)}
        return [{"board": board, "panel": panel} for board, panel in found]

    def _is_quiet(self, one: Asked) -> bool:
        """Nothing came, and the panel says in words that this is well: no incident is open, nobody measures it."""
        return not self.strict and one.may_be_empty and not one.answer.values and not one.answer.error

    def failed(self) -> list[str]:
        """A sentence for each thing that is not as it must be."""
        found = [*self.schema_errors, *self.lint_errors]
        for one in self.asked:
            if one.answer.error:
                found.append(f"{one.where}: the database says {one.answer.error}: {one.query}")
            elif not one.answer.values and not self._is_quiet(one):
                found.append(f"{one.where} shows nothing: {one.query}")
            elif one.wall and one.answer.ms > SLOW_MS:
                found.append(f"{one.where} takes {one.answer.ms:.0f} ms, a wall's query {SLOW_MS:.0f}: {one.query}")
        return found


def read_by_boards() -> list[str]:
    """Every measurement that a board asks for, by name."""
    return sorted(
        {name for one in all_boards([Voice("en")]) for _, query in lint.queries(one) for name in measurements(query)}
    )


def checked(zone: str) -> Found:
    """The boards by themselves: Grafana's types and our linter."""
    boards = all_boards([Voice(language, zone) for language in LANGUAGES])
    listener = lint.Listener("en", zone)
    all_boards([listener])
    rules = alerts.rules(listener)
    errors = [*lint.faults(boards), *lint.of_rules(rules, boards), *listener.untranslated()]
    return Found(boards, [], schema.faults(boards), errors)


def seeded(plan: Plan, say: Callable[[str], None]) -> Found:
    """The boards on an influxd of our own. Raises MissingPart or PartFailed."""
    found = checked(plan.zone)
    with tempfile.TemporaryDirectory(prefix="kewang-") as folder, Influxd(Path(folder)) as influxd:
        asyncio.run(_fill(found, plan, influxd.url, say))
    return found


async def _fill(found: Found, plan: Plan, url: str, say: Callable[[str], None]) -> None:
    """Fill the database, then ask for every board: first how it is now, for a wall's data is old after a minute."""
    city = town(plan.devices)
    store, influx = Influx1Store(url, DATABASE), Influx(url, DATABASE)
    try:
        await store.prepare(Lives())
        seeder = Seeder(store, city, ZoneInfo(plan.zone), plan.seed, plan.hours)
        say(f"filling a database with {plan.devices} devices")
        began_s = time.monotonic()
        await seeder.past()
        say(f"{seeder.points} points in {time.monotonic() - began_s:.0f} s; asking {len(found.boards)} boards")
        found.asked = await _ask_all(found.boards, seeder, influx, {"device": city.shown}, plan.drop)
        found.points, found.hours = seeder.points, plan.hours
    finally:
        influx.close()
        await store.close()


async def _ask_all(
    boards: Sequence[Json], seeder: Seeder, influx: Influx, chosen: dict[str, str], drop: str | None
) -> list[Asked]:
    found: list[Asked] = []
    known: dict[str, Any] = {}
    for board in sorted(boards, key=lambda one: str(one["uid"])):
        if board["uid"].rpartition("-")[0] + "-" not in {one.board.rpartition("-")[0] + "-" for one in found}:
            known = {}
            await seeder.now()
            if drop:
                await asyncio.to_thread(influx.series, f'DROP MEASUREMENT "{drop}"')
        found += await asyncio.to_thread(ask, influx, board, chosen, known)
    return [*found, *await asyncio.to_thread(ask_rules, influx, alerts.rules(Voice("en")))]


def standing(influx: Influx, device: str | None, zone: str) -> Found:
    """The boards on a database that is there. Raises NoDatabase."""
    found = checked(zone)
    found.strict = False
    chosen = device or _a_device(influx)
    asked = [one for board in found.boards for one in ask(influx, board, {"device": chosen}, {})]
    found.asked = [*asked, *ask_rules(influx, alerts.rules(Voice("en", zone)))]
    return found


def _a_device(influx: Influx) -> str:
    """A device that has a camera, or any."""
    for measurement in ("cam", "state"):
        for one in influx.series(f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "device" LIMIT 1'):
            return str(one["values"][0][1])
    return "-"
