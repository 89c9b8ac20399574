"""A filmed scene: frames of a real camera, put into Ambon's day."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.cameras.scenes import events
from firmware_sim.cameras.scenes.chance import drift, generator, uniform
from firmware_sim.cameras.scenes.planes import Planes
from firmware_sim.cameras.scenes.seen import PictureFault, Point, Truth, View

from .conditions import Daylight, Occluder, brightness, coded, hot_middle, infrared, lamps, rained, shaken, veiled
from .faults import Spoiling, fault_of
from .letters import put
from .reel import FRAMES_A_SECOND, Framing, reel
from .rubbish import Rubbish

PAVING: Final = ((250, 210), (590, 190), (690, 300), (600, 400), (360, 300))
"""A piece of the film's paving, in its pixels: the zone that should be clean."""
CUT_S: Final = 20.0
BUSY_HOURS: Final = (0, 4.5, 6, 8, 10, 12, 14, 17, 19, 22, 24)
BUSY: Final = (0.05, 0.05, 0.6, 1.0, 0.85, 0.55, 0.45, 0.7, 0.4, 0.12, 0.05)
NOISE_PICTURES: Final = 16
"""So many pictures' worth of noise are made once; a moment's begins anywhere in it."""
EPOCH_S: Final = 1_767_225_600
HEALTHY: Final = Spoiling()


