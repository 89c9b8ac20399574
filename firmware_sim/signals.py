"""Signals of Ambon (3.7° S, 128.2° E, WIT = UTC+9): what the sensors of a market, a bin and a river would say.

Pure functions of (seed, metric, time): anyone can compute again what a board said. Not a weather model; the shapes
are right (day and night, afternoon rain, market hours, morning fires, tide), the numbers are plausible.
"""

import math
import random
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from kewang.wire.catalogue import metric

HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
WIT_S: Final = 9 * HOUR_S

_TIDE: Final = ((45.0, 12.4206), (18.0, 12.0), (30.0, 23.9345), (20.0, 25.8193))
"""Amplitude (cm) and period (h) of M2, S2, K1, O1: mixed, mainly semidiurnal, about two metres at springs."""


class Signals:
    """The surroundings of one board; `seed` makes it differ from its neighbours."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_metric: Mapping[str, Callable[[float], float]] = {
            "temp_c": self._temp_c,
            "rh_pct": self._rh_pct,
            "pressure_hpa": self._pressure_hpa,
            "pm1_ugm3": lambda t: 0.6 * self._pm25_ugm3(t),
            "pm25_ugm3": self._pm25_ugm3,
            "pm10_ugm3": lambda t: 1.7 * self._pm25_ugm3(t) + 3,
            "noise_dba": self._noise_dba,
            "nh3_ppm": self._nh3_ppm,
            "h2s_ppm": lambda t: 0.08 * self._nh3_ppm(t),
            "co2_ppm": lambda t: 420 + 160 * self._market(t) + 30 * self.wander("co2", t, 1200),
            "bin_fill_pct": self._bin_fill_pct,
            "water_level_cm": self._water_level_cm,
            "light_lux": self._light_lux,
            "rain_mm": lambda t: self._rain(t) * 0.14,
            "door_openings": lambda t: 1.5 * self._market(t),
            "door_open": lambda t: float(self._dice("door", int(t // 20)) < 0.3),
        }

    def value(self, name: str, unix_s: float) -> float:
        """Metric `name` at `unix_s`, inside the catalogue's range. Metrics without a shape wander in its middle."""
        found = metric(name)
        if name in self._by_metric:
            raw = self._by_metric[name](unix_s)
        else:
            middle, width = (found.low + found.high) / 2, (found.high - found.low) / 4
            raw = middle + width * self.wander(name, unix_s, 600)
        return min(found.high, max(found.low, raw))

    def wander(self, key: str, unix_s: float, period_s: float) -> float:
        """Smooth noise from -1 to 1 that changes over `period_s`."""
        place, part = divmod(unix_s / period_s, 1.0)
        ease = part * part * (3 - 2 * part)
        one, other = self._dice(key, int(place)), self._dice(key, int(place) + 1)
        return 2 * (one + (other - one) * ease) - 1

    def _dice(self, key: str, place: int) -> float:
        """A number from 0 to 1 that (seed, key, place) always throws again."""
        return zlib.crc32(f"{self._seed}/{key}/{place}".encode()) / 0xFFFFFFFF

    def _rain(self, unix_s: float) -> float:
        """How hard it rains, 0 to 1: showers of an hour or two, on some days, mostly in the afternoon."""
        hour, day = _hour(unix_s), int((unix_s + WIT_S) // DAY_S)
        if self._dice("wet", day) > 0.55:
            return 0.0
        start = 12.5 + 5 * self._dice("shower", day)
        length = 0.7 + 1.8 * self._dice("length", day)
        inside = _bump(hour, start + length / 2, length / 2)
        return inside * (0.6 + 0.4 * self.wander("rain", unix_s, 240))

    def _market(self, unix_s: float) -> float:
        """How busy the market is, 0 to 1: from before dawn to ten, again towards evening."""
        hour = _hour(unix_s)
        busy = _bump(hour, 7.5, 3.0) + 0.55 * _bump(hour, 17.0, 2.5) + 0.25 * _bump(hour, 12.5, 3.0)
        return min(1.0, busy) * (0.85 + 0.15 * self.wander("market", unix_s, 300))

    def _sun(self, unix_s: float) -> float:
        """The sun's height, 0 to 1; near the equator from six to six."""
        return max(0.0, math.sin(math.pi * (_hour(unix_s) - 6.2) / 12.1)) if 6.2 < _hour(unix_s) < 18.3 else 0.0

    def _temp_c(self, unix_s: float) -> float:
        daily = 27.6 + 3.3 * math.cos(2 * math.pi * (_hour(unix_s) - 13.7) / 24)
        return daily - 2.5 * self._rain(unix_s) + 0.5 * self.wander("temp", unix_s, 1800)

    def _rh_pct(self, unix_s: float) -> float:
        dry = 82 - 3.6 * (self._temp_c(unix_s) - 27.6)
        return min(99.5, dry + 8 * self._rain(unix_s) + 2 * self.wander("rh", unix_s, 1500))

    def _pressure_hpa(self, unix_s: float) -> float:
        tide = 1.4 * math.cos(4 * math.pi * (_hour(unix_s) - 10) / 24)
        return 1010.5 + tide + 1.5 * self.wander("pressure", unix_s, 2 * DAY_S)

    def _pm25_ugm3(self, unix_s: float) -> float:
        hour = _hour(unix_s)
        fires = 38 * _bump(hour, 6.3, 1.3) + 24 * _bump(hour, 18.5, 1.6)
        base = 9 + 4 * self.wander("pm", unix_s, 5400) + fires + 8 * self._market(unix_s)
        return max(1.0, base * (1 - 0.6 * self._rain(unix_s)) + 1.5 * self.wander("pm-quick", unix_s, 45))

    def _noise_dba(self, unix_s: float) -> float:
        crowd = 43 + 27 * self._market(unix_s) + 12 * self._rain(unix_s)
        return crowd + 3 * self.wander("noise", unix_s, 20) + 1.5 * self.wander("noise-quick", unix_s, 5)

    def _nh3_ppm(self, unix_s: float) -> float:
        ripe = self._bin_fill_pct(unix_s) / 100 * (self._temp_c(unix_s) - 20) / 10
        return max(0.05, 0.3 + 4.5 * ripe + 0.2 * self.wander("nh3", unix_s, 600))

    def _bin_fill_pct(self, unix_s: float) -> float:
        """Emptied at five in the morning and, on most days, at two in the afternoon."""
        hour, day = _hour(unix_s), int((unix_s + WIT_S) // DAY_S)
        second = 14.0 + self._dice("emptied", day)
        emptied = second if hour >= second and self._dice("skipped", day) > 0.15 else 5.0
        since_h = (hour - emptied) % 24
        return min(100.0, 3 + 8.5 * since_h * (0.7 + 0.6 * self._dice("waste", day)))

    def _water_level_cm(self, unix_s: float) -> float:
        hours = unix_s / HOUR_S
        tide = sum(height * math.cos(2 * math.pi * hours / period) for height, period in _TIDE)
        flood = sum(self._rain(unix_s - late * HOUR_S) for late in (0.5, 1.0, 1.5, 2.0, 3.0)) * 22
        return 140 + 0.5 * tide + flood + 1.5 * self.wander("waves", unix_s, 9)

    def _light_lux(self, unix_s: float) -> float:
        clouds = 0.65 + 0.35 * self.wander("clouds", unix_s, 900)
        return 105_000 * math.pow(self._sun(unix_s), 1.2) * clouds * (1 - 0.75 * self._rain(unix_s)) + 2


class Hastened(Signals):
    """The same surroundings, living `faster` times as quick from now on, as sensors with a noise of their own see them.

    For what depends on how much two readings differ: noise of a digit or two, as cheap sensors have it.
    """

    def __init__(self, seed: int, faster: float) -> None:
        super().__init__(seed)
        self._faster, self._began_s, self._dicing = faster, time.time(), random.Random(seed)

    def value(self, name: str, unix_s: float) -> float:
        found = metric(name)
        seen = super().value(name, self._began_s + (unix_s - self._began_s) * self._faster)
        noisy = seen + (0 if found.codes else self._dicing.gauss(0, 1.5 * 10.0**-found.decimals))
        return min(found.high, max(found.low, noisy))


def _hour(unix_s: float) -> float:
    """The hour of the day in Ambon, 0 to 24."""
    return ((unix_s + WIT_S) % DAY_S) / HOUR_S


def _bump(hour: float, centre: float, half_width: float) -> float:
    """1 at `centre`, 0 from `half_width` on, smooth between."""
    away = abs(hour - centre) / half_width
    return 0.0 if away >= 1 else 0.5 + 0.5 * math.cos(math.pi * away)
