"""Pictures from outside made anew: a small JPEG of the pixels and of nothing else.

What came in is never kept: EXIF tells where its owner stood, and a file may be two things at once.
"""

import hashlib
import io
import struct
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageFilter, ImageOps

from provisioning.files import make_folder, write_whole

PHOTOS: Final = "photos"
_QUALITIES: Final = (80, 65, 50, 35, 20)
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)
"""What Pillow raises for files that are not what they say."""
_ONE_AT_A_TIME: Final = threading.Lock()
"""Decoding takes up to 60 MB: many pictures at once wait for each other."""


class NoPicture(Exception):
    """Bytes that are no picture we take; the text says why."""


class TooLarge(NoPicture):
    """A picture with too many pixels, or a bomb."""


@dataclass(frozen=True, slots=True)
class Making:
    """What is taken, and what is made of it.

    `pixels`: the formats that are taken, and how many pixels of each; `side_px` and `size_bytes`: of what is made.
    """

    pixels: Mapping[str, int]
    side_px: int
    size_bytes: int


def made_anew(data: bytes, making: Making, *, blur_px: float = 0) -> bytes:
    """The picture in `data` as a small JPEG, upright, without EXIF or any other word. Raises NoPicture."""
    with _ONE_AT_A_TIME:
        try:
            picture = _decoded(data, making)
            return _encoded(picture.filter(ImageFilter.GaussianBlur(blur_px)) if blur_px else picture, making)
        except (Image.DecompressionBombError, MemoryError) as error:
            raise TooLarge(str(error)) from None
        except _BROKEN as error:
            raise NoPicture(str(error)) from None


def _decoded(data: bytes, making: Making) -> Image.Image:
    """The pixels, upright and small."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=tuple(making.pixels))
    if image.width * image.height > making.pixels[image.format or ""]:
        raise TooLarge(f"{image.width} x {image.height} pixels")
    side = (making.side_px, making.side_px)
    if image.format == "JPEG":
        image.draft("RGB", side)
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail(side)
    return upright.convert("RGB")


def _encoded(image: Image.Image, making: Making) -> bytes:
    """A JPEG of the pixels alone; smaller in pixels where the worst quality is not enough."""
    bare = Image.frombytes("RGB", image.size, image.tobytes())
    made = b""
    for quality in _QUALITIES:
        kept = io.BytesIO()
        bare.save(kept, "JPEG", quality=quality, optimize=True)
        if len(made := kept.getvalue()) <= making.size_bytes:
            return made
    smaller = bare.resize((max(1, bare.width // 2), max(1, bare.height // 2)))
    return _encoded(smaller, making) if min(bare.size) > 1 else made


def stored(folder: Path, picture: bytes) -> str:
    """Write `picture` into the state folder's `photos/{sha256}`; its hash. Raises OSError."""
    name = hashlib.sha256(picture).hexdigest()
    path = folder / PHOTOS / name
    if not path.exists():
        make_folder(path.parent)
        write_whole(path, picture)
    return name
