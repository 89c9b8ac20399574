"""What the watch costs with many devices: memory and processor of a fresh process, by real messages one by one."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from kewang.bench.alerts_city import BEAT_S, city_of
from kewang.bench.alerts_drive import START_S, place_of

MEMORY_SIZES: Final = (10_000, 100_000)
RSS_MB: Final = {100_000: 500.0}
CORE_SHARE: Final = {10_000: 0.05, 100_000: 0.5}
"""At one heartbeat in 30 s of each device."""
_MB: Final = 1_000_000
_STEADY_BEATS: Final = 20
_DARK_S: Final = 300
_LOSS: Final = 0.01


def memory_of(devices: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of this many devices, in a process of their own."""
    told = subprocess.run([sys.executable, "-m", __name__, str(devices)], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(told.stdout)
    say(f"{devices} devices: {figures}")
    return figures


def memory_shortfalls(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each figure over its limit."""
    found = []
    for row in rows:
        for name, limits in (("rss_mb", RSS_MB), ("core_share", CORE_SHARE)):
            limit = limits.get(row["devices"])
            if limit is not None and row[name] > limit:
                found.append(f"{name} of {row['devices']} devices: {row[name]}, must be at most {limit:g}")
    return found


def _measured(devices: int) -> dict[str, Any]:
    """`rss_mb`: the peak. `core_share`: steadily. `dark_s`: processor time when all of them go at once; `back_s`: when
    they are back; `storm_s`: for a will of each within one second.

    `slowest_s`: the longest single look at the deadlines in all of that; nothing else is done meanwhile. `kept_s`: as
    long stands everything when what is known is kept, at the worst.
    """
    from gateway.incidents.watch import Watch

    watch, city = Watch(started_s=START_S), city_of(devices, 1)
    beats: list[list[str]] = [[] for _ in range(round(BEAT_S))]
    for device in city.devices.values():
        watch.place(device.name, place_of(city, device), START_S)
        beats[int(device.phase_s)].append(device.name)
    rng, now_s = random.Random(devices), _beat(watch, beats, START_S, 3, random.Random(0))
    began_s = time.process_time()
    now_s = _beat(watch, beats, now_s, _STEADY_BEATS, rng)
    steady_s, steady_mb = time.process_time() - began_s, _peak_bytes() / _MB
    costs = _Costs(watch)
    now_s, changes = _dark(costs, now_s)
    costs.clocked("kept_s", watch.kept)
    now_s, more = _back(costs, beats, now_s)
    _storm(costs, city.devices, now_s)
    return {
        "devices": devices,
        "rss_mb": round(_peak_bytes() / _MB, 1),
        "steady_rss_mb": round(steady_mb, 1),
        "core_share": round(steady_s / (_STEADY_BEATS * BEAT_S), 4),
        "us_per_message": round(1e6 * steady_s / (_STEADY_BEATS * devices), 2),
        **{name: round(spent_s, 2) for name, spent_s in costs.spent_s.items()},
        "slowest_s": round(costs.slowest_s, 2),
        "changes": changes + more,
    }


class _Costs:
    """Processor time by what it was spent for."""

    def __init__(self, watch: Any) -> None:
        self.watch = watch
        self.spent_s: dict[str, float] = {}
        self.slowest_s = 0.0

    def clocked(self, name: str, do: Callable[[], Any]) -> float:
        """Do it; how long it took."""
        began_s = time.process_time()
        do()
        spent_s = time.process_time() - began_s
        self.spent_s[name] = self.spent_s.get(name, 0.0) + spent_s
        return spent_s

    def due(self, name: str, now_s: float) -> int:
        """Our loop-back message comes, and deadlines are looked at: how many changes."""
        changes: list[Any] = []
        self.watch.looped(now_s)
        self.slowest_s = max(self.slowest_s, self.clocked(name, lambda: changes.extend(self.watch.due(now_s))))
        return len(changes)


def _beat(watch: Any, beats: Sequence[Sequence[str]], now_s: float, rounds: int, rng: random.Random) -> float:
    """Every device beats so many times, but for those that are lost; deadlines are looked at each second."""
    for second in range(rounds * len(beats)):
        watch.looped(now_s)
        for name in beats[second % len(beats)]:
            if rng.random() >= _LOSS:
                watch.heard(name, now_s)
        now_s += 1
        watch.due(now_s)
    return now_s


def _dark(costs: _Costs, now_s: float) -> tuple[float, int]:
    """All fall silent: when, and the changes."""
    return now_s + _DARK_S, sum(costs.due("dark_s", now_s + second) for second in range(_DARK_S))


def _back(costs: _Costs, beats: list[list[str]], now_s: float) -> tuple[float, int]:
    """All are born within a heartbeat, and are heard from then on."""
    changes, end_s = 0, now_s + _DARK_S
    while now_s < end_s:
        for name in beats.pop(0) if beats else ():
            costs.clocked("back_s", partial(costs.watch.born, name, "power", now_s, end_s + _DARK_S))
        now_s += 1
        changes += costs.due("back_s", now_s)
    return now_s, changes


def _storm(costs: _Costs, names: Iterable[str], now_s: float) -> None:
    """Of each a will comes within one second."""
    costs.clocked("storm_s", lambda: [costs.watch.left(name, now_s, deliberate=False) for name in names])
    costs.due("storm_s", now_s + 1)


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
