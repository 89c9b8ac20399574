"""`kewang edge camera discover` as a process, at simulated cameras."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firmware_sim.cameras.onvif import OnvifFault, OnvifServices, OnvifState, serving
from firmware_sim.cameras.onvif_answers import Account, Stream
from tests.cli.commands import kewang, told

PASSWORD = "pa55-of-the-camera"
EDGE = 'device = "mardika-1"\n[broker]\nhost = "127.0.0.1"\n[outbox]\npath = "outbox.db"\n'


@dataclass
class Place:
    """A simulated camera, and what to say to the command about it."""

    state: OnvifState
    port: int
    password_file: Path

    async def discover(self, *words: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(kewang, "edge", "camera", "discover", "--host", f"127.0.0.1:{self.port}", *words)

    @property
    def login(self) -> tuple[str, ...]:
        return ("--user", "viewer", "--password-file", str(self.password_file))


@pytest.fixture
async def camera(tmp_path: Path) -> AsyncIterator[Place]:
    streams = (Stream("main", "/main", 8554, 1920, 1080), Stream("sub", "/sub", 8554))
    state = OnvifState(Account("viewer", PASSWORD), streams=streams, clock_ahead_s=-3600)
    password_file = tmp_path / "camera.password"
    password_file.write_text(PASSWORD)
    password_file.chmod(0o600)
    async with serving(OnvifServices(lambda: state)) as port:
        yield Place(state, port, password_file)


@pytest.mark.parametrize(("language", "clock"), [("id", "jam -3600 s"), ("en", "clock -3600 s")])
async def test_a_person_sees_model_clock_and_streams(camera: Place, language: str, clock: str) -> None:
    done = await camera.discover(*camera.login, "--lang", language)
    assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{camera.port}  Kewang KW-200 1.4.2, {clock}" in done.stdout
    assert "rtsp://127.0.0.1:8554/sub" in done.stdout
    assert "1920×1080" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


async def test_what_it_suggests_are_settings_that_the_agent_takes(camera: Place, tmp_path: Path) -> None:
    done = await camera.discover(*camera.login, "--json")
    assert done.returncode == 0, done.stderr
    suggested = told(done)["settings"]
    (source,) = tomllib.loads(suggested)["sources"]
    assert (source["url"], source["main_url"]) == ("rtsp://127.0.0.1:8554/sub", "rtsp://127.0.0.1:8554/main")
    settings = tmp_path / "edge.toml"
    settings.write_text(f"{EDGE}\n{suggested}\n")
    checked = await asyncio.to_thread(kewang, "edge", "check", "--config", str(settings), "--json")
    assert checked.returncode == 0, checked.stderr
    assert source["name"] in {each["name"] for each in told(checked)["sources"]}


async def test_what_it_suggests_without_a_login_can_be_pasted_too(camera: Place) -> None:
    camera.state.account = None
    done = await camera.discover("--json")
    (source,) = tomllib.loads(told(done)["settings"])["sources"]
    assert "user" not in source


async def test_a_program_reads_the_facts(camera: Place) -> None:
    answer = told(await camera.discover(*camera.login, "--json"))
    assert answer["ok"] is True
    (found,) = answer["cameras"]
    assert (found["model"], found["reason"]) == ("KW-200", "none")
    assert found["clock_offset_s"] == pytest.approx(-3600, abs=1.5)
    assert {stream["url"] for stream in found["streams"]} == {"rtsp://127.0.0.1:8554/main", "rtsp://127.0.0.1:8554/sub"}
    assert PASSWORD not in str(answer)


async def test_a_camera_that_wants_a_login_says_so(camera: Place) -> None:
    done = await camera.discover("--lang", "en")
    assert done.returncode == 1
    assert "give --user and --password-file" in done.stdout
    assert "[[sources]]" not in done.stdout


async def test_a_wrong_password_and_a_fault_are_told_with_their_reason(camera: Place) -> None:
    camera.state.account = Account("viewer", "another")
    refused = await camera.discover(*camera.login, "--lang", "en")
    assert (refused.returncode, "password refused. Check user and password_file" in refused.stdout) == (1, True)
    camera.state.fault = OnvifFault.BOMB
    bomb = await camera.discover(*camera.login, "--lang", "en")
    assert (bomb.returncode, "does not speak its protocol" in bomb.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--host", "admin:geheim@192.0.2.1"), "--host"),
        (("--host", "192.0.2.1:99999"), "--host"),
        (("--host", "a b"), "--host"),
        (("--lang", "fr"), "--lang"),
        (("--password-file", "x"), "--user"),
        (("--user", "u", "--password-file", "/nowhere/x"), "/nowhere/x"),
    ],
)
def test_wrong_words_are_told_without_a_secret(words: tuple[str, ...], says: str) -> None:
    done = kewang("edge", "camera", "discover", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "geheim" not in done.stderr + done.stdout
