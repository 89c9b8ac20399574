"""What the pages show, as plain values: devices by site with their state and newest readings. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Literal

from gateway.console import cameras
from gateway.console.cameras import Newest
from gateway.console.facts import Options
from gateway.ports import SeriesId
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.cameras import CameraReason, CameraState
from kewang.wire.catalogue import FLAG_ENDING, METRICS, Metric
from kewang.wire.placement import REFUSED_LIVES, Place, Placement
from kewang.wire.state import State

Condition = Literal["ok", "silent", "never"]
_ON_CARD: Final = {"env", "cam"}
_BOX_ON_CARD: Final = ("cpu_pct", "box_temp_c", "mem_pct", "disk_pct")
_RUNNING_NUMBER: Final = "sim_n"


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest value of one metric of a source."""

    metric: Metric
    value: float
    date_ms: int
    """Of the row that has it: a camera's newest row does not tell everything."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source with its newest point; `silent`: the device speaks, this source does not."""

    series: SeriesId
    date_ms: int
    readings: tuple[Reading, ...]
    estimated: bool
    """Its dates are estimates: the box had no synchronised clock (time quality below 2)."""
    silent: bool
    camera: tuple[CameraState, CameraReason] | None = None
    """How it is and why, if it is a camera."""

    @property
    def current(self) -> tuple[Reading, ...]:
        """What tells how it is now. Of a camera that is down only the newest row: what it showed before is over."""
        down = self.camera is not None and self.camera[0] is CameraState.DOWN
        return tuple(r for r in self.readings if not down or r.date_ms == self.date_ms)

    @property
    def shown(self) -> tuple[Reading, ...]:
        """What a card shows of it."""
        if self.camera is None:
            return tuple(r for r in self.readings if r.metric.name != _RUNNING_NUMBER)
        return tuple(r for name in cameras.ON_CARD for r in self.current if r.metric.name == name)

    @property
    def told(self) -> tuple[tuple[int, tuple[Reading, ...]], ...]:
        """What its device's page lists by date, newest first: everything that is not told by the camera's state."""
        told = [r for r in self.readings if r.metric.name not in cameras.TOLD_BY_STATE]
        dates_ms = sorted({r.date_ms for r in told}, reverse=True)
        return tuple((date_ms, tuple(r for r in told if r.date_ms == date_ms)) for date_ms in dates_ms)

    @property
    def ill(self) -> bool:
        """Whether it is a camera that is down or degraded."""
        return self.camera is not None and self.camera[0] in (CameraState.DOWN, CameraState.DEGRADED)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known of a device beside its readings."""

    lost: int = 0
    """Its missing readings beyond what it holds."""
    refused: int = 0
    """Its rows in quarantine that wait for a decision."""
    two_boxes: bool = False
    """Two boxes used its identity lately."""
    worked_on: bool = False
    """It stands below an open window of maintenance."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `last_ms`: date of its newest point of the last day; `waits_s`: how long it keeps rows back."""

    name: str
    place: Place | None
    condition: Condition
    last_ms: int | None
    sources: tuple[Source, ...]
    marks: Marks = Marks()
    waits_s: float = 0.0

    @property
    def troubled(self) -> bool:
        """Whether a person should look: it is silent or a part of it is, readings are missing or were refused, or a
        camera is not well. Where somebody works, that somebody looks."""
        if self.in_maintenance:
            return False
        partly = self.clock_wrong or self.failing or any(source.silent or source.ill for source in self.sources)
        return bool(self.condition != "ok" or self.marks != Marks() or partly)

    @property
    def in_maintenance(self) -> bool:
        """Whether somebody works on it: the office says so, or a window of maintenance is open."""
        return self.marks.worked_on or (self.place is not None and self.place.life == "maintenance")

    @property
    def well(self) -> bool:
        """Whether all that is known of it is good. A camera whose state is unknown is neither well nor troubled."""
        unknown = any(source.camera and source.camera[0] is CameraState.UNKNOWN for source in self.sources)
        return not self.troubled and not unknown and not self.in_maintenance

    @property
    def clock_wrong(self) -> bool:
        """Whether the box says that its clock is not synchronised."""
        return self._box("clock_synced") == 0

    @property
    def failing(self) -> int:
        """How many of its sources the box can't read."""
        return int(self._box("sources_failing") or 0)

    @property
    def box(self) -> tuple[Reading, ...]:
        """The box's own readings that a card shows."""
        own = [r for s in self.sources if s.series.stream == "sys" for r in s.readings]
        return tuple(r for name in _BOX_ON_CARD for r in own if r.metric.name == name)

    @property
    def has_sensors(self) -> bool:
        """Whether it has a source beside the box itself."""
        return any(source.series.stream in _ON_CARD for source in self.sources)

    @property
    def on_card(self) -> tuple[tuple[Source, tuple[Reading, ...]], ...]:
        """What a card shows: of its sensors and cameras; of the box if that is all there is."""
        if not self.has_sensors:
            return tuple((s, self.box) for s in self.sources if s.series.stream == "sys")
        return tuple((s, s.shown) for s in self.sources if s.series.stream in _ON_CARD and (s.camera or s.shown))

    def _box(self, name: str) -> float | None:
        return next((r.value for s in self.sources for r in s.readings if r.metric.name == name), None)


