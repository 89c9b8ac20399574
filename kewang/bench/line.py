"""The line that is measured: Mosquitto, the real gateway and its database as processes, in one temporary folder."""

import asyncio
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from firmware_sim.device import FleetPlan
from firmware_sim.fleet import Fleet, FleetReport
from gateway.settings import StoreSettings
from gateway.stores import open_store
from kewang.bench.cpu import MB, cost, peak_rss_bytes
from kewang.bench.guard import Guard
from kewang.bench.parts import Influxd, Mosquitto
from kewang.bench.pour import Pour
from kewang.bench.process import READY_LIMIT_S, Part, PartFailed, wait_for
from kewang.bench.programs import HOST, GatewayProgram
from kewang.runtime.broker import BrokerSettings

StoreKind = Literal["influxd", "sqlite"]
DATABASE: Final = "kewang"
BROKER_OPTIONS: Final = {"max_inflight_messages": 1000, "max_queued_messages": 100_000}
"""Mosquitto holds what is on its way to the gateway; with its own 20 and 1000 it would throttle and drop here."""

_REST_S: Final = 60
_IDLE: Final = 0.1
"""Of a core."""
_PROCESS: Final = re.compile(r'{process="[^"]*"}')
"""The only label of what has no other."""


class MeasuredGateway(GatewayProgram):
    """The gateway with some settings of its own (top-level keys of gateway.toml)."""

    def __init__(self, folder: Path, broker_port: int, store_url: str, settings: Mapping[str, int]) -> None:
        super().__init__(folder, broker_port, store_url)
        self.settings = dict(settings)

    def write_config(self) -> Path:
        file = super().write_config()
        head = "".join(f"{key} = {value}\n" for key, value in self.settings.items())
        file.write_text(head + file.read_text())
        return file

    def signals(self) -> dict[str, float]:
        """Its counters by name, as /metrics tells them: `rows_stored_total`, `write_seconds_count`, ...; of several
        processes their sums."""
        text = self.get("/metrics") or b""
        signals: defaultdict[str, float] = defaultdict(float)
        for name, _, value in (line.rpartition(" ") for line in text.decode().splitlines() if not line.startswith("#")):
            signals[_PROCESS.sub("", name.removeprefix("kewang_gateway_"))] += float(value)
        return dict(signals)


