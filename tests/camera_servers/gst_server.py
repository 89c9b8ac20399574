"""GStreamer's RTSP server as a camera whose truth is known: run by /usr/bin/python3, which alone has its bindings.

    gst_server.py PORT CLIPS [--auth basic|digest]

CLIPS: a JSON file, mount -> {"codec", "fps", "units": file of access units, each behind its length (4 bytes), "loss",
"stalls_after", "only_udp"}. Every mount loops its clip. Prints READY when it serves; ends with SIGTERM.
"""

import argparse
import json
import struct
import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

CAPS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au",
    "mjpeg": "image/jpeg,width=320,height=180",
}
PARSERS = {"h264": "h264parse", "h265": "h265parse", "mjpeg": "identity"}
PAYLOADERS = {
    "h264": "rtph264pay config-interval=1",
    "h265": "rtph265pay config-interval=1",
    "mjpeg": "rtpjpegpay",
}
USER, PASSWORD = "admin", "gst-secret-2026"


def access_units(path):
    data, position, units = Path(path).read_bytes(), 0, []
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position)
        units.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return units


class Camera(GstRtspServer.RTSPMediaFactory):
    """One mount: its clip, pushed again and again as the pipeline asks for it."""

    def __init__(self, clip):
        super().__init__()
        self.clip, self.units = clip, access_units(clip["units"])
        self.set_latency(0)

    def do_create_element(self, url):
        codec, clip = self.clip["codec"], self.clip
        framerate = f"{clip['fps']}/1"
        source = (
            f'appsrc name=source format=time block=true max-bytes=2000000 caps="{CAPS[codec]},framerate={framerate}"'
        )
        # The payloader sends lists of buffers past a probe, so packets are dropped by an element behind it,
        # and both look like one payloader to the server.
        payload = Gst.Bin.new("pay0")
        pay = Gst.parse_launch(f"{PAYLOADERS[codec]} pt=96 mtu=1400")
        lossy = Gst.ElementFactory.make("identity", "lossy")
        lossy.set_property("drop-probability", clip.get("loss", 0.0))
        payload.add(pay)
        payload.add(lossy)
        pay.link(lossy)
        payload.add_pad(Gst.GhostPad.new("sink", pay.get_static_pad("sink")))
        payload.add_pad(Gst.GhostPad.new("src", lossy.get_static_pad("src")))
        pipeline = Gst.parse_launch(f"{source} ! {PARSERS[codec]} name=parser")
        pipeline.add(payload)
        pipeline.get_by_name("parser").link(payload)
        pipeline.get_by_name("source").connect("need-data", self.push, [0])
        return pipeline

    def push(self, source, _wanted, count):
        """The next frame, due when its time comes; never another one after a stall."""
        number = count[0]
        if self.clip.get("stalls_after") is not None and number >= self.clip["stalls_after"]:
            return
        count[0] += 1
        data = Gst.Buffer.new_wrapped(self.units[number % len(self.units)])
        data.duration = Gst.SECOND // self.clip["fps"]
        data.pts = data.dts = number * Gst.SECOND // self.clip["fps"]
        source.emit("push-buffer", data)


def login(kind):
    """Only USER with PASSWORD may see the mounts."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC if kind == "basic" else GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if kind == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token)
    else:
        auth.add_digest(USER, PASSWORD, token)
    return auth


def main():
    options = argparse.ArgumentParser()
    options.add_argument("port")
    options.add_argument("clips")
    options.add_argument("--auth", choices=("basic", "digest"))
    asked = options.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(asked.port)
    # Otherwise one pipeline that hangs while it starts blocks every client.
    server.get_thread_pool().set_max_threads(8)
    if asked.auth:
        server.set_auth(login(asked.auth))
    for mount, clip in json.loads(Path(asked.clips).read_text()).items():
        camera = Camera(clip)
        if asked.auth:
            camera.add_role("viewer")
        if clip.get("only_udp"):
            camera.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        server.get_mount_points().add_factory(f"/{mount}", camera)
    server.attach(None)
    print("READY", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    sys.exit(main())
