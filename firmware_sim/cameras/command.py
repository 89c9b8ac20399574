"""`python -m firmware_sim camera`: simulated cameras until a signal."""

import argparse
import asyncio
import json
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

from kewang.runtime.program import run_until_signalled

SCENES: Final = ("market", "street", "filmed", "pattern")
CODECS: Final = ("h264", "h265")
AUTHS: Final = ("none", "basic", "digest", "digest-sha256")


def add_camera(camera: argparse.ArgumentParser) -> None:
    """The arguments of `camera`."""
    camera.set_defaults(run=lambda options: run_until_signalled(partial(serve_cameras, options)))
    _add_picture(camera)
    _add_ways(camera)


def _add_ways(camera: argparse.ArgumentParser) -> None:
    add = camera.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="first RTSP port; 0 = free ones, told on stdout")
    add("--http-port", type=int, default=0, help="first HTTP port; 0 = free ones, told on stdout")
    add("--cameras", type=int, default=1, help="how many cameras, each behind its own ports")
    add("--path", default="/stream", help="path of the stream")
    add("--auth", choices=AUTHS, help="default: digest with a password file, else none")
    add("--user", default="admin", help="user name")
    add("--password-file", type=Path, help="file with the password, which others can't read")
    add("--max-sessions", type=int, default=8, help="sessions at one time; one more gets 453")
    add("--lingers", action="store_true", help="sessions outlive their connection, as with old cameras")
    add("--discoverable", action="store_true", help="answer probes of WS-Discovery")
    add("--faults", action="append", help="fault[=value]@start+length,... in seconds; again for the next camera")
    add("--control", type=Path, help='control file, e.g. {"fault": "loss=0.05,black"}; several: NAME-0.EXT ...')
    add("--statistics", type=Path, help="file that tells every second what the cameras did")


def _add_picture(camera: argparse.ArgumentParser) -> None:
    add = camera.add_argument
    add("--scene", default="market", help=f"{', '.join(SCENES)}; by commas, dealt out in turn")
    add("--video", type=Path, help="film for the scene `filmed`; default: where `make parts` put vtest.avi")
    add("--seed", type=int, default=1, help="seed of the first camera; the next ones count on")
    add("--hour", type=float, help="local time at the start, 0 to 24; default: as late as it is in Ambon")
    add("--codec", default="h264", help="h264 or h265; by commas, dealt out in turn")
    add("--size", default="640x360", help="width and height of the picture")
    add("--fps", type=float, default=10.0, help="pictures a second")
    add("--keyframe-interval-s", type=float, default=1.0, help="seconds between key frames")
    add("--loop-s", type=float, default=0.0, help="repeat a clip of so many seconds, the same for all; 0 = live")


async def serve_cameras(options: argparse.Namespace, stopping: asyncio.Event) -> None:
    """Serve `options.cameras` cameras until `stopping`; say where they are on stdout. Raises ValueError, OSError."""
    from firmware_sim.cameras.build import build, told_of
    from firmware_sim.cameras.onvif_discovery import answering
    from firmware_sim.cameras.server import serving, workers

    with workers() as executor:
        cameras, controls = build(options, executor)
        served = serving(cameras, options.host, options.port, options.http_port, statistics=options.statistics)
        async with served, AsyncExitStack() as stack:
            told = [told_of(camera, control, options.host) for camera, control in zip(cameras, controls, strict=True)]
            if options.discoverable:
                await stack.enter_async_context(answering([str(each["onvif"]) for each in told], host=options.host))
            statistics = options.statistics and str(options.statistics)
            print(json.dumps({"ready": True, "cameras": told, "statistics": statistics}), flush=True)
            await stopping.wait()
