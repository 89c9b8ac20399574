"""A simulated camera spoken to over RTSP: by hand, and by FFmpeg's own client."""

import asyncio
import json
import socket
import struct
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from firmware_sim.cameras.auth import AuthKind
from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.codecs import Codec
from firmware_sim.cameras.server import serving, workers
from firmware_sim.faults import switch
from tests.firmware_sim.camera_client import calling, until
from tests.firmware_sim.camera_house import QUICK, camera
from tests.firmware_sim.test_camera_auth import digest

TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"
PASSWORD = "Rahasia:1"


def watch(url: str, lower: str, pictures: int = 25) -> tuple[int, int, str, int]:
    """FFmpeg's client: width, height, codec, key frames among so many pictures."""
    keys = count = width = height = 0
    with av.open(url, options={"rtsp_transport": lower}, timeout=(10, 10)) as stream:
        codec = stream.streams.video[0].codec_context.name
        for frame in stream.decode(video=0):
            count, keys = count + 1, keys + bool(frame.key_frame)
            width, height = frame.width, frame.height
            if count >= pictures:
                break
    return width, height, codec, keys


@pytest.mark.parametrize("lower", ["tcp", "udp"])
@pytest.mark.parametrize(("codec", "name", "loop_s"), [(Codec.H264, "h264", 0.8), (Codec.H265, "hevc", 0.0)])
async def test_ffmpeg_watches(tmp_path: Path, codec: Codec, name: str, loop_s: float, lower: str) -> None:
    async with camera(tmp_path, codec=codec, loop_s=loop_s) as seen:
        width, height, told, keys = await asyncio.to_thread(watch, seen.rtsp_url(), lower)
        await until(lambda: not seen.sessions)
        (session,) = seen.tally.sessions
        assert (width, height, told) == (160, 96, name)
        assert keys >= 2
        assert (session.transport, session.ending, session.packets_dropped) == (lower, "teardown", 0)


@pytest.mark.parametrize("auth", [AuthKind.BASIC, AuthKind.DIGEST])
async def test_ffmpeg_gives_the_password(tmp_path: Path, auth: AuthKind) -> None:
    async with camera(tmp_path, auth=auth, password="pw") as seen:
        url = seen.rtsp_url().replace("://", "://admin:pw@")
        assert (await asyncio.to_thread(watch, url, "tcp", 3))[:2] == (160, 96)
        with pytest.raises(av.HTTPUnauthorizedError):
            await asyncio.to_thread(watch, seen.rtsp_url(), "tcp")


async def test_digest_with_sha_256(tmp_path: Path) -> None:
    kind = AuthKind.DIGEST_SHA256
    async with camera(tmp_path, auth=kind, password=PASSWORD) as seen, calling(seen) as client:
        refused = await client.ask("DESCRIBE")
        assert refused.code == 401
        header = digest(kind, refused.headers["www-authenticate"])
        assert (await client.ask("DESCRIBE", Authorization=header)).code == 200
        assert (await client.ask("SETUP", f"{client.url}/track1", Transport=TCP)).code == 401


