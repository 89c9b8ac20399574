"""Ten sensors on every kind of bus: what the agent costs with them, and how evenly the others are read while one hangs.

The real agent on simulated devices over their real protocols (ptys, bytes on an I2C bus, a pipe for sysfs, a broker);
the dates of the rows come from the gateway's database, not from the agent's own counters. A second box runs beside it,
on which nobody hangs: what the machine itself does to both at the same time is no fault of the agent's.
"""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from firmware_sim.faults import Fault, switch
from kewang.bench.cpu import MB, cost
from kewang.bench.envelope import envelope
from kewang.bench.line import Line
from kewang.bench.parts import Mosquitto
from kewang.bench.process import Part, PartFailed, wait_for
from kewang.bench.programs import EdgeProgram, toml_of
from kewang.bench.stored import SqliteDatabase

DEVICE: Final = "bench-buses"
BESIDE: Final = "bench-beside"
"""The box on which nobody hangs."""
HANGING: Final = {
    "env-1": ("a unit on RS-485 is silent", ("env-2", "env-3")),
    "tank": ("a Modbus TCP device is silent", ()),
    "pm-1": ("a particle sensor is silent", ()),
    "air-1": ("an I2C transfer hangs in its library", ("air-2",)),
    "cold-1": ("a 1-Wire read hangs in the kernel", ()),
    "kitchen": ("an ESP32 is silent", ()),
}
"""Source -> what hangs, and the sources on the same wire, which share its fate or wait for it."""
_TIMEOUT_S: Final = 2.0
_SETTLE_S: Final = 1.0
_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class BusesLimits:
    """What must hold. `jitter_ms`: p99 of the others while one hangs, beyond twice that of the box beside."""

    rss_mb: float = 60.0
    jitter_ms: float = 50.0


@dataclass(frozen=True, slots=True)
class BusesPlan:
    """`interval_s` of every source; `seconds` of each phase: a quiet one, then one for each source that hangs."""

    interval_s: float = 1.0
    seconds: float = 20.0
    hanging: tuple[str, ...] = tuple(HANGING)


class SensorsProgram(Part):
    """`firmware_sim buses`."""

    name = "sensors"

    def __init__(self, folder: Path, broker_port: int, faster: float = 1.0) -> None:
        super().__init__(folder)
        self._broker_port, self._faster = broker_port, faster

    def command(self) -> Sequence[str]:
        words = ["--folder", str(self.data_folder), "--port", str(self._broker_port), "--faster", str(self._faster)]
        return [sys.executable, "-m", "firmware_sim", "buses", *words]

    def is_ready(self) -> bool:
        return (self.data_folder / "sources.json").exists()

    def sources(self) -> list[dict[str, Any]]:
        """The settings that read them."""
        found: list[dict[str, Any]] = json.loads((self.data_folder / "sources.json").read_text())
        return found

    def switch(self, source: str, fault: Fault | None) -> None:
        """Let the device of `source` show `fault` from now on."""
        switch(self.data_folder / f"{source}.json", fault)


class AgentOnBuses(EdgeProgram):
    """The agent with these sources."""

    def __init__(
        self,
        folder: Path,
        device: str,
        broker_port: int,
        sources: Sequence[Mapping[str, Any]],
        interval_s: float,
        **more: Any,
    ) -> None:
        super().__init__(folder, device, broker_port, **({"flush_s": 0.5} | more))
        self._sources, self._interval_s = sources, interval_s

    def write_config(self) -> Path:
        config = super().write_config()
        config.write_text(config.read_text() + "".join(map(self._section, self._sources)))
        return config

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "kewang.bench.agent_on_buses", str(self.write_config())]

    def _section(self, source: Mapping[str, Any]) -> str:
        keys = source.get("keys", [])
        plain = {name: value for name, value in source.items() if name != "keys"}
        plain |= {"interval_s": self._interval_s, "timeout_s": _TIMEOUT_S}
        head = "\n[[sources]]\n" + toml_of(plain)
        return head + "".join("\n[[sources.keys]]\n" + toml_of(key) for key in keys)


@dataclass(frozen=True, slots=True)
class Phase:
    """A time, Unix ms, in which `ill` hangs; None = nobody."""

    ill: str | None
    from_ms: float
    to_ms: float


