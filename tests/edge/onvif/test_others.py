"""Our client at a camera that others wrote, and a client that others wrote at our simulated camera."""

import asyncio
import calendar
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from firmware_sim.cameras.onvif import OnvifServices, OnvifState, serving
from firmware_sim.cameras.onvif_answers import Account, Stream

CHECKOUT = Path(__file__).resolve().parents[3]
SERVERS = CHECKOUT / "tests" / "camera_servers"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@pytest.fixture
def their_python() -> Path:
    """The Python that has ipycam and onvif-zeep-async."""
    python = CHECKOUT / ".parts" / "cameras" / "bin" / "python"
    assert python.exists(), "run: make parts"
    return python


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "clip.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(20):
            picture = np.full((270, 320), 8 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        container.mux(stream.encode())
    return file


def test_our_client_reads_a_camera_that_others_wrote(their_python: Path, video: Path) -> None:
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(SERVERS / "look_at_ipycam.py"), str(their_python), str(video)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PATH": PATH},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    facts = told["facts"]
    assert facts["reason"] == 0, facts["detail"]
    assert facts["clock_offset_s"] == pytest.approx(0, abs=1)
    assert (facts["manufacturer"], facts["model"], facts["serial"]) == ("PythonCam", "VirtualCam-1", "PY-000001")
    streams = {each["name"]: (each["stream_url"], each["codec"]) for each in facts["profiles"]}
    assert streams["MainStream"] == ("rtsp://127.0.0.1:8554/video_main", "H264")
    assert streams["SubStream"] == ("rtsp://127.0.0.1:8554/video_sub", "H264")
    assert {each["snapshot_url"] for each in facts["profiles"]} == {"http://127.0.0.1:8080/snapshot.jpg"}
    assert (facts["tamper"], facts["recording"], facts["uptime_s"]) == (None, 0, None), "it has no such service"
    for found in told["found"]:
        assert [(each["endpoint"]["host"], each["endpoint"]["port"]) for each in found] == [("127.0.0.1", 8080)]


async def test_a_client_that_others_wrote_reads_our_simulated_camera(their_python: Path) -> None:
    told, asked, ours = await _read_by_others(their_python, "pa55-Wörd<&>")
    assert (told["model"], told["serial"], told["size"]) == ("KW-200", "KW0001", [1920, 1080])
    assert told["profiles"] == ["main", "sub"]
    assert told["streams"] == ["rtsp://127.0.0.1:8554/main", "rtsp://127.0.0.1:8554/sub"]
    assert told["snapshot"].endswith("/snapshot.jpg")
    assert {topic for topic, value in told["events"].items() if value == "true"} == {
        "tns1:VideoSource/GlobalSceneChange/ImagingService",
        "tns1:VideoSource/SignalLoss",
    }
    assert told["jobs"] == ["Active"]
    offset_s = calendar.timegm((*told["utc"], 0, 0, 0)) - time.time()
    assert offset_s == pytest.approx(-3600, abs=60), "the simulated clock is an hour behind"
    assert "Unsubscribe" in asked
    assert not ours.subscriptions


async def _read_by_others(python: Path, password: str) -> tuple[dict[str, Any], list[str], OnvifServices]:
    streams = (Stream("main", "/main", 8554, 1920, 1080), Stream("sub", "/sub", 8554))
    state = OnvifState(
        Account("admin", password),
        streams=streams,
        clock_ahead_s=-3600,
        tamper=frozenset({"scene", "signal"}),
        recording=True,
    )
    services = OnvifServices(lambda: state)
    async with serving(services) as port, asyncio.timeout(200):
        client = await asyncio.create_subprocess_exec(
            python, SERVERS / "onvif_client.py", str(port), "admin", password, stdout=subprocess.PIPE
        )
        output, _ = await client.communicate()
    assert client.returncode == 0
    return json.loads(output), services.requests, services
