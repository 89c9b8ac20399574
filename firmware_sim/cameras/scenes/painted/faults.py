"""The fourteen faults in painted pictures; what each is, in numbers, and how its strength is drawn."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from firmware_sim.cameras.scenes.chance import generator
from firmware_sim.cameras.scenes.events import HOUR_S
from firmware_sim.cameras.scenes.planes import Plane, Planes
from firmware_sim.cameras.scenes.seen import PictureFault, View

from .cards import card
from .covers import Cover, Dirt, covered_share, edge_mask, hand_mask, lively, spray_mask
from .scene_parts import Spoiling, Touch

if TYPE_CHECKING:
    from .scene import Painted


def fault_of(scene: "Painted", fault: PictureFault, start_s: float, seed: int) -> Callable[[float], View]:
    """The scene's pictures from `start_s` on, with the fault."""
    rng = generator(seed, 600, list(PictureFault).index(fault))
    if fault is PictureFault.FROZEN:
        return _frozen(scene, rng, start_s)
    if fault in (PictureFault.MOVED, PictureFault.MOVED_SMALL):
        return _turned(scene, rng, fault is PictureFault.MOVED_SMALL)
    spoiling = _MAKERS[fault](scene, rng, start_s)
    return lambda time_s: scene.render(time_s, spoiling)


def _frozen(scene: "Painted", rng: np.random.Generator, start_s: float) -> Callable[[float], View]:
    """The last picture for ever; with some cameras only the sensor hangs and the clock in the picture goes on."""
    ticks = bool(rng.random() < 0.5)

    def shot(time_s: float) -> View:
        stuck = scene.render(start_s, Spoiling(still=True), clock_s=time_s if ticks else start_s)
        return View(stuck.i420, scene.truth(time_s))

    return shot


def _turned(scene: "Painted", rng: np.random.Generator, small: bool) -> Callable[[float], View]:
    """Turned on its mast: a little (13–25 px of 320, as the research did it) or by a quarter of the view and more."""
    sign, tilt = float(rng.choice([-1, 1])), float(rng.uniform(0, 2 * np.pi))
    if small:
        reach = float(rng.uniform(13, 25)) / 320 / scene.lens.focal
        other = scene.turned(reach * np.cos(tilt), reach * np.sin(tilt), float(rng.uniform(-0.02, 0.02)))
    else:
        way = float(rng.uniform(0.28, 0.7)) / scene.lens.focal * sign
        nod = float(rng.uniform(-0.22, 0.3))
        other = scene.turned(way, nod, float(rng.uniform(-0.3, 0.3)))
    return other.at


