"""The box itself: how it is doing, as the `sys` stream; its batches are the device's heartbeat."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from edge.ports import SourceError, Values
from edge.sources.settings import SettingsPath, SourceSettings, problem
from kewang.runtime.certificate import ends_s
from kewang.runtime.clock import kernel_synchronised
from kewang.wire.names import BOX_SOURCE

Gauge = Callable[[], float | None]
"""Gives a number the agent knows; None if it does not know it now."""

NO_LINK: Final = 0
WIRED: Final = 1
CELLULAR: Final = 2
WIFI: Final = 3
_CELLULAR_NAMES: Final = ("wwan", "ppp", "usb", "rmnet")
_CPU_SENSORS: Final = ("cpu_thermal", "coretemp", "k10temp", "cpu-thermal", "soc_thermal", "acpitz")


class BoxSettings(SourceSettings):
    """The box itself. It is always read; a section of its own only changes these."""

    driver: str = Field(default=BOX_SOURCE, description="`box`.")
    name: str = Field(default=BOX_SOURCE, description="Always `box`.")
    interval_s: float = Field(default=30.0, gt=0, le=30, description="Seconds between two heartbeats, at most 30.")
    disk: SettingsPath = Field(default=Path("/"), description="Any path on the disk whose use is told.")

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if name != BOX_SOURCE:
            raise problem(f"the box is always called {BOX_SOURCE!r}: leave name out")
        return name


class Box:
    """This machine. What a machine can't tell (a container has no temperature) is no value; it never fails."""

    Settings = BoxSettings
    name = BOX_SOURCE
    stream = "sys"
    metrics = (
        "cpu_pct",
        "box_temp_c",
        "mem_pct",
        "disk_pct",
        "uptime_s",
        "supply_v",
        "clock_synced",
        "link",
        "outbox_bytes",
        "sources_failing",
        "cert_days",
    )

    def __init__(
        self,
        settings: BoxSettings,
        *,
        outbox_bytes: Gauge = lambda: None,
        sources_failing: Gauge = lambda: None,
        clock_synced: Callable[[], bool] = kernel_synchronised,
        certificate: Path | None = None,
    ) -> None:
        self.interval_s = settings.interval_s
        self.timeout_s = settings.timeout_s
        self._disk = settings.disk
        self._outbox_bytes = outbox_bytes
        self._sources_failing = sources_failing
        self._clock_synced = clock_synced
        self._certificate = certificate
        self._busy_and_all: tuple[float, float] | None = None
        self._measuring: asyncio.Task[Values] | None = None

    async def read(self) -> Values:
        """One value per metric. Raises SourceError while an earlier look at the disk still hangs."""
        if self._measuring is not None and not self._measuring.done():
            raise SourceError(f"looking at disk {self._disk} hangs: check the disk (dmesg), restart the box")
        # In a thread, because a failing disk may hang; shielded, because a thread can't be cancelled.
        self._measuring = asyncio.create_task(asyncio.to_thread(self._measure), name="box")
        measured = await asyncio.shield(self._measuring)
        *others, cert_days = measured
        return (*others, self._outbox_bytes(), self._sources_failing(), cert_days)

    async def close(self) -> None:
        """Nothing is held open."""

    def _measure(self) -> Values:
        import psutil

        synced = self._clock_synced()
        return (
            self._cpu_percent(),
            _temperature_c(),
            psutil.virtual_memory().percent,
            _disk_percent(self._disk),
            int(time.clock_gettime(time.CLOCK_BOOTTIME)),
            None,
            int(synced),
            link_kind(),
            _days_left(self._certificate) if self._certificate and synced else None,
        )

    def _cpu_percent(self) -> float | None:
        """Load of all processors since the last reading; None at the first."""
        import psutil

        times = psutil.cpu_times()
        all_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        now = (all_s - times.idle - getattr(times, "iowait", 0.0), all_s)
        before, self._busy_and_all = self._busy_and_all, now
        if before is None or now[1] <= before[1]:
            return None
        return round(min(100.0, max(0.0, 100 * (now[0] - before[0]) / (now[1] - before[1]))), 1)


def link_kind(routes: Path = Path("/proc/net/route"), interfaces: Path = Path("/sys/class/net")) -> int:
    """Code of metric `link` for the interface of the default route."""
    name = _default_interface(routes)
    if name is None:
        return NO_LINK
    if (interfaces / name / "wireless").exists() or (interfaces / name / "phy80211").exists():
        return WIFI
    return CELLULAR if name.startswith(_CELLULAR_NAMES) else WIRED


def _default_interface(routes: Path) -> str | None:
    """The interface of the IPv4 default route with the lowest metric (see route(8), /proc/net/route)."""
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return None
    found = [(int(row[6]), row[0]) for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    return min(found)[1] if found else None


def _temperature_c() -> float | None:
    import psutil

    sensors = psutil.sensors_temperatures()
    held = [sensors[name][0].current for name in _CPU_SENSORS if sensors.get(name)]
    return round(held[0], 1) if held else None


def _days_left(certificate: Path) -> float | None:
    try:
        return round((ends_s(certificate) - time.time()) / 86_400, 1)
    except (OSError, ValueError):
        return None


def _disk_percent(path: Path) -> float | None:
    import psutil

    try:
        return psutil.disk_usage(str(path)).percent
    except OSError:
        return None
