"""How many devices are how, of the city and of each site, uplink and feeder: what a wall reads instead of all devices.

Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Final, get_args

from gateway.incidents.model import Word
from gateway.incidents.topology import spot
from gateway.ports import Table
from kewang.wire.placement import Place

WORDS: Final[tuple[Word, ...]] = tuple(word for word in get_args(Word) if word != "unplaced")
_ALERTING: Final = frozenset({"installed", "maintenance"})


def fleet(places: Mapping[str, Place], word: Callable[[str], Word], now_ms: int) -> list[Table]:
    """A point each of measurement `fleet`: tags `level` and `name`, a field for each word, `total` and `state`; of
    a site also where it is, the mean of its devices' places. `word`: how a device is."""
    groups: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    spots: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for device, place in places.items():
        if place.life in _ALERTING:
            told = word(device)
            for scope in spot(place).scopes:
                groups[scope.level, scope.name][told] += 1
            if place.lat is not None and place.lon is not None:
                spots[place.site].append((place.lat, place.lon))
    return [
        _table(level, name, counts, spots[name] if level == "site" else [], now_ms)
        for (level, name), counts in sorted(groups.items())
    ]


def state_of(counts: Counter[str]) -> int:
    """In one number (kewang.ui.states), the worse the higher. What most are counts for maintenance and not known;
    for down it is enough that half are."""
    total = counts.total()
    if 2 * counts["down"] >= total:
        return 4
    for word, state in (("unknown", 3), ("maintenance", 2)):
        if 2 * counts[word] > total:
            return state
    return 1 if counts["down"] + counts["unstable"] + counts["degraded"] else 0


def _table(level: str, name: str, counts: Counter[str], spots: list[tuple[float, float]], now_ms: int) -> Table:
    fields = {"total": float(counts.total()), "state": float(state_of(counts))}
    fields |= {each: float(counts[each]) for each in WORDS}
    if spots:
        fields |= {"lat": fmean(lat for lat, _ in spots), "lon": fmean(lon for _, lon in spots)}
    return Table("fleet", (("level", level), ("name", name or "-")), tuple(fields), [(now_ms, *fields.values())])
