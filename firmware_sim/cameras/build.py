"""Cameras as the command line asks for them."""

import argparse
import re
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache, partial
from pathlib import Path

from firmware_sim.cameras.auth import AuthKind
from firmware_sim.cameras.camera import Camera, CameraSettings
from firmware_sim.cameras.codecs import Codec
from firmware_sim.cameras.command import SCENES
from firmware_sim.cameras.faults import CameraFaults, parse_plan
from firmware_sim.cameras.film import Film, Paints
from firmware_sim.cameras.onvif import PATH as ONVIF
from firmware_sim.cameras.pattern import Pattern
from firmware_sim.cameras.scenes import painted
from firmware_sim.cameras.web import MJPEG, SNAPSHOT
from kewang.runtime.settings import secret


def build(options: argparse.Namespace, executor: Executor) -> tuple[list[Camera], list[Path | None]]:
    """The cameras and their control files; with a loop they share one film."""
    plans = [parse_plan(text) for text in options.faults or ["none"]]
    cameras: list[Camera] = []
    controls: list[Path | None] = []
    films: dict[object, Film] = {}
    for index in range(options.cameras):
        settings = _settings(options, index)
        key = (settings.codec, settings.scene)
        film = films.get(key) if options.loop_s else None
        control = numbered(options.control, index, options.cameras) if options.control else None
        faults = CameraFaults(plans[index % len(plans)], control)
        cameras.append(Camera(settings, executor, faults=faults, film=film))
        films[key] = cameras[-1].film
        controls.append(control)
    return cameras, controls


def _settings(options: argparse.Namespace, index: int) -> CameraSettings:
    width, height = _size(options.size)
    seed = options.seed if options.loop_s else options.seed + index
    kinds, codecs = options.scene.split(","), options.codec.split(",")
    password = secret(options.password_file) if options.password_file else ""
    return CameraSettings(
        scene=_scene(kinds[index % len(kinds)], seed, options.video),
        seed=seed,
        codec=_codec(codecs[index % len(codecs)]),
        width=width,
        height=height,
        fps=options.fps,
        keyframe_interval_s=options.keyframe_interval_s,
        loop_s=options.loop_s,
        midnight_s=None if options.hour is None else options.hour * 3600,
        path=options.path,
        auth=_auth(options.auth, password),
        user=options.user,
        password=password,
        max_sessions=options.max_sessions,
        lingers=options.lingers,
    )


def _codec(text: str) -> Codec:
    if text not in set(Codec):
        raise ValueError(f"--codec {text!r}: write h264 or h265, or both by commas")
    return Codec(text)


def _auth(kind: str | None, password: str) -> AuthKind:
    auth = AuthKind(kind or ("digest" if password else "none"))
    if (auth is AuthKind.NONE) is bool(password):
        raise ValueError(f"--auth {auth} {'takes no' if password else 'needs a'} --password-file")
    return auth


@cache
def _scene(kind: str, seed: int, video: Path | None) -> Callable[[int, int], Paints]:
    """What makes the scene; the same for the same arguments. Raises ValueError."""
    if kind not in SCENES:
        raise ValueError(f"--scene {kind!r} is none of {', '.join(SCENES)}")
    if kind == "pattern":
        return Pattern
    if kind == "filmed":
        from firmware_sim.cameras.scenes import filmed, find_film

        return partial(filmed, seed, video or find_film())
    return partial(painted, seed, kind="street" if kind == "street" else "market", codec=False)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if not found or any(int(each) % 2 or int(each) < 64 for each in found.groups()):
        raise ValueError(f"--size {text!r} is not WIDTHxHEIGHT of even numbers from 64 on, e.g. 640x360")
    return int(found.group(1)), int(found.group(2))


def numbered(file: Path, index: int, count: int) -> Path:
    """`file` itself for a single camera, else `file-3.ext` for camera 3."""
    return file if count == 1 else file.with_name(f"{file.stem}-{index}{file.suffix}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def told_of(camera: Camera, control: Path | None, host: str) -> dict[str, object]:
    """Where a camera is, for the line on stdout."""
    return {
        "rtsp": camera.rtsp_url(host),
        "mjpeg": camera.http_url(MJPEG, host),
        "snapshot": camera.http_url(SNAPSHOT, host),
        "onvif": camera.http_url(ONVIF, host),
        "seed": camera.settings.seed,
        "codec": camera.settings.codec,
        "control": _text(control),
    }