class Filmed:
    """See `filmed`."""

    def __init__(
        self, seed: int, video: Path, width: int, height: int, benign: bool, framing: Framing | None = None
    ) -> None:
        self.seed, self.video, self.width, self.height, self.benign = seed, video, width, height, benign
        rng = generator(seed, 900)
        scale = float(rng.uniform(1.55, 2.3))
        own = Framing(
            float(rng.uniform(330, 470)),
            float(rng.uniform(235, 330)),
            scale,
            bool(rng.random() < 0.5),
            float(rng.uniform(-0.03, 0.03)),
        )
        self.framing = framing or own
        self._contrast, self._noise = float(rng.uniform(0.75, 1.15)), float(rng.uniform(0.8, 2.4))
        self._cast, self._colour_night = rng.uniform(-7, 7, 2), bool(rng.random() < 0.2)
        self._step, self._text = float(rng.uniform(4, 12)), int(rng.integers(0, 4))
        self._busy = float(rng.uniform(0.6, 1.2))
        self._reel = reel(video, self.framing, width, height)
        self._daylight, self._hot = Daylight(seed, width, height), hot_middle(seed, width, height)
        self._rubbish = Rubbish(seed, self._reel.empty_luma, self._reel.empty_chroma, np.array(self.zone))
        self._white = generator(seed, 901).standard_normal(NOISE_PICTURES * width * height, np.float32)
        self._occluders: dict[int, Occluder] = {}

    def reframed(self, x: float, y: float, roll: float) -> "Filmed":
        """The same camera turned: its view's middle moved by film pixels, rolled by radians."""
        now = self.framing
        return Filmed(
            self.seed,
            self.video,
            self.width,
            self.height,
            self.benign,
            replace(now, x=now.x + x, y=now.y + y, roll=now.roll + roll),
        )

    @property
    def zone(self) -> Sequence[Point]:
        """The paving that should be clean."""
        seen = [self.framing.seen(x, y) for x, y in PAVING]
        return [(float(np.clip(x, 0, 1)), float(np.clip(y, 0, 1))) for x, y in seen]

    def at(self, time_s: float) -> View:
        """See `Scene.at`."""
        return self.render(time_s)

    def spoil(self, fault: PictureFault, start_s: float, seed: int) -> Callable[[float], View]:
        """See `Spoilable.spoil`."""
        return fault_of(self, fault, start_s, seed)

    def empty(self) -> NDArray[np.uint8]:
        """The luma of the place with nobody in it."""
        return self._reel.empty_luma

    def render(self, time_s: float, spoiling: Spoiling = HEALTHY, clock_s: float | None = None) -> View:
        """The picture of a moment, spoilt on its way; `clock_s`: what its clock shows, if not that moment."""
        going = {event.name: event for event in events.now(self.seed, time_s)} if self.benign else {}
        bright = brightness(self.seed, time_s % events.DAY_S / events.HOUR_S)
        night = bright < 0.2
        mono = night and not self._colour_night
        planes, persons = self._people(time_s, going["crowd"].ramp(time_s, 300) if "crowd" in going else 0.0)
        names = set(going) - {"insects", "lightning"}
        if "truck" in going:
            persons = round(persons * (1 - self._occluder(going["truck"]).lay(planes, time_s)))
        self._light(planes, time_s, bright, mono, going)
        names |= self._weather(planes, time_s, bright, night, going)
        self._lens(planes, time_s, mono, spoiling, going)
        shown = time_s if clock_s is None else clock_s
        self._text_and_code(planes, time_s, shown, mono, spoiling, going)
        return View(planes.packed(), Truth(persons, self._rubbish.litter_pct, mono, frozenset(names)))

    def _people(self, time_s: float, extra: float) -> tuple[Planes, int]:
        """The empty place, or a frame of the film, with more people out of other frames when it is busy."""
        cut = int(time_s // CUT_S)
        level = float(np.interp(time_s % events.DAY_S / events.HOUR_S, BUSY_HOURS, BUSY)) * self._busy + 0.8 * extra
        layers = int(level * 2.4 + uniform(self.seed, cut, 1))
        film = self._reel
        last = len(film.luma) - int(CUT_S * FRAMES_A_SECOND) - 1
        chosen = [
            int(uniform(self.seed, cut, 2 + number) * last) + int(time_s % CUT_S * FRAMES_A_SECOND)
            for number in range(layers)
        ]
        planes = Planes(film.empty_luma.astype(np.float32), *(part.astype(np.float32) for part in film.empty_chroma))
        side = self.height // 45
        everybody = np.zeros(film.cells.shape[1:], np.bool_)
        for number in chosen:
            everybody |= film.cells[number]
        self._rubbish.lay(planes, everybody.repeat(side, 0).repeat(side, 1), time_s)
        for number in chosen:
            cells = film.cells[number]
            np.copyto(planes.y, film.luma[number], where=cells.repeat(side, 0).repeat(side, 1))
            half = cells.repeat(side // 2, 0).repeat(side // 2, 1)
            np.copyto(planes.u, film.chroma[number, 0], where=half)
            np.copyto(planes.v, film.chroma[number, 1], where=half)
        return planes, int(film.persons[chosen].sum()) if chosen else 0

    def _occluder(self, event: events.Event) -> Occluder:
        if event.key not in self._occluders:
            self._occluders.clear()
            self._occluders[event.key] = Occluder(self._reel.empty_luma, self._reel.empty_chroma, event)
        return self._occluders[event.key]

    def _light(self, planes: Planes, time_s: float, bright: float, mono: bool, going: dict[str, events.Event]) -> None:
        error = 1.0
        if "pumping" in going:
            error += 0.3 * going["pumping"].ramp(time_s, 20) * float(np.sin(time_s * 1.1))
        planes.y -= 118
        planes.y *= np.float32(self._contrast)
        planes.y += 112
        if mono:
            infrared(planes, self._hot * np.float32(error))
        else:
            self._daylight.lay(planes, time_s, bright, error)
            planes.u += np.float32(self._cast[0])
            planes.v += np.float32(self._cast[1])

    def _weather(
        self, planes: Planes, time_s: float, bright: float, night: bool, going: dict[str, events.Event]
    ) -> set[str]:
        names = set()
        if "rain" in going:
            rained(planes, self.seed, time_s, going["rain"].ramp(time_s, 240) * (0.5 + 0.5 * going["rain"].strength))
        if "fog" in going:
            veiled(planes, going["fog"].ramp(time_s, 600) * (0.3 + 0.35 * going["fog"].strength), 95 + 80 * bright)
        if night and lamps(planes, self.seed, time_s):
            names.add("headlights")
        if "lightning" in going and night and uniform(self.seed, int(time_s * 5), 77) < 0.06:
            planes.y += (220 - planes.y) * np.float32(0.5)
            names.add("lightning")
        return names

    def _lens(
        self, planes: Planes, time_s: float, mono: bool, spoiling: Spoiling, going: dict[str, events.Event]
    ) -> None:
        wind = going["wind"].ramp(time_s, 600) if "wind" in going else 0.03
        reach = (0.3 + 1.2 * wind * (0.4 + 0.6 * drift(self.seed, time_s, 15))) * wind * self.width / 320
        planes.y = shaken(planes.y, reach * float(np.sin(time_s * 3.3)), reach * 0.6 * float(np.cos(time_s * 2.3)))
        if spoiling.optics:
            spoiling.optics(planes, time_s, mono)
        sigma = np.float32(self._noise * spoiling.grain * (2.6 if mono else 1.0))
        first = int(uniform(self.seed, int(time_s * 1_000), 78) * (self._white.size - planes.y.size))
        planes.y += sigma * self._white[first : first + planes.y.size].reshape(planes.y.shape)

    def _text_and_code(
        self,
        planes: Planes,
        time_s: float,
        clock_s: float,
        mono: bool,
        spoiling: Spoiling,
        going: Mapping[str, events.Event],
    ) -> None:
        if spoiling.signal:
            spoiling.signal(planes, time_s, mono)
        if "reboot" in going:
            planes.y[:], planes.u[:], planes.v[:] = 90, 128, 128
        dot = max(1, self.height // 180)
        if self._text < 3:
            words = time.strftime("%d-%m-%Y %H:%M:%S", time.gmtime(EPOCH_S + self.seed % 300 * 86_400 + int(clock_s)))
            put(planes, words, (0.02, 0.98, 0.5)[self._text], (0.03, 0.97, 0.97)[self._text], dot)
        if spoiling.over:
            spoiling.over(planes, time_s, mono)
        np.clip(planes.y, 0, 255, out=planes.y)
        planes.y = coded(planes.y, self._step)
