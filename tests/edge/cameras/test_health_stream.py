"""What the transport makes of a camera's state: outages, frame rate, loss, clock, recording."""

from dataclasses import replace

import pytest

from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import CameraHealth
from edge.cameras.thresholds import load
from kewang.wire.cameras import CameraReason, CameraState
from tests.edge.cameras import views

GOOD = Transport(CameraReason.NONE, tcp_ms=1.0, fps=10.0, loss_pct=0.0)
REACHED = Transport(CameraReason.NONE, tcp_ms=1.0)
OUTAGES = (
    *("DNS", "REFUSED", "TIMEOUT", "UNROUTABLE", "AUTH", "NOT_FOUND", "TRANSPORT", "NO_MEDIA", "STALLED", "DECODE"),
    *("PROTOCOL", "SERVER_ERROR", "REDIRECT", "TOO_LARGE"),
)


class Looks:
    """A camera with a good picture, looked at every minute."""

    def __init__(self) -> None:
        self.health = CameraHealth(load())
        self.now_s = 0.0

    def saw(self, transport: Transport, *, picture: bool = True, corrupt: bool = False) -> Verdict:
        self.now_s += 60
        shown = views.picture(views.PLACE, int(self.now_s)) if picture else None
        return self.health.saw(transport, shown, self.now_s, corrupt=corrupt).verdict

    def often(self, times: int, transport: Transport, *, corrupt: bool = False) -> Verdict:
        return [self.saw(transport, corrupt=corrupt) for _ in range(times)][-1]


@pytest.fixture
def looks() -> Looks:
    looks = Looks()
    looks.often(32, GOOD)
    assert told(looks.saw(GOOD)) == (CameraState.OK, CameraReason.NONE)
    return looks


def told(verdict: Verdict) -> tuple[CameraState, CameraReason]:
    return verdict.state, verdict.reason


@pytest.mark.parametrize("reason", [CameraReason[name] for name in OUTAGES])
def test_an_outage_is_told_at_the_second_look_and_ends_with_a_picture(looks: Looks, reason: CameraReason) -> None:
    first = looks.saw(Transport(reason), picture=False)
    assert told(first) == (CameraState.OK, CameraReason.NONE)
    assert first.suspicious
    assert told(looks.saw(Transport(reason), picture=False)) == (CameraState.DOWN, reason)
    assert told(looks.health.reached(REACHED, looks.now_s + 1).verdict) == (CameraState.DOWN, reason)
    assert told(looks.saw(GOOD)) == (CameraState.OK, CameraReason.NONE)


@pytest.mark.parametrize("reason", [CameraReason.BUSY, CameraReason.CODEC])
def test_a_camera_that_we_cannot_watch_is_degraded_not_down(looks: Looks, reason: CameraReason) -> None:
    looks.saw(Transport(reason), picture=False)
    assert told(looks.saw(Transport(reason), picture=False)) == (CameraState.DEGRADED, reason)


def test_an_answer_between_two_refusals_is_no_outage(looks: Looks) -> None:
    for step in range(4):
        transport = Transport(CameraReason.TIMEOUT) if step % 2 == 0 else REACHED
        assert looks.health.reached(transport, looks.now_s + step).verdict.state is CameraState.OK


def test_reachable_is_what_was_seen_now() -> None:
    health = CameraHealth(load())
    assert health.reached(Transport(CameraReason.REFUSED), 0.0).metrics["reachable"] == 0
    assert health.reached(Transport(CameraReason.AUTH), 1.0).metrics["reachable"] == 1


def test_few_frames_are_told_against_the_norm_and_do_not_become_it(looks: Looks) -> None:
    slow = replace(GOOD, fps=4.0)
    looks.often(2, slow)
    assert looks.saw(replace(GOOD, fps=None)).state is CameraState.OK
    assert told(looks.saw(slow)) == (CameraState.DEGRADED, CameraReason.LOW_FPS)
    assert told(looks.often(100, slow)) == (CameraState.DEGRADED, CameraReason.LOW_FPS)
    assert told(looks.saw(GOOD)) == (CameraState.OK, CameraReason.NONE)


def test_half_the_frames_at_night_are_another_norm(looks: Looks) -> None:
    halved = replace(GOOD, fps=5.0)
    nights = [
        (looks.now_s + 60 * (moment + 1), views.picture(views.PLACE, moment, infrared=True)) for moment in range(40)
    ]
    verdicts = [looks.health.saw(halved, shown, at_s).verdict for at_s, shown in nights]
    assert told(verdicts[-1]) == (CameraState.OK, CameraReason.NONE)


def test_lost_packets_are_told(looks: Looks) -> None:
    assert told(looks.often(3, replace(GOOD, loss_pct=4.0))) == (CameraState.DEGRADED, CameraReason.LOSS)
    assert told(looks.saw(GOOD)) == (CameraState.OK, CameraReason.NONE)


def test_pictures_that_always_decode_with_errors_are_told(looks: Looks) -> None:
    assert told(looks.often(3, GOOD, corrupt=True)) == (CameraState.DOWN, CameraReason.DECODE)
    assert told(looks.saw(GOOD)) == (CameraState.OK, CameraReason.NONE)


def test_the_clock_and_the_recording_are_told_last(looks: Looks) -> None:
    looks.health.noted(recording=2, uptime_s=60.0, tamper=0, main=GOOD)
    found = looks.health.saw(GOOD, views.picture(views.PLACE, 1), looks.now_s + 60)
    assert told(found.verdict) == (CameraState.DEGRADED, CameraReason.NOT_RECORDING)
    assert {"recording", "camera_uptime_s", "tamper_event", "main_stream"} <= set(found.metrics)
    looks.now_s += 60
    assert told(looks.saw(replace(GOOD, clock_offset_s=-300.0))) == (CameraState.DEGRADED, CameraReason.CLOCK)
    looks.health.noted(recording=1)
    assert told(looks.saw(replace(GOOD, clock_offset_s=1.0))) == (CameraState.OK, CameraReason.NONE)


def test_the_time_since_power_on_is_no_clock(looks: Looks) -> None:
    found = looks.health.saw(replace(GOOD, clock_offset_s=-3.98e9), views.picture(views.PLACE, 1), looks.now_s + 60)
    assert told(found.verdict) == (CameraState.OK, CameraReason.NONE)
    assert "clock_offset_s" not in found.metrics


def test_what_was_noted_goes_out_once(looks: Looks) -> None:
    looks.health.noted(recording=1)
    assert "recording" in looks.health.reached(REACHED, looks.now_s + 1).metrics
    assert "recording" not in looks.health.reached(REACHED, looks.now_s + 2).metrics
