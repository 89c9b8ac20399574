"""The fourteen faults in filmed pictures, each made by other means than in the painted ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes.chance import generator
from firmware_sim.cameras.scenes.events import HOUR_S
from firmware_sim.cameras.scenes.planes import Plane, Planes
from firmware_sim.cameras.scenes.seen import PictureFault, View

from .conditions import widened
from .letters import put

if TYPE_CHECKING:
    from .scene import Filmed

Touch: TypeAlias = Callable[[Planes, float, bool], None]
Chance: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Spoiling:
    """What a fault does: before the lens, in the signal, over everything; `grain` times the usual noise."""

    optics: Touch | None = None
    signal: Touch | None = None
    over: Touch | None = None
    grain: float = 1.0


def fault_of(scene: "Filmed", fault: PictureFault, start_s: float, seed: int) -> Callable[[float], View]:
    """The scene's pictures from `start_s` on, with the fault."""
    rng = generator(seed, 950, list(PictureFault).index(fault))
    if fault is PictureFault.FROZEN:
        ticks = bool(rng.random() < 0.5)
        return lambda time_s: View(
            scene.render(start_s, clock_s=time_s if ticks else start_s).i420, scene.at(time_s).truth
        )
    if fault is PictureFault.MOVED:
        way, angle = float(rng.uniform(90, 200)) * scene.framing.scale, float(rng.uniform(0, 2 * np.pi))
        return scene.reframed(way * np.cos(angle), 0.7 * way * np.sin(angle), float(rng.uniform(-0.25, 0.25))).at
    if fault is PictureFault.MOVED_SMALL:
        way, angle = float(rng.uniform(13, 25)) * scene.framing.scale, float(rng.uniform(0, 2 * np.pi))
        return scene.reframed(way * np.cos(angle), way * np.sin(angle), 0.0).at
    spoiling = _MAKERS[fault](scene, rng, start_s)
    return lambda time_s: scene.render(time_s, spoiling)


