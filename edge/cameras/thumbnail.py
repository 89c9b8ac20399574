"""A key frame as the small, blurred picture that goes to the office once, when a camera is put up."""

import io
from typing import Final

from PIL import Image, ImageFilter

from edge.cameras.decode import decode_frame
from kewang.wire.enrolment import THUMBNAIL_BYTES, THUMBNAIL_PX

BLUR_PX: Final = 2.0
"""Enough that nobody is recognised in 320 pixels, too little to hide where the camera looks."""
_QUALITIES: Final = (80, 60, 40, 20)


def thumbnail(codec: str, keyframe: bytes, *, blur: bool = True) -> bytes:
    """A JPEG of at most `THUMBNAIL_PX` and `THUMBNAIL_BYTES`. Raises DecodeError."""
    frame, _ = decode_frame(codec, keyframe)
    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    if blur:
        picture = picture.filter(ImageFilter.GaussianBlur(BLUR_PX))
    for quality in _QUALITIES[:-1]:
        jpeg = _encoded(picture, quality)
        if len(jpeg) <= THUMBNAIL_BYTES:
            return jpeg
    return _encoded(picture, _QUALITIES[-1])


def _encoded(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()
