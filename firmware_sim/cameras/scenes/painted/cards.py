"""The cards that recorders and converters show instead of a picture."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from firmware_sim.cameras.scenes.planes import Planes

WORDS = ("NO SIGNAL", "VIDEO LOSS", "TIDAK ADA SINYAL", "No Video", "CAMERA OFFLINE", "NO LINK")
BARS = (
    (235, 235, 235),
    (235, 235, 16),
    (16, 235, 235),
    (16, 235, 16),
    (235, 16, 235),
    (235, 16, 16),
    (16, 16, 235),
    (16, 16, 16),
)


def card(rng: np.random.Generator, width: int, height: int) -> Planes:
    """One card: a plain blue, black or grey sheet with or without words, or colour bars."""
    look = str(rng.choice(["blue", "black", "grey", "bars", "bare"]))
    back = {"blue": (10, 20, 190), "black": (4, 4, 4), "grey": (95, 95, 98), "bars": (0, 0, 0), "bare": (0, 0, 235)}[
        look
    ]
    image = Image.new("RGB", (width, height), back)
    brush = ImageDraw.Draw(image)
    if look == "bars":
        bottom = height * float(rng.choice([0.7, 1.0]))
        for number, colour in enumerate(BARS):
            brush.rectangle((number * width / 8, 0, (number + 1) * width / 8, bottom), fill=colour)
    elif look != "bare":
        font = ImageFont.load_default(int(height * rng.uniform(0.07, 0.16)))
        words = str(rng.choice(WORDS))
        if rng.random() < 0.7:
            brush.text((width / 2, height / 2), words, fill=(235, 235, 235), anchor="mm", font=font)
        else:
            brush.text((width * 0.05, height * 0.2), words, fill=(235, 235, 235), anchor="lm", font=font)
    luma, blue, red = image.convert("YCbCr").split()
    half = (width // 2, height // 2)
    return Planes(*(np.asarray(part, np.float32) for part in (luma, blue.resize(half), red.resize(half))))
