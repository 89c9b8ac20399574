"""A key frame with what was measured on and beside it, for who sets a camera up. It stays on this machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge.cameras.decode import decode_frame
from edge.cameras.picture import (
    BLOCK_COLUMNS,
    BLOCK_ROWS,
    Picture,
    Plane,
    block_means,
    gradients,
    halved,
    luma,
)
from edge.cameras.settings import Zone

CHANGED_LUMA: Final = 6.0
"""A block that differs so much from the look before counts as changed, for the eye of a person."""
PLAIN_LUMA: Final = 1.5
"""A block whose edges are weaker than this shows nothing that could be judged: sky, wall, asphalt."""
BURNT_LUMA: Final = 250.0
_SIZE: Final = (1280, 720)
_CHANGED: Final = (255, 165, 0)
_PLAIN: Final = (90, 160, 255)
_BURNT: Final = (255, 60, 60)
_ZONE: Final = (120, 255, 120)
_INK: Final = (255, 255, 255)
_PANEL: Final = (24, 28, 36)
_PANEL_WIDTH: Final = 380


def drawn(
    codec: str,
    keyframe: bytes,
    lines: Sequence[str],
    legend: Sequence[str],
    *,
    now: Picture,
    before: Picture | None = None,
    zones: Sequence[Zone] = (),
) -> Image.Image:
    """The key frame, blocks marked, `lines` beside it. `legend`: words for changed, plain and burnt-out blocks.

    `now` and `before`: the last two looks, which need not be that of the key frame. Raises DecodeError.
    """
    frame, _ = decode_frame(codec, keyframe)
    picture = Image.new("RGB", (_SIZE[0] + _PANEL_WIDTH, _SIZE[1]), _PANEL)
    picture.paste(Image.fromarray(frame.to_ndarray(format="rgb24")).resize(_SIZE))
    canvas = ImageDraw.Draw(picture)
    _blocks(canvas, now, before)
    for zone in zones:
        corners = [(x * _SIZE[0], y * _SIZE[1]) for x, y in zone]
        canvas.line([*corners, corners[0]], fill=_ZONE, width=3)
    _text(canvas, lines)
    _legend(canvas, legend)
    return picture


def save(picture: Image.Image, path: Path) -> None:
    """Write it so that only its owner can read it. Raises OSError, ValueError for a kind of file nobody knows."""
    new = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            picture.save(file, Image.registered_extensions()[path.suffix.lower()])
        new.replace(path)
    except KeyError:
        raise ValueError("give the picture's file a name that ends in .png or .jpg") from None
    finally:
        new.unlink(missing_ok=True)


def _blocks(canvas: ImageDraw.ImageDraw, now: Picture, before: Picture | None) -> None:
    """Mark the blocks: a frame for what changed, a small square for what shows nothing, a cross for burnt out."""
    half = halved(luma(now))
    plain = block_means(np.abs(gradients(half)).astype(np.float32)) < PLAIN_LUMA
    burnt = block_means(half) >= BURNT_LUMA
    changed = np.zeros_like(plain) if before is None else _change(now, before) > CHANGED_LUMA
    wide, high = _SIZE[0] / BLOCK_COLUMNS, _SIZE[1] / BLOCK_ROWS
    for row, column in np.ndindex(BLOCK_ROWS, BLOCK_COLUMNS):
        left, top = column * wide, row * high
        if changed[row, column]:
            canvas.rectangle((left + 2, top + 2, left + wide - 3, top + high - 3), outline=_CHANGED, width=3)
        if burnt[row, column]:
            canvas.line((left + 8, top + 8, left + wide - 8, top + high - 8), fill=_BURNT, width=3)
        elif plain[row, column]:
            canvas.rectangle((left + wide / 2 - 4, top + high / 2 - 4, left + wide / 2 + 4, top + high / 2 + 4), _PLAIN)


def _change(now: Picture, before: Picture) -> Plane:
    """How much each block differs, in luma, from what exposure alone would have made of it."""
    new, old = luma(now).astype(np.float32), luma(before).astype(np.float32)
    (dark, bright), (old_dark, old_bright) = (np.percentile(each, [25, 75]) for each in (new, old))
    expected = (old - old_dark) * ((bright - dark) / max(old_bright - old_dark, 1.0)) + dark
    return block_means(np.abs(new - expected))


def _text(canvas: ImageDraw.ImageDraw, lines: Sequence[str]) -> None:
    left = _SIZE[0] + 16
    for number, line in enumerate(lines):
        size = 20
        while size > 12 and canvas.textlength(line, ImageFont.load_default(size)) > _PANEL_WIDTH - 32:
            size -= 1
        canvas.text((left, 16 + 30 * number), line, _INK, ImageFont.load_default(size))


def _legend(canvas: ImageDraw.ImageDraw, legend: Sequence[str]) -> None:
    left = _SIZE[0] + 16
    for number, (colour, words) in enumerate(zip((_CHANGED, _PLAIN, _BURNT), legend, strict=True)):
        top = _SIZE[1] - 30 * (len(legend) - number) - 10
        canvas.rectangle((left, top + 2, left + 16, top + 18), colour)
        canvas.text((left + 26, top), words, _INK, ImageFont.load_default(18))
