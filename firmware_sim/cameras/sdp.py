"""The description of a stream (RFC 8866): what DESCRIBE answers."""

import base64
from collections.abc import Sequence

from firmware_sim.cameras.codecs import Codec
from firmware_sim.cameras.rtp import PAYLOAD_TYPE

TRACK = "track1"


def describe(codec: Codec, parameters: Sequence[bytes], *, host: str, fps: float, control: str, known: bool) -> bytes:
    """The SDP of one video track. `control`: its URL, whole or relative; not `known`: named as no codec there is."""
    name = {Codec.H264: "H264", Codec.H265: "H265"}[codec] if known else "X-UNHEARD-OF"
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=Media Presentation",
        "e=NONE",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=0-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {name}/90000",
        f"a=framerate:{fps:g}",
        *([f"a=fmtp:{PAYLOAD_TYPE} {_format(codec, parameters)}"] if known else []),
        f"a=control:{control}",
        "",
    ]
    return "\r\n".join(lines).encode()


def _format(codec: Codec, parameters: Sequence[bytes]) -> str:
    coded = [base64.b64encode(nal).decode() for nal in parameters]
    if codec is Codec.H264:
        profile = parameters[0][1:4].hex()
        return f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={','.join(coded)}"
    return ";".join(f"sprop-{kind}={text}" for kind, text in zip(("vps", "sps", "pps"), coded, strict=True))
