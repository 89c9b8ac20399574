"""Pictures from outside: looked at with limits, and made anew, so that nothing but pixels is kept."""

import io
import warnings
from typing import Final

from PIL import Image, ImageFilter, ImageOps

from kewang.wire.enrolment import THUMBNAIL_BYTES, THUMBNAIL_PX

MAX_PIXELS: Final = 4_000_000
BLUR_PX: Final = 2.0
"""Enough that nobody is recognised in 320 pixels, too little to hide where the camera looks."""
_QUALITIES: Final = (80, 60, 40, 20)


class NoPicture(ValueError):
    """Bytes that are no JPEG we want to look at; the text says why."""


def thumbnail(jpeg: bytes, *, blur: bool = True) -> bytes:
    """A JPEG of at most `THUMBNAIL_PX` and `THUMBNAIL_BYTES`, without EXIF or any other word. Raises NoPicture."""
    picture = opened(jpeg)
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    if blur:
        picture = picture.filter(ImageFilter.GaussianBlur(BLUR_PX))
    drafts = (_encoded(picture, quality) for quality in _QUALITIES)
    return next((draft for draft in drafts if len(draft) <= THUMBNAIL_BYTES), _encoded(picture, 1))


def _encoded(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def opened(jpeg: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `jpeg`, upright, as RGB and with nothing beside its pixels. Raises NoPicture."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as found:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if found.width * found.height > max_pixels:
                raise NoPicture(f"{found.width} x {found.height} pixels")
            upright = ImageOps.exif_transpose(found).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NoPicture(str(error)) from None
    bare = Image.new("RGB", upright.size)
    bare.paste(upright)
    return bare
