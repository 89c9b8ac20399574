"""What our own clients can't take apart, by libavformat: RTP/JPEG, odd codecs, RTMP, HLS. Blocking.

It hides what is lost, so it tells of frames and times only. The login reaches it inside the URL, the one way it has:
so no text of its errors is ever passed on, for they hold that URL.
"""

import time
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from edge.cameras.decode import MAX_BYTES
from edge.cameras.facts import Transport
from edge.cameras.pace import Pace
from edge.net.address import Address
from kewang.wire.cameras import CameraReason

_NAMES: Final = {"hevc": "h265"}
_TO_ANNEX_B: Final = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_OPTIONS: Final = {
    "rtsp_transport": "tcp",
    "analyzeduration": "500000",
    "probesize": "65536",
    "protocol_whitelist": "rtsp,rtsps,rtp,udp,tcp,tls,http,https,httpproxy,crypto,rtmp,rtmps",
}
_FAULTS: Final[tuple[tuple[type[Exception], CameraReason, str], ...]] = (
    (av.HTTPUnauthorizedError, CameraReason.AUTH, "user or password is refused"),
    (av.HTTPForbiddenError, CameraReason.AUTH, "this user may not see the stream"),
    (av.HTTPNotFoundError, CameraReason.NOT_FOUND, "the camera has no stream of this name: check the path of its url"),
    (av.HTTPServerError, CameraReason.SERVER_ERROR, "the camera reports an error of its own"),
    (av.ProtocolNotFoundError, CameraReason.PROTOCOL, "FFmpeg does not know this kind of url"),
    (ConnectionRefusedError, CameraReason.REFUSED, "nothing listens on this port: check the port of its url"),
    (TimeoutError, CameraReason.TIMEOUT, "the camera did not answer in time"),
    (av.ExitError, CameraReason.TIMEOUT, "the camera did not answer in time"),
    (av.InvalidDataError, CameraReason.PROTOCOL, "what comes from the camera can't be read"),
)


def watch(address: Address, *, watch_s: float = 4.5, timeout_s: float = 5.0, until_keyframe: bool = False) -> Transport:
    """Open the stream and take its packets for `watch_s`; `timeout_s`: for opening, and for each packet."""
    asked_s = time.monotonic()
    try:
        with av.open(_with_login(address), options=_OPTIONS, timeout=(timeout_s, timeout_s)) as container:
            return _taken(container, asked_s, watch_s, asked_s + watch_s + 2 * timeout_s, until_keyframe)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason, detail = _fault(error)
    return Transport(reason, detail)


def _with_login(address: Address) -> str:
    """The URL with the login in it: a secret."""
    if address.user is None or "{password}" in address.path:
        return address.wire_url
    login = f"{quote(address.user, safe='')}:{quote(address.password or '', safe='')}"
    return f"{address.scheme}://{login}@{address.place}{address.wire_path}"


def _fault(error: Exception) -> tuple[CameraReason, str]:
    """What went wrong by its kind alone."""
    return next(
        ((reason, detail) for kind, reason, detail in _FAULTS if isinstance(error, kind)),
        (CameraReason.PROTOCOL, "FFmpeg can't open the stream"),
    )


def _taken(container: InputContainer, asked_s: float, watch_s: float, ends_s: float, until_keyframe: bool) -> Transport:
    """`ends_s`: when to stop waiting for a key frame."""
    stream = next(iter(container.streams.video), None)
    # A stream whose codec FFmpeg does not know has no context, whatever the type stubs say.
    if stream is None or stream.codec_context is None:
        return Transport(CameraReason.CODEC, "FFmpeg finds no video in it that it knows")
    pace, keyframe, key_s, first = Pace(), None, None, None
    reason, detail = CameraReason.NONE, ""
    try:
        for packet in container.demux(stream):
            now_s = time.monotonic()
            if packet.size:
                pace.tick(now_s, packet.size)
                first = _told_s(packet) if first is None else first
                pace.told_s = max(pace.told_s, min((_told_s(packet) or 0) - (first or 0), 2 * watch_s))
            if packet.is_keyframe and keyframe is None and packet.size:
                keyframe, key_s = _by_itself(stream, packet), now_s
            enough = until_keyframe or (pace.frames > 0 and now_s - pace.first_s >= watch_s)
            if (keyframe is not None and enough) or now_s > ends_s:
                break
    except (av.FFmpegError, OSError) as error:
        if not pace.frames:
            raise
        ended = isinstance(error, av.EOFError)
        reason, detail = CameraReason.STALLED, "the camera ended its stream" if ended else "no more packets came"
    if not pace.frames:
        reason, detail = CameraReason.NO_MEDIA, "the camera answered, but no packet came"
    return replace(
        _figures(pace, asked_s),
        reason=reason,
        detail=detail,
        first_keyframe_ms=None if key_s is None else 1000 * (key_s - asked_s),
        codec=_NAMES.get(stream.codec_context.name, stream.codec_context.name),
        keyframe=keyframe,
    )


def _told_s(packet: "Packet[VideoStream]") -> float | None:
    """When it is to be shown, by the stream's clock."""
    return float(packet.pts * packet.time_base) if packet.pts is not None and packet.time_base else None


def _figures(pace: Pace, asked_s: float) -> Transport:
    return Transport(
        CameraReason.NONE,
        first_packet_ms=1000 * (pace.first_s - asked_s) if pace.frames else None,
        frames=pace.frames,
        fps=pace.fps,
        stalls=pace.long_gaps,
        stall_max_s=pace.longest_s if pace.frames > 1 else None,
        bitrate_kbps=pace.bitrate_kbps,
    )


def _by_itself(stream: VideoStream, packet: "Packet[VideoStream]") -> bytes | None:
    """The key frame so that it can be decoded alone; None if it is too long."""
    if packet.size > MAX_BYTES:
        return None
    name = stream.codec_context.name
    if name in _TO_ANNEX_B:
        found = BitStreamFilterContext(_TO_ANNEX_B[name], stream).filter(packet)
        return b"".join(bytes(each) for each in found)
    return (stream.codec_context.extradata or b"") + bytes(packet) if name != "mjpeg" else bytes(packet)
