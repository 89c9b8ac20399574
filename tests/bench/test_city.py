"""A city ends all its processes, whatever ends it: an orderly close, an error, or the death of who started it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kewang.bench.city import City, CityPlan, Device
from kewang.bench.process import wait_for
from kewang.bench.truth import summed

LIMIT_S = 60.0
PLAN = CityPlan(
    (Device("pasar-1", "market-env", {"site": "pasar"}), Device("kotak-1")),
    broker="mosquitto",
    faster=10.0,
    interval_s=0.1,
    flush_s=0.5,
    box_interval_s=0.5,
)
DIES = """
import json, sys
from kewang.bench.city import City
from tests.bench.test_city import PLAN
city = City(PLAN)
city.start()
print(json.dumps([str(city.folder), *(part.pid for part in city.parts())]), flush=True)
sys.stdin.read()
"""


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def test_readings_go_through_it_and_it_leaves_nothing() -> None:
    with City(PLAN) as city:
        pids = [part.pid or 0 for part in city.parts()]
        wait_for(lambda: city.database.count() >= 5, LIMIT_S)
        assert city.drain(LIMIT_S)
        city.stop_edges()
        truth = summed(city.truth().values())
        assert truth.stored >= 5
        assert (truth.lost, truth.duplicates, truth.wrong, truth.in_outbox) == (0, 0, 0, 0)
        assert city.database.devices() == {"pasar-1", "kotak-1"}
        assert city.database.count("sys", "kotak-1") > 0
    assert not living(pids)
    assert not city.folder.exists()


def test_an_error_inside_ends_it_too() -> None:
    pids: list[int] = []
    with pytest.raises(ZeroDivisionError), City(PLAN) as city:
        pids += [part.pid or 0 for part in city.parts()]
        raise ZeroDivisionError
    assert len(pids) == 5
    assert not living(pids)
    assert not city.folder.exists()


def test_its_processes_and_its_folder_go_with_who_started_it() -> None:
    checkout = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", DIES], cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        folder, *pids = json.loads(parent.stdout.readline())
        assert living(pids) == pids
        os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: not living(pids) and not Path(folder).exists(), LIMIT_S)


def test_what_a_wiped_agent_held_is_excused_by_number() -> None:
    with City(PLAN) as city:
        city.gateway.stop()
        wait_for(lambda: city.open_rows() >= 5, LIMIT_S)
        city.end_edge("pasar-1", kill=True)
        city.destroy_outbox("pasar-1")
        city.gateway.start()
        city.edges["pasar-1"].start()
        assert city.drain(LIMIT_S)
        city.stop_edges()
        truth = summed(city.truth().values())
        assert truth.excused >= 5
        assert truth.lost == 0
