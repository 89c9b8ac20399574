"""A camera's password is found nowhere: not in logs, database, messages, process list, status, nor kept files."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from edge.onvif import DEVICE_PATH
from kewang.bench.process import wait_for
from kewang.wire.cameras import CameraReason
from tests.system.camera_town import USER, CameraTown

SECRET = "kunci:Rahasia/7x@Mardika%20"
LIMIT_S = 150.0
SPELLINGS = {
    SECRET,
    quote(SECRET, safe=""),
    quote(SECRET),
    json.dumps(SECRET)[1:-1],
    base64.b64encode(f"{USER}:{SECRET}".encode()).decode(),
    "Rahasia",
}
"""As it is, as URLs, JSON and basic login write it, and a part that all but one of those share."""
FAULTS = {"401": CameraReason.AUTH, "redirect": CameraReason.REDIRECT, "404": CameraReason.NOT_FOUND}
COMMAND = [sys.executable, "-c", "from kewang.cli import main; main()"]


class Everywhere(CameraTown):
    """The same camera by every way there is to it, each with its login, two of them broken."""

    def sources(self) -> list[dict[str, object]]:
        rtsp, http = self.cameras.rtsp(0), self.cameras.http
        onvif = {"onvif": True, "onvif_url": http(0, DEVICE_PATH), "main_url": rtsp}
        inside = f"{rtsp}?user={{user}}&password={{password}}"
        return [
            self.source("cam-rtsp", url=rtsp, **onvif),
            self.source("cam-udp", url=rtsp, transport="udp"),
            self.source("cam-http", url=http(0)),
            self.source("cam-file", url=http(0, "/snapshot.jpg")),
            self.source("cam-libav", url=rtsp, kind="other"),
            self.source("cam-inside", url=inside),
            self.source("cam-gone", url=rtsp.replace("stream", "nothing")),
            self.source("cam-refused", url="rtsp://127.0.0.1:1/stream", kind="other"),
        ]


@pytest.fixture(scope="module")
def town() -> Iterator[CameraTown]:
    """A town in which every source has been looked at, and the camera has failed in ways that make people talk."""
    with Everywhere(SECRET) as made:
        names = [str(source["name"]) for source in made.sources()]
        wait_for(lambda: all(len(made.readings(name)) > 1 for name in names), LIMIT_S)
        for fault, reason in FAULTS.items():
            made.cameras.switch(0, fault)
            wait_for(lambda reason=reason: made.readings("cam-rtsp")[-1].reason is reason, LIMIT_S)  # type: ignore[misc]
        yield made


def found(content: bytes | str) -> set[str]:
    """Which spellings of the secret are in it."""
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    return {spelling for spelling in SPELLINGS if spelling in text}


def test_the_login_was_used(town: CameraTown) -> None:
    """What follows proves something only if the password opened the camera."""
    for name in ("cam-rtsp", "cam-udp", "cam-http", "cam-file", "cam-libav"):
        assert any(each.values.get("first_keyframe_ms") for each in town.readings(name)), name
    assert any(each.reason is CameraReason.NOT_FOUND for each in town.readings("cam-gone"))
    assert found(town.password_file.read_bytes()) >= {SECRET, "Rahasia"}


def test_not_in_the_logs(town: CameraTown) -> None:
    for part, known in ((town.edge, "cam-rtsp"), (town.gateway, "live page"), (town.broker, "kotak-1")):
        log = part.log_path.read_text()
        assert known in log, part.name
        assert found(log) == set(), part.name
    assert "DEBUG" in town.edge.log_path.read_text()


def test_not_in_any_file_of_agent_and_gateway(town: CameraTown) -> None:
    """Outbox, database, settings, learned views."""
    looked = 0
    for folder in (town.edge.folder, town.gateway.folder, town.house.folder):
        for path in folder.rglob("*"):
            if path.is_file():
                looked += 1
                assert found(path.read_bytes()) == set(), path
    assert looked > 5
    assert b"cam-rtsp" in town.house.file.read_bytes() + Path(f"{town.house.file}-wal").read_bytes()


def test_not_in_any_message(town: CameraTown) -> None:
    traffic = b"\n".join(list(town.heard))
    assert b"cam-rtsp" in traffic
    assert found(traffic) == set()


def test_not_in_the_process_list(town: CameraTown) -> None:
    lines = [path.read_bytes() for name in ("cmdline", "environ") for path in Path(f"/proc/{town.edge.pid}").glob(name)]
    assert any(b"edge" in line for line in lines)
    everything = b"".join(_read(Path("/proc") / pid / "cmdline") for pid in os.listdir("/proc") if pid.isdigit())
    assert found(everything + b"".join(lines)) == set()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "words",
    [
        ["edge", "status"],
        ["edge", "status", "--json"],
        ["edge", "check"],
        ["edge", "camera", "probe", "cam-rtsp"],
        ["edge", "camera", "probe", "cam-gone", "--json"],
        ["edge", "camera", "probe", "cam-refused"],
        ["edge", "camera", "accept", "cam-rtsp"],
    ],
    ids=" ".join,
)
def test_not_in_what_the_commands_say(town: CameraTown, words: list[str]) -> None:
    config = str(town.edge.folder / "edge.toml")
    done = subprocess.run([*COMMAND, *words, "-c", config], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    assert re.search("cam-|rtsp://", done.stdout + done.stderr)
    assert found(done.stdout + done.stderr) == set()


def test_nor_when_the_url_itself_holds_it(town: CameraTown) -> None:
    """The one place where a person may put it by mistake: it is refused without being repeated."""
    url = f"rtsp://{USER}:{SECRET}@127.0.0.1/stream"
    config = town.folder / "wrong.toml"
    config.write_text(f'device = "kotak-2"\n[[sources]]\ndriver = "camera"\nname = "cam-1"\nurl = {json.dumps(url)}\n')
    for words in (["edge", "check", "-c", str(config)], ["edge", "run", "--verbose", "-c", str(config)]):
        done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 2
        assert "password_file" in done.stderr
        assert found(done.stdout + done.stderr) == set()


def test_what_was_learned_of_a_camera_is_its_owner_s_alone(town: CameraTown) -> None:
    """It is kept when a view is accepted, every ten minutes, and at the end."""
    folder = town.edge.data_folder / "cameras"
    for path in [folder, *folder.glob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
