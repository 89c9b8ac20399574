"""Does a reading cost the gateway more when it comes from more devices? The same rate from 100, 1,000 and 10,000."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from firmware_sim.device import FleetPlan
from firmware_sim.fleet import Fleet
from kewang.bench.cpu import MB, cost, peak_rss_bytes
from kewang.bench.envelope import envelope
from kewang.bench.line import Line
from kewang.bench.process import PartFailed

DEVICES: Final = (100, 1000, 10_000)
FLATNESS: Final = 1.15
_ROWS: Final = 30
_CONNECTIONS: Final = 10
_BORN_LIMIT_S: Final = 60.0
_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """`readings_per_s` of the whole fleet, whatever its size; measured for `seconds` after all devices are known.

    Of the `windows` the cheapest counts: whatever else runs on this machine only adds. Each holds a report (10 s).
    """

    devices: Sequence[int] = DEVICES
    readings_per_s: float = 3_000
    seconds: float = 40.0
    seed: int = 1
    windows: int = 4


def measure(plan: ScalePlan, flatness: float = FLATNESS) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    sizes = [_of_size(devices, plan) for devices in plan.devices]
    costs = [size["cpu_us_per_reading"] for size in sizes]
    figures = {"flatness": round(max(costs) / min(costs), 3), "by_devices": sizes}
    failed = []
    if figures["flatness"] > flatness:
        failed.append(f"flatness {figures['flatness']}, more than {flatness}")
    for size in sizes:
        if size["readings_per_s"] < 0.9 * plan.readings_per_s:
            failed.append(f"{size['devices']} devices: only {size['readings_per_s']} readings a second were stored")
    parts = ["mosquitto", "influxd", "aiomqtt", "paho-mqtt"]
    return envelope("bench scale", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _of_size(devices: int, plan: ScalePlan) -> dict[str, Any]:
    interval_s = devices * _ROWS / plan.readings_per_s
    fleet_plan = FleetPlan(
        devices=devices, connections=_CONNECTIONS, prefix="scale", seed=plan.seed, rows=_ROWS, interval_s=interval_s
    )
    with Line("influxd") as line:
        fleet = Fleet(line.broker_settings, fleet_plan)
        stopping = threading.Event()
        running = threading.Thread(target=fleet.run, args=(stopping, 0.0), name="fleet")
        running.start()
        try:
            _wait_until_known(line, devices)
            windows = [_window(line, plan.seconds / plan.windows) for _ in range(plan.windows)]
            return {"devices": devices, **min(windows, key=lambda window: float(window["cpu_us_per_reading"]))}
        finally:
            stopping.set()
            running.join()


def _wait_until_known(line: Line, devices: int) -> None:
    """Until the gateway has heard every device's birth and answered; births are not what is measured."""
    deadline_s = time.monotonic() + _BORN_LIMIT_S
    while line.gateway.signals().get("acks_total", 0) < devices:
        if time.monotonic() > deadline_s:
            raise PartFailed(f"not all of {devices} devices were answered:\n{line.gateway.log_tail()}")
        time.sleep(_POLL_S)


def _window(line: Line, seconds: float) -> dict[str, Any]:
    before, rows, began_s = cost(line.gateway), line.gateway.signals()["rows_stored_total"], time.monotonic()
    time.sleep(seconds)
    after, stored = cost(line.gateway), line.gateway.signals()["rows_stored_total"] - rows
    took_s = time.monotonic() - began_s
    if not stored:
        raise PartFailed(f"the gateway stored nothing in {seconds} s:\n{line.gateway.log_tail()}")
    return {
        "cpu_us_per_reading": round(1e6 * (after.cpu_s - before.cpu_s) / stored, 2),
        "rss_mb": round(peak_rss_bytes(line.gateway) / MB, 1),
        "readings_per_s": round(stored / took_s),
    }
