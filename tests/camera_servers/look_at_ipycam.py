"""Starts ipycam and looks at it by ONVIF; says as JSON what was found. Run by our Python in a network of its own,
because ipycam listens on every address there is:

    unshare -rn look_at_ipycam.py PYTHON_OF_IPYCAM VIDEO
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from edge.onvif import Endpoint, OnvifFacts, discover, look
from kewang.wire.cameras import CameraReason

LIMIT_S = 120.0
CAMERA = Endpoint("127.0.0.1", 8080)


async def main(python: str, video: str) -> None:
    log = Path(video).with_suffix(".log")
    command = ["-m", "ipycam", "--source", video, "--width", "320", "--height", "180", "--fps", "10"]
    with log.open("wb") as output:
        camera = await asyncio.create_subprocess_exec(python, *command, cwd=log.parent, stdout=output, stderr=output)
    try:
        async with asyncio.timeout(LIMIT_S):
            facts = await first_look(camera)
        found = [await discover(1.5), await discover(1.5, host=CAMERA.host)]
        print(
            json.dumps(
                {"facts": asdict(facts), "found": [[asdict(each) for each in some] for some in found]}, default=list
            )
        )
    finally:
        camera.kill()
        await camera.wait()


def set_up_network() -> None:
    """Loopback, also for multicast."""
    for words in ("link set lo up", "route add default dev lo"):
        subprocess.run(["ip", *words.split()], check=True)


async def first_look(camera: asyncio.subprocess.Process) -> OnvifFacts:
    """The first that reaches it; it takes some seconds to start."""
    while camera.returncode is None:
        facts = await look(CAMERA, "admin", "admin")
        if facts.reason is not CameraReason.REFUSED:
            return facts
        await asyncio.sleep(0.1)
    raise SystemExit(f"ipycam ended with {camera.returncode}")


set_up_network()
asyncio.run(main(*sys.argv[1:]))