def _black(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """No light at all: a level and dark noise, or a remnant of a picture."""
    level, left = float(rng.uniform(2, 20)), float(rng.choice([0.0, 0.0, 0.03]))

    def dark(planes: Planes, time_s: float, infrared: bool) -> None:
        planes.y *= left
        planes.y += level
        planes.u[:], planes.v[:] = 128, 128

    return Spoiling(optics=dark, grain=float(rng.uniform(0.2, 1.2)))


def _white(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """Far overexposed: an iris stuck open or a sensor gone wrong; at most a ghost of the view is left."""
    left, level = float(rng.uniform(0.0, 0.35)), float(rng.uniform(243, 255))

    def bright(planes: Planes, time_s: float, infrared: bool) -> None:
        planes.y *= left
        planes.y += level
        planes.u -= (planes.u - 128) * np.float32(0.9)
        planes.v -= (planes.v - 128) * np.float32(0.9)

    return Spoiling(optics=bright, grain=0.3)


def _no_signal(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    shown = card(rng, scene.width, scene.height)

    def show(planes: Planes, time_s: float, infrared: bool) -> None:
        planes.y[:], planes.u[:], planes.v[:] = shown.y, shown.u, shown.v

    return Spoiling(over=show) if rng.random() < 0.6 else Spoiling(signal=show)


def _cover(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """At least 80 % of the blocks that have edges are hidden."""
    stuff = str(rng.choice(["bag", "spray", "cloth", "hand"]))
    active = lively(scene.stage(12 * HOUR_S).planes(False).y * 255)
    share = float(rng.uniform(0.86, 1.0))
    mask = _mask(scene, rng, stuff, share)
    while covered_share(mask, active) < 0.82:
        share = min(1.0, share + 0.03)
        mask = np.maximum(mask, edge_mask(rng, scene.width, scene.height, share, 0.02))
    return Spoiling(optics=Cover(rng, mask, stuff))


def _mask(scene: "Painted", rng: np.random.Generator, stuff: str, share: float) -> Plane:
    if stuff == "hand":
        return hand_mask(rng, scene.width, scene.height)
    if stuff == "spray":
        return spray_mask(rng, scene.width, scene.height)
    return edge_mask(rng, scene.width, scene.height, share, 0.03)


def _partial_cover(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """35 to 60 % of the picture's area."""
    stuff = str(rng.choice(["bag", "cloth", "leaf"]))
    return Spoiling(
        optics=Cover(rng, edge_mask(rng, scene.width, scene.height, float(rng.uniform(0.35, 0.6)), 0.05), stuff)
    )


def _blur(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    return Spoiling(optics=_softening(float(rng.uniform(3.0, 6.5)) * scene.width / 320))


def _mild_blur(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    return Spoiling(optics=_softening(float(rng.uniform(1.3, 2.1)) * scene.width / 320))


def _softening(sigma: float) -> Touch:
    """Out of focus by a Gaussian of `sigma` pixels."""

    def soften(planes: Planes, time_s: float, infrared: bool) -> None:
        planes.y = softened(planes.y, sigma)
        planes.u, planes.v = softened(planes.u, sigma / 2), softened(planes.v, sigma / 2)

    return soften


def softened(plane: Plane, sigma: float) -> Plane:
    """A Gaussian blur as three running means each way (their variances add up)."""
    radius = ((4 * sigma * sigma + 1) ** 0.5 - 1) / 2
    for axis in (0, 1):
        for _ in range(3):
            plane = _mean(plane, radius, axis)
    return plane


def _mean(plane: Plane, radius: float, axis: int) -> Plane:
    """Running mean over 2 · radius + 1 pixels; a radius between two whole ones mixes their means."""
    low = int(radius)
    part = np.float32(radius - low)
    near = _whole_mean(plane, low, axis)
    return near if part < 0.01 else near + part * (_whole_mean(plane, low + 1, axis) - near)


def _whole_mean(plane: Plane, radius: int, axis: int) -> Plane:
    if radius == 0:
        return plane
    border = [(radius + 1, radius) if one == axis else (0, 0) for one in range(2)]
    total = np.cumsum(np.pad(plane, border, mode="edge"), axis=axis, dtype=np.float32)
    length = plane.shape[axis]
    high = np.take(total, np.arange(2 * radius + 1, 2 * radius + 1 + length), axis=axis)
    return (high - np.take(total, np.arange(length), axis=axis)) / np.float32(2 * radius + 1)


def _noise(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """A failing sensor or cable: strong grain, sometimes lines or dots, sometimes coloured."""
    sigma, coloured = float(rng.uniform(16, 38)), float(rng.uniform(0, 14))
    dots, lines = float(rng.choice([0, 0, 0.02])), float(rng.choice([0, 0, 14]))

    def spoil(planes: Planes, time_s: float, infrared: bool) -> None:
        scene.grain.add(planes, time_s + 0.5, sigma, coloured)
        if lines:
            planes.y += lines * scene.grain.tile(time_s, 9, planes.y.shape[0], 1)
        if dots:
            planes.y[np.abs(scene.grain.tile(time_s, 8, *planes.y.shape)) > 2.3] = 250

    return Spoiling(signal=spoil)


def _colour(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """Casts of the signal (they tint infrared pictures too), a lost channel, or the IR-cut filter stuck."""
    look = str(rng.choice(["pink", "green", "blue", "lost", "stuck"]))
    size = float(rng.uniform(20, 42))
    shift = {"pink": (0.3, 1.0), "green": (-0.7, -0.9), "blue": (1.0, -0.5), "lost": (-1.1, 0.4), "stuck": (0.35, 0.8)}[
        look
    ]

    def tint(planes: Planes, time_s: float, infrared: bool) -> None:
        keep = np.float32({"stuck": 0.35, "lost": 0.6}.get(look, 0.85))
        planes.u[:] = 128 + (planes.u - 128) * keep + np.float32(size * shift[0])
        planes.v[:] = 128 + (planes.v - 128) * keep + np.float32(size * shift[1])
        if look == "stuck":
            planes.y *= 0.85
            planes.y += 30

    return Spoiling(signal=tint)


def _dirt(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """Builds up over three to eight hours."""
    dirt, hours = Dirt(rng, scene.grain, scene.width, scene.height), float(rng.uniform(3, 8))

    def gather(planes: Planes, time_s: float, infrared: bool) -> None:
        dirt.lay(planes, min(1.0, (time_s - start_s) / HOUR_S / hours), infrared)

    return Spoiling(optics=gather)


def _fog_lens(scene: "Painted", rng: np.random.Generator, start_s: float) -> Spoiling:
    """Water inside the dome: haze and blur from the middle or the rim, over one to three hours."""
    hours, most = float(rng.uniform(1, 3)), float(rng.uniform(0.45, 0.7))
    sigma, luma = float(rng.uniform(2.0, 4.0)) * scene.width / 320, float(rng.uniform(105, 165))
    y, x = np.mgrid[0 : scene.height, 0 : scene.width].astype(np.float32)
    away = np.hypot(x / scene.width - float(rng.uniform(0.3, 0.7)), y / scene.height - float(rng.uniform(0.3, 0.7)))
    place = np.asarray(np.clip(1.15 - away if rng.random() < 0.5 else 0.6 + away, 0.3, 1), np.float32)

    def mist(planes: Planes, time_s: float, infrared: bool) -> None:
        amount = np.float32(min(1.0, (time_s - start_s) / HOUR_S / hours))
        soft = softened(planes.y, sigma * float(amount))
        planes.y += np.minimum(1, place * amount * 1.2) * (soft - planes.y)
        planes.y += most * amount * place * (np.float32(luma * (1.2 if infrared else 1.0)) - planes.y)
        planes.u -= (planes.u - 128) * (most * amount * place[::2, ::2])
        planes.v -= (planes.v - 128) * (most * amount * place[::2, ::2])

    return Spoiling(optics=mist)


_MAKERS: Final[dict[PictureFault, Callable[["Painted", np.random.Generator, float], Spoiling]]] = {
    PictureFault.BLACK: _black,
    PictureFault.WHITE: _white,
    PictureFault.NO_SIGNAL: _no_signal,
    PictureFault.COVER: _cover,
    PictureFault.BLUR: _blur,
    PictureFault.NOISE: _noise,
    PictureFault.COLOUR: _colour,
    PictureFault.DIRT: _dirt,
    PictureFault.FOG_LENS: _fog_lens,
    PictureFault.PARTIAL_COVER: _partial_cover,
    PictureFault.MILD_BLUR: _mild_blur,
}
