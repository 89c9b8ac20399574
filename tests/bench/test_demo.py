"""The demo as a person runs it, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import yaml

from kewang.bench.ambon import THIS_MACHINE, spots
from kewang.bench.boards_ask import Influx
from kewang.bench.boards_check import Found, standing
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.demo import camera_failures
from kewang.bench.demo_end import show_end
from kewang.bench.demo_rounds import Blackout, Technician
from kewang.bench.houses import DATABASE
from kewang.bench.process import free_port, wait_for
from kewang.bench.truth import Truth
from kewang.ui.words import Language
from kewang.wire.names import STREAMS

LIMIT_S = 120.0
KEYS = """schema command version commit seed cores parts seconds ok failed devices sites readings_produced
    readings_stored lost duplicates wrong unflushed dropped_declared in_outbox quarantined broker store
    first_reading_s outages incidents notices alert_s closing_s"""


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`kewang demo` with its temporary files in `folder`; killed if a test leaves it running.

    Its page has a port of its own: two that begin at once would both find 8080 free, and one look at the other's page.
    """
    port = () if "--port" in words else ("--port", str(free_port()))
    command = [sys.executable, "-m", "kewang", "demo", *words, *port]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the agents' sockets have little room for theirs."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, told = process.communicate(timeout=LIMIT_S)
    assert out, told
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert process.returncode == (0 if result["ok"] else 1), told
    return result


def test_a_city_has_this_machine_and_three_sites() -> None:
    for count in (4, 5, 12):
        chosen = spots(count)
        assert len({spot.device for spot in chosen}) == count
        assert len({spot.site for spot in chosen}) >= 3
        assert THIS_MACHINE in chosen


def test_it_shows_an_outage_proves_that_nothing_is_missing_and_leaves_nothing(folder: Path) -> None:
    with demo(folder, "--seconds", "5", "--outage", "--json", "--devices", "4", "--lang", "en") as process:
        out, told = process.communicate(timeout=LIMIT_S)
    result = json.loads(out.splitlines()[-1])
    assert result.keys() >= set(KEYS.split())
    assert result["ok"], result["failed"]
    assert (result["lost"], result["duplicates"], result["wrong"], result["in_outbox"]) == (0, 0, 0, 0)
    assert result["devices"] == 4
    assert result["sites"] >= 3
    assert result["quarantined"] > 0
    assert result["readings_stored"] > 0
    assert result["this_machine_readings"] > 0
    assert result["cameras"] == 2
    assert result["camera_readings"] > 2
    assert (result["outages"], result["incidents"], result["notices"]) == (1, 1, 2)
    assert result["alert_s"] > 0 < result["closing_s"]
    for said in (
        "start the demo with --influx",
        "Site Pasar Mardika is not heard",
        "Over: Site Pasar Mardika is not heard",
        "connection was away",
    ):
        assert said in told
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["424 Readings that the boards gave out", "6 in quarantine: the demo spoils some on purpose", "0 lost"]),
        ("id", ["424 Bacaan yang diberikan papan sensor", "6 dikarantina: demo sengaja merusak sebagian", "0 hilang"]),
    ],
)
def test_its_end_is_told_in_the_language_of_who_watched(
    language: Language, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"this_machine_readings": 30, "camera_readings": 0, "outages": 0, "notices": 0}
    figures = Truth(produced=424, stored=418, quarantined=6).figures() | more
    show_end({**figures, "failed": [], "ok": True}, language)
    well = " ".join(capsys.readouterr().out.split())
    assert [words for words in said if words not in well] == []
    assert "_" not in well
    assert well.endswith({"en": "Every reading is accounted for.", "id": "Setiap bacaan tercatat."}[language])
    show_end({**figures, "lost": 1, "failed": ["1 readings lost"], "ok": False}, language)
    assert capsys.readouterr().out.splitlines()[-1].endswith(": 1 readings lost")


@pytest.mark.slow
def test_a_camera_goes_black_on_the_page_and_its_readings_are_all_there() -> None:
    said: list[str] = []

    def say(text: str, **known: object) -> None:
        said.append(text % known)

    with City(CityPlan((Device("kali-1", camera=True),), faster=10, flush_s=0.5, box_interval_s=1)) as city:
        technician, blackout = Technician(city, say), Blackout(city, say)
        wait_for(lambda: state_on(city) is not None, LIMIT_S)
        wait_for(lambda: accepted(technician, said), LIMIT_S)
        wait_for(lambda: state_on(city) == "ok", LIMIT_S)
        blackout.turn(time.monotonic() + 61)
        wait_for(lambda: state_on(city) == "down", 2 * LIMIT_S)
        city.stop_edges()
        found, called_stored = city.camera_readings()["kali-1"]
    assert "accepts the view of the camera of kali-1" in said[0]
    assert "kali-1 goes black" in said[1]
    assert found >= called_stored > 3


