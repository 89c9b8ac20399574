"""A small town of devices in a store: day and night, market hours, one silent box, one unplaced, a few refused rows."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gateway.ports import Refused, SeriesId, Sink, Table, Value
from gateway.quarantine import quarantine_tables
from kewang.ui.words import Language
from kewang.wire.placement import Place, Placement
from kewang.wire.state import State

HOUR_MS = 3_600_000
RUN = "4f1e0c9a77d2"

AIR = ("temp_c", "rh_pct", "pm25_ugm3", "noise_dba")
MARKET = (*AIR, "nh3_ppm", "h2s_ppm")
BIN = ("bin_fill_pct", "temp_c")
RIVER = ("water_level_cm", "rain_mm")
BOX = (
    "cpu_pct",
    "box_temp_c",
    "mem_pct",
    "disk_pct",
    "uptime_s",
    "supply_v",
    "clock_synced",
    "link",
    "sources_failing",
)


@dataclass(frozen=True)
class Box:
    """One device of the town."""

    name: str
    site: str | None
    sources: Mapping[str, tuple[str, ...]]
    silent_for_min: int = 0
    clock_synced: float = 1.0
    failing: float = 0.0


TOWN = (
    Box("mardika-01", "pasar-mardika", {"env-1": MARKET}),
    Box("mardika-02", "pasar-mardika", {"env-1": AIR, "bin-1": BIN}),
    Box("mardika-03", "pasar-mardika", {"bin-1": BIN, "bin-2": BIN}, failing=1.0),
    Box("batu-merah-01", "pasar-batu-merah", {"env-1": MARKET}),
    Box("batu-merah-02", "pasar-batu-merah", {"river-1": RIVER}),
    Box("passo-01", "pasar-passo", {"env-1": AIR}, silent_for_min=43),
    Box("passo-02", "pasar-passo", {"env-1": AIR}),
    Box("trikora-01", "simpang-trikora", {"env-1": AIR}, clock_synced=0.0),
    Box("galala-01", "jembatan-galala", {"river-1": RIVER, "env-1": AIR}),
    Box("tamu-7c", None, {"env-1": AIR}),
)


@dataclass
class TownFacts:
    """A gateway's own facts that a test may change."""

    gateway: str = "gw1"
    known: dict[str, Placement] = field(default_factory=dict)
    connected: bool = True
    ready: bool = True
    trouble: str | None = None
    loops_stuck: list[str] = field(default_factory=list)
    ahead: int = 0
    synchronised: bool = True
    doubled: set[str] = field(default_factory=set)
    last_heard: dict[str, int] = field(default_factory=dict)
    births: dict[str, State] = field(default_factory=dict)
    incidents: int | None = None
    maintained: set[str] = field(default_factory=set)
    flooding: list[dict[str, int | str]] = field(default_factory=list)

    def placements(self) -> Mapping[str, Placement]:
        return self.known

    def broker_connected(self) -> bool:
        return self.connected

    def rewinds_read(self) -> bool:
        return self.ready

    def rewind(self) -> int:
        return 1

    def clock_synchronised(self) -> bool:
        return self.synchronised

    def devices_ahead(self) -> int:
        return self.ahead

    def two_boxes(self) -> Collection[str]:
        return self.doubled

    def heard_ms(self) -> Mapping[str, int]:
        return self.last_heard

    def birth(self, device: str) -> State | None:
        return self.births.get(device)

    def floods(self) -> list[dict[str, int | str]]:
        return self.flooding

    def store_trouble(self) -> str | None:
        return self.trouble

    def open_incidents(self) -> int | None:
        return self.incidents

    def worst_incident(self, language: Language) -> str:
        return "Site Pasar Mardika is not heard" if self.incidents else ""

    def doubt(self) -> str | None:
        well = self.connected and not self.loops_stuck
        return self.trouble if well else "not well"

    def worked_on(self) -> Collection[str]:
        return self.maintained

    def queue(self) -> int:
        return 0

    def readings_per_s(self) -> float:
        return 1.6

    def stuck(self) -> list[str]:
        return self.loops_stuck


def placements(boxes: tuple[Box, ...] = TOWN) -> dict[str, Placement]:
    """Where the boxes are."""
    place = {"uplink": "fo-2", "feeder": "pln-7", "lat": -3.69, "lon": 128.18, "kind": "sensor", "life": "installed"}
    return {
        box.name: Placement(h=(Place.model_validate({"from": 1_700_000_000_000, "site": box.site, **place}),))
        for box in boxes
        if box.site
    }