def measure(plan: BusesPlan, limits: BusesLimits | None = None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    limits, started_s = limits or BusesLimits(), time.monotonic()
    with Line("sqlite") as line, ExitStack() as stack:
        (sensors, edge), (beside, _) = (_box(line, stack, device, plan) for device in (DEVICE, BESIDE))
        database, names = SqliteDatabase(line.sqlite_file), {str(source["name"]) for source in sensors.sources()}
        _wait_for_all(database, names, edge)
        quiet, costs = _quiet(edge, plan)
        phases = [quiet] + [_hanging(sensors, name, plan) for name in plan.hanging]
        for device in (DEVICE, BESIDE):
            _wait_until_stored(database, device, names, phases[-1].to_ms)
        ours, others = dates(database, DEVICE), dates(database, BESIDE)
        assert {str(source["name"]) for source in beside.sources()} == names
    figures = {"sources": len(names), "interval_s": plan.interval_s} | costs | judge(ours, others, phases, plan)
    parts = ["mosquitto", "sqlite", "aiomqtt", "pymodbus", "pyserial", "smbus2"]
    failed = failures(figures, limits)
    return envelope("bench buses", seed=1, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _box(line: Line, stack: ExitStack, device: str, plan: BusesPlan) -> tuple[SensorsProgram, AgentOnBuses]:
    """A box with its own broker for its ESP32, its sensors and its agent."""
    folder = line.folder / device
    own = stack.enter_context(Mosquitto(folder / "broker"))
    sensors = stack.enter_context(SensorsProgram(folder / "sensors", own.port))
    agent = AgentOnBuses(folder / "edge", device, line.broker.port, sensors.sources(), plan.interval_s)
    return sensors, stack.enter_context(agent)


Dates = Mapping[str, Sequence[int]]
"""Source -> dates of its rows (Unix ms), sorted."""


def judge(rows: Dates, beside: Dates, phases: Sequence[Phase], plan: BusesPlan) -> dict[str, Any]:
    """Figures from the dates of both boxes. A source on the wire of the one that hangs is told apart."""
    by_fault, apart, control, near = [], list[float](), list[float](), list[float]()
    for phase in phases:
        what, wire = HANGING[phase.ill] if phase.ill else ("nobody hangs", ())
        others = [name for name in rows if name not in (phase.ill, *wire)]
        found = _jitter(rows, others, phase, plan)
        calm = _jitter(beside, others, phase, plan)
        if phase.ill:
            apart, control = apart + found, control + calm
            near += _jitter(rows, wire, phase, plan)
        by_fault.append(
            {
                "hangs": phase.ill or "-",
                "what": what,
                "rows_of_it": len(_within(rows[phase.ill], phase)) if phase.ill else 0,
                "others": len(others),
                "fewest_rows": min(len(_within(rows[name], phase)) for name in others),
                "p99_ms": percentile(found, 99),
                "max_ms": max(found, default=0.0),
                "beside_p99_ms": percentile(calm, 99),
            }
        )
    return {
        "jitter_p99_ms": {"one_hangs": percentile(apart, 99), "beside": percentile(control, 99)},
        "same_wire_p99_ms": percentile(near, 99),
        "due_rows": int((plan.seconds - _SETTLE_S) / plan.interval_s),
        "by_fault": by_fault,
    }


def _jitter(rows: Dates, names: Iterable[str], phase: Phase, plan: BusesPlan) -> list[float]:
    return [gap for name in names for gap in jitter_ms(rows[name], phase, plan.interval_s)]


def jitter_ms(dates_ms: Sequence[int], phase: Phase, interval_s: float) -> list[float]:
    """How far each distance of two rows in `phase` is from the interval."""
    return [abs(after - before - 1000 * interval_s) for before, after in pairwise(_within(dates_ms, phase))]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` percent do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0.0


def _within(dates_ms: Sequence[int], phase: Phase) -> list[int]:
    return [date for date in dates_ms if phase.from_ms <= date <= phase.to_ms]


def failures(figures: Mapping[str, Any], limits: BusesLimits) -> list[str]:
    """What is not as it must be, a sentence each."""
    beside, hangs = figures["jitter_p99_ms"]["beside"], figures["jitter_p99_ms"]["one_hangs"]
    failed = []
    if figures["rss_mb"] > limits.rss_mb:
        failed.append(f"rss_mb {figures['rss_mb']}, more than {limits.rss_mb}")
    if hangs > 2 * beside + limits.jitter_ms:
        failed.append(f"p99 of the others {hangs:g} ms while one hangs, {beside:g} ms on the box beside")
    for each in figures["by_fault"]:
        if each["rows_of_it"]:
            failed.append(f"{each['hangs']} was read {each['rows_of_it']} times while it hung: the bench is broken")
        if each["fewest_rows"] < 0.9 * figures["due_rows"]:
            failed.append(f"while {each['hangs']} hung another was read {each['fewest_rows']} times only")
    return failed


def _quiet(edge: EdgeProgram, plan: BusesPlan) -> tuple[Phase, dict[str, Any]]:
    before, began_s, from_ms = cost(edge), time.monotonic(), time.time() * 1000
    time.sleep(plan.seconds)
    after, took_s = cost(edge), time.monotonic() - began_s
    figures = {
        "rss_mb": round(after.rss_bytes / MB, 1),
        "cpu_percent": round(100 * (after.cpu_s - before.cpu_s) / took_s, 2),
    }
    return Phase(None, from_ms + 1000 * _SETTLE_S, time.time() * 1000), figures


def _hanging(sensors: SensorsProgram, name: str, plan: BusesPlan) -> Phase:
    sensors.switch(name, Fault.NO_ANSWER)
    from_ms = time.time() * 1000
    time.sleep(plan.seconds)
    to_ms = time.time() * 1000
    sensors.switch(name, None)
    time.sleep(_TIMEOUT_S)
    return Phase(name, from_ms + 1000 * _SETTLE_S, to_ms)


def dates(database: SqliteDatabase, device: str) -> dict[str, list[int]]:
    """See Dates."""
    found: dict[str, list[int]] = {}
    for tags, date_ms, _ in database.rows("env"):
        if tags["device"] == device:
            found.setdefault(tags["source"], []).append(date_ms)
    return {name: sorted(each) for name, each in found.items()}


def _wait_for_all(database: SqliteDatabase, names: set[str], edge: EdgeProgram) -> None:
    def are_read() -> bool:
        return all(dates(database, device).keys() >= names for device in (DEVICE, BESIDE))

    try:
        wait_for(are_read, _LIMIT_S)
    except TimeoutError:
        missing = ", ".join(sorted(names - dates(database, DEVICE).keys())) or "one of the box beside"
        raise PartFailed(f"never read: {missing}\n{edge.log_tail()}") from None


def _wait_until_stored(database: SqliteDatabase, device: str, names: set[str], date_ms: float) -> None:
    """Until a row of after `date_ms` is stored of each source: then all of before are."""

    def is_stored() -> bool:
        return all(found[-1] > date_ms for name, found in dates(database, device).items() if name in names)

    try:
        wait_for(is_stored, _LIMIT_S)
    except TimeoutError:
        raise PartFailed("the last rows were never stored") from None
