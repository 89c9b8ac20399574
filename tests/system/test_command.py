"""`kewang command send` with real processes: sender, Mosquitto, agent, and a driver that somebody else wrote."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.status import ask
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.parts import Mosquitto
from kewang.bench.process import free_port, wait_for
from kewang.bench.programs import EdgeProgram

LIMIT_S = 120

LAMP = """
from pydantic import Field
from edge.ports import CommandRefused
from edge.sources.settings import SourceSettings

class LampSettings(SourceSettings):
    file: str = Field(description="Where it says that it was accepted.")

class Lamp:
    Settings, stream, metrics = LampSettings, "env", ("lux",)

    def __init__(self, settings):
        self.name, self.interval_s, self.timeout_s = settings.name, settings.interval_s, settings.timeout_s
        self.file = settings.file

    async def read(self):
        return (1.0,)

    async def command(self, name, args):
        if not args.get("clean"):
            raise CommandRefused("not clean: sweep it, then send it with --clean")
        with open(self.file, "a") as file:
            file.write(name + "\\n")
        return "accepted"

    async def close(self):
        pass
"""


class LampEdge(EdgeProgram):
    """An agent whose one source is the lamp."""

    def write_config(self) -> Path:
        config = super().write_config()
        said = json.dumps(str(self.folder / "said"))
        config.write_text(config.read_text() + f'\n[[sources]]\ndriver = "lamp"\nname = "lamp-1"\nfile = {said}\n')
        return config


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver, as a package that is installed beside Kewang."""
    info = tmp_path / "site" / "lamp-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "lamp.py").write_text(LAMP)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kewang.sources]\nlamp = lamp:Lamp\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), *sys.path]))


@pytest.fixture
def edge(lamp: None, tmp_path: Path, mosquitto: Mosquitto) -> Iterator[LampEdge]:
    with LampEdge(tmp_path / "edge", "ambon-m1", mosquitto.port) as agent:
        yield agent


def send(broker: str, *words: str, device: str = "ambon-m1") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kewang", "command", "send", device, "accept_view", "--source", "lamp-1"]
    return subprocess.run(
        [*command, "--broker", broker, *words], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_a_command_reaches_the_driver_and_its_answer_the_person(edge: LampEdge, mosquitto: Mosquitto) -> None:
    done = send(mosquitto.url, "--clean", "--wait-s", "30")
    assert (done.returncode, done.stdout) == (0, "ambon-m1: accepted\n"), done.stderr
    refused = send(mosquitto.url, "--wait-s", "30", "--json")
    told = json.loads(refused.stdout)
    assert refused.returncode == 1
    assert (told["ok"], told["answered"], told["text"]) == (
        False,
        True,
        "not clean: sweep it, then send it with --clean",
    )
    edge.restart()
    assert send(mosquitto.url, "--clean", "--wait-s", "30").returncode == 0
    assert (edge.folder / "said").read_text() == "accept_view\n" * 2
    assert ask(edge.outbox.with_suffix(".sock"))["commands"] == {"done": 1, "ignored": 0}


@pytest.mark.slow
def test_the_view_of_a_real_camera_is_accepted_from_afar_and_on_the_box() -> None:
    with City(CityPlan((Device("kali-1", camera=True),), broker="mosquitto", faster=10, flush_s=0.5)) as city:
        wait_for(lambda: city.database.count("cam") >= 2, LIMIT_S)
        name = ["--source", "cam-1", "--clean", "--wait-s", "30"]
        done = send(city.broker.url, *name, device="kali-1")
        assert (done.returncode, done.stdout.startswith("kali-1: ")) == (0, True), done.stdout + done.stderr
        config = str(city.edges["kali-1"].folder / "edge.toml")
        accept = [sys.executable, "-m", "kewang", "edge", "camera", "accept", "cam-1", "-c", config, "--json"]
        on_box = subprocess.run(accept, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert json.loads(on_box.stdout)["ok"], on_box.stdout + on_box.stderr
        wrong = send(city.broker.url, *name, "--source", "cam-2", device="kali-1")
        assert (wrong.returncode, "name one of them (cam-1)" in wrong.stderr) == (1, True)


def test_nobody_answers(mosquitto: Mosquitto) -> None:
    silent = send(mosquitto.url, "--wait-s", "1", device="ambon-m9")
    assert silent.returncode == 3
    assert "no answer in 1 s" in silent.stderr
    assert "ambon-m9" in silent.stderr
    away = send(f"mqtt://127.0.0.1:{free_port()}", "--wait-s", "1")
    assert (away.returncode, "is it running" in away.stderr) == (3, True)


@pytest.mark.parametrize(("device", "words"), [("A", ()), ("ambon-m1", ("--source", "Cam 1")), ("ambon-m1", ("-x",))])
def test_wrong_words(device: str, words: tuple[str, ...]) -> None:
    assert send("mqtt://127.0.0.1:1", *words, device=device).returncode == 2
