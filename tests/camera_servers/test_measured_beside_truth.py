"""Our client at servers that others wrote: every figure within its tolerance of what the server is known to send."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import av
import pytest
from PIL import Image

from edge.cameras.facts import Transport
from edge.net.address import parse
from edge.rtsp import reach, watch
from kewang.bench.camera_servers import PASSWORD, USER, CameraServer, GstServer, ToolkitServer
from kewang.bench.camera_servers.compare import GST_AUTH_MOUNTS, GST_MOUNTS, TOOLKIT_MOUNTS, beside_truth
from kewang.wire.cameras import CameraReason

_METRICS = {"reason", "codec", "fps", "loss_pct", "keyframe_interval_s", "clock_offset_s"}


async def _all_measured(server: CameraServer, user: str | None = None, password: str | None = None) -> None:
    watches = [watch(parse(server.url(name), user, password)) for name in server.mounts]
    for name, seen in zip(server.mounts, await asyncio.gather(*watches), strict=True):
        told = beside_truth(server, name, seen)
        assert {row.metric for row in told} == _METRICS
        assert [row for row in told if not row.ok] == [], name
        assert seen.keyframe is not None
        assert _size(seen) == (320, 176)


def _size(seen: Transport) -> tuple[int, int]:
    """Width and height of the key frame, decoded all by itself."""
    assert seen.keyframe is not None
    if seen.codec == "mjpeg":
        with Image.open(io.BytesIO(seen.keyframe)) as image:
            image.load()
            return image.size
    context = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[seen.codec or ""], "r")
    assert isinstance(context, av.VideoCodecContext)
    frames = [*context.decode(av.Packet(seen.keyframe)), *context.decode(None)]
    assert [frame.is_corrupt for frame in frames] == [False]
    return frames[0].width, frames[0].height


async def test_gstreamer_beside_its_truth(tmp_path: Path) -> None:
    with GstServer(tmp_path, GST_MOUNTS) as server:
        await _all_measured(server)


async def test_aio_rtsp_toolkit_beside_its_truth(tmp_path: Path) -> None:
    with ToolkitServer(tmp_path, TOOLKIT_MOUNTS) as server:
        await _all_measured(server)


@pytest.mark.parametrize("kind", ["basic", "digest"])
async def test_gstreamer_wants_a_login(tmp_path: Path, kind: str) -> None:
    with GstServer(tmp_path, GST_AUTH_MOUNTS, auth=kind) as server:
        await _all_measured(server, USER, PASSWORD)
        url = server.url("h264")
        for user, password in ((None, None), (USER, "wrong-" + PASSWORD)):
            seen = await watch(parse(url, user, password))
            assert seen.reason is CameraReason.AUTH
            assert PASSWORD not in seen.detail
        assert (await reach(parse(url, USER, PASSWORD))).reason is CameraReason.NONE


async def test_gstreamer_first_key_frame_alone(tmp_path: Path) -> None:
    with GstServer(tmp_path, {"h264": GST_MOUNTS["h264"]}) as server:
        seen = await watch(parse(server.url("h264")), until_keyframe=True)
        assert (seen.reason, _size(seen)) == (CameraReason.NONE, (320, 176))
        assert (seen.frames or 0) < 10
        assert (await watch(parse(server.url("nothing")))).reason is CameraReason.NOT_FOUND
