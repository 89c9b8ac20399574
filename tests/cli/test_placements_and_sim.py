"""`kewang placements` against a real broker, and `kewang sim board` as a process."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiomqtt
import pytest

from firmware_sim.journal import read_journal
from kewang.bench.parts import Mosquitto
from kewang.bench.process import free_port
from kewang.wire import topics
from kewang.wire.placement import Placement

PLACES = """
[mardika-1]
site = "mardika"
lat = -3.695
lon = 128.181
sources = ["env-1"]
"""


@pytest.fixture
def places(tmp_path: Path) -> Path:
    file = tmp_path / "placements.toml"
    file.write_text(PLACES)
    return file


def kewang(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kewang", *words], capture_output=True, text=True, check=False)


def test_a_good_file_is_shown(places: Path) -> None:
    done = kewang("placements", "check", str(places), "--json")
    shown = json.loads(done.stdout)
    assert done.returncode == 0
    assert shown["devices"]["mardika-1"]["site"] == "mardika"


def test_a_bad_file_is_refused_with_its_key(places: Path) -> None:
    places.write_text(PLACES.replace("site", "sit"))
    done = kewang("placements", "check", str(places))
    assert done.returncode == 2
    assert "did you mean 'site'?" in done.stderr


async def test_published_placements_are_kept_by_the_broker(places: Path, mosquitto: Mosquitto) -> None:
    done = kewang("placements", "publish", str(places), "--broker", mosquitto.url, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ok": True, "devices": 1})
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe(topics.build("mardika-1", topics.PLACEMENT))
        message = await anext(aiter(client.messages))
    assert message.retain
    assert isinstance(message.payload, bytes)
    assert Placement.decode(message.payload).h[-1].site == "mardika"


def test_a_broker_that_is_not_there_and_an_address_that_is_none(places: Path) -> None:
    away = kewang("placements", "publish", str(places), "--broker", f"mqtt://127.0.0.1:{free_port()}")
    assert away.returncode == 3
    assert "is it running" in away.stderr
    assert kewang("placements", "publish", str(places), "--broker", "localhost").returncode == 2


def test_a_simulated_board_answers_and_stops_at_a_signal(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "kewang", "sim", "board", "--journal", str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as board:
        try:
            assert board.stdout
            port = json.loads(board.stdout.readline())["port"]
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                line.sendall(bytes.fromhex("0001 0000 0006 01 03 0000 000a"))
                assert line.recv(9)[7] == 3
            board.send_signal(signal.SIGTERM)
            assert board.wait(30) == 0
        finally:
            board.kill()
    assert [given.number for given in read_journal(journal)] == [1]


def test_a_fault_that_there_is_not_is_refused(tmp_path: Path) -> None:
    assert kewang("sim", "switch", str(tmp_path / "control.json"), "sleepy").returncode == 2
