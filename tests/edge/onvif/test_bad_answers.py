"""Answers of strangers: each ends in a typed reason, in bounded time and memory."""

import random
import time
import tracemalloc
from contextlib import suppress
from functools import partial
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.address import parse as parse_address
from edge.net.errors import CameraError
from edge.onvif import Endpoint, events, look
from edge.onvif.markup import MAX_DEPTH, MAX_ELEMENTS, clean, parse
from edge.onvif.media import credential_free
from edge.onvif.soap import MAX_BODY_BYTES, Caller
from firmware_sim.cameras import onvif_answers
from firmware_sim.cameras.onvif import OnvifServices, OnvifState, serving
from firmware_sim.cameras.onvif_answers import Stream
from kewang.wire.cameras import CameraReason
from tests.edge.onvif.hostile import answering, http, soap

PROTOCOL, TOO_LARGE = CameraReason.PROTOCOL, CameraReason.TOO_LARGE
DTD = '<!DOCTYPE a [<!ENTITY x "y">]>'
ANSWERS = {
    "nothing": (b"", PROTOCOL),
    "not http": (b"RTSP/1.0 200 OK\r\n\r\n", PROTOCOL),
    "noise": (bytes(range(256)) * 4, PROTOCOL),
    "a line without end": (b"HTTP/1.1 200 O" + b"K" * 100_000, TOO_LARGE),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, TOO_LARGE),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000, TOO_LARGE),
    "interim answers only": (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, PROTOCOL),
    "4 GB announced": (b"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n<a>", TOO_LARGE),
    "a length below zero": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<a>", PROTOCOL),
    "a length of words": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n<a>", PROTOCOL),
    "a body cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<a>", PROTOCOL),
    "a large body": (http(b"x" * (MAX_BODY_BYTES + 1)), TOO_LARGE),
    "a large chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n<a>", TOO_LARGE),
    "many chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"z" * 1024, PROTOCOL),
    "a page": (http(b"<html><body>Log in</body></html>"), PROTOCOL),
    "an empty body": (http(b""), PROTOCOL),
    "an envelope without a body": (http(b"<Envelope><Header/></Envelope>"), PROTOCOL),
    "a document type": (http(f"<?xml version='1.0'?>{DTD}<a>&x;</a>".encode()), PROTOCOL),
    "a document type in UTF-16": (http(f"<?xml version='1.0' encoding='UTF-16'?>{DTD}<a/>".encode("utf-16")), PROTOCOL),
    "an external entity": (http(b"<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>"), PROTOCOL),
    "an encoding nobody has": (http(b"<?xml version='1.0' encoding='klingon'?><a/>"), PROTOCOL),
    "nested without end": (http(b"<a>" * 50_000), TOO_LARGE),
    "elements without end": (http(b"<r>" + b"<a/>" * 60_000), TOO_LARGE),
    "elsewhere": (http(b"", "302 Found", "Location: http://192.0.2.1/"), CameraReason.REDIRECT),
    "401 without a way in": (http(b"", "401 Unauthorized"), CameraReason.AUTH),
    "401 that wants the password": (http(b"", "401 No", 'WWW-Authenticate: Basic realm="x"'), CameraReason.AUTH),
    "404": (http(b"<html/>", "404 Not Found"), CameraReason.NOT_FOUND),
    "503": (http(b"", "503 Busy"), CameraReason.BUSY),
    "500": (http(b"oops", "500 Error"), CameraReason.SERVER_ERROR),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_bad_answer_has_its_reason(name: str) -> None:
    answer, reason = ANSWERS[name]
    async with answering(lambda _: answer) as endpoint:
        facts = await look(endpoint, "admin", "secret", timeout_s=10)
    assert facts.reason is reason, facts.detail
    assert facts.detail
    assert facts.clock_offset_s is None


async def test_a_password_never_goes_out_readable_even_if_it_is_asked_for() -> None:
    seen: list[bytes] = []
    state = OnvifState(by_header=True)
    services = OnvifServices(lambda: state)
    async with serving(services) as port:
        await look(Endpoint("127.0.0.1", port), "admin", "secret-4711")
    async with answering(lambda _: ANSWERS["401 that wants the password"][0], heard=seen) as endpoint:
        await look(endpoint, "admin", "secret-4711")
    heard = b"".join(seen)
    assert heard
    assert b"secret-4711" not in heard
    assert b"Basic" not in heard