@dataclass(frozen=True, slots=True)
class Site:
    """A place and its devices; `name` None holds the devices without a placement."""

    name: str | None
    devices: tuple[Device, ...]


def sites_of(
    newest: Iterable[Newest],
    heard_before: Iterable[str],
    marks: Mapping[str, Marks],
    placements: Mapping[str, Placement],
    birth: Callable[[str], State | None],
    now_ms: int,
    options: Options,
) -> tuple[Site, ...]:
    """All devices that have a reading or a placement, by site, troubled sites first, the unplaced last.

    `newest`: of each series of the last day; `heard_before`: devices that have any reading;
    `marks`: of devices that have any; `birth`: what a device said of itself.
    """
    by_device: dict[str, list[Newest]] = defaultdict(list)
    for row in newest:
        by_device[row.point.series.device].append(row)
    heard = {*heard_before, *by_device}
    devices = [
        _device(name, by_device[name], placements.get(name), now_ms, options, birth(name))
        if name in heard
        else Device(name, _place(placements.get(name), now_ms), "never", None, ())
        for name in sorted(heard | set(placements))
        if not (name in placements and placements[name].now.life in REFUSED_LIVES)
    ]
    return _by_site([replace(device, marks=marks.get(device.name, Marks())) for device in devices])


def _patient(options: Options, flush_s: float, stretch: float) -> Options:
    """With a device whose rows wait, or which reads its sources more rarely, patience lasts so much longer."""
    silent_s, source_silent_s = options.silent_s + flush_s, options.source_silent_s * stretch + flush_s
    return replace(options, silent_s=silent_s, source_silent_s=source_silent_s)


def _by_site(devices: list[Device]) -> tuple[Site, ...]:
    devices.sort(key=lambda device: device.place.site if device.place else "")
    grouped = groupby(devices, key=lambda device: device.place.site if device.place else None)
    sites = [Site(name, tuple(sorted(some, key=lambda d: (not d.troubled, d.well, d.name)))) for name, some in grouped]
    return tuple(sorted(sites, key=lambda site: (site.name is None, not site.devices[0].troubled, site.name)))


def _device(
    name: str, rows: Sequence[Newest], placement: Placement | None, now_ms: int, options: Options, birth: State | None
) -> Device:
    flush_s, stretch = (birth.flush_s or 0.0, birth.stretch or 1.0) if birth else (0.0, 1.0)
    options = _patient(options, flush_s, stretch)
    last_ms = max((row.point.date_ms for row in rows), default=None)
    speaks = last_ms is not None and now_ms - last_ms <= options.silent_s * 1000
    sources = tuple(_source(row, speaks, now_ms, options) for row in sorted(rows, key=lambda r: r.point.series))
    condition: Condition = "ok" if speaks else "silent"
    return Device(name, _place(placement, now_ms), condition, last_ms, sources, waits_s=flush_s)


def _place(placement: Placement | None, now_ms: int) -> Place | None:
    return placement.at(min(now_ms, MAX_DATE_MS)) if placement else None


def _of_now(name: str, dated: Mapping[str, tuple[int, object]]) -> bool:
    """A flag speaks of the very reading that it came with; of an older one it says nothing any more."""
    flagged = dated.get(name.removesuffix(FLAG_ENDING))
    return not name.endswith(FLAG_ENDING) or (flagged is not None and flagged[0] == dated[name][0])


def _source(newest: Newest, device_speaks: bool, now_ms: int, options: Options) -> Source:
    point, dated = newest.point, newest.dated()
    old = now_ms - point.date_ms > options.source_silent_s * 1000
    readings = tuple(
        Reading(metric, value, date_ms)
        for metric in METRICS
        if metric.stream == point.series.stream and metric.name in dated and _of_now(metric.name, dated)
        for date_ms, value in [dated[metric.name]]
        if isinstance(value, float)
    )
    estimated = float(point.fields.get("tq", 2)) < 2
    silent = device_speaks and old and point.series.stream != "evt"
    camera = cameras.state_of(newest, heard=device_speaks and not old)
    return Source(point.series, point.date_ms, readings, estimated, silent, camera)
