"""What a simulated camera says over ONVIF: made of its settings and of the faults that hold now."""

from typing import Final

from aiohttp import web

from firmware_sim.cameras import onvif
from firmware_sim.cameras.auth import AuthKind
from firmware_sim.cameras.camera import Camera
from firmware_sim.cameras.faults import TransportFault
from firmware_sim.cameras.onvif import OnvifFault, OnvifState
from firmware_sim.cameras.onvif_answers import Account, Stream
from firmware_sim.cameras.scenes import PictureFault

_TAMPER: Final = {
    PictureFault.BLUR: "blurry",
    PictureFault.BLACK: "dark",
    PictureFault.WHITE: "bright",
    PictureFault.MOVED: "scene",
    PictureFault.NO_SIGNAL: "signal",
    PictureFault.COVER: "tamper",
}
"""What a camera notices of its own picture, at best."""
_FAULTS: Final = {TransportFault.UNAUTHORISED: OnvifFault.UNAUTHORISED, TransportFault.GARBAGE: OnvifFault.GARBAGE}


def routes(camera: Camera) -> list[web.RouteDef]:
    """The ONVIF services of `camera`, for its HTTP port."""
    return onvif.routes(lambda: state_of(camera))


def state_of(camera: Camera) -> OnvifState:
    """What `camera` says now."""
    told, faults = camera.settings, camera.faults()
    ours = next((ours for fault, ours in _FAULTS.items() if fault in faults), OnvifFault.NONE)
    codec = told.codec.upper()
    stream = Stream("main", told.path, camera.rtsp_port, told.width, told.height, round(told.fps), codec)
    return OnvifState(
        account=None if told.auth is AuthKind.NONE else Account(told.user, told.password),
        serial=f"KW{told.seed:04}",
        streams=(stream,),
        clock_ahead_s=faults.value(TransportFault.WRONG_CLOCK),
        booted_s=camera.booted_s,
        tamper=frozenset(name for fault, name in _TAMPER.items() if fault is faults.picture),
        recording=TransportFault.NOT_RECORDING not in faults,
        fault=ours,
    )