async def test_a_server_that_sends_a_byte_now_and_then_is_left_in_time() -> None:
    async with answering(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<", holds=True) as endpoint:
        assert (await look(endpoint, timeout_s=0.3)).reason is CameraReason.TIMEOUT


async def test_a_large_answer_costs_little_memory() -> None:
    elements = http(b"<r>" + b"<a b='c'/>" * 24_000)
    async with answering(lambda _: elements) as endpoint:
        await look(endpoint, timeout_s=10)
        tracemalloc.start()
        try:
            await look(endpoint, timeout_s=10)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak_bytes < 12_000_000


async def test_mutated_answers_never_raise() -> None:
    rng = random.Random(4)
    streams = (Stream("main", "/main", 8554), Stream("sub", "/sub", 8554))
    state = OnvifState(streams=streams, recording=True)
    genuine = {
        "GetSystemDateAndTime": onvif_answers.clock(state.now()),
        "GetServices": onvif_answers.services("http://127.0.0.1/onvif/device_service", True),
        "GetDeviceInformation": onvif_answers.information("m", "f", "s"),
        "GetProfiles": onvif_answers.profiles(streams),
        "GetStreamUri": str(onvif_answers.address("GetStreamUri", streams, "sub", "127.0.0.1:80")),
        "GetSnapshotUri": str(onvif_answers.address("GetSnapshotUri", streams, "sub", "127.0.0.1:80")),
        "CreatePullPointSubscription": onvif_answers.subscription("http://127.0.0.1/onvif/s", "s1", True, state.now()),
        "PullMessages": onvif_answers.messages(
            state.now(),
            [onvif_answers.tamper("scene", True, state.now()), onvif_answers.rebooted(state.now(), state.now())],
        ),
        "Unsubscribe": onvif_answers.empty("UnsubscribeResponse"),
        "SetSynchronizationPoint": onvif_answers.empty("SetSynchronizationPointResponse"),
        "GetRecordingJobs": str(onvif_answers.recording_jobs(True, streams)),
        "GetRecordingJobState": str(onvif_answers.recording_job_state(True)),
    }
    reasons = set()
    async with answering(lambda _: b"", by_name=lambda name: _spoiled(genuine.get(name, ""), rng)) as endpoint:
        for _ in range(150):
            facts = await look(endpoint, "admin", "secret", timeout_s=10, stream_path="/sub")
            reasons.add(facts.reason)
    assert CameraReason.NONE in reasons
    assert PROTOCOL in reasons


def _spoiled(text: str, rng: random.Random) -> bytes:
    """`text` as an answer, one time in six with a few bytes changed, taken out or doubled."""
    body = bytearray(text.encode())
    for _ in range(rng.randint(1, 4) if body and rng.random() < 1 / 6 else 0):
        at, length = rng.randrange(len(body)), rng.randint(1, 40)
        piece = body[at : at + length]
        body[at : at + length] = rng.choice([b"", bytes(piece) * 2, rng.randbytes(length), bytes(reversed(piece))])
    return http(bytes(body))


@given(st.binary(max_size=400))
def test_xml_is_read_or_refused(body: bytes) -> None:
    with suppress(CameraError):
        assert isinstance(parse(body), Element)


def test_xml_within_the_limits_is_read_whole() -> None:
    deep = parse(b"<a>" * MAX_DEPTH + b"x" + b"</a>" * MAX_DEPTH)
    assert sum(1 for _ in deep.iter()) == MAX_DEPTH
    wide = parse(b"<a>" + b"<b/>" * (MAX_ELEMENTS - 1) + b"</a>")
    assert len(wide) == MAX_ELEMENTS - 1


def test_what_goes_to_a_terminal_holds_no_control_characters() -> None:
    assert clean("\x1b[31mred\x07\n two\u202e") == "[31mred two"


@pytest.mark.parametrize(
    ("given_", "clean_"),
    [
        ("rtsp://10.0.0.9:554/a/b?c=1", "rtsp://cam:554/a/b?c=1"),
        ("rtsp://admin:geheim@10.0.0.9/live", "rtsp://cam/live"),
        (
            "rtsp://10.0.0.9/live?user=admin&password=geheim&ch=1",
            "rtsp://cam/live?user={user}&password={password}&ch=1",
        ),
        (
            "rtsp://10.0.0.9:554/user=admin_password=ge_heim_channel=1_stream=1.sdp?real_stream",
            "rtsp://cam:554/user={user}_password={password}_channel=1_stream=1.sdp?real_stream",
        ),
        ("http://10.0.0.9/snap.cgi?usr=a&pwd=geheim", "http://cam/snap.cgi?usr={user}&pwd={password}"),
        ("file:///etc/passwd", None),
        ("rtsp://", None),
        ("rtsp://h:99999/x", None),
        ("rtsp://h/\x1b[2J", None),
        ("", None),
    ],
)
def test_addresses_lose_their_credentials_and_stay_at_the_camera(given_: str, clean_: str | None) -> None:
    told = credential_free(given_, "cam")
    assert told == clean_
    if told:
        assert parse_address(told, "admin", "x").url


@pytest.mark.parametrize("address", ["http://192.0.2.7:81/onvif/e?i=1", "https://[::1]/onvif/e?i=1", "/onvif/e?i=1"])
def test_a_service_is_asked_at_the_camera_wherever_it_says_to_be(address: str) -> None:
    caller = Caller(Endpoint("10.0.0.1"), None, None, 1, time.time)
    assert caller.path_of(address) == "/onvif/e?i=1"


@pytest.mark.parametrize("address", ["", "http://h", "http://[", "http://h/a b", "http://h/\r\nX: y", "http://h/ü"])
def test_a_service_without_a_usable_path_is_asked_at_the_device_service(address: str) -> None:
    caller = Caller(Endpoint("10.0.0.1"), None, None, 1, time.time)
    assert caller.path_of(address) == caller.endpoint.path


def _always(answer: bytes, _: int) -> bytes:
    return answer


@pytest.mark.parametrize(
    ("field", "nonsense"),
    [("Hour", "99"), ("Month", "13"), ("Year", "9999"), ("Second", "-1"), ("Day", "x"), ("Day", "")],
)
async def test_a_clock_of_nonsense_is_no_clock(field: str, nonsense: str) -> None:
    right = {"Year": "2026", "Month": "2", "Day": "3", "Hour": "4", "Minute": "5", "Second": "6"}
    for fields, is_clock in ((right, True), (right | {field: nonsense}, False)):
        date = "".join(f"<{name}>{fields[name]}</{name}>" for name in ("Year", "Month", "Day"))
        clock = "".join(f"<{name}>{fields[name]}</{name}>" for name in ("Hour", "Minute", "Second"))
        answer = soap(f"<R><UTCDateTime><Date>{date}</Date><Time>{clock}</Time></UTCDateTime></R>")
        async with answering(partial(_always, answer)) as endpoint:
            facts = await look(endpoint, timeout_s=5)
        assert (facts.clock_offset_s is not None) == is_clock


def test_notices_about_another_picture_are_passed_over() -> None:
    own = events.Notice("VideoSource/SignalLoss", frozenset({"v1"}), {"State": "true"})
    other = events.Notice("VideoSource/GlobalSceneChange/X", frozenset({"v2"}), {"State": "true"})
    unnamed = events.Notice("VideoSource/ImageTooDark", frozenset(), {"State": "1"})
    assert events.tamper([own, other, unnamed], frozenset({"v1"})) == 8 | 2
    assert events.tamper([other], frozenset({"v1"})) is None
    assert events.tamper([own, other], frozenset()) == 8 | 4


async def test_a_camera_with_the_newer_media_service_alone_is_read() -> None:
    device, media = "http://www.onvif.org/ver10/device/wsdl", "http://www.onvif.org/ver20/media/wsdl"
    service = f"<Service><Namespace>{media}</Namespace><XAddr>http://192.0.2.1/onvif/media2</XAddr></Service>"
    encoder = "<VideoEncoder><Encoding>H265</Encoding><Resolution><Width>704</Width><Height>576</Height></Resolution>"
    told = {
        "GetServices": f'<R xmlns="{device}">{service}</R>',
        "GetProfiles": '<R><Profiles token="p1"><Name>one</Name><Configurations><VideoSource token="c"><SourceToken>v'
        f"</SourceToken></VideoSource>{encoder}</VideoEncoder></Configurations></Profiles></R>",
        "GetStreamUri": "<R><Uri>rtsp://192.0.2.1/p1</Uri></R>",
    }
    heard: list[bytes] = []
    async with answering(lambda _: b"", heard=heard, by_name=lambda name: soap(told.get(name, "<R/>"))) as endpoint:
        (profile,) = (await look(endpoint, timeout_s=10)).profiles
    assert (profile.codec, profile.width, profile.height, profile.source) == ("H265", 704, 576, "v")
    assert (profile.stream_url, profile.snapshot_url) == ("rtsp://127.0.0.1/p1", None)
    asked = next(each for each in heard if b"GetStreamUri" in each)
    assert asked.startswith(b"POST /onvif/media2 ")
    assert f"{media}/GetStreamUri".encode() in asked
