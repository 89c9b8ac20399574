"""Paint for what stands still: flat shapes of the world drawn into reflectance, kind of surface, distance and glow."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from firmware_sim.cameras.scenes.planes import Plane

from .lens import Corner, Lens
from .world import Colour

SKY: Final = 0
GROUND: Final = 1
RIGHTWARD: Final = 2
LEFTWARD: Final = 3
TOWARDS: Final = 4
UPWARD: Final = 5
THING: Final = 6
LEAF: Final = 7
KINDS: Final = 8
FINENESS: Final = 2
FAR_M: Final = 400.0


class Canvas:
    """Colour at twice the picture's size; at its own size kind of surface, distance, glow and what is foreign."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        size = (lens.width, lens.height)
        self.colour = Image.new("RGB", (size[0] * FINENESS, size[1] * FINENESS))
        self.kind = Image.new("L", size, SKY)
        self.depth = Image.new("F", size, FAR_M)
        self.glow = Image.new("L", size, 0)
        self.foreign = Image.new("L", size, 0)
        self._take_brushes()

    def _take_brushes(self) -> None:
        self._brush = ImageDraw.Draw(self.colour)
        self._kind_brush = ImageDraw.Draw(self.kind)
        self._depth_brush = ImageDraw.Draw(self.depth)
        self._glow_brush = ImageDraw.Draw(self.glow)
        self._foreign_brush = ImageDraw.Draw(self.foreign)

    def copy(self) -> "Canvas":
        """The same canvas to draw further on."""
        other = Canvas.__new__(Canvas)
        other.lens = self.lens
        other.colour, other.kind, other.depth = self.colour.copy(), self.kind.copy(), self.depth.copy()
        other.glow, other.foreign = self.glow.copy(), self.foreign.copy()
        other._take_brushes()
        return other

    def shape(
        self,
        corners: Sequence[Corner],
        colour: Colour,
        kind: int,
        *,
        glow: int = 0,
        foreign: bool = False,
        detail: bool = False,
    ) -> None:
        """Draws a flat shape. `detail`: only colour and glow, on a surface drawn before.

        `foreign`: no part of the clean view.
        """
        outline, distance = self.lens.kept_outline(corners)
        if not outline:
            return
        self._brush.polygon([(x * FINENESS, y * FINENESS) for x, y in outline], fill=_whole(colour))
        if glow or not detail:
            self._glow_brush.polygon(outline, fill=glow)
        if detail:
            return
        self._kind_brush.polygon(outline, fill=kind)
        self._depth_brush.polygon(outline, fill=distance)
        self._foreign_brush.polygon(outline, fill=255 if foreign else 0)

    def wall(self, corners: Sequence[Corner], colour: Colour, kind: int) -> None:
        """A large flat shape: as `shape`, with the true distance of every pixel."""
        outline, _ = self.lens.outline(corners)
        if not outline:
            return
        self.shape(corners, colour, kind)
        mask = Image.new("L", self.kind.size, 0)
        ImageDraw.Draw(mask).polygon(outline, fill=1)
        points = np.asarray(corners, float)
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        slope = self.lens.rays @ normal.astype(np.float32)
        reach = float(normal @ (points[0] - np.array([0, self.lens.mast_m, 0])))
        exact = np.clip(reach / np.where(np.abs(slope) < 1e-6, 1e-6, slope), 0.3, FAR_M)
        self.depth.paste(Image.fromarray(exact.astype(np.float32)), mask=mask.point([0] + [255] * 255))

    def blob(
        self, x: float, y: float, z: float, radius_m: float, colour: Colour, kind: int, *, foreign: bool = False
    ) -> None:
        """Draws a ball."""
        seen = self.lens.seen_from(np.array([[x, y, z]]))
        if seen[0, 2] < 1:
            return
        (px, py), r = self.lens.pixels(seen)[0], radius_m * self.lens.focal_px / float(seen[0, 2])
        box = (px - r, py - r, px + r, py + r)
        self._brush.ellipse([edge * FINENESS for edge in box], fill=_whole(colour))
        self._kind_brush.ellipse(box, fill=kind)
        self._depth_brush.ellipse(box, fill=float(seen[0, 2]))
        self._glow_brush.ellipse(box, fill=0)
        self._foreign_brush.ellipse(box, fill=255 if foreign else 0)

    def keep_before(self, other: "Canvas") -> None:
        """Puts back what `other` has nearer to the lens than what was drawn here since."""
        nearer = np.asarray(other.depth) < np.asarray(self.depth) - 0.5
        if not nearer.any():
            return
        mask = Image.fromarray((nearer * 255).astype(np.uint8))
        self.colour.paste(other.colour, mask=mask.resize(self.colour.size, Image.Resampling.NEAREST))
        for mine, theirs in (
            (self.kind, other.kind),
            (self.depth, other.depth),
            (self.glow, other.glow),
            (self.foreign, other.foreign),
        ):
            mine.paste(theirs, mask=mask)

    def reflectance(self) -> tuple[Plane, Plane, Plane]:
        """Luma (0–1) at full size, blue and red difference (-0.5–0.5) at half size, in the eye's scale."""
        luma, blue, red = self.colour.convert("YCbCr").split()
        size = self.kind.size
        half = (size[0] // 2, size[1] // 2)
        part = np.float32(1 / 255)
        y = _plane(luma.resize(size, Image.Resampling.BOX)) * part
        return (
            y,
            (_plane(blue.resize(half, Image.Resampling.BOX)) - 128) * part,
            (_plane(red.resize(half, Image.Resampling.BOX)) - 128) * part,
        )


def _whole(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (int(min(255, max(0, part))) for part in colour)
    return red, green, blue


def _plane(image: Image.Image) -> Plane:
    return np.asarray(image, np.float32)


def pink_noise(size: int, key: int) -> NDArray[np.float32]:
    """A tile (size, size) of 1/f noise that repeats without a seam, mean 0, deviation 1."""
    rng = np.random.default_rng(key)
    across, down = np.fft.rfftfreq(size), np.fft.fftfreq(size)
    frequency = np.hypot(across[None, :], down[:, None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency
    spectrum[0, 0] = 0
    tile = np.fft.irfft2(spectrum, (size, size))
    return np.asarray(tile / tile.std(), np.float32)