def _black(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    level, left = float(rng.uniform(0, 18)), float(rng.choice([0.0, 0.02, 0.04]))

    def sink(planes: Planes, time_s: float, mono: bool) -> None:
        planes.y = planes.y * np.float32(left) + np.float32(level)
        planes.u[:] = planes.v[:] = 128

    return Spoiling(optics=sink, grain=float(rng.uniform(0.1, 1.5)))


def _white(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    gain, lift = float(rng.uniform(0.5, 2.5)), float(rng.uniform(225, 250))

    def burn(planes: Planes, time_s: float, mono: bool) -> None:
        planes.y = np.minimum(planes.y * np.float32(gain) + np.float32(lift), 255)
        planes.u[:] = planes.v[:] = 128

    return Spoiling(optics=burn, grain=0.2)


def _no_signal(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    look = int(rng.integers(0, 4))
    words = str(rng.choice(["NO SIGNAL", "VIDEO LOSS", "LOST", "TIDAK ADA SINYAL"]))
    luma, u, v = [(41, 240, 110), (8, 128, 128), (90, 128, 128), (0, 128, 128)][look]
    ramp = np.repeat(np.linspace(235, 16, 8, dtype=np.float32), scene.width // 8)[: scene.width]

    def card(planes: Planes, time_s: float, mono: bool) -> None:
        planes.y[:], planes.u[:], planes.v[:] = luma, u, v
        if look == 3:
            planes.y[:, : len(ramp)] = ramp
        else:
            put(planes, words, 0.5, 0.5, 2 * max(1, scene.height // 180))

    return Spoiling(over=card) if rng.random() < 0.5 else Spoiling(signal=card)


def _piece(scene: "Filmed", rng: Chance, zoom: int) -> Plane:
    """A piece of the film's own picture, so large that it is something else: a sack, a coat, a leaf."""
    empty = scene.empty().astype(np.float32)
    rows, columns = scene.height // zoom + 2, scene.width // zoom + 2
    y, x = int(rng.integers(0, scene.height - rows)), int(rng.integers(0, scene.width - columns))
    piece = widened(empty[y : y + rows, x : x + columns], scene.height, scene.width)
    flat = piece - piece.mean()
    return np.asarray(flat * float(rng.uniform(0.25, 1.0)) + float(rng.uniform(12, 190)), np.float32).clip(2, 250)


def _half_plane(scene: "Filmed", rng: Chance, share: float) -> NDArray[np.float32]:
    """1 where hidden: one side of a wavy line, `share` of the picture."""
    y, x = np.mgrid[0 : scene.height, 0 : scene.width].astype(np.float32) / scene.height
    angle, waves = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(2, 9))
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    height = across + float(rng.uniform(0, 0.06)) * np.sin(along * waves)
    edge = np.quantile(height, share)
    return np.asarray(1 / (1 + np.exp(np.clip((height - edge) * float(rng.uniform(20, 90)), -30, 30))), np.float32)


def _hide(scene: "Filmed", rng: Chance, mask: Plane) -> Spoiling:
    stuff, tint = _piece(scene, rng, int(rng.integers(5, 16))), rng.uniform(-25, 25, 2)
    lit = float(rng.uniform(0.6, 1.7))

    def hide(planes: Planes, time_s: float, mono: bool) -> None:
        strength = np.float32(lit if mono else np.clip(planes.y.mean() / 100, 0.3, 1.1))
        planes.y += mask * (np.minimum(stuff * strength, 245) - planes.y)
        if not mono:
            planes.u += mask[::2, ::2] * (np.float32(128 + tint[0]) - planes.u)
            planes.v += mask[::2, ::2] * (np.float32(128 + tint[1]) - planes.v)

    return Spoiling(optics=hide)


def _cover(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    """At least 80 % of the blocks with edges: nearly all of the picture, and more until that is so."""
    share = float(rng.uniform(0.88, 1.0))
    mask = np.ones((scene.height, scene.width), np.float32) if rng.random() < 0.4 else _half_plane(scene, rng, share)
    while _hidden(mask, scene.empty()) < 0.82:
        mask = np.minimum(1, mask + np.roll(mask, scene.height // 20, 0) + np.roll(mask, scene.width // 20, 1))
    return _hide(scene, rng, np.asarray(mask, np.float32))


def _hidden(mask: Plane, luma: NDArray[np.uint8]) -> float:
    edges = np.abs(np.diff(luma.astype(np.float32), axis=0, append=0)) > 8
    return float((mask[edges] > 0.9).mean())


def _partial_cover(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    return _hide(scene, rng, _half_plane(scene, rng, float(rng.uniform(0.35, 0.6))))


def _focus(sigma: float, scene: "Filmed") -> Callable[[Plane], Plane]:
    """A Gaussian of `sigma` pixels of 320, by its spectrum."""
    size = scene.height * 2, scene.width * 2
    down, across = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    keep = np.exp(-2 * (np.pi * sigma * scene.width / 320) ** 2 * (down**2 + across**2)).astype(np.float32)

    def soften(plane: Plane) -> Plane:
        height, width = plane.shape
        wide = np.concatenate([plane, plane[::-1]], 0)
        wide = np.concatenate([wide, wide[:, ::-1]], 1)
        return np.asarray(np.fft.irfft2(np.fft.rfft2(wide) * keep, wide.shape)[:height, :width], np.float32)

    return soften


def _unfocused(scene: "Filmed", sigma: float) -> Spoiling:
    soften = _focus(sigma, scene)

    def soft(planes: Planes, time_s: float, mono: bool) -> None:
        planes.y = soften(planes.y)

    return Spoiling(optics=soft)


def _blur(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    return _unfocused(scene, float(rng.uniform(3.0, 6.5)))


def _mild_blur(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    return _unfocused(scene, float(rng.uniform(1.3, 2.1)))


def _noise(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    sigma, wide = float(rng.uniform(16, 38)), float(rng.choice([0.0, 0.5]))

    def crackle(planes: Planes, time_s: float, mono: bool) -> None:
        grain = np.random.default_rng([scene.seed, int(time_s * 1_000), 5])
        noise = grain.standard_normal(planes.y.shape, np.float32)
        planes.y += np.float32(sigma) * (noise + np.float32(wide) * np.roll(noise, 1, 1))

    return Spoiling(signal=crackle)


def _colour(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    """A cast of the signal: turned hues with an offset, or one of the two colour signals lost to a rail."""
    angle, size = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(20, 40))
    turned = float(rng.choice([0.0, 1.5, 3.1]))
    lost = bool(rng.random() < 0.3)

    def tint(planes: Planes, time_s: float, mono: bool) -> None:
        u, v = planes.u - 128, planes.v - 128
        planes.u = np.asarray(128 + u * np.cos(turned) - v * np.sin(turned) + size * np.cos(angle), np.float32)
        planes.v = np.asarray(128 + u * np.sin(turned) + v * np.cos(turned) + size * np.sin(angle), np.float32)
        if lost:
            planes.u[:] = 128 - size

    return Spoiling(signal=tint)


def _dirt(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    hours, coarse = (
        float(rng.uniform(3, 8)),
        rng.random((int(rng.integers(7, 14)), int(rng.integers(12, 24)))).astype(np.float32),
    )
    field = widened(coarse, scene.height, scene.width)
    veil = np.clip((field - float(rng.uniform(0.3, 0.45))) * 1.9, 0, 0.85) + np.float32(rng.uniform(0.1, 0.3))
    veil, tone = np.minimum(veil, 0.92).astype(np.float32), float(rng.uniform(55, 130))

    def gather(planes: Planes, time_s: float, mono: bool) -> None:
        amount = veil * np.float32(min(1.0, (time_s - start_s) / HOUR_S / hours))
        planes.y = planes.y * (1 - amount) + np.float32(tone) * amount
        planes.u -= (planes.u - 128) * amount[::2, ::2]
        planes.v -= (planes.v - 128) * amount[::2, ::2]

    return Spoiling(optics=gather)


def _fog_lens(scene: "Filmed", rng: Chance, start_s: float) -> Spoiling:
    hours, veil, tone = float(rng.uniform(1, 3)), float(rng.uniform(0.45, 0.7)), float(rng.uniform(100, 165))
    soften = _focus(float(rng.uniform(2.0, 4.0)), scene)

    def mist(planes: Planes, time_s: float, mono: bool) -> None:
        amount = np.float32(min(1.0, (time_s - start_s) / HOUR_S / hours))
        soft = soften(planes.y)
        planes.y += amount * (soft * np.float32(1 - veil) + np.float32(veil * tone) - planes.y)
        planes.u -= (planes.u - 128) * amount * np.float32(veil)
        planes.v -= (planes.v - 128) * amount * np.float32(veil)

    return Spoiling(optics=mist)


_MAKERS: Final[dict[PictureFault, Callable[["Filmed", Chance, float], Spoiling]]] = {
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
