"""What a stream delivers: packets in, figures out. Pure: every time is given by the caller, in monotonic seconds."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from edge.rtsp import rtp
from edge.rtsp.jpeg import JpegAssembler
from edge.rtsp.nal import SYNTAXES, Assembler
from edge.rtsp.sdp import Video
from kewang.wire.cameras import CameraReason

STALL_S: Final = 2.0
"""A gap is a stall when it is longer than this and than two frames."""
FPS_LIMIT: Final = 240.0
"""No camera sends more; what was held back comes at once, and such a burst tells nothing of the frame rate."""
_HUSH_S: Final = 0.5
_BURST_LIMIT_S: Final = 12.0
_KEPT_GAPS: Final = 64
_INTERVAL_LIMIT_S: Final = 600.0


@dataclass(slots=True)
class Beat:
    """Frames as they come: how many, from when to when, and the gaps between that may be stalls.

    `again`: what came with the timestamp of the frame before. It is the same frame, some servers mark each part of it;
    only when timestamps never change it is another one.
    """

    count: int = 0
    again: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    first_ticks: int = 0
    last_ticks: int = 0
    longest_s: float = 0.0
    long_gaps_s: list[float] = field(default_factory=list)
    _before_ticks: int | None = None

    @property
    def frames(self) -> int:
        return self.count if self.count > 1 else self.count + self.again

    def tick(self, now_s: float, ticks: int) -> None:
        if self._before_ticks is None:
            self.first_s, self.first_ticks, self.last_ticks = now_s, ticks, ticks
        else:
            self.gap(now_s - self.last_s)
        if ticks == self._before_ticks:
            self.again += 1
        else:
            self.count += 1
        self.last_s, self.last_ticks, self._before_ticks = now_s, max(self.last_ticks, ticks), ticks

    def gap(self, gap_s: float) -> None:
        self.longest_s = max(self.longest_s, gap_s)
        if gap_s > STALL_S and len(self.long_gaps_s) < _KEPT_GAPS:
            self.long_gaps_s.append(gap_s)

    def span_s(self, clock_hz: int) -> float:
        """Time from the first to the last frame.

        Cameras that keep a backlog send it at once after PLAY; then the timestamps tell more than the arrival.
        """
        arrived_s, told_s = self.last_s - self.first_s, (self.last_ticks - self.first_ticks) / clock_hz
        return told_s if arrived_s < told_s < arrived_s + _BURST_LIMIT_S else arrived_s


def rate(frames: int, span_s: float) -> float | None:
    """Frames per second when `frames` came within `span_s` from the first to the last; None if that tells nothing."""
    return (frames - 1) / span_s if 1 < frames <= 1 + FPS_LIMIT * span_s else None


def stall_limit_s(fps: float | None) -> float:
    """A longer gap is a stall: longer than two frames take."""
    return max(STALL_S, 2 / fps) if fps else STALL_S


def bitrate_kbps(size_bytes: int, frames: int, fps: float) -> float:
    """Kilobits per second of a stream whose `frames` were `size_bytes` together and come at `fps`."""
    return size_bytes * 8 / 1000 * fps / frames


class Meter:
    """One watch of one video. Give it every packet of the stream; ask `wait_s` how long to go on."""

    def __init__(self, video: Video, played_s: float, watch_s: float, patience_s: float) -> None:
        """`played_s`: when PLAY was sent; `patience_s`: for the first packet, and for a late key frame."""
        self.assembler: Assembler | JpegAssembler = (
            JpegAssembler() if video.codec == "mjpeg" else Assembler(SYNTAXES[video.codec], video.parameter_sets)
        )
        self._video, self._played_s, self._watch_s, self._patience_s = video, played_s, watch_s, patience_s
        self._reception, self._timeline = rtp.Reception(), rtp.Timeline(video.clock_hz)
        self._marked, self._changed = Beat(), Beat()
        self._bytes = self._malformed = self._foreign = 0
        self._first_s: float | None = None
        self._last_s = played_s
        self._timestamp: int | None = None
        self._key_ticks: list[int] = []
        self._keyframe_s: float | None = None
        self.clock_offset_s: float | None = None
        self.goodbye = False
        self.news = False
        """Set when `wait_s` may now be shorter; the one who looks clears it."""

    @property
    def keyframe(self) -> bytes | None:
        return self.assembler.keyframe

    @property
    def began(self) -> bool:
        return self._first_s is not None

    def take(self, data: bytes, now_s: float, utc_s: float) -> None:
        """A packet of the video, or RTCP on its channel. Raises CameraError (TOO_LARGE)."""
        packet = None if rtp.is_control(data) else rtp.parse(data)
        if packet is None:
            self.take_control(data, utc_s) if rtp.is_control(data) else self._spoilt()
            return
        marker, sequence, timestamp, source, start, end = packet
        if self._first_s is None:
            self._first_s, self.news = now_s, True
        self._last_s = now_s
        self._bytes += end - start
        follows = self._reception.take(source, sequence)
        ticks = self._timeline.take(timestamp)
        self._timeline.arrived(now_s)
        if timestamp != self._timestamp:
            self._timestamp = timestamp
            self._changed.tick(now_s, ticks)
        if marker:
            self._marked.tick(now_s, ticks)
        missing = self.assembler.keyframe is None
        if self.assembler.take(data[start:end], timestamp, marker, follows):
            self._key(ticks)
        if missing and self.assembler.keyframe is not None:
            self._keyframe_s, self.news = now_s, True

    def take_control(self, data: bytes, utc_s: float) -> None:
        """An RTCP packet that came at `utc_s` of our clock."""
        report = rtp.control(data)
        if report.utc_s is not None:
            self.clock_offset_s = report.utc_s - utc_s
        if report.goodbye:
            self.goodbye = self.news = True

    def take_foreign(self) -> None:
        """A packet on a channel that nobody agreed on."""
        self._foreign += 1

    def _spoilt(self) -> None:
        self._malformed += 1

    def _key(self, ticks: int) -> None:
        if len(self._key_ticks) < _KEPT_GAPS and (not self._key_ticks or ticks != self._key_ticks[-1]):
            self._key_ticks.append(ticks)

    @property
    def _beat(self) -> Beat:
        """Frames by their marker bits; by their timestamps when a camera sets none, or when marks may be lost."""
        marked, changed = self._marked, self._changed
        unmarked = 2 * marked.count + 1 < changed.count
        return changed if unmarked or (self._reception.loss_pct and changed.count > 1) else marked

    @property
    def fps(self) -> float | None:
        """Frames per second, or None of fewer than two frames and of a burst."""
        beat = self._beat
        return rate(beat.frames, beat.span_s(self._video.clock_hz))

    @property
    def stall_limit_s(self) -> float:
        return stall_limit_s(self.fps or self._video.frame_rate)

    def wait_s(self, now_s: float, until_keyframe: bool) -> float:
        """How long to go on from `now_s` without another look; 0 or less: enough was seen."""
        if self._first_s is None:
            return self._played_s + self._patience_s - now_s
        if self.goodbye or (until_keyframe and self.keyframe is not None):
            return 0
        end_s = self._first_s + self._watch_s
        if now_s < end_s:
            return end_s - now_s
        silence_s, limit_s = now_s - self._last_s, self.stall_limit_s
        if self._last_s < end_s and max(_HUSH_S, limit_s / 4) < silence_s <= min(limit_s, self._patience_s):
            return min(limit_s, self._patience_s) - silence_s + 0.001
        if self.keyframe is None and silence_s <= limit_s:
            return end_s + self._patience_s - now_s
        return 0

    def close(self, now_s: float) -> None:
        """The watch ended at `now_s`: a silence at its end counts as a gap too."""
        silence_s = now_s - self._last_s
        if self._first_s is not None and silence_s > self.stall_limit_s:
            self._beat.gap(silence_s)

    def outcome(self, now_s: float) -> tuple[CameraReason, str]:
        """What kept the stream from being watched, and why so; (NONE, "") or a remark if nothing did."""
        if self._first_s is None:
            if self._foreign:
                return CameraReason.NO_MEDIA, f"{self._foreign} packets came, all on channels nobody agreed on"
            if self._malformed:
                return CameraReason.NO_MEDIA, f"{self._malformed} packets came, none of them RTP"
            return CameraReason.NO_MEDIA, "PLAY was answered, but no packet came"
        silence_s = now_s - self._last_s
        if silence_s > self.stall_limit_s:
            return CameraReason.STALLED, f"no packet for {silence_s:.1f} s"
        if self.goodbye:
            return CameraReason.STALLED, "the camera ended its stream"
        return self._picture_outcome() if self.keyframe is None else (CameraReason.NONE, "")

    def _picture_outcome(self) -> tuple[CameraReason, str]:
        assembler, loss_pct = self.assembler, self._reception.loss_pct or 0.0
        if assembler.broken_keyframes and loss_pct > 0:
            return CameraReason.LOSS, f"every key frame was damaged by loss ({loss_pct:.1f} % of packets)"
        if self._key_ticks and assembler.lacks_sets:
            return CameraReason.DECODE, "key frames came without their parameter sets"
        if assembler.broken_keyframes or assembler.malformed:
            return CameraReason.DECODE, "packets came, but no whole key frame could be put together"
        return CameraReason.NONE, "no key frame came: let the camera send one every 2 s"

    def figures(self) -> dict[str, Any]:
        """The measured fields of a Transport."""
        beat, fps, first_s = self._beat, self.fps, self._first_s
        told: dict[str, Any] = {"codec": self._video.codec, "keyframe": self.keyframe, "frames": beat.frames}
        told |= {"clock_offset_s": self.clock_offset_s}
        if first_s is None:
            return told
        told["first_packet_ms"] = 1000 * (first_s - self._played_s)
        if self._keyframe_s is not None:
            told["first_keyframe_ms"] = 1000 * (self._keyframe_s - self._played_s)
        told["loss_pct"] = self._reception.loss_pct
        told["jitter_ms"] = 1000 * self._timeline.jitter_s
        told["stalls"] = sum(gap_s > self.stall_limit_s for gap_s in beat.long_gaps_s)
        told["stall_max_s"] = beat.longest_s
        told["fps"] = fps
        if fps is not None:
            told["bitrate_kbps"] = bitrate_kbps(self._bytes, beat.frames, fps)
        told["keyframe_interval_s"] = self._keyframe_interval_s()
        return told

    def _keyframe_interval_s(self) -> float | None:
        """The upper median: many cameras send an extra key frame right after PLAY, which makes a short one."""
        keys = self._key_ticks
        gaps_s = sorted((after - before) / self._video.clock_hz for before, after in pairwise(keys))
        usual_s = gaps_s[len(gaps_s) // 2] if gaps_s else None
        return usual_s if usual_s is not None and 0 < usual_s < _INTERVAL_LIMIT_S else None
