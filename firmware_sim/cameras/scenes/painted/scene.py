"""A painted market or street: the place, dressed and peopled by the hour, lit, and seen through its camera."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from firmware_sim.cameras.scenes import events
from firmware_sim.cameras.scenes.chance import generator, uniform
from firmware_sim.cameras.scenes.planes import Plane, Planes
from firmware_sim.cameras.scenes.seen import PictureFault, Point, Truth, View

from .canvas import Canvas, pink_noise
from .dressing import cloth_up, is_open, lying, shops_open, with_items, with_stalls, zone_corners, zone_mask
from .exposure import Shades, Stage, exposed, lamps_of
from .faults import fault_of
from .figures import draw_people, looks
from .lens import Lens
from .light import Light, light
from .overlay import stamp
from .people import people
from .scene_parts import HEALTHY, Spoiling
from .sensor import Codec, Grain
from .town import town
from .traffic import Traffic
from .trucks import truck_before
from .weather import Rain, fog, insects, shifted, sway
from .world import Kind, character, lens, world

DRESSED_S: Final = 600.0


class Painted:
    """A painted scene; see `painted`."""

    def __init__(self, seed: int, width: int, height: int, kind: Kind, benign: bool, codec: bool) -> None:
        self.seed, self.width, self.height, self.kind, self.benign, self._codec = (
            seed,
            width,
            height,
            kind,
            benign,
            codec,
        )
        self.lens = lens(seed, width, height, kind)
        self.world = world(seed, kind, self.lens)
        self.character = character(seed)
        self.grain = Grain(seed, width, height)
        self.rain = Rain(seed, width, height)
        self._encoder = Codec(width, height, self.character.quality) if codec else None
        self._heading = float(generator(seed, 14).uniform(0, 2 * np.pi))
        self._look_from(self.lens)

    def _look_from(self, view: Lens) -> None:
        self.lens = view
        self._town = town(view, self.world)
        self._shades = Shades(view, self.world)
        self._lamps = lamps_of(self._town, self.world, self.character)
        self._stages: dict[object, Stage] = {}
        self._stalls: dict[object, Canvas] = {}
        self._stage: tuple[float, Stage] | None = None
        self._cloths_change = False
        self._texture = _texture(self._town, self.world.roughness, self.character.texture, self.seed)
        self._zone_mask = zone_mask(self._town, self.world)
        self.traffic = Traffic(self.world, view)
        self._near_z = view.ground_at(0.5, 1.0)[1]

    def turned(self, yaw: float, pitch: float, roll: float) -> "Painted":
        """The same place and camera, turned on its mast by these angles (radians)."""
        other = Painted.__new__(Painted)
        other.__dict__.update(self.__dict__)
        view = self.lens
        other._encoder = Codec(self.width, self.height, self.character.quality) if self._codec else None
        other._look_from(replace(view, yaw=view.yaw + yaw, pitch=view.pitch + pitch, roll=view.roll + roll))
        return other

    @property
    def zone(self) -> Sequence[Point]:
        """The ground that should be clean, as a polygon in the picture."""
        outline, _ = self.lens.outline(zone_corners(self.world))
        return [(float(np.clip(x / self.width, 0, 1)), float(np.clip(y / self.height, 0, 1))) for x, y in outline]

    def at(self, time_s: float) -> View:
        """See `Scene.at`."""
        return self.render(time_s)

    def truth(self, time_s: float) -> Truth:
        """What is really there, whatever the camera shows."""
        return self.at(time_s).truth

    def spoil(self, fault: PictureFault, start_s: float, seed: int) -> Callable[[float], View]:
        """See `Spoilable.spoil`."""
        return fault_of(self, fault, start_s, seed)

    def happening(self, time_s: float) -> dict[str, events.Event]:
        """The harmless events of the moment by name."""
        return {event.name: event for event in events.now(self.seed, time_s)} if self.benign else {}

    def render(self, time_s: float, spoiling: Spoiling = HEALTHY, clock_s: float | None = None) -> View:
        """The picture of a moment, spoilt on its way; `clock_s`: what the clock in it shows, if not that moment."""
        going = self.happening(time_s)
        rain = going["rain"].ramp(time_s, 240) * (0.5 + 0.5 * going["rain"].strength) if "rain" in going else 0.0
        now = light(self.seed, time_s, self.character.colour_night, self._heading, rain)
        stage = self.stage(time_s)
        planes = stage.planes(now.infrared)
        persons = self._people(planes, stage, time_s, now, going, rain)
        glare, passing = self.traffic.draw(planes, stage.depth, time_s, now)
        level = exposed(planes, stage, now, self.character, self._gain_error(time_s, going))
        names = self._weather(planes, stage, time_s, now, going, rain, level)
        if "truck" in going:
            persons = truck_before(planes, going["truck"], time_s, now, persons)
        self.traffic.dazzle(planes, glare)
        names |= self._usual(time_s, now, passing) if self.benign else set()
        if spoiling.optics:
            spoiling.optics(planes, time_s, now.infrared)
        self._finish(planes, time_s, time_s if clock_s is None else clock_s, now, spoiling)
        truth = Truth(persons, stage.litter_pct, now.infrared, frozenset(names))
        return View(self._encoded(planes), truth)

    def _usual(self, time_s: float, now: Light, passing: bool) -> set[str]:
        """What happens in no timetable: headlights, cloths going up or down, the change to infrared and back."""
        before = light(self.seed, time_s - DRESSED_S, self.character.colour_night, self._heading, 0.0)
        found = {"headlights"} if passing and now.night else set()
        found |= {"tarps"} if self._cloths_change else set()
        return found | ({"infrared_switch"} if before.infrared != now.infrared else set())

    def _encoded(self, planes: Planes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        packed = planes.packed()
        return self._encoder.through(packed) if self._encoder else packed

    def stage(self, time_s: float) -> Stage:
        """The place as it is dressed now; people dress it in steps of ten minutes, so that it can be kept."""
        time_s = time_s // DRESSED_S * DRESSED_S
        if self._stage is None or self._stage[0] != time_s:
            self._stage = (time_s, self._dressed(time_s))
            self._cloths_change = self._cloths(time_s) != self._cloths(time_s - 3 * DRESSED_S)
        return self._stage[1]

    def _cloths(self, time_s: float) -> list[bool]:
        return [cloth_up(self.world, stall, time_s) for stall in self.world.stalls]

    def _dressed(self, time_s: float) -> Stage:
        stalls = tuple(
            (is_open(self.world, one, time_s), cloth_up(self.world, one, time_s)) for one in self.world.stalls
        )
        items = lying(self.world, time_s)
        shops = shops_open(self.world, time_s)
        key = (stalls, shops, tuple(item.key for item in items))
        if key not in self._stages:
            if key[:2] not in self._stalls:
                self._stalls = {key[:2]: with_stalls(self._town, self.world, shops, stalls)}
            canvas = with_items(self._stalls[key[:2]], items)
            if len(self._stages) > 3:
                self._stages.pop(next(iter(self._stages)))
            self._stages[key] = Stage(canvas, self._shades, self._lamps, self._texture, self._zone_mask)
        return self._stages[key]

    def _people(
        self, planes: Planes, stage: Stage, time_s: float, now: Light, going: dict[str, events.Event], rain: float
    ) -> int:
        extra = going["crowd"].ramp(time_s, 300) if "crowd" in going else 0.0
        group = people(self.world, time_s, extra - 0.5 * rain, self._near_z)
        how = looks(self.seed, group.key, now.infrared, rain > 0.15)
        return draw_people(planes, stage.depth, self.lens, group, how)

    def _gain_error(self, time_s: float, going: dict[str, events.Event]) -> float:
        error = 0.08 * np.sin(time_s / 37 + self.seed)
        if "pumping" in going:
            error += 0.9 * going["pumping"].ramp(time_s, 20) * np.sin(time_s * 0.9)
        return float(2**error)

    def _weather(
        self,
        planes: Planes,
        stage: Stage,
        time_s: float,
        now: Light,
        going: dict[str, events.Event],
        rain: float,
        level: float,
    ) -> set[str]:
        names = set(going) - {"insects", "lightning"}
        if rain > 0:
            self.rain.fall(planes, time_s, rain, level)
        if "fog" in going:
            thick = round(going["fog"].ramp(time_s, 600) * 12) / 12 * (0.02 + 0.05 * going["fog"].strength)
            fog(planes, stage.clear(thick), 0.6 * level + (70 if not now.night else 30))
        if "insects" in going and now.infrared:
            insects(planes, time_s, going["insects"].key)
            names.add("insects")
        if "lightning" in going and now.night and uniform(self.seed, int(time_s * 5)) < 0.06:
            planes.y *= 1.8
            planes.y += 40
            names.add("lightning")
        wind = going["wind"].ramp(time_s, 600) * (0.4 + 0.6 * going["wind"].strength) if "wind" in going else 0.0
        x, y = sway(self.seed, time_s, wind, self.width)
        planes.y = shifted(planes.y, x, y)
        return names

    def _finish(self, planes: Planes, time_s: float, clock_s: float, now: Light, spoiling: Spoiling) -> None:
        gain = self.character.noise * (3.2 if now.night and not now.infrared else 2.2 if now.infrared else 0.9)
        self.grain.add(planes, time_s, gain * spoiling.grain, 0.0 if now.infrared else gain * 0.5)
        if now.infrared:
            planes.u[:], planes.v[:] = 128, 128
        if spoiling.signal:
            spoiling.signal(planes, time_s, now.infrared)
        if "reboot" in self.happening(time_s):
            planes.y[:], planes.u[:], planes.v[:] = 112, 128, 128
        stamp(planes, self.seed, clock_s, self.character.text_corner, self.character.text_scale)
        if spoiling.over:
            spoiling.over(planes, time_s, now.infrared)


def _texture(canvas: Canvas, roughness: float, strength: float, seed: int) -> Plane:
    """How much lighter or darker each spot is than its surface's colour, about 1, (height, width)."""
    tile = pink_noise(256, seed)
    x, z, ahead = canvas.lens.ground
    below = ahead < 9_000
    on_ground = tile[(z * 14).astype(int) % 256, (x * 14).astype(int) % 256] / (1 + (ahead / 22) ** 2)
    rows, columns = np.mgrid[0 : canvas.lens.height, 0 : canvas.lens.width] * 320 // canvas.lens.width
    on_walls = tile[rows % 256, columns % 256]
    kind = np.asarray(canvas.kind)
    spots = np.where((kind == 1) & below, on_ground * roughness, on_walls * 0.045 * (kind > 0))
    return np.asarray(np.clip(1 + strength * spots, 0.4, 1.6), np.float32)