class Line:
    """The processes. `settings`: of the gateway. Nothing outlives the block, nor us. Raises MissingPart, PartFailed."""

    def __init__(self, store: StoreKind = "influxd", settings: Mapping[str, int] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kewang-bench-"))
        self._guard = Guard(self.folder)
        self.broker = Mosquitto(self.folder / "mosquitto", options=BROKER_OPTIONS)
        self.influxd = Influxd(self.folder / "influxd") if store == "influxd" else None
        self.sqlite_file = self.folder / "kewang.db"
        url = f"influx1+{self.influxd.url}/{DATABASE}" if self.influxd else f"sqlite:///{self.sqlite_file}"
        self.gateway = MeasuredGateway(self.folder / "gateway", self.broker.port, url, settings or {})

    @property
    def parts(self) -> list[Part]:
        """Every process, in the order in which they start."""
        return [self.broker, *filter(None, [self.influxd]), self.gateway]

    def __enter__(self) -> Self:
        try:
            for part in self.parts:
                part.guard = self._guard
                if part is self.gateway:
                    prepare(self.gateway.store_url)
                part.start()
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def mounted(self, folder: Path) -> None:
        """A disk is mounted there: it must not outlive us."""
        self._guard.mounted(folder)

    def _wait_until_ready(self) -> None:
        """Until the gateway has the broker and knows the rewinds."""
        try:
            wait_for(lambda: self.gateway.get("/ready") is not None, READY_LIMIT_S)
        except TimeoutError:
            raise PartFailed(f"the gateway is not ready:\n{self.gateway.log_tail()}") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything and remove the folder."""
        for part in reversed(self.parts):
            part.stop()
        self._guard.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def broker_settings(self) -> BrokerSettings:
        """How a client finds the broker."""
        return BrokerSettings(host=HOST, port=self.broker.port)

    def run_fleet(self, plan: FleetPlan, limit_s: float, drain_s: float = 10.0) -> "FleetRun":
        """Run a fleet from this process, measured from its first message to its last name. Raises PartFailed."""
        fleet = MeasuredFleet(self, plan)
        stopping = threading.Event()
        timer = threading.Timer(limit_s, stopping.set)
        timer.start()
        try:
            report = fleet.run(stopping, drain_s)
        finally:
            timer.cancel()
        return fleet.measured(report)

    def run_pour(self, plan: FleetPlan, limit_s: float) -> "FleetRun":
        """The same by a publisher that costs little. Raises PartFailed."""
        began: list[float] = []
        pour = Pour(self.broker_settings, plan, lambda: began.extend(self.cpu_s()))
        return measured(self, pour.run(limit_s), began, pour.t0_ms, pour.cpu_s)

    def rest(self) -> None:
        """Until gateway and database are done with what they do at their start (the ledger looks at the last day), that
        it is not taken for what readings cost. Raises PartFailed."""
        before = self.cpu_s()
        for _ in range(_REST_S):
            time.sleep(1)
            now = self.cpu_s()
            if all(now_s - then_s < _IDLE for now_s, then_s in zip(now, before, strict=True)):
                return
            before = now
        raise PartFailed(f"gateway and database are still busy {_REST_S} s after their start")

    def cpu_s(self) -> list[float]:
        """Of gateway, database (0 when it is in the gateway) and broker, until now."""
        parts = self.gateway, self.influxd, self.broker
        return [cost(part).cpu_s if part else 0.0 for part in parts]


@dataclass(frozen=True, slots=True)
class FleetRun:
    """What a fleet did and what it cost, processor time in us per row that was named."""

    report: FleetReport
    rows_per_s: float
    gateway_cpu_us: float
    store_cpu_us: float
    broker_cpu_us: float
    gateway_peak_mb: float
    t0_ms: Mapping[str, int]
    """Device -> date of its first row."""
    publisher_cpu_us: float = 0.0


def measured(
    line: Line, report: FleetReport, began: Sequence[float], t0_ms: Mapping[str, int], publisher_s: float = 0.0
) -> FleetRun:
    """The run that just ended; `began`: see Line.cpu_s. Raises PartFailed if nothing was named."""
    if not began or not report.rows_named:
        raise PartFailed(f"no batch was named; the gateway says:\n{line.gateway.log_tail()}")
    rows = report.rows_named
    gateway, store, broker = (1e6 * (now - then) / rows for now, then in zip(line.cpu_s(), began, strict=True))
    peak_mb = peak_rss_bytes(line.gateway) / MB
    return FleetRun(report, rows / report.named_s, gateway, store, broker, peak_mb, t0_ms, 1e6 * publisher_s / rows)


class MeasuredFleet(Fleet):
    """A fleet that looks at the clocks of the parts when its first device connects."""

    def __init__(self, line: Line, plan: FleetPlan) -> None:
        super().__init__(line.broker_settings, plan)
        self._line = line
        self._began: list[float] = []

    def birth(self, name: str) -> bytes:
        """The birth of a device; with the first one the measurement begins."""
        if not self._began:
            self._began = self._line.cpu_s()
        return super().birth(name)

    def measured(self, report: FleetReport) -> FleetRun:
        """The run that just ended. Raises PartFailed if it never connected or nothing was named."""
        t0_ms = {name: device.t0_ms for name, device in self._devices.items()}
        return measured(self._line, report, self._began, t0_ms)


def prepare(store_url: str) -> None:
    """What `kewang gateway init` does."""

    async def run() -> None:
        store = open_store(store_url)
        try:
            await store.prepare(StoreSettings().lives())
        finally:
            await store.close()

    asyncio.run(run())
