"""A gateway of several processes: each takes its shards; one that is killed comes back; none outlives the gateway."""

import os
import signal

import psutil

from firmware_sim.device import FleetPlan
from kewang.bench.cpu import family_of
from kewang.bench.line import Line
from kewang.bench.process import wait_for

LIMIT_S = 120.0


def plan(prefix: str) -> FleetPlan:
    """Of 24 devices: every process has some, as their names are spread over the shards."""
    return FleetPlan(devices=24, prefix=prefix, rows=10, batches=3, interval_s=0, ahead=True, window=3)


def ingesters(line: Line) -> list[psutil.Process]:
    assert line.gateway.pid is not None
    return family_of(line.gateway.pid)[1:]


def test_kills_of_any_process() -> None:
    with Line("influxd", {"ingest_processes": 2}) as line:
        first = ingesters(line)
        assert len(first) == 2
        assert line.run_pour(plan("before"), LIMIT_S).report.outstanding == 0
        os.kill(first[0].pid, signal.SIGKILL)
        wait_for(lambda: line.gateway.get("/ready") is None, LIMIT_S)
        wait_for(lambda: line.gateway.get("/ready") is not None, LIMIT_S)
        second = ingesters(line)
        assert len(second) == 2
        assert first[0].pid not in {one.pid for one in second}
        assert line.run_pour(plan("after"), LIMIT_S).report.outstanding == 0
        text = (line.gateway.get("/metrics") or b"").decode()
        for process in ("watch", "gw-city-1", "gw-city-2"):
            assert f'kewang_gateway_messages_total{{process="{process}"}}' in text
        line.gateway.kill9()
        wait_for(lambda: not any(one.is_running() for one in second), LIMIT_S)
