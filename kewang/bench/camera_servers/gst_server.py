"""GStreamer's RTSP server as cameras whose truth is known: run by /usr/bin/python3, which alone has its bindings.

    gst_server.py PORT MOUNTS [--auth basic|digest]

MOUNTS: a JSON file, {"mounts": name -> a Mount of `kewang.bench.camera_servers`, "login": [user, password]}.
Every mount loops its clip. Prints READY when it serves; ends with SIGTERM.
"""

import argparse
import json
import random
import struct
import sys
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

CAPS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au",
    "mjpeg": "image/jpeg",
}
PARSERS = {"h264": "h264parse", "h265": "h265parse", "mjpeg": "jpegparse"}
PAYLOADERS = {
    "h264": "rtph264pay config-interval=1",
    "h265": "rtph265pay config-interval=1",
    "mjpeg": "rtpjpegpay",
}
CLOCK_TIME = 3
"""rtpbin's ntp-time-source that counts from the machine's start, as many cameras do."""


def access_units(path: str) -> list[bytes]:
    data, position, units = Path(path).read_bytes(), 0, []
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position)
        units.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return units


class Loss:
    """Drops one packet of every `of`, at a drawn place, so that every stretch of the stream has the same loss."""

    def __init__(self, of: int) -> None:
        self.of, self.count, self.rng = of, 0, random.Random(of)
        self.next = self.rng.randrange(of)

    def __call__(self, _pad: Any, _info: Any) -> Any:
        place, self.count = self.count % self.of, self.count + 1
        drop = place == self.next
        if place == self.of - 1:
            self.next = self.rng.randrange(self.of)
        return Gst.PadProbeReturn.DROP if drop else Gst.PadProbeReturn.OK


class Camera(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """One mount: its clip, pushed again and again as the pipeline asks for it."""

    def __init__(self, mount: dict[str, Any]) -> None:
        super().__init__()
        self.mount, self.units = mount, access_units(mount["clip"])
        self.set_latency(0)
        if mount["only_udp"]:
            self.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        if mount["uptime_clock"]:
            self.connect("media-configure", self.count_from_power_on)

    def count_from_power_on(self, _factory: Any, media: Any) -> None:
        for element in (media.get_element(), media.get_element().get_parent()):
            if isinstance(element, Gst.Pipeline):
                element.connect("deep-element-added", self.tell_uptime)

    def tell_uptime(self, _bin: Any, _sub: Any, element: Any) -> None:
        if element.get_name().startswith("rtpbin"):
            element.set_property("ntp-time-source", CLOCK_TIME)

    def do_create_element(self, _url: Any) -> Any:
        codec, fps = self.mount["codec"], self.mount["fps"]
        source = f'appsrc name=source format=time block=true max-bytes=2000000 caps="{CAPS[codec]},framerate={fps}/1"'
        pipeline = Gst.parse_launch(f"{source} ! {PARSERS[codec]} name=parser")
        payload = self.payloader(codec)
        pipeline.add(payload)
        pipeline.get_by_name("parser").link(payload)
        pipeline.get_by_name("source").connect("need-data", self.push, [0])
        return pipeline

    def payloader(self, codec: str) -> Any:
        """A payloader for the server, with the loss behind it.

        The payloader sends lists of packets past a probe; an `identity` takes them apart.
        """
        pay = Gst.parse_launch(f"{PAYLOADERS[codec]} pt=96 mtu=1400")
        apart = Gst.ElementFactory.make("identity", "apart")
        if self.mount["lost_of"]:
            apart.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, Loss(self.mount["lost_of"]))
        both = Gst.Bin.new("pay0")
        both.add(pay)
        both.add(apart)
        pay.link(apart)
        both.add_pad(Gst.GhostPad.new("sink", pay.get_static_pad("sink")))
        both.add_pad(Gst.GhostPad.new("src", apart.get_static_pad("src")))
        return both

    def push(self, source: Any, _wanted: int, count: list[int]) -> None:
        """The next frame, due when its time comes; never another one after a stall."""
        number, fps = count[0], self.mount["fps"]
        if self.mount["stalls_after"] is not None and number >= self.mount["stalls_after"]:
            return
        count[0] += 1
        data = Gst.Buffer.new_wrapped(self.units[number % len(self.units)])
        data.duration = Gst.SECOND // fps
        data.pts = data.dts = number * Gst.SECOND // fps
        source.emit("push-buffer", data)


def login(kind: str, user: str, password: str) -> Any:
    """Only `user` with `password` may see the mounts."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC if kind == "basic" else GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if kind == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.add_digest(user, password, token)
    return auth


def add_mounts(server: Any, mounts: dict[str, Any], protected: bool) -> None:
    for name, mount in mounts.items():
        camera = Camera(mount)
        if protected:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            camera.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{name}", camera)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("port")
    options.add_argument("mounts")
    options.add_argument("--auth", choices=("basic", "digest"))
    asked = options.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(asked.port)
    # Otherwise one pipeline that hangs while it starts blocks every client.
    server.get_thread_pool().set_max_threads(8)
    told = json.loads(Path(asked.mounts).read_text())
    if asked.auth:
        server.set_auth(login(asked.auth, *told["login"]))
    add_mounts(server, told["mounts"], bool(asked.auth))
    server.attach(None)
    print("READY", flush=True)
    GLib.MainLoop().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
