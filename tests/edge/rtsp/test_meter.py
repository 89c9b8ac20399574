"""What is measured of a stream, in simulated time: no clock runs here."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge.rtsp.meter import Meter
from edge.rtsp.sdp import Video
from kewang.wire.cameras import CameraReason
from tests.edge.rtsp.packets import IDR, PPS, SLICE, SPS, packet, sender_report

_CLOCK_HZ = 90_000


@dataclass
class _Camera:
    """Frames at `fps`, a key frame every `gop`, handed to a meter at times of our choosing."""

    meter: Meter
    fps: float = 10
    gop: int = 20
    marks: bool = True
    now_s: float = 0.0
    number: int = 0
    sequence: int = 100

    def frame(self, at_s: float, *, lost: bool = False) -> None:
        self.now_s = at_s
        key = self.number % self.gop == 0
        payloads = [SPS, PPS, IDR] if key else [SLICE]
        for index, payload in enumerate(payloads):
            last = self.marks and index == len(payloads) - 1
            data = packet(self.sequence, int(self.number * _CLOCK_HZ / self.fps) % 2**32, payload, marker=last)
            if not lost:
                self.meter.take(data, at_s, 1.8e9)
            self.sequence += 1
        self.number += 1

    def frames(self, until_s: float) -> None:
        while (at_s := self.number / self.fps) <= until_s:
            self.frame(at_s)


def _meter(watch_s: float = 4.5, frame_rate: float | None = None) -> Meter:
    return Meter(Video("h264", _CLOCK_HZ, frame_rate=frame_rate), -0.1, watch_s, 5.0)


def test_a_steady_stream() -> None:
    camera = _Camera(_meter())
    camera.frames(4.5)
    camera.meter.close(4.5)
    told = camera.meter.figures()
    assert (told["frames"], told["fps"], told["keyframe_interval_s"]) == (46, pytest.approx(10), pytest.approx(2))
    assert (told["loss_pct"], told["stalls"], told["stall_max_s"]) == (0, 0, pytest.approx(0.1))
    assert told["first_packet_ms"] == told["first_keyframe_ms"] == pytest.approx(100)
    payload_bytes = 43 * len(SLICE) + 3 * (len(SPS) + len(PPS) + len(IDR))
    assert told["bitrate_kbps"] == pytest.approx(payload_bytes * 8 / 4.6 / 1000)
    assert told["jitter_ms"] == pytest.approx(0, abs=1e-6)
    assert camera.meter.outcome(4.5) == (CameraReason.NONE, "")


@pytest.mark.parametrize("marks", [True, False])
def test_a_backlog_sent_at_once_is_not_more_frames_per_second(marks: bool) -> None:
    """Twenty frames that were kept come with PLAY, the rest as it is made."""
    camera = _Camera(_meter(), marks=marks)
    for _ in range(20):
        camera.frame(0)
    while camera.now_s < 4.4:
        camera.frame(camera.now_s + 0.1)
    assert camera.meter.fps == pytest.approx(10, abs=0.2)


def test_frames_that_come_too_slowly() -> None:
    """The camera says ten a second, the network brings five."""
    camera = _Camera(_meter())
    for number in range(23):
        camera.frame(number / 5)
    assert camera.meter.fps == pytest.approx(5)


def test_each_slice_marked_is_still_one_frame() -> None:
    meter = _meter()
    for number in range(40):
        for part in range(4):
            data = packet(number * 4 + part, number * 9000, SLICE, marker=True)
            meter.take(data, number / 10, 0)
    assert meter.figures()["frames"] == 40
    assert meter.fps == pytest.approx(10)


def test_timestamps_that_stand_still() -> None:
    meter = _meter()
    for number in range(41):
        meter.take(packet(number, 5, SLICE, marker=True), number / 10, 0)
    assert meter.fps == pytest.approx(10)


def test_a_stall_that_ends() -> None:
    camera = _Camera(_meter(10))
    camera.frames(3)
    for number in range(30):
        camera.frame(6.5 + number / 10)
    told = camera.meter.figures()
    assert (told["stalls"], told["stall_max_s"]) == (1, pytest.approx(3.5))
    assert camera.meter.outcome(camera.now_s + 0.1)[0] is CameraReason.NONE


def test_a_stall_at_the_end() -> None:
    camera = _Camera(_meter())
    camera.frames(1)
    camera.meter.close(4)
    assert camera.meter.figures()["stalls"] == 1
    assert camera.meter.outcome(4) == (CameraReason.STALLED, "no packet for 3.0 s")


@pytest.mark.parametrize(("frame_rate", "reason"), [(None, CameraReason.STALLED), (0.4, CameraReason.NONE)])
def test_a_slow_camera_that_says_so_does_not_stall(frame_rate: float | None, reason: CameraReason) -> None:
    meter = _meter(frame_rate=frame_rate)
    _Camera(meter).frame(0)
    assert meter.outcome(2.4)[0] is reason
    assert meter.fps is None


def test_how_long_to_wait() -> None:
    camera = _Camera(_meter())
    assert camera.meter.wait_s(0, until_keyframe=False) == pytest.approx(4.9)
    camera.frames(1)
    assert camera.meter.wait_s(1, until_keyframe=False) == pytest.approx(3.5)
    assert camera.meter.wait_s(1, until_keyframe=True) <= 0
    camera.frames(4.5)
    assert camera.meter.wait_s(4.55, until_keyframe=False) <= 0


def test_silence_at_the_end_is_waited_out() -> None:
    """A second of it is no stall yet; it is told only after two."""
    camera = _Camera(_meter())
    camera.frames(3.5)
    more_s = camera.meter.wait_s(4.5, until_keyframe=False)
    assert 1.0 < more_s < 1.1
    assert camera.meter.wait_s(4.5 + more_s, until_keyframe=False) <= 0
    assert camera.meter.outcome(4.5 + more_s)[0] is CameraReason.STALLED


def test_a_late_key_frame_is_waited_for_once() -> None:
    camera = _Camera(_meter(), number=1, gop=70)
    while camera.now_s < 4.5:
        camera.frame(camera.now_s + 0.1)
    assert camera.meter.wait_s(4.6, until_keyframe=False) == pytest.approx(5, abs=0.2)
    while camera.now_s < 9.6:
        camera.frame(camera.now_s + 0.1)
    assert camera.meter.keyframe is not None
    assert camera.meter.wait_s(9.7, until_keyframe=False) <= 0


def test_a_camera_that_never_sends_a_key_frame_is_not_waited_for_without_end() -> None:
    camera = _Camera(_meter(), number=1, gop=10**6)
    while camera.meter.wait_s(camera.now_s, until_keyframe=True) > 0:
        camera.frame(camera.now_s + 0.1)
    assert camera.now_s < 10
    reason, detail = camera.meter.outcome(camera.now_s)
    assert (reason, "no key frame" in detail) == (CameraReason.NONE, True)


def test_an_extra_key_frame_at_the_start_is_not_the_interval() -> None:
    meter = _meter(6)
    for sequence, key_s in enumerate((0.0, 0.3, 2.3, 4.3)):
        meter.take(packet(sequence, int(key_s * _CLOCK_HZ), IDR, marker=True), key_s, 0)
    assert meter.figures()["keyframe_interval_s"] == pytest.approx(2, abs=0.001)


def test_lost_frames_and_marks() -> None:
    camera = _Camera(_meter())
    for number in range(100):
        camera.frame(number / 10, lost=number % 10 == 5)
    told = camera.meter.figures()
    assert told["loss_pct"] == pytest.approx(100 * 10 / 110, abs=0.1)
    assert told["frames"] == 90


def test_the_clock_by_a_report_among_the_packets() -> None:
    meter = _meter()
    _Camera(meter).frame(0)
    meter.take(sender_report(1_800_000_000), 0.1, 1_800_000_042.0)
    assert meter.clock_offset_s == pytest.approx(-42)


def test_a_burst_tells_no_frame_rate() -> None:
    """Frames with one timestamp, or one that runs backwards, at one time: a rate of millions is none."""
    camera = _Camera(_meter(), fps=-10)
    camera.frame(0)
    camera.frame(1e-6)
    told = camera.meter.figures()
    assert (told["fps"], "bitrate_kbps" in told) == (None, False)
