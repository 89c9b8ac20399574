"""A photo from a phone: what is taken, what is kept of it, and what is said about the rest."""

from typing import Final

from provisioning.pictures import Making, NoPicture, TooLarge, made_anew
from provisioning.refusals import Refused

LIMIT_BYTES: Final = 12 << 20
"""A longer photo is refused unread: the phone's script sends 150 kB, a phone without it what its camera makes."""
LIMIT_PIXELS: Final = 50_000_000
LIMIT_PIXELS_PLAIN: Final = 16_000_000
"""Of formats that can't be read at a fraction of their size, as JPEG can."""
KEPT_PX: Final = 1280
KEPT_BYTES: Final = 150_000
_PHOTO: Final = Making(
    {"JPEG": LIMIT_PIXELS, "PNG": LIMIT_PIXELS_PLAIN, "WEBP": LIMIT_PIXELS_PLAIN}, KEPT_PX, KEPT_BYTES
)


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def cleaned(photo: bytes) -> bytes:
    """`photo` (JPEG, PNG or WebP) as a JPEG of at most 1280 px and 150 kB, upright, without EXIF.

    Raises Refused P-400 for what is not a picture, P-413 for one that is too large or a bomb.
    """
    if len(photo) > LIMIT_BYTES:
        raise too_large()
    try:
        return made_anew(photo, _PHOTO)
    except TooLarge:
        raise too_large() from None
    except NoPicture:
        raise no_picture() from None


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
