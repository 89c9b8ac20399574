"""What templates say in the reader's language: numbers, times, states, reasons."""

from collections.abc import Callable
from datetime import tzinfo
from hashlib import sha256
from typing import Any, Final

from markupsafe import Markup

from gateway.console import cameras
from gateway.console.chart import Mark
from gateway.console.overview import Reading, Source
from gateway.console.phrases import (
    CHANGES,
    LIVES,
    SHORT,
    STREAM_WORDS,
    TASK_STATES,
    kind_of,
    lasting,
    reason_of,
    trouble_of,
    word_of,
)
from gateway.console.plots import Plot, SourceDay, is_said_elsewhere, ticks
from gateway.incidents.model import Incident
from gateway.notify.phrases import place
from kewang.ui import figures, states
from kewang.ui.words import Language, words
from kewang.wire.cameras import STATE_WORDS, CameraState
from kewang.wire.catalogue import BY_NAME, METRICS, Metric
from kewang.wire.tally import HOUR_MS

CAMERA_MARKS: Final[dict[CameraState, states.Mark]] = {
    CameraState.OK: "plain",
    CameraState.DEGRADED: "warn",
    CameraState.UNKNOWN: "unknown",
    CameraState.DOWN: "alarm",
}
SHAPES: Final[dict[states.Mark, Markup]] = {
    "alarm": Markup('<path class="shape" d="M-9 -9H9V9H-9Z"/>'),
    "warn": Markup('<path class="shape" d="M0 -11L12 9H-12Z"/>'),
    "info": Markup('<circle class="shape" r="9.5"/>'),
    "unknown": Markup('<path class="shape" d="M0 -11L11 0L0 11L-11 0Z"/>'),
    "plain": Markup('<circle class="shape" r="5.5"/>'),
}
"""The symbols of kewang.ui.states, drawn around 0, 0 in px."""


def filters(language: Language, zone: tzinfo) -> dict[str, Callable[..., Any]]:
    """By the names under which templates use them."""
    return _figures(language, zone) | _phrases(language) | _drawn(language, zone)


def _figures(language: Language, zone: tzinfo) -> dict[str, Callable[..., Any]]:
    def said(value: float, metric: Metric) -> str:
        return metric.word(value, language) or figures.number(value, metric.decimals, language)

    return {
        "number": lambda value, decimals: figures.number(value, decimals, language),
        "percent": lambda part, whole: figures.percent(part, whole, language),
        "clock": lambda date_ms: figures.clock(date_ms, zone),
        "moment": lambda date_ms, now_ms: figures.moment(date_ms, now_ms, zone),
        "zone": lambda date_ms: figures.zone_name(date_ms, zone),
        "hour": lambda hour: figures.clock(hour * HOUR_MS, zone)[:5],
        "lasting": lambda minutes: lasting(minutes, language),
        "value": lambda reading: said(reading.value, reading.metric),
        "said": said,
    }


def _phrases(language: Language) -> dict[str, Callable[..., Any]]:
    return {
        "place": place,
        "state": lambda state: words(language).gettext(state.word),
        "life": lambda life: word_of(LIVES, life, language),
        "stream": lambda stream: word_of(STREAM_WORDS, stream, language),
        "kind": lambda row: kind_of(row, language),
        "reason": lambda row: reason_of(row, language),
        "trouble": lambda why: trouble_of(why, language),
        "camera": lambda source: cameras.said(source.camera, language),
        "camera_mark": CAMERA_MARKS.__getitem__,
        "first_step": lambda source: cameras.first_step(source.camera, language),
        "task_state": lambda state: word_of(TASK_STATES, state, language),
        "change": lambda what: word_of(CHANGES, what, language),
        "short": lambda name: word_of(SHORT, name, language),
        "how_many": lambda incident: how_many(incident, language),
    }


def _drawn(language: Language, zone: tzinfo) -> dict[str, Callable[..., Any]]:
    return {
        "ticks": lambda from_ms: ticks(from_ms, zone),
        "lane_mark": lambda lane: CAMERA_MARKS[lane.state],
        "lane_word": lambda lane: STATE_WORDS[lane.state][0 if language == "id" else 1],
        "measured": measured,
        "whys": lambda doubts: ", ".join(metric.word(code, language) or f"{code:g}" for metric, code in doubts),
        "plot_id": lambda series, metric: f"plot-{_hashed(f'{series.stream} {series.source} {metric.name}')}",
        "spot_id": lambda mark: f"spot-{_hashed(mark.worst.name)}",
        "spot_said": lambda mark: spot_said(mark, language),
    }


def measured(source: Source, day: SourceDay) -> list[tuple[Metric, Reading | None, Plot | None]]:
    """What a source measured of late or in its day; of a camera what its card shows comes first."""
    readings = {reading.metric.name: reading for reading in source.readings}
    plots = {plot.metric.name: plot for plot in day.plots}
    names = {name for name in (readings.keys() | plots.keys()) - cameras.TOLD_BY_STATE if not is_said_elsewhere(name)}
    order = sorted(METRICS, key=lambda metric: metric.name not in cameras.ON_CARD)
    return [(one, readings.get(one.name), plots.get(one.name)) for one in order if one.name in names]


def spot_said(mark: Mark, language: Language) -> str:
    """What a mark of the map says to who can't see it."""
    say, worst = words(language), mark.worst
    state = say.gettext(worst.state.word)
    if len(mark.sites) > 1:
        text = say.ngettext("%(num)s site", "%(num)s sites", len(mark.sites)) % {"num": len(mark.sites)}
        return say.gettext("%(many)s, the worst is %(site)s: %(state)s") % {
            "many": text, "site": place(worst.name), "state": state
        }  # fmt: skip
    count = len(worst.devices)
    return f"{place(worst.name)}: {state}, " + say.ngettext("%(num)s device", "%(num)s devices", count) % {"num": count}


def how_many(incident: Incident, language: Language) -> str:
    """How many devices an incident is about; if it is about parts of them, how many cameras or sources."""
    named, say = incident.devices, words(language)
    if not all("/" in name for name in named):
        count = len({name.partition("/")[0] for name in named})
        return say.ngettext("%(num)s device", "%(num)s devices", count) % {"num": count}
    metric = BY_NAME.get(incident.metric or "")
    if incident.kind.startswith("camera") or (metric and metric.stream == cameras.STREAM):
        return say.ngettext("%(num)s camera", "%(num)s cameras", len(named)) % {"num": len(named)}
    return say.ngettext("%(num)s source", "%(num)s sources", len(named)) % {"num": len(named)}


def _hashed(name: str) -> str:
    """Safe in an id, whatever somebody calls it."""
    return sha256(name.encode()).hexdigest()[:12]
