"""Every fault of the wire, seen from the client's side."""

import asyncio
import contextlib
from pathlib import Path

import av
import pytest

from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.codecs import Codec, split
from firmware_sim.cameras.faults import TransportFault
from firmware_sim.cameras.tally import SessionTally
from firmware_sim.faults import switch
from tests.firmware_sim.camera_client import calling, until
from tests.firmware_sim.camera_house import camera
from tests.firmware_sim.test_camera_rtp import h264_nals

UDP = "RTP/AVP;unicast;client_port=50000-50001"


@pytest.mark.parametrize(
    ("fault", "method", "code"),
    [
        ("401", "DESCRIBE", 401),
        ("404", "DESCRIBE", 404),
        ("503", "DESCRIBE", 503),
        ("500", "DESCRIBE", 500),
        ("453", "SETUP", 453),
        ("461", "SETUP", 461),
    ],
)
async def test_a_code_instead_of_an_answer(tmp_path: Path, fault: str, method: str, code: int) -> None:
    async with camera(tmp_path, fault) as seen, calling(seen) as client:
        assert (await client.ask("OPTIONS")).code == 200
        told = await (client.set_up() if method == "SETUP" else client.ask(method))
        assert told.code == code
        assert not seen.sessions
        switch(tmp_path / "control", None)
        assert (await (client.set_up() if method == "SETUP" else client.ask(method))).code == 200


async def test_461_refuses_tcp_and_takes_udp_and_no_udp_the_other_way_round(tmp_path: Path) -> None:
    async with camera(tmp_path, "461") as seen, calling(seen) as client:
        assert (await client.set_up()).code == 461
        assert (await client.set_up(UDP)).code == 200
        await client.ask("TEARDOWN")
        client.session = ""
        switch(tmp_path / "control", "no_udp")
        assert (await client.set_up(UDP)).code == 461
        assert (await client.set_up()).code == 200


async def test_a_redirect_names_another_host(tmp_path: Path) -> None:
    async with camera(tmp_path, "redirect") as seen, calling(seen) as client:
        told = await client.ask("DESCRIBE")
        assert (told.code, told.headers["location"]) == (302, "rtsp://192.0.2.1:554/stream")


async def test_a_hanging_camera_takes_connections_and_says_nothing(tmp_path: Path) -> None:
    async with camera(tmp_path, "hang") as seen, calling(seen) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.ask("OPTIONS"), 0.5)
        assert seen.tally.connections == 1


