"""A simulated fortnight of the demo's devices, for its boards: they show weeks, and a demo is minutes old.

Readings come from the simulator's signals and go through the production judge into a database of their own, which is
thrown away. Only what production makes of them (roll-ups, changes, incidents, fleet) is written to the demo's: no
simulated reading is ever counted as one that the demo's devices made.
"""

import asyncio
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.layout import RUNNING_NUMBER, map_file, read_layout
from firmware_sim.signals import Signals
from gateway.fleet import fleet
from gateway.incident_points import points_of
from gateway.incidents.hearing import Hearing, Transition
from gateway.incidents.model import Acknowledged, Change, Incident, Level, Scope, Word
from gateway.judge import Window, judge
from gateway.ports import Lives, RetryLater, SeriesId, Span, Store, Table
from gateway.rollups import DAY_MS, Rollups
from gateway.sqlite_sink import SqliteStore
from gateway.writer import write
from kewang.bench.ambon import Spot
from kewang.bench.boards_seed import At
from kewang.wire.batch import Batch, Row
from kewang.wire.cameras import CameraState
from kewang.wire.names import BOX_SOURCE, STREAMS
from kewang.wire.placement import Place
from kewang.wire.state import Why

MARK: Final = "demo-"
"""Before the numbers of incidents that the demo's gateway never saw."""
DAYS: Final = 14
MIN_MS: Final = 60_000
HOUR_MS: Final = 60 * MIN_MS
STEP_MS: Final = 5 * MIN_MS
_FINE_MS: Final = 26 * HOUR_MS
"""Readings every five minutes for so long, before that every three hours."""
_COARSE_MS: Final = 3 * HOUR_MS
_FLEET_MS: Final = 24 * HOUR_MS
_TROUBLE_EVERY_MS: Final = 16 * HOUR_MS
_NEWEST_MS: Final = 2 * HOUR_MS
"""The last trouble began so long ago."""
_DETECTED_S: Final = 105.0
_ROWS_AT_ONCE: Final = 4_000
_WANDER_S: Final = 7200.0
"""How slowly what a box or a camera measures changes."""
_WHYS: Final[tuple[Why, ...]] = ("power", "link", "watchdog", "update", "config")
_OF_CAMERA: Final[tuple[tuple[str, Word], ...]] = (
    ("camera-covered", "down"),
    ("camera-moved", "degraded"),
    ("camera-lost", "down"),
    ("camera-recording", "degraded"),
)
_USUAL: Final[Mapping[str, Mapping[str, tuple[float, float]]]] = {
    "sys": {
        "cpu_pct": (6, 24),
        "disk_pct": (41, 42),
        "box_temp_c": (46, 55),
        "supply_v": (11.9, 12.3),
        "outbox_bytes": (1e5, 9e5),
        "clock_synced": (1, 1),
    },
    "cam": {
        "camera_state": (1, 1),
        "camera_reason": (0, 0),
        "fps_ratio": (0.95, 1.02),
        "loss_pct": (0, 0.6),
        "keyframe_interval_s": (1.9, 2.1),
        "clock_offset_s": (-1, 1),
        "dirt_pct": (4, 8),
    },
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something was out of order from `span[0]` to `span[1]` (Unix ms). `devices` were `word`; `source`: only this
    source of them was."""

    number: int
    kind: str
    scope: Scope
    devices: tuple[str, ...]
    word: Word
    span: Span
    source: str | None = None

    def transitions(self) -> Iterator[Transition]:
        """Each device (or its source) as it went and as it came back."""
        since_s, ended_s = self.span[0] / 1000, self.span[1] / 1000
        for device in self.devices:
            at_s = since_s + _DETECTED_S
            yield Transition(device, self.source, self.word, "up", at_s, since_s, since_s, Hearing.GONE)
            yield Transition(device, self.source, "up", self.word, ended_s, ended_s, ended_s, Hearing.HEARD)

    def changes(self) -> Iterator[Change]:
        """Its incident: opened, taken on, over."""
        since_s, ended_s = self.span[0] / 1000, self.span[1] / 1000
        severity = "critical" if self.word == "down" else "warning"
        one = Incident(self.number, self.kind, self.scope, severity, since_s, since_s + _DETECTED_S)  # type: ignore[arg-type]
        one.devices = dict.fromkeys(self.devices, since_s)
        yield Change("opened", replace(one), one.opened_s)
        one.acknowledged = Acknowledged("ani", one.opened_s + 180)
        yield Change("acknowledged", replace(one), one.opened_s + 180)
        one.back, one.ended_s = dict.fromkeys(self.devices, ended_s), ended_s
        one.cause = _WHYS[self.number % len(_WHYS)] if self.kind == "outage" else None
        yield Change("resolved", one, ended_s)


class History:
    """What is told of the time before `now_ms` (Unix ms); the same `seed` tells the same."""

    def __init__(self, spots: Sequence[Spot], now_ms: int, zone: ZoneInfo, seed: int) -> None:
        self._spots, self._now_ms, self._zone = spots, now_ms, zone
        self._dice = random.Random(seed)
        self._seed = seed
        self.troubles = self._troubles()

    async def write(self, store: Store, apart: Path) -> int:
        """Write it into the demo's database, by way of a file `apart`; how many points that are.

        Raises Misconfigured."""
        both = _Both(apart, store)
        try:
            await both.prepare_apart()
            await _put(both, self._readings())
            await _put(both, self._events())
            await _put(both, self._fleet())
            await Rollups(both, At(self._now_ms), self._zone, 0).rebuild((self._first_ms, self._now_ms))
            return both.told
        finally:
            await both.close()

    @property
    def _first_ms(self) -> int:
        return self._now_ms - DAYS * DAY_MS

    def _troubles(self) -> list[Trouble]:
        """One at a time, each of another place than the one before."""
        begun = [*range(self._now_ms - _NEWEST_MS, self._first_ms, -_TROUBLE_EVERY_MS)][::-1]
        places = self._scopes()
        cameras = [spot.device for spot in self._spots if spot.camera]
        found = []
        for number, at_ms in enumerate(begun, start=-len(begun) % 3 + 2):
            since_ms = at_ms - self._dice.randrange(HOUR_MS)
            span = since_ms, since_ms + self._dice.randrange(8 * MIN_MS, 50 * MIN_MS)
            if number % 3 == 0 and cameras:
                device, (kind, word) = cameras[number % len(cameras)], _OF_CAMERA[number // 3 % len(_OF_CAMERA)]
                scope = Scope("source", f"{device}/cam-1")
                found.append(Trouble(number, kind, scope, (device,), word, span, "cam-1"))
            else:
                scope, devices = places[number % len(places)]
                found.append(Trouble(number, "outage", scope, devices, "down", span))
        return found

    def _scopes(self) -> list[tuple[Scope, tuple[str, ...]]]:
        """Places whose devices can be away together, and every device alone."""
        groups: dict[tuple[Level, str], list[str]] = {}
        for spot in self._spots:
            places: tuple[tuple[Level, str], ...] = (
                ("feeder", spot.feeder),
                ("site", spot.site),
                ("uplink", spot.uplink),
                ("device", spot.device),
            )
            for place in places:
                groups.setdefault(place, []).append(spot.device)
        return [(Scope(*place), tuple(devices)) for place, devices in groups.items()]

    def _readings(self) -> Iterator[Table]:
        """All readings of all devices; none is missing, for outboxes send later what an outage held back."""
        fine_ms = self._now_ms - _FINE_MS
        dates = [*range(self._first_ms, fine_ms, _COARSE_MS), *range(fine_ms, self._now_ms, STEP_MS)]
        for number, spot in enumerate(self._spots):
            signals = Signals(self._seed + number)
            yield from self._judged(SeriesId("sys", spot.device, BOX_SOURCE), dates, signals, [*_USUAL["sys"]])
            if spot.board:
                yield from self._judged(SeriesId("env", spot.device, "env-1"), dates, signals, _metrics(spot.board))
            if spot.camera:
                yield from self._judged(SeriesId("cam", spot.device, "cam-1"), dates, signals, [*_USUAL["cam"]])

    def _judged(
        self, series: SeriesId, dates: Sequence[int], signals: Signals, metrics: Sequence[str]
    ) -> Iterator[Table]:
        rows: list[Row] = [
            (date_ms - dates[0], *(self._value(series, name, date_ms, signals) for name in metrics))
            for date_ms in dates
        ]
        batch = Batch("history", 1, series.source, 2, dates[0], list(metrics), rows)
        yield from judge(series, batch, Window()).tables

    def _value(self, series: SeriesId, name: str, date_ms: int, signals: Signals) -> float:
        if series.stream == "env":
            return signals.value(name, date_ms / 1000)
        if name == "camera_state" and (trouble := self._of_camera(series.device, date_ms)):
            return float(CameraState.DOWN if trouble.word == "down" else CameraState.DEGRADED)
        low, high = _USUAL[series.stream][name]
        return round(low + (high - low) * (1 + signals.wander(name, date_ms / 1000, _WANDER_S)) / 2, 3)

    def _of_camera(self, device: str, date_ms: int) -> Trouble | None:
        at_ms = date_ms // STEP_MS * STEP_MS
        return next(
            (
                one
                for one in self.troubles
                if one.source and device in one.devices and one.span[0] < at_ms + STEP_MS and at_ms < one.span[1]
            ),
            None,
        )

    def _events(self) -> Iterator[Table]:
        for trouble in self.troubles:
            yield from points_of(trouble.transitions(), [])
            yield from map(_marked, points_of([], trouble.changes()))

    def _fleet(self) -> Iterator[Table]:
        """Every minute of the last day."""
        places = {spot.device: _place(spot) for spot in self._spots}
        for date_ms in range(self._now_ms - _FLEET_MS, self._now_ms, MIN_MS):
            words: dict[str, Word] = dict.fromkeys(places, "up")
            for one in self.troubles:
                if one.source is None and one.span[0] + 1000 * _DETECTED_S <= date_ms < one.span[1]:
                    words |= dict.fromkeys(one.devices, one.word)
            yield from fleet(places, words.__getitem__, date_ms)


class _Both(SqliteStore):
    """A database of its own that passes on to `real` all but readings. `told`: how many points it passed on."""

    def __init__(self, path: Path, real: Store) -> None:
        super().__init__(path)
        self._real, self.told = real, 0

    async def prepare_apart(self) -> None:
        """Make the database that is thrown away; nothing in it expires."""
        await super().prepare(Lives(raw=0, months=0, years=0))

    async def write(self, tables: Sequence[Table]) -> None:
        """See Sink; a database that is away (`--chaos` kills it) is waited for."""
        await super().write(tables)
        passed = [table for table in tables if table.measurement not in STREAMS]
        while passed:
            try:
                await self._real.write(passed)
            except RetryLater as error:
                await asyncio.sleep(error.after_s)
            else:
                self.told += sum(len(table.rows) for table in passed)
                return


async def _put(store: Store, tables: Iterable[Table]) -> None:
    waiting: list[Table] = []
    for table in tables:
        waiting.append(table)
        if sum(len(each.rows) for each in waiting) >= _ROWS_AT_ONCE:
            await _written(store, waiting)
            waiting = []
    await _written(store, waiting)


async def _written(store: Store, tables: Sequence[Table]) -> None:
    for table, why in await write(store, tables):
        raise RuntimeError(f"the database refuses {table.measurement} of the demo's history: {why}")


def _marked(table: Table) -> Table:
    """An incident's point with its number marked: the live page does not know it."""
    tags = tuple((key, MARK + text if key == "number" else text) for key, text in table.tags)
    return replace(table, tags=tags)


def _place(spot: Spot) -> Place:
    told = spot.placement()
    return Place.model_validate({"from": 0, **told, "sources": tuple(told["sources"])})


def _metrics(board: str) -> list[str]:
    """What a board measures."""
    cells = read_layout(map_file(board)).registers
    return [cell.metric for cell in cells if cell.metric != RUNNING_NUMBER]
