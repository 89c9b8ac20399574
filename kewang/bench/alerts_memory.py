"""What the watch costs with many devices: memory and processor of a fresh process, by real messages one by one."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
    """`rss_mb`: the peak. `core_share`: steadily. `dark_s`: processor time when all of them go at once.

    `dark_slowest_s`: the longest single look at the deadlines then; nothing else is done meanwhile.
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
    steady_s = time.process_time() - began_s
    steady_mb = _peak_bytes() / _MB
    changes, slowest_s = _dark(watch, now_s)
    return {
        "devices": devices,
        "rss_mb": round(_peak_bytes() / _MB, 1),
        "steady_rss_mb": round(steady_mb, 1),
        "core_share": round(steady_s / (_STEADY_BEATS * BEAT_S), 4),
        "us_per_message": round(1e6 * steady_s / (_STEADY_BEATS * devices), 2),
        "dark_s": round(time.process_time() - began_s - steady_s, 2),
        "dark_slowest_s": round(slowest_s, 2),
        "dark_changes": changes,
    }


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


def _dark(watch: Any, now_s: float) -> tuple[int, float]:
    """All fall silent for good, and our loop-back message goes on: changes, and the longest look at the deadlines."""
    changes, slowest_s = 0, 0.0
    for second in range(_DARK_S):
        watch.looped(now_s + second)
        began_s = time.process_time()
        changes += len(watch.due(now_s + second))
        slowest_s = max(slowest_s, time.process_time() - began_s)
    return changes, slowest_s


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
