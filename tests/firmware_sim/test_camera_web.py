"""A simulated camera over HTTP: snapshot, MJPEG, ONVIF, and their faults."""

import asyncio
import io
from pathlib import Path

import aiohttp
import av
import pytest

from firmware_sim.cameras.auth import AuthKind
from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.web import MJPEG, SNAPSHOT
from firmware_sim.faults import switch
from tests.firmware_sim.camera_client import until
from tests.firmware_sim.camera_house import camera

LIMIT = aiohttp.ClientTimeout(total=10)


async def get(seen: Camera, path: str = SNAPSHOT, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(timeout=LIMIT) as client,
        client.get(seen.http_url(path), allow_redirects=False, headers=headers) as response,
    ):
        return response.status, await response.read()


def pixels(file: bytes) -> tuple[int, int, float]:
    """Width, height, mean luma."""
    with av.open(io.BytesIO(file), "r", format="mjpeg") as still:
        frame = next(still.decode(video=0))
    return frame.width, frame.height, float(frame.to_ndarray(format="yuvj420p")[: frame.height].mean())


async def test_a_snapshot_is_the_picture(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen:
        status, file = await get(seen)
        width, height, luma = pixels(file)
        assert (status, width, height) == (200, 160, 96)
        assert 30 < luma < 225
        switch(tmp_path / "control", "black")
        assert pixels((await get(seen))[1])[2] < 5


@pytest.mark.parametrize("auth", [AuthKind.BASIC, AuthKind.DIGEST, AuthKind.DIGEST_SHA256])
async def test_the_door_is_the_same_over_http(tmp_path: Path, auth: AuthKind) -> None:
    async with camera(tmp_path, auth=auth, password="pw") as seen:
        assert (await get(seen))[0] == (await get(seen, MJPEG))[0] == 401
        if auth is AuthKind.BASIC:
            assert (await get(seen, headers={"Authorization": "Basic YWRtaW46cHc="}))[0] == 200
        else:
            middleware = aiohttp.DigestAuthMiddleware("admin", "pw")
            async with aiohttp.ClientSession(timeout=LIMIT, middlewares=[middleware]) as client:
                assert (await client.get(seen.http_url(SNAPSHOT))).status == 200


def watch(url: str, pictures: int) -> int:
    with av.open(url, timeout=(10, 10)) as stream:
        return sum(1 for _, frame in zip(range(pictures), stream.decode(video=0), strict=False) if frame.width == 160)


async def test_ffmpeg_watches_mjpeg(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen:
        assert await asyncio.to_thread(watch, seen.http_url(MJPEG), 12) == 12
        assert seen.tally.http_frames >= 12


@pytest.mark.parametrize(
    ("fault", "status"), [("401", 401), ("404", 404), ("453", 503), ("503", 503), ("500", 500), ("redirect", 302)]
)
async def test_a_code_instead_of_a_picture(tmp_path: Path, fault: str, status: int) -> None:
    async with camera(tmp_path, fault) as seen:
        assert (await get(seen))[0] == status
        assert (await get(seen, MJPEG))[0] == status


@pytest.mark.parametrize(("fault", "pictures"), [("silent", 0), ("stall=2", 2)])
async def test_mjpeg_that_never_comes_or_stops(tmp_path: Path, fault: str, pictures: int) -> None:
    async with camera(tmp_path, fault) as seen, aiohttp.ClientSession() as client:
        async with client.get(seen.http_url(MJPEG)):
            await until(lambda: seen.tally.http_frames >= pictures)
            later_s = seen.age_s() + 0.5
            await until(lambda: seen.age_s() > later_s)
        assert seen.tally.http_frames == pictures


async def test_a_hanging_camera(tmp_path: Path) -> None:
    async with camera(tmp_path, "hang") as seen:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(seen), 0.5)


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [("endless_header", b"X-Fill: aaaa"), ("huge_length", b"Content-Length: 4294967296"), ("not_rtsp", b"SSH-2.0")],
)
async def test_bytes_without_an_end(tmp_path: Path, fault: str, wanted: bytes) -> None:
    async with camera(tmp_path, fault) as seen:
        reader, writer = await asyncio.open_connection("127.0.0.1", seen.http_port)
        writer.write(b"GET /snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n")
        came = await reader.readexactly(50_000)
        writer.close()
        assert wanted in came
        assert came.endswith(b"a" * 40_000)


async def test_pictures_nobody_should_decode(tmp_path: Path) -> None:
    async with camera(tmp_path, "eight_k") as seen:
        file = (await get(seen))[1]
        assert file[file.index(b"\xff\xc0") + 5 :][:4] == (65_500).to_bytes(2, "big") * 2
        switch(tmp_path / "control", "huge_keyframe=2")
        assert len((await get(seen))[1]) > 2_000_000
        switch(tmp_path / "control", "garbage")
        with pytest.raises(av.FFmpegError):
            pixels((await get(seen))[1])


async def test_the_http_port_closes_with_the_camera(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen:
        switch(tmp_path / "control", "refused")
        await until(lambda: not seen.is_listening)
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(seen)


async def onvif(seen: Camera, operation: str, told: str = "") -> str:
    envelope = f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><{operation}>{told}</{operation}></s:Body></s:Envelope>'
    url = seen.http_url("/onvif/device_service")
    async with aiohttp.ClientSession(timeout=LIMIT) as client, client.post(url, data=envelope) as response:
        return await response.text()


async def test_onvif_tells_where_the_stream_is_and_what_the_faults_do(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen:
        assert f":{seen.rtsp_port}/stream" in await onvif(seen, "GetStreamUri", "<ProfileToken>main</ProfileToken>")
        assert "<tt:Year>" in await onvif(seen, "GetSystemDateAndTime")
        before = await onvif(seen, "GetRecordingJobState")
        switch(tmp_path / "control", "not_recording")
        after = await onvif(seen, "GetRecordingJobState")
        assert before != after
        assert "Active" in before
