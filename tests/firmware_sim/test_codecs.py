"""The encoder of simulated cameras."""

import av
import numpy as np
import pytest

from firmware_sim.cameras.codecs import I420, Codec, Encoder
from firmware_sim.cameras.scenes import painted
from firmware_sim.cameras.scenes.events import HOUR_S

DECODERS = {Codec.H264: "h264", Codec.H265: "hevc"}
GROUPS = 4
GROUP = 5


def decoded(codec: Codec, nals: tuple[bytes, ...]) -> I420:
    """The picture of a key frame, decoded by itself."""
    context = av.CodecContext.create(DECODERS[codec], "r")
    assert isinstance(context, av.VideoCodecContext)
    packet = av.Packet(b"".join(b"\0\0\0\1" + nal for nal in nals))
    (frame,) = [*context.decode(packet), *context.decode(None)]
    return frame.to_ndarray().astype(np.uint8)


@pytest.mark.parametrize("codec", Codec)
def test_a_picture_that_stands_still_does_so_in_every_key_frame(codec: Codec) -> None:
    """Who watches gets an encoder's first key frame or a later one: they must not differ by the encoder alone."""
    view = painted(1).at(10 * HOUR_S).i420
    height, width = view.shape[0] * 2 // 3, view.shape[1]
    encoder = Encoder(codec, width, height, 5.0)
    units = [encoder.encode(view, key=number % GROUP == 0) for number in range(GROUPS * GROUP)]
    first, *later = [decoded(codec, unit.nals).astype(np.int16) for unit in units if unit.is_key]
    assert len(later) == GROUPS - 1
    for each in later:
        assert np.abs(each - first)[:height].mean() < 0.5