async def test_a_session_from_describe_to_teardown(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        assert "PLAY" in (await client.ask("OPTIONS")).headers["public"]
        described = await client.ask("DESCRIBE")
        assert described.headers["content-base"] == client.url + "/"
        assert b"a=control:track1\r\n" in described.body
        assert b"H264/90000" in described.body
        assert (await client.set_up("RTP/AVP/TCP;unicast;interleaved=4-5")).headers["transport"].endswith("=4-5")
        played = await client.ask("PLAY")
        frames = await client.receive(30)
        assert {channel for channel, _ in frames} == {4, 5}
        first = next(data for channel, data in frames if channel == 4)
        assert f"seq={struct.unpack('!H', first[2:4])[0]}" in played.headers["rtp-info"]
        assert (await client.ask("TEARDOWN")).code == 200
        assert (await client.ask("PLAY")).code == 454
        assert seen.statistics()["sessions_without_teardown"] == 0


async def test_a_paused_stream_goes_on_where_its_numbers_were(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        came = await client.receive(10)
        assert (await client.set_up()).code == 455
        assert (await client.ask("PAUSE")).code == 200
        last = [data for channel, data in [*came, *client.frames] if channel == 0][-1]
        paused = seen.sessions[client.session].tally.frames
        await until(lambda: seen.stream.is_idle)
        assert seen.sessions[client.session].tally.frames == paused
        client.frames.clear()
        assert (await client.ask("PLAY")).code == 200
        first = next(data for channel, data in await client.receive(5) if channel == 0)
        assert (int.from_bytes(first[2:4], "big") - int.from_bytes(last[2:4], "big")) % 65_536 == 1


async def test_packets_of_a_session_are_numbered_and_dated_without_a_gap(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        packets = [data for channel, data in await client.receive(60) if channel == 0]
        heads = [struct.unpack("!xBHI", data[:8]) for data in packets]
        numbers = [number for _, number, _ in heads]
        assert all((after - before) % 65_536 == 1 for before, after in pairwise(numbers))
        dates = [ticks for mark, _, ticks in heads if mark & 0x80]
        steps = [(after - before) % 2**32 for before, after in pairwise(dates)]
        assert all(step > 0 and step % 3600 == 0 for step in steps)
        assert 3600 in steps


@pytest.mark.parametrize("offset_s", [0.0, -3600.0])
async def test_sender_reports_tell_the_camera_s_clock(tmp_path: Path, offset_s: float) -> None:
    async with camera(tmp_path, f"wrong_clock={offset_s:g}") as seen, calling(seen) as client:
        await client.play()
        report = next(data for channel, data in await client.receive(30) if channel == 1)
        seconds, fraction = struct.unpack("!II", report[8:16])
        assert abs(seconds + fraction / 2**32 - 2_208_988_800 - time.time() - offset_s) < 60
        assert seen.statistics()["clock_offset_s"] == offset_s


async def test_a_camera_has_so_many_sessions_and_no_more(tmp_path: Path) -> None:
    async with camera(tmp_path, max_sessions=1) as seen, calling(seen) as first, calling(seen) as second:
        await first.play()
        assert (await second.set_up()).code == 453
        await first.ask("TEARDOWN")
        assert (await second.set_up()).code == 200


async def test_a_client_that_just_leaves_is_counted(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen:
        async with calling(seen) as client:
            await client.play()
        await until(lambda: not seen.sessions)
        told = seen.statistics()
        assert (told["sessions_closed"], told["sessions_without_teardown"], told["sessions_open"]) == (1, 1, 0)


async def test_a_session_that_the_camera_ends_is_not_held_against_its_client(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        switch(tmp_path / "control", "refused")
        await until(lambda: not seen.sessions)
        told = seen.statistics()
        assert (told["sessions_closed"], told["sessions_without_teardown"]) == (1, 0)


async def test_with_an_old_camera_a_session_outlives_its_connection_until_its_time_is_up(tmp_path: Path) -> None:
    async with camera(tmp_path, lingers=True, session_timeout_s=0.4, max_sessions=1) as seen:
        async with calling(seen) as client:
            await client.play()
        async with calling(seen) as other:
            assert (await other.set_up()).code == 453
        await until(lambda: not seen.sessions)
        assert seen.statistics()["sessions_timed_out"] == 1


async def test_a_session_lives_as_long_as_its_client_speaks(tmp_path: Path) -> None:
    async with camera(tmp_path, session_timeout_s=1.5) as seen, calling(seen) as client:
        await client.set_up()
        for _ in range(6):
            assert (await client.ask("GET_PARAMETER")).code == 200
            await asyncio.wait_for(_age(seen, 0.3), 10)
        await until(lambda: not seen.sessions)
        assert (await client.ask("GET_PARAMETER")).code == 454


async def _age(seen: Camera, more_s: float) -> None:
    goal_s = seen.age_s() + more_s
    await until(lambda: seen.age_s() > goal_s)


async def test_two_watch_one_encoding(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as one, calling(seen) as two:
        await one.play()
        await two.play()
        await asyncio.gather(one.receive(40), two.receive(40))
        for client in (one, two):
            await client.ask("TEARDOWN")
        frames = [session.frames for session in seen.tally.sessions]
        assert max(frames) <= seen.tally.frames < sum(frames)


async def test_a_client_that_does_not_read_misses_whole_pictures_and_holds_nobody_up(tmp_path: Path) -> None:
    async with camera(tmp_path, "huge_keyframe=2") as seen, calling(seen) as slow, calling(seen) as quick:
        await slow.play()
        await quick.play()
        await quick.receive(8000)
        await until(lambda: any(session.tally.frames_dropped for session in seen.sessions.values()))
        assert seen.sessions[quick.session].tally.frames > seen.sessions[slow.session].tally.frames


@pytest.mark.parametrize(
    "wanted", ["RTP/AVP;multicast", "RTP/AVP;unicast", "nonsense", "RTP/AVP/TCP;multicast;interleaved=0-1"]
)
async def test_a_way_it_can_not_send_is_refused_and_leaves_no_session(tmp_path: Path, wanted: str) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        assert (await client.set_up(wanted)).code == 461
        assert not seen.sessions


async def test_what_is_not_there(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        assert (await client.ask("DESCRIBE", client.url + "2")).code == 404
        assert (await client.ask("SETUP", client.url + "/track9", Transport=TCP)).code == 404
        assert (await client.ask("PLAY")).code == 454
        assert (await client.ask("PLAY", Session="deadbeef")).code == 454
        assert (await client.ask("RECORD")).code == 405


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000, b"OPTIONS\r\n\r\n", b"OPTIONS * RTSP/1.0\r\nContent-Length: x\r\n\r\n"],
)
async def test_what_is_no_request_is_answered_400_and_the_next_client_is_served(tmp_path: Path, sent: bytes) -> None:
    async with camera(tmp_path) as seen:
        async with calling(seen) as client:
            client.writer.write(sent)
            assert (await client.reply()).code == 400
            assert await client.reader.read() == b""
        async with calling(seen) as client:
            assert (await client.ask("OPTIONS")).code == 200


async def test_frames_from_the_client_are_no_requests(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        client.writer.write(b"$\x01\x00\x04\x80\xc9\x00\x00\r\n")
        assert (await client.ask("GET_PARAMETER")).code == 200


async def test_tracks_by_their_whole_urls(tmp_path: Path) -> None:
    async with camera(tmp_path, absolute_control=True) as seen, calling(seen) as client:
        assert f"a=control:{client.url}/track1\r\n".encode() in (await client.ask("DESCRIBE")).body
        assert (await asyncio.to_thread(watch, seen.rtsp_url(), "tcp", 3))[:2] == (160, 96)


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    with workers() as executor:
        one, two = Camera(QUICK, executor), Camera(QUICK, executor)
        async with serving([one]):
            with pytest.raises(OSError, match="in use"):
                async with serving([two], port=one.rtsp_port):
                    raise AssertionError("it listens")


async def test_the_statistics_file_tells_rates_and_sessions(tmp_path: Path) -> None:
    def told() -> dict[str, Any]:
        text = (tmp_path / "statistics.json").read_text() if (tmp_path / "statistics.json").exists() else ""
        return json.loads(text)["cameras"][0] if text else {}

    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        await until(lambda: told().get("sessions_open") == 1 and told()["keyframe_interval_s"] is not None)
        await client.ask("TEARDOWN")
    assert told()["fps_set"] == 25
    assert told()["keyframe_interval_set_s"] == pytest.approx(0.4)
    assert (told()["sessions_opened"], told()["sessions_open"]) == (1, 0)
    (session,) = told()["sessions"]
    assert session["packets_sent"] >= session["frames"] > session["keyframes"] > 0
    assert session["ending"] == "teardown"


async def test_a_closed_listener_opens_on_the_same_port_again(tmp_path: Path) -> None:
    async with camera(tmp_path) as seen, calling(seen) as client:
        await client.play()
        port = seen.rtsp_port
        switch(tmp_path / "control", "refused")
        with pytest.raises(asyncio.IncompleteReadError):
            await client.receive(1000)
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", port)
        switch(tmp_path / "control", None)
        await until(lambda: _listens(port))
        assert seen.rtsp_port == port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