async def test_something_else_on_the_port(tmp_path: Path) -> None:
    async with camera(tmp_path, "not_rtsp") as seen, calling(seen) as client:
        client.writer.write(b"OPTIONS * RTSP/1.0\r\n\r\n")
        assert (await client.reader.read()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("fault", "wanted"), [("endless_header", b"X-Fill: aaaa"), ("huge_length", b"Content-Length: 4294967296\r\n\r\naa")]
)
async def test_answers_without_an_end(tmp_path: Path, fault: str, wanted: bytes) -> None:
    async with camera(tmp_path, fault) as seen, calling(seen) as client:
        client.writer.write(b"DESCRIBE " + client.url.encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        came = await client.reader.readexactly(100_000)
        assert wanted in came
        assert came.endswith(b"a" * 90_000)


async def test_a_dribbled_answer_comes_byte_by_byte_and_ends_with_its_client(tmp_path: Path) -> None:
    async with camera(tmp_path, "dribble=0.01") as seen:
        async with calling(seen) as client:
            client.writer.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            sizes = [len(await client.reader.read(4096)) for _ in range(8)]
            assert sum(sizes) < 60
        assert seen.tally.requests["OPTIONS"] == 1


@pytest.mark.parametrize(("fault", "pictures"), [("silent", 0), ("stall=3", 3)])
async def test_a_stream_that_never_comes_or_stops(tmp_path: Path, fault: str, pictures: int) -> None:
    async with camera(tmp_path, fault) as seen, calling(seen) as client:
        await client.play()
        await until(lambda: seen.tally.frames > 20)
        assert seen.sessions[client.session].tally.frames == pictures
        assert (await client.ask("TEARDOWN")).code == 200


async def test_a_connection_that_breaks(tmp_path: Path) -> None:
    async with camera(tmp_path, "reset=2") as seen, calling(seen) as client:
        await client.play()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.receive(1000)
        await until(lambda: not seen.sessions)
        assert seen.tally.sessions[0].frames == 2


async def test_loss_leaves_gaps_in_the_numbers_and_is_counted_exactly(tmp_path: Path) -> None:
    async with camera(tmp_path, "loss=0.3") as seen, calling(seen) as client:
        await client.play()
        numbers = [int.from_bytes(data[2:4], "big") for channel, data in await client.receive(60) if channel == 0]
        whole = (numbers[-1] - numbers[0]) % 65_536 + 1
        assert 0.1 < 1 - len(numbers) / whole < 0.5
        await client.ask("TEARDOWN")
        session = seen.tally.sessions[0]
        assert 0.1 < session.packets_dropped / (session.packets_dropped + session.packets_sent) < 0.5


async def test_fewer_pictures_a_second(tmp_path: Path) -> None:
    async with camera(tmp_path, "slow_fps=5") as seen, calling(seen) as client:
        await client.play()
        packets = [data for channel, data in await client.receive(12) if channel == 0]
        dates = sorted({int.from_bytes(data[4:8], "big") for data in packets})
        assert dates[1] - dates[0] == 18_000
        assert seen.statistics()["fps_set"] == 5
        assert seen.statistics()["keyframe_interval_set_s"] == 2


async def test_a_codec_nobody_knows(tmp_path: Path) -> None:
    async with camera(tmp_path, "unknown_codec") as seen, calling(seen) as client:
        body = (await client.ask("DESCRIBE")).body
        assert b"X-UNHEARD-OF/90000" in body
        assert b"H264" not in body


async def units(seen: Camera, count: int = 60) -> list[bytes]:
    """NAL units as they come over the connection."""
    async with calling(seen) as client:
        await client.play()
        return h264_nals([data[12:] for channel, data in await client.receive(count) if channel == 0])


async def test_noise_for_slices_can_not_be_decoded(tmp_path: Path) -> None:
    async with camera(tmp_path, "garbage") as seen:
        nals = await units(seen)
        assert {Codec.H264.kind(nal) for nal in nals} >= {1, 5, 7, 8}
        decoder = av.CodecContext.create("h264", "r")
        whole = 0
        for nal in nals:
            with contextlib.suppress(av.FFmpegError):
                whole += sum(not frame.is_corrupt for frame in decoder.decode(av.Packet(b"\0\0\0\1" + nal)))
        assert whole == 0


async def test_a_key_frame_far_too_large(tmp_path: Path) -> None:
    async with camera(tmp_path, "huge_keyframe=1") as seen:
        assert max(map(len, await units(seen, 800))) > 1_000_000


async def test_a_key_frame_of_8k(tmp_path: Path) -> None:
    async with camera(tmp_path, "eight_k") as seen:
        nals = await units(seen, 200)
        kinds = [Codec.H264.kind(nal) for nal in nals]
        first = kinds.index(7)
        last = kinds.index(5, first)
        assert last < len(nals) - 1
        keyed = b"".join(b"\0\0\0\1" + nal for nal in nals[first : last + 1])
        decoder = av.CodecContext.create("h264", "r")
        frames = [*decoder.decode(av.Packet(keyed)), *decoder.decode(None)]
        assert (frames[0].width, frames[0].height) == (7680, 4320)


async def test_wrong_lengths_of_frames(tmp_path: Path) -> None:
    async with camera(tmp_path, "bad_frames,huge_keyframe=1") as seen, calling(seen) as client:
        await client.play()
        frames = await client.receive(2)
        assert any(channel == 0 and len(data) == 0xFFF0 for channel, data in frames)


async def test_a_picture_fault_is_in_the_stream_and_goes_again(tmp_path: Path) -> None:
    def seen_luma(url: str) -> float:
        with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(10, 10)) as stream:
            frame = next(stream.decode(video=0))
            return float(frame.to_ndarray()[: frame.height].mean())

    async with camera(tmp_path, "black") as seen:
        assert await asyncio.to_thread(seen_luma, seen.rtsp_url()) < 5
        switch(tmp_path / "control", "white")
        assert await asyncio.to_thread(seen_luma, seen.rtsp_url()) > 250
        switch(tmp_path / "control", "none")
        assert 30 < await asyncio.to_thread(seen_luma, seen.rtsp_url()) < 225


def test_every_fault_on_the_wire_has_a_test_here() -> None:
    text = Path(__file__).read_text() + Path(__file__).with_name("test_camera_rtsp.py").read_text()
    text += Path(__file__).with_name("test_camera_web.py").read_text()
    assert [fault for fault in TransportFault if f'"{fault}' not in text] == []


def test_split_takes_start_codes_of_both_lengths() -> None:
    assert list(split(b"\0\0\0\1ab\0\0\1c\0\0\0\1\x65\x80\0")) == [b"ab", b"c", b"\x65\x80"]


def test_a_frame_counts_as_begun_when_a_packet_of_it_left() -> None:
    told = SessionTally("tcp", 0.0)
    for ticks, dropped in ((900, 2), (1_800, 0), (2_700, 2), (3_600, 1), (4_500, 2)):
        told.frame(ticks, 2, dropped)
    assert (told.frames, told.frames_begun, told.first_ticks, told.last_ticks) == (5, 2, 1_800, 3_600)
    assert (told.packets_sent, told.packets_dropped) == (3, 7)
