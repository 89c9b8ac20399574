"""The figures of `kewang bench alerts` from the scores of its cities, and what is short of the targets."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kewang.bench.alerts_city import City
from kewang.bench.alerts_score import Part, Score, Verdict

WINDOW_S: Final = 600.0
TTD_S: Final = {"site": (95.0, 125.0), "wired": (120.0, 150.0), "cellular": (175.0, 205.0)}
"""From the start of an outage to its notice: p50 and p95 at most. `site`: everything larger too."""
FALSE_SHARE: Final = 0.01
"""Less than this."""
NOTICES_PER_INCIDENT: Final = 1.15
WORST_10MIN: Final = 10
CAUSE_ACCURACY: Final = 0.95
COMPRESSION: Final = 500.0
CITY_DEVICES: Final = 1_000
"""The target of the compression is for a city of so many."""
CASES_A_KIND: Final = 4


@dataclass
class Tally:
    """What one city gives to the figures. Tallies add up."""

    fates: Counter[str] = field(default_factory=Counter)
    """Of true outages."""
    told: int = 0
    false: int = 0
    short: int = 0
    notices: int = 0
    about: int = 0
    """Outages with a notice of their own: those without one do not make the share better."""
    closed: int = 0
    to_close: int = 0
    unclosed: int = 0
    closed_unopened: int = 0
    opened_twice: int = 0
    worst: int = 0
    worst_closings: int = 0
    ttd_s: dict[str, list[float]] = field(default_factory=dict)
    """By level, single devices by link."""
    judged: int = 0
    right_place: int = 0
    right_why: int = 0
    right: int = 0
    compressions: list[float] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)


def tally_of(city: City, score: Score) -> Tally:
    """Add up one city."""
    true = [verdict for verdict in score.verdicts if verdict.outage.true]
    direct = [verdict for verdict in true if verdict.fate == "direct"]
    tally = Tally(
        fates=Counter(verdict.fate for verdict in true),
        told=score.told,
        false=len(score.false),
        short=score.short,
        notices=len(score.notices),
        about=sum(verdict.fate == "direct" for verdict in score.verdicts),
        closed=score.closed,
        to_close=score.told,
        unclosed=score.unclosed,
        closed_unopened=score.closed_unopened,
        opened_twice=score.opened_twice,
        worst=most_within(score.notices, WINDOW_S),
        worst_closings=most_within(score.closings, WINDOW_S),
        judged=len(direct),
        right_place=sum(verdict.right_place for verdict in direct),
        right_why=sum(verdict.right_why for verdict in direct),
        right=sum(verdict.right_place and verdict.right_why for verdict in direct),
        compressions=[_compression(each) for each in true if each.outage.level == "city"],
        cases=[*_limited(_cases(city, score))],
    )
    for verdict in true:
        if verdict.told_s is not None and verdict.outage.why != "flapping":
            tally.ttd_s.setdefault(_class(city, verdict), []).append(verdict.told_s - verdict.outage.start_s)
    return tally


def most_within(times_s: Iterable[float], window_s: float) -> int:
    """The most of `times_s` in any window of this length, both ends included."""
    times, first, most = sorted(times_s), 0, 0
    for last, at_s in enumerate(times):
        while at_s - times[first] > window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of them does not exceed; None of none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def figures_of(tallies: Sequence[Tally]) -> dict[str, Any]:
    """The figures of all cities together."""

    def total(name: str) -> int:
        return sum(getattr(tally, name) for tally in tallies)

    fates = sum((tally.fates for tally in tallies), Counter[str]())
    levels = sorted({level for tally in tallies for level in tally.ttd_s})
    by_level = {level: [each for tally in tallies for each in tally.ttd_s.get(level, [])] for level in levels}
    larger = [each for level in ("site", "uplink", "feeder", "city") for each in by_level.get(level, [])]
    ttd_s = {"site": larger, "wired": by_level.get("wired", []), "cellular": by_level.get("cellular", [])}
    return {
        "incidents": sum(fates.values()),
        "missed": fates["missed"],
        "masked": fates["masked"],
        "fates": dict(fates),
        "false_share": ratio(total("false"), total("told")),
        "short_share": ratio(total("short"), total("told")),
        "notices": total("notices"),
        "notices_per_incident": ratio(total("notices"), total("about")),
        "closings_per_incident": ratio(total("closed"), total("to_close")),
        "unclosed": total("unclosed"),
        "closed_unopened": total("closed_unopened"),
        "opened_twice": total("opened_twice"),
        "ttd_s": {name: _spread(values) for name, values in ttd_s.items()},
        "ttd_by_level_s": {name: _spread(values) for name, values in by_level.items()},
        "worst_10min": max((tally.worst for tally in tallies), default=0),
        "worst_10min_closings": max((tally.worst_closings for tally in tallies), default=0),
        "cause_accuracy": ratio(total("right"), total("judged")),
        "place_accuracy": ratio(total("right_place"), total("judged")),
        "why_accuracy": ratio(total("right_why"), total("judged")),
        "compression": min((each for tally in tallies for each in tally.compressions), default=None),
    }


def ratio(part: float, whole: float) -> float | None:
    """None of nothing."""
    return round(part / whole, 4) if whole else None


def shortfalls(figures: Mapping[str, Any], devices: int) -> list[str]:
    """A sentence for each figure that misses its target."""
    found = list(_counted(figures))
    for name, limits in TTD_S.items():
        for key, limit in zip(("p50", "p95"), limits, strict=True):
            value = figures["ttd_s"][name][key]
            if value is None or value > limit:
                found.append(f"ttd_s {name} {key}: {value}, must be at most {limit:g}")
    if devices >= CITY_DEVICES and not (figures["compression"] or 0) >= COMPRESSION:
        found.append(f"compression: {figures['compression']}, must be at least {COMPRESSION:g}")
    return found


def _counted(figures: Mapping[str, Any]) -> Iterator[str]:
    for name in ("missed", "unclosed", "closed_unopened", "opened_twice"):
        if figures[name]:
            yield f"{name}: {figures[name]}, must be 0"
    # of nothing there is no share: then nothing was told, or nothing happened, and nothing is proven
    if figures["false_share"] is None or figures["false_share"] >= FALSE_SHARE:
        yield f"false_share: {figures['false_share']}, must be below {FALSE_SHARE:g}"
    if (figures["notices_per_incident"] or math.inf) > NOTICES_PER_INCIDENT:
        yield f"notices_per_incident: {figures['notices_per_incident']}, must be at most {NOTICES_PER_INCIDENT:g}"
    if figures["closings_per_incident"] != 1:
        yield f"closings_per_incident: {figures['closings_per_incident']}, must be 1"
    if figures["worst_10min"] > WORST_10MIN:
        yield f"worst_10min: {figures['worst_10min']}, must be at most {WORST_10MIN}"
    if (figures["cause_accuracy"] or 0) < CAUSE_ACCURACY:
        yield f"cause_accuracy: {figures['cause_accuracy']}, must be at least {CAUSE_ACCURACY:g}"


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    found = {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95), "max": max(values, default=None)}
    return {name: None if value is None else round(value, 1) for name, value in found.items()} | {"n": len(values)}


def _class(city: City, verdict: Verdict) -> str:
    """Its level; the link where just one box fell silent: no neighbour can tell that it was more than the box."""
    outage = verdict.outage
    return city.devices[next(iter(outage.silent))].link if len(outage.silent) == 1 else outage.level


def _compression(verdict: Verdict) -> float:
    devices = len(verdict.outage.silent) + len(verdict.outage.others)
    return devices / verdict.notices if verdict.notices else 0.0


def _limited(cases: Iterable[tuple[str, str]]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for kind, text in cases:
        seen[kind] += 1
        if seen[kind] <= CASES_A_KIND:
            yield f"{kind}: {text}"


def _cases(city: City, score: Score) -> Iterator[tuple[str, str]]:
    """What went wrong: kind, and text with the times in seconds of the world."""
    for at_s, part in score.false:
        yield "false", f"{at_s:.0f} s: {_named(part)}"
    for verdict in score.verdicts:
        text = _told(verdict)
        if verdict.fate == "missed":
            yield "missed", text
        if verdict.fate != "direct" or not verdict.outage.true:
            continue
        if not verdict.right_place:
            yield "wrong place", text
        elif not verdict.right_why:
            yield "wrong reason", text
        if verdict.notices > 1:
            yield "told again", text
        if verdict.outage.why != "flapping" and verdict.told_s is not None:
            limit_s = TTD_S.get(_class(city, verdict), TTD_S["site"])[1]
            if verdict.outage.level != "gateway" and verdict.told_s - verdict.outage.start_s > limit_s:
                yield "late", text


def _told(verdict: Verdict) -> str:
    outage = verdict.outage
    what = f"{outage.start_s:.0f} to {outage.end_s:.0f} s (back {outage.back_s:.0f}): {outage.level} {outage.name}"
    told = (
        f"told at {verdict.told_s:.0f} s as {_named(verdict.part)}" if verdict.told_s and verdict.part else "not told"
    )
    return f"{what}, {outage.why}, {len(outage.silent)} devices; {told}, {verdict.notices} notices"


def _named(part: Part) -> str:
    return f"{part.level} {part.name} ({len(part.devices)} devices, incident {part.number})"
