"""What FFmpeg opens for us: real servers, and that no text of its errors brings the login out."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge.cameras.decode import decode
from edge.cameras.facts import Transport
from edge.cameras.libav import watch
from edge.net.address import Address, parse
from firmware_sim.cameras.auth import AuthKind
from firmware_sim.cameras.camera import Camera, CameraSettings
from firmware_sim.cameras.codecs import Codec
from firmware_sim.cameras.server import serving
from kewang.wire.cameras import CameraReason

SECRET = "kunci:Rahasia/7x@Mardika"


@pytest.fixture(params=[Codec.H264, Codec.H265])
async def camera(request: pytest.FixtureRequest) -> AsyncIterator[Camera]:
    settings = CameraSettings(codec=request.param, loop_s=2.0, auth=AuthKind.DIGEST, password=SECRET)
    with ThreadPoolExecutor(1, "encoder") as executor:
        made = Camera(settings, executor)
        async with serving([made]):
            yield made


async def look(address: Address, *, until_keyframe: bool = False) -> Transport:
    seen = await asyncio.to_thread(watch, address, watch_s=1.0, timeout_s=3.0, until_keyframe=until_keyframe)
    assert SECRET not in repr(seen)
    assert "Rahasia" not in repr(seen)
    return seen


@pytest.mark.parametrize("until_keyframe", [False, True])
async def test_it_brings_a_key_frame_that_can_be_decoded(camera: Camera, until_keyframe: bool) -> None:
    seen = await look(parse(camera.rtsp_url(), "admin", SECRET), until_keyframe=until_keyframe)
    assert seen.reason is CameraReason.NONE
    assert seen.keyframe is not None
    assert seen.codec == camera.settings.codec.value
    decoded = decode(seen.codec, seen.keyframe)
    assert (decoded.width, decoded.height, decoded.corrupt) == (640, 360, False)
    if not until_keyframe:
        assert seen.fps == pytest.approx(10, abs=1)


async def test_mjpeg_too(camera: Camera) -> None:
    seen = await look(parse(f"http://127.0.0.1:{camera.http_port}/stream.mjpeg", "admin", SECRET))
    assert (seen.reason, seen.codec) == (CameraReason.NONE, "mjpeg")


async def test_a_wrong_password_is_told_without_it(camera: Camera) -> None:
    seen = await look(parse(camera.rtsp_url(), "admin", SECRET + "x"))
    assert seen.reason is CameraReason.AUTH


async def test_a_wrong_path_is_told(camera: Camera) -> None:
    seen = await look(parse(camera.rtsp_url().replace("stream", "nothing"), "admin", SECRET))
    assert seen.reason in (CameraReason.NOT_FOUND, CameraReason.PROTOCOL)


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:1/s", "rtmp://127.0.0.1:1/s", "http://127.0.0.1:1/s.m3u8"])
async def test_nobody_there(url: str) -> None:
    assert (await look(parse(url, "admin", SECRET))).reason is CameraReason.REFUSED
