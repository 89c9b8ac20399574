"""One look at a camera by ONVIF, against the simulated services: what is told, and what each fault leaves of it."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from edge.onvif import Endpoint, OnvifFacts, Recording, look
from firmware_sim.cameras.onvif import OnvifFault, OnvifServices, OnvifState, serving
from firmware_sim.cameras.onvif_answers import TAMPER, Account, Stream
from kewang.wire.cameras import CameraReason, Tamper

USER, PASSWORD = "admin", "pa55-Wörd<&>"
BITS = {
    "blurry": Tamper.BLURRED,
    "dark": Tamper.EXPOSURE,
    "bright": Tamper.EXPOSURE,
    "scene": Tamper.CHANGED,
    "tamper": Tamper.CHANGED,
    "signal": Tamper.SIGNAL_LOSS,
}


@dataclass
class Simulated:
    """A running camera and what it was asked."""

    state: OnvifState
    services: OnvifServices
    endpoint: Endpoint

    async def look(
        self, password: str | None = PASSWORD, timeout_s: float = 15.0, everything: bool = True
    ) -> OnvifFacts:
        user = USER if password else None
        return await look(
            self.endpoint, user, password, timeout_s, stream_path="/sub", streams=everything, events=everything
        )


@pytest.fixture
async def camera() -> AsyncIterator[Simulated]:
    streams = (Stream("main", "/main", 8554, 1920, 1080), Stream("sub", "/sub", 8554))
    state = OnvifState(Account(USER, PASSWORD), streams=streams)
    services = OnvifServices(lambda: state)
    async with serving(services) as port:
        yield Simulated(state, services, Endpoint("127.0.0.1", port))


@pytest.mark.parametrize("by_header", [False, True], ids=["token", "http-digest"])
async def test_a_camera_tells_everything_it_knows(camera: Simulated, by_header: bool) -> None:
    camera.state.by_header = by_header
    camera.state.booted_s = time.time() - 1000
    camera.state.recording = True
    facts = await camera.look()
    assert (facts.reason, facts.detail) == (CameraReason.NONE, "")
    assert (facts.manufacturer, facts.model, facts.firmware, facts.serial) == ("Kewang", "KW-200", "1.4.2", "KW0001")
    assert facts.clock_offset_s == pytest.approx(0, abs=1)
    assert facts.uptime_s == pytest.approx(1000, abs=5)
    assert (facts.recording, facts.tamper) == (Recording.YES, Tamper(0))
    sub, main = facts.profiles
    assert (sub.token, sub.codec, sub.width, sub.height) == ("sub", "H264", 640, 360)
    assert (sub.stream_url, main.stream_url) == ("rtsp://127.0.0.1:8554/sub", "rtsp://127.0.0.1:8554/main")
    assert sub.snapshot_url == f"http://127.0.0.1:{camera.endpoint.port}/snapshot.jpg"
    assert not camera.services.subscriptions


@pytest.mark.parametrize("ahead_s", [-86_400 * 365.0, -36_000, -37.3, 0.0, 0.49, 7.5, 3600, 86_400 * 365])
@pytest.mark.parametrize("by_header", [False, True], ids=["token", "http-digest"])
async def test_the_camera_clock_is_told_and_used_for_the_login(
    camera: Simulated, ahead_s: float, by_header: bool
) -> None:
    camera.state.clock_ahead_s, camera.state.by_header = ahead_s, by_header
    facts = await camera.look()
    assert facts.clock_offset_s == pytest.approx(ahead_s, abs=1)
    assert (facts.reason, facts.model) == (CameraReason.NONE, "KW-200")


async def test_a_wrong_password_is_tried_once_and_the_clock_is_kept(camera: Simulated) -> None:
    camera.state.clock_ahead_s = 300
    facts = await camera.look("wrong")
    assert facts.reason is CameraReason.AUTH
    assert facts.clock_offset_s == pytest.approx(300, abs=1)
    assert camera.services.requests == ["GetSystemDateAndTime", "GetServices", "GetDeviceInformation"]


async def test_a_wrong_password_by_http_digest_is_tried_once(camera: Simulated) -> None:
    camera.state.by_header = True
    assert (await camera.look("wrong")).reason is CameraReason.AUTH
    assert camera.services.requests.count("GetDeviceInformation") == 2, "once to be asked for it, once to answer"


async def test_without_a_password_there_is_still_the_clock(camera: Simulated) -> None:
    facts = await camera.look(None)
    assert (facts.reason, facts.model) == (CameraReason.AUTH, "")
    assert facts.clock_offset_s == pytest.approx(0, abs=1)


async def test_a_camera_without_a_login_is_asked_without_one(camera: Simulated) -> None:
    camera.state.account = None
    assert (await camera.look(None)).model == "KW-200"


async def test_an_old_camera_is_asked_for_its_capabilities(camera: Simulated) -> None:
    camera.state.old, camera.state.recording = True, True
    facts = await camera.look()
    assert (facts.reason, facts.recording, len(facts.profiles)) == (CameraReason.NONE, Recording.YES, 2)
    assert "GetCapabilities" in camera.services.requests


async def test_a_camera_that_tells_nothing_without_a_login_is_asked_with_one(camera: Simulated) -> None:
    camera.state.secretive, camera.state.clock_ahead_s = True, 3
    facts = await camera.look()
    assert (facts.reason, facts.model) == (CameraReason.NONE, "KW-200")
    assert facts.clock_offset_s == pytest.approx(3, abs=1)


@pytest.mark.parametrize("by_header", [False, True], ids=["token", "http-digest"])
async def test_what_this_user_may_not_ask_leaves_the_rest(camera: Simulated, by_header: bool) -> None:
    camera.state.forbidden, camera.state.by_header = (
        frozenset({"GetProfiles", "CreatePullPointSubscription"}),
        by_header,
    )
    camera.state.recording = True
    facts = await camera.look()
    assert (facts.reason, facts.model, facts.recording) == (CameraReason.NONE, "KW-200", Recording.YES)
    assert (facts.profiles, facts.tamper) == ((), None)


@pytest.mark.parametrize("topic", TAMPER)
@pytest.mark.parametrize("shy", [False, True], ids=["at once", "when asked to"])
@pytest.mark.parametrize("by_reference", [False, True], ids=["by address", "by reference"])
async def test_each_tamper_event_sets_its_bit(camera: Simulated, topic: str, shy: bool, by_reference: bool) -> None:
    camera.state.tamper, camera.state.shy, camera.state.by_reference = frozenset({topic}), shy, by_reference
    assert (await camera.look()).tamper == BITS[topic]
    assert not camera.services.subscriptions


async def test_all_tamper_events_together_fit_the_metric(camera: Simulated) -> None:
    camera.state.tamper = frozenset(TAMPER)
    assert (await camera.look()).tamper == 15


@pytest.mark.parametrize(
    ("recording", "failed", "told"),
    [
        (None, False, Recording.UNKNOWN),
        (True, False, Recording.YES),
        (False, False, Recording.NO),
        (True, True, Recording.NO),
        (None, True, Recording.NO),
    ],
)
async def test_recording_is_told_only_when_it_is_known(
    camera: Simulated, recording: bool | None, failed: bool, told: Recording
) -> None:
    camera.state.recording, camera.state.storage_failed = recording, failed
    assert (await camera.look()).recording is told


async def test_only_what_is_wanted_is_asked(camera: Simulated) -> None:
    facts = await camera.look(everything=False)
    assert (facts.model, facts.profiles, facts.tamper) == ("KW-200", (), None)
    assert camera.services.requests == ["GetSystemDateAndTime", "GetServices", "GetDeviceInformation"]


@pytest.mark.parametrize(
    ("fault", "reason", "has_clock"),
    [
        (OnvifFault.UNAUTHORISED, CameraReason.AUTH, True),
        (OnvifFault.HANG, CameraReason.TIMEOUT, False),
        (OnvifFault.GARBAGE, CameraReason.PROTOCOL, False),
        (OnvifFault.BOMB, CameraReason.PROTOCOL, False),
        (OnvifFault.ENDLESS, CameraReason.TOO_LARGE, False),
        (OnvifFault.UNSUPPORTED, CameraReason.NONE, True),
    ],
)
async def test_each_fault_gives_its_reason_and_the_next_look_works(
    camera: Simulated, fault: OnvifFault, reason: CameraReason, has_clock: bool
) -> None:
    camera.state.fault = fault
    facts = await camera.look(timeout_s=0.5)
    assert (facts.reason, facts.clock_offset_s is not None) == (reason, has_clock)
    assert (facts.model, facts.tamper, facts.recording) == ("", None, Recording.UNKNOWN)
    assert bool(facts.detail) == (reason is not CameraReason.NONE)
    camera.state.fault = OnvifFault.NONE
    assert (await camera.look()).reason is CameraReason.NONE


async def test_when_events_hang_the_rest_is_told_in_time_and_the_subscription_ended(camera: Simulated) -> None:
    camera.state.fault = OnvifFault.HANG_EVENTS
    facts = await camera.look(timeout_s=0.5)
    assert (facts.reason, facts.model, facts.tamper) == (CameraReason.TIMEOUT, "KW-200", None)
    assert len(facts.profiles) == 2
    assert not camera.services.subscriptions


async def test_a_look_that_is_cancelled_while_it_pulls_ends_its_subscription(camera: Simulated) -> None:
    camera.state.fault = OnvifFault.HANG_EVENTS
    looking = asyncio.create_task(camera.look())
    async with asyncio.timeout(60):
        while "PullMessages" not in camera.services.requests:
            await asyncio.sleep(0)
        assert camera.services.subscriptions
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        while camera.services.subscriptions:
            await asyncio.sleep(0)
    assert "Unsubscribe" in camera.services.requests


@pytest.mark.parametrize("fault", OnvifFault)
async def test_the_password_is_seen_nowhere(
    camera: Simulated, fault: OnvifFault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera.state.fault = fault
    facts = await camera.look(timeout_s=0.5)
    assert PASSWORD not in repr(facts) + caplog.text


async def test_nobody_there_has_its_reason() -> None:
    async with serving(OnvifServices(OnvifState)) as port:
        pass
    assert (await look(Endpoint("127.0.0.1", port))).reason is CameraReason.REFUSED
    assert (await look(Endpoint("no-such-camera.invalid"))).reason is CameraReason.DNS
    assert (await look(Endpoint("x" * 70 + ".invalid"))).reason is CameraReason.DNS


async def test_a_camera_behind_tls_is_read_whoever_signed_its_certificate(self_signed: ssl.SSLContext) -> None:
    services = OnvifServices(OnvifState)
    async with serving(services, tls=self_signed) as port:
        assert (await look(Endpoint("127.0.0.1", port, tls=True))).model == "KW-200"
        assert (await look(Endpoint("127.0.0.1", port))).reason is not CameraReason.NONE
    async with serving(services) as port:
        assert (await look(Endpoint("127.0.0.1", port, tls=True))).reason is CameraReason.PROTOCOL
