"""`python -m firmware_sim camera` as a process: the line it prints, faults while it runs, a clean end."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from firmware_sim.__main__ import main

LIMIT_S = 60


@contextmanager
def running(
    *words: str, stop: signal.Signals = signal.SIGTERM, program: Sequence[str] = ("firmware_sim",)
) -> Iterator[dict[str, Any]]:
    """The process; its first line as JSON. It must end by itself with 0 after the signal and say nothing wrong."""
    command = [sys.executable, "-m", *program, "camera", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
            os.kill(process.pid, stop)
            _, errors = process.communicate(timeout=LIMIT_S)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


def first_picture(url: str, lower: str = "tcp") -> tuple[int, int, float]:
    with av.open(url, "r", options={"rtsp_transport": lower}, timeout=(10, 10)) as stream:
        frame = next(stream.decode(video=0))
        return frame.width, frame.height, float(frame.to_ndarray()[: frame.height].mean())


@pytest.mark.parametrize("scene", ["market", "street", "pattern"])
def test_it_tells_where_it_is_and_serves_what_it_was_told(tmp_path: Path, scene: str) -> None:
    statistics = tmp_path / "statistics.json"
    with running("--scene", scene, "--size", "320x180", "--hour", "12", "--statistics", str(statistics)) as told:
        (camera,) = told["cameras"]
        width, height, luma = first_picture(camera["rtsp"])
        assert (width, height) == (320, 180)
        assert 20 < luma < 235
        with urllib.request.urlopen(camera["snapshot"], timeout=LIMIT_S) as snapshot:
            assert snapshot.read(2) == b"\xff\xd8"
    (counted,) = json.loads(statistics.read_text())["cameras"]
    assert (counted["sessions_opened"], counted["sessions_open"]) == (1, 0)


def test_several_cameras_have_their_own_ports_codecs_and_control_files(tmp_path: Path) -> None:
    files = ["--control", str(tmp_path / "control.json")]
    dealt = ["--codec", "h264,h265", "--scene", "pattern", "--size", "128x96", "--loop-s", "1"]
    with running("--cameras", "2", *files, *dealt, stop=signal.SIGINT) as told:
        one, two = told["cameras"]
        assert [each["codec"] for each in (one, two)] == ["h264", "h265"]
        assert Path(two["control"]).name == "control-1.json"
        assert main(["switch", two["control"], "black"]) == 0
        assert first_picture(one["rtsp"])[2] > 20
        assert first_picture(two["rtsp"])[2] < 5
        assert main(["switch", two["control"], "plan"]) == 0
        assert first_picture(two["rtsp"], "udp")[2] > 20


def test_a_password_from_a_file_closes_the_door(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("Rahasia:1\n")
    secret.chmod(0o600)
    with running("--scene", "pattern", "--size", "128x96", "--password-file", str(secret)) as told:
        assert "Rahasia" not in json.dumps(told)
        (camera,) = told["cameras"]
        with pytest.raises(av.HTTPUnauthorizedError):
            first_picture(camera["rtsp"])
        assert first_picture(camera["rtsp"].replace("://", "://admin:Rahasia%3A1@"))[:2] == (128, 96)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(camera["snapshot"], timeout=LIMIT_S)


def test_the_command_line_of_kewang_says_the_same(tmp_path: Path) -> None:
    words = ["--scene", "pattern", "--size", "128x96", "--max-sessions", "1", "--lingers", "--faults", "none"]
    files = ["--faults", "black@0", "--control", str(tmp_path / "c.json"), "--cameras", "2"]
    with running(*words, *files, program=("kewang", "sim")) as told:
        one, two = (camera["rtsp"] for camera in told["cameras"])
        assert first_picture(one)[2] > 20
        assert first_picture(two)[2] < 5


async def test_cameras_can_be_discovered() -> None:
    with running("--scene", "pattern", "--size", "128x96", "--discoverable") as told:
        (camera,) = told["cameras"]
        async with asyncio.timeout(LIMIT_S):
            while camera["onvif"] not in await said_to_a_probe():
                pass


async def said_to_a_probe() -> str:
    """What one who listens to WS-Discovery on this machine answers."""
    envelope = '<e xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:Probe/></e>'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        asking.setblocking(False)
        asking.sendto(envelope.encode(), ("239.255.255.250", 3702))
        answers = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    answers += await asyncio.get_running_loop().sock_recv(asking, 65_536)
        return answers.decode()


def test_a_plan_makes_a_fault_come_by_itself() -> None:
    with running("--scene", "pattern", "--size", "128x96", "--faults", "white@0") as told:
        assert first_picture(told["cameras"][0]["rtsp"])[2] > 250


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--scene", "beach"], "beach"),
        (["--size", "641x360"], "WIDTHxHEIGHT"),
        (["--codec", "vp8"], "h264 or h265"),
        (["--faults", "black"], r"fault@start\+length"),
        (["--password-file", "/nowhere"], "secret file"),
        (["--auth", "digest"], "--password-file"),
    ],
)
def test_wrong_words_are_told(words: Sequence[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["camera", *words]) == 2
    assert re.search(problem, capsys.readouterr().err)
