"""A photo from a phone made safe to keep: a new, small JPEG of its pixels and of nothing else.

What came in is never kept: EXIF tells where its owner stood, and a file may be two things at once.
"""

import io
import struct
import threading
import warnings
from typing import Final

from PIL import Image, ImageOps

from provisioning.refusals import Refused

LIMIT_BYTES: Final = 12 << 20
"""A longer photo is refused unread: the phone's script sends 150 kB, a phone without it what its camera makes."""
LIMIT_PIXELS: Final = 50_000_000
LIMIT_PIXELS_PLAIN: Final = 16_000_000
"""Of formats that can't be read at a fraction of their size, as JPEG can."""
KEPT_PX: Final = 1280
KEPT_BYTES: Final = 150_000
_QUALITIES: Final = (80, 65, 50, 35, 20)
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)
"""What Pillow raises for files that are not what they say."""
_ONE_AT_A_TIME: Final = threading.Lock()
"""Decoding takes up to 60 MB: many photos at once wait for each other."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def cleaned(photo: bytes) -> bytes:
    """`photo` (JPEG, PNG or WebP) as a JPEG of at most 1280 px and 150 kB, upright, without EXIF.

    Raises Refused P-400 for what is not a picture, P-413 for one that is too large or a bomb.
    """
    if len(photo) > LIMIT_BYTES:
        raise too_large()
    with _ONE_AT_A_TIME:
        try:
            return _encoded(_decoded(photo))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
            raise too_large() from None
        except _BROKEN:
            raise no_picture() from None


def _decoded(photo: bytes) -> Image.Image:
    """The pixels, upright, at most 1280 px."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(photo), formats=("JPEG", "PNG", "WEBP"))
    if image.width * image.height > (LIMIT_PIXELS if image.format == "JPEG" else LIMIT_PIXELS_PLAIN):
        raise too_large()
    if image.format == "JPEG":
        image.draft("RGB", (KEPT_PX, KEPT_PX))
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((KEPT_PX, KEPT_PX))
    return upright.convert("RGB")


def _encoded(image: Image.Image) -> bytes:
    """A JPEG of the pixels alone, of at most 150 kB."""
    bare = Image.frombytes("RGB", image.size, image.tobytes())
    made = b""
    for quality in _QUALITIES:
        kept = io.BytesIO()
        bare.save(kept, "JPEG", quality=quality, optimize=True)
        if len(made := kept.getvalue()) <= KEPT_BYTES:
            return made
    smaller = bare.resize((max(1, bare.width // 2), max(1, bare.height // 2)))
    return _encoded(smaller) if min(bare.size) > 1 else made


def too_large() -> Refused:
    """P-413: the photo is too large."""
    return Refused(
        "P-413",
        "photo-size",
        _("The photo is too large."),
        _("Take it again with the phone's ordinary camera."),
        audited=False,
    )


def no_picture() -> Refused:
    """P-400: the file is not a picture."""
    return Refused(
        "P-400",
        "photo",
        _("This file is not a photo that can be read."),
        _("Take a new photo with the camera."),
        audited=False,
    )