def accepted(technician: Technician, said: list[str]) -> bool:
    technician.turn(time.monotonic() + LIMIT_S)
    return bool(said)


def state_on(city: City) -> str | None:
    """How the page's camera is."""
    listed = json.loads(city.gateway.get("/api/v1/devices") or b'{"devices":[]}')["devices"]
    return next((source["camera"] for device in listed for source in device["sources"] if source["camera"]), None)


def test_camera_readings_that_are_called_stored_and_are_not_are_told() -> None:
    assert not list(camera_failures({"a": (5, 5), "b": (6, 5)}, heard=True))
    assert list(camera_failures({"a": (3, 5)}, heard=True)) == [
        "2 readings of the camera of a are called stored and are not"
    ]
    assert list(camera_failures({"a": (0, 0)}, heard=True)) == ["nothing stored of the camera of a"]
    assert not list(camera_failures({"a": (0, 0)}, heard=False))


def boards_told(lines: IO[str]) -> tuple[Path, str]:
    """The folder for Grafana and the database's address, as the demo says them."""
    folder = next(line for line in lines if line.startswith("Boards for Grafana: ")).split()[-1]
    words = next(line for line in lines if line.startswith("kewang dashboards check --influx ")).split()
    return Path(folder), words[-1].removesuffix(f"/{DATABASE}")


def assert_filled(influx: Influx, before_ms: int) -> None:
    """Every panel shows something or says why not, and no reading is older than the demo."""
    wait_for(lambda: bool(influx.series('SELECT last(lost) FROM "ledger"')), LIMIT_S)
    asked: list[Found] = []

    def filled() -> bool:
        asked.append(standing(influx, "mardika-1", "Asia/Jayapura"))
        return not asked[-1].failed()

    wait_for(filled, LIMIT_S)
    quiet = {one["panel"] for one in asked[-1].figures()["quiet_panels"] if one["board"].endswith("-en")}
    assert "Open incidents" in quiet
    assert not quiet & {"PM2.5 and ISPU, 24 h", "Bad for a week", "Minutes each feeder lost", "Availability by day"}
    for stream in STREAMS:
        assert influx.series(f'SELECT * FROM "{stream}" WHERE time < {before_ms}ms LIMIT 1') == []
    influx.close()


def agent_of(pid: int, device: str) -> psutil.Process | None:
    """The running agent of a device of this demo."""
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and f"edges/{device}/" in " ".join(child.cmdline()):
                return child
    return None


def test_its_boards_are_filled_and_an_agent_that_a_stranger_kills_is_no_loss(folder: Path) -> None:
    before_ms = time.time_ns() // 1_000_000
    with demo(folder, "--influx", "--json", "--lang", "en") as process:
        assert process.stderr is not None
        assert any("First reading" in line for line in process.stderr)
        mounted, address = boards_told(process.stderr)
        assert json.loads((mounted / "boards" / "en" / "kewang-wall-en.json").read_text())["uid"] == "kewang-wall-en"
        source = yaml.safe_load((mounted / "provisioning" / "datasources" / "kewang.yaml").read_text())
        assert source["datasources"][0]["url"] == address
        assert_filled(Influx(address, DATABASE), before_ms)
        killed = agent_of(process.pid, "mardika-1")
        assert killed is not None
        killed.kill()
        wait_for(lambda: agent_of(process.pid, "mardika-1") not in (None, killed), LIMIT_S)
        os.kill(process.pid, signal.SIGINT)
        out, told = process.communicate(timeout=LIMIT_S)
    assert out, told
    result = json.loads(out.splitlines()[-1])
    assert result["ok"], result["failed"]
    assert "mardika-1 was ended from outside and is started again" in told
    assert not list(folder.iterdir())


def test_killed_it_takes_everything_with_it(folder: Path) -> None:
    with demo(folder) as process:
        wait_for(lambda: len(psutil.Process(process.pid).children()) >= 9, LIMIT_S)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        psutil.wait_procs(children, LIMIT_S)
        assert not [child for child in children if child.is_running()]
        wait_for(lambda: not list(folder.iterdir()), LIMIT_S)


def test_a_port_of_somebody_else_is_refused_with_the_next_step(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with demo(folder, "--port", str(other.getsockname()[1])) as process:
            _, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 3
        assert "choose another with --port" in told