async def settle(
    sink: Sink, now_ms: int, boxes: tuple[Box, ...] = TOWN, *, minutes: int = 40, every_s: int = 30
) -> None:
    """Write the town's readings of the last `minutes`, with tallies that balance, and three refused rows."""
    for box in boxes:
        await sink.write(_tables(box, now_ms, minutes, every_s))
    if boxes is TOWN:
        await sink.write(quarantine_tables(refusals(now_ms)))


def refusals(now_ms: int) -> list[Refused]:
    """Rows that a real bus has given."""
    wet = SeriesId("env", "mardika-01", "env-1")
    return [
        Refused(wet, now_ms - 1_403_000, "range: rh_pct=140.2", '{"tq":2,"k":["rh_pct"],"r":[140.2]}'),
        Refused(wet, now_ms - 1_373_000, "range: rh_pct=139.8", '{"tq":2,"k":["rh_pct"],"r":[139.8]}'),
        Refused(SeriesId("env", "tamu-7c", "env-1"), now_ms - 613_000, "unknown metric: so2_ppb", '{"k":["so2_ppb"]}'),
    ]


def _tables(box: Box, now_ms: int, minutes: int, every_s: int) -> list[Table]:
    last_ms = now_ms - 2_000 - box.silent_for_min * 60_000
    dates = [last_ms - i * every_s * 1000 for i in range(minutes * 60 // every_s)][::-1]
    tables = []
    for source, metrics in {**box.sources, "box": BOX}.items():
        stream = "sys" if source == "box" else "env"
        tags = (("device", box.name), ("source", source))
        rows: list[tuple[Value, ...]] = [
            (d, *(value(box.name, source, m, d, box.clock_synced, box.failing) for m in metrics)) for d in dates
        ]
        tables += [Table(stream, tags, metrics, rows), *_tallies(box, source, dates)]
    held = 3.0 if not box.silent_for_min else 12.0
    tables.append(Table("sys", (("device", box.name), ("source", "box")), ("held",), [(last_ms, held)]))
    return tables


def _tallies(box: Box, source: str, dates: list[int]) -> list[Table]:
    tags = (("device", box.name), ("source", source))
    made: dict[int, int] = {}
    for date_ms in dates:
        made[date_ms // HOUR_MS] = made.get(date_ms // HOUR_MS, 0) + 1
    for row in refusals(dates[-1] + 2_000):
        if (row.series.device, row.series.source) == (box.name, source):
            made[row.date_ms // HOUR_MS] = made.get(row.date_ms // HOUR_MS, 0) + 1
    rows: list[tuple[Value, ...]] = [
        (dates[-1] + i, RUN, hour, count, 0) for i, (hour, count) in enumerate(sorted(made.items()))
    ]
    return [Table("tally", tags, ("run", "hour", "made", "dropped"), rows)]


def value(device: str, source: str, metric: str, date_ms: int, synced: float = 1.0, failing: float = 0.0) -> float:
    """What a device measured then."""
    seed = sum(map(ord, device + source + metric))
    phase = date_ms / 60_000
    wave = math.sin(phase / 11 + seed) + 0.4 * math.sin(phase / 2.7 + seed * 3) + 0.15 * math.sin(phase * 5 + seed)
    middle, swing = {
        "temp_c": (29.0, 0.8), "rh_pct": (79.0, 3.0), "pm25_ugm3": (17.0, 5.0), "noise_dba": (64.0, 5.0),
        "nh3_ppm": (1.8, 0.6), "h2s_ppm": (0.12, 0.05), "bin_fill_pct": (40.0 + seed % 45, 3.0),
        "water_level_cm": (84.0, 2.5), "rain_mm": (0.2, 0.2), "cpu_pct": (9.0, 4.0), "box_temp_c": (52.0, 2.0),
        "mem_pct": (38.0, 1.0), "disk_pct": (21.0, 0.1), "supply_v": (12.1, 0.1),
    }.get(metric, (0.0, 0.0))  # fmt: skip
    fixed = {"uptime_s": 912_345.0, "clock_synced": synced, "link": 1.0, "sources_failing": failing}
    return fixed.get(metric, max(0.0, middle + swing * wave))
