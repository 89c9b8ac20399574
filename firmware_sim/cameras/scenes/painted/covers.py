"""What hangs, sticks or is sprayed before a lens: shapes and stuffs, drawn from nothing."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from firmware_sim.cameras.scenes.planes import Plane, Planes

from .canvas import pink_noise
from .sensor import Grain
from .world import CLOTHS


class Cover:
    """Something before the lens: `mask` 0–1, its luma and colour, and how much it glows in infrared light."""

    def __init__(self, rng: np.random.Generator, mask: Plane, stuff: str) -> None:
        height, width = mask.shape
        self.mask, self.half = mask, mask[::2, ::2]
        colour = np.array(
            [(28, 28, 32), (120, 115, 105), (205, 175, 150), *CLOTHS][rng.integers(3 + len(CLOTHS))], float
        )
        if stuff == "hand":
            colour = np.array([150, 95, 75], float) * rng.uniform(0.35, 0.9)
        luma = float(colour @ [0.299, 0.587, 0.114]) * float(rng.uniform(0.45, 1.1))
        tone = {"spray": 0.05, "hand": 0.12, "bag": 0.22, "cloth": 0.15, "leaf": 0.2}[stuff]
        folds = _folds(rng, width, height) if stuff in ("bag", "cloth") else np.zeros((height, width), np.float32)
        grain = pink_noise(512, int(rng.integers(1 << 30)))
        rows, columns = np.mgrid[0:height, 0:width] * 320 // width
        self.y = np.asarray(luma * (1 + tone * folds + tone * 0.6 * grain[rows % 512, columns % 512]) + 6, np.float32)
        if stuff == "cloth":
            self.y *= 1 + 0.25 * np.sign(
                np.sin(columns * float(rng.uniform(0.1, 0.4)) + rows * float(rng.uniform(-0.1, 0.1)))
            )
        self.u = float(-0.169 * colour[0] - 0.331 * colour[1] + 0.5 * colour[2]) * 0.8 + 128
        self.v = float(0.5 * colour[0] - 0.419 * colour[1] - 0.081 * colour[2]) * 0.8 + 128
        self.shine = float(rng.uniform(0.9, 2.2))
        self.moves = stuff in ("bag", "cloth", "leaf")

    def __call__(self, planes: Planes, time_s: float, infrared: bool) -> None:
        """Lays it over the picture; in infrared the camera's own lamps light it up."""
        level = float(np.clip(planes.y[::8, ::8].mean() / 100, 0.25, 1.2)) if not infrared else self.shine
        flutter = 1 + (0.06 * np.sin(time_s * 1.3) if self.moves else 0.0)
        planes.y += self.mask * (np.minimum(self.y * np.float32(level * flutter), 245) - planes.y)
        planes.u += self.half * (np.float32(self.u) - planes.u)
        planes.v += self.half * (np.float32(self.v) - planes.v)


def _folds(rng: np.random.Generator, width: int, height: int) -> Plane:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / width
    total = np.zeros((height, width), np.float32)
    for _ in range(6):
        angle, pitch, start = rng.uniform(0, np.pi), rng.uniform(6, 40), rng.uniform(0, 6)
        total += np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * pitch + 2 * np.sin(rows * 9 + start)).astype(
            np.float32
        )
    return np.asarray(total / 3, np.float32)


def lively(y: Plane) -> NDArray[np.bool_]:
    """Which of 9 × 16 blocks of a picture have edges enough to tell a view by."""
    across = np.abs(np.diff(y, axis=1))[:, : y.shape[1] // 16 * 16 - 1]
    padded = np.pad(across, ((0, 0), (0, 1)))
    rows, columns = y.shape[0] // 9, y.shape[1] // 16
    energy = padded[: rows * 9, : columns * 16].reshape(9, rows, 16, columns).mean((1, 3))
    return np.asarray(energy > max(1.0, 0.35 * float(np.median(energy))), np.bool_)


def covered_share(mask: Plane, active: NDArray[np.bool_]) -> float:
    """Share of the active blocks that are hidden for at least four fifths."""
    rows, columns = mask.shape[0] // 9, mask.shape[1] // 16
    blocks = mask[: rows * 9, : columns * 16].reshape(9, rows, 16, columns).mean((1, 3))
    return float((blocks[active] > 0.8).mean()) if active.any() else 1.0


def edge_mask(rng: np.random.Generator, width: int, height: int, share: float, ragged: float) -> Plane:
    """A mask that comes in from a side or corner and hides `share` of the picture; its border is uneven and soft."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = float(rng.uniform(0, 2 * np.pi))
    noise = pink_noise(256, int(rng.integers(1 << 30)))
    smooth = (
        Image.fromarray(noise).resize((32, 32), Image.Resampling.BOX).resize((width, width), Image.Resampling.BICUBIC)
    )
    wave = np.asarray(smooth, np.float32)[:height]
    slope = columns / width * np.cos(angle) + rows / height * np.sin(angle) + ragged * wave
    border = float(np.quantile(slope, 1 - share))
    return np.asarray(np.clip((slope - border) * float(rng.uniform(15, 60)) + 0.5, 0, 1), np.float32)


def hand_mask(rng: np.random.Generator, width: int, height: int) -> Plane:
    """A hand held close: palm and fingers, out of focus, with slits of light between."""
    image = Image.new("L", (width, height), 255)
    brush = ImageDraw.Draw(image)
    for number in range(int(rng.integers(1, 4))):
        x = width * (0.2 + 0.25 * number + 0.1 * float(rng.random()))
        brush.line((x, -5, x + width * 0.06, height * float(rng.uniform(0.15, 0.4))), fill=0, width=max(2, width // 70))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(width / 90)), np.float32) * np.float32(1 / 255)


def spray_mask(rng: np.random.Generator, width: int, height: int) -> Plane:
    """Paint from a can: many soft discs that leave few holes."""
    image = Image.new("L", (width, height), 0)
    brush = ImageDraw.Draw(image)
    for _ in range(160):
        x, y, r = rng.uniform(-0.05, 1.05) * width, rng.uniform(-0.05, 1.05) * height, rng.uniform(0.05, 0.16) * width
        brush.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(width / 100)), np.float32) * np.float32(1 / 255)


class Dirt:
    """Dust, drops' rims and a web that gather on the glass: soft spots that dim and veil, at their full strength."""

    def __init__(self, rng: np.random.Generator, grain: Grain, width: int, height: int) -> None:
        image = Image.new("L", (width, height), 0)
        brush = ImageDraw.Draw(image)
        for _ in range(int(rng.integers(25, 70))):
            x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.lognormal(0, 0.5) * width * 0.03
            brush.ellipse((x - r, y - r * 0.8, x + r, y + r), fill=int(rng.integers(150, 256)))
        spots = np.asarray(
            image.filter(ImageFilter.GaussianBlur(width / float(rng.uniform(45, 80)))), np.float32
        ) * np.float32(1 / 255)
        self.veil = np.asarray(float(rng.uniform(0.12, 0.3)) + float(rng.uniform(0.55, 0.85)) * spots, np.float32).clip(
            0, 0.92
        )
        self.luma = float(rng.uniform(60, 135))
        self._half = self.veil[::2, ::2]

    def lay(self, planes: Planes, amount: float, infrared: bool) -> None:
        """Lays `amount` (0–1) of it over the picture."""
        light = np.float32(self.luma * (1.25 if infrared else 1.0))
        planes.y += np.float32(amount) * self.veil * (light - planes.y)
        planes.u += np.float32(amount) * self._half * (126 - planes.u)
        planes.v += np.float32(amount) * self._half * (130 - planes.v)
