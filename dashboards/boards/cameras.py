"""Kamera: which cameras show nothing useful, since when, and which have been bad for long."""

from typing import Final

from dashboards import look
from dashboards.boards.shared import (
    device_column,
    metric,
    newest_data,
    open_count,
    open_incidents,
    source_column,
    worst,
)
from dashboards.builder import Json, Panel, column, stat, table, target, timeseries
from dashboards.influxql import last_s, newest, outer, select
from dashboards.layout import Band, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice
from kewang.wire.cameras import CameraState

NOW_S: Final = 900
WEEK_S: Final = 7 * 86_400
MONTH_S: Final = 30 * 86_400
NOT_WELL: Final = "100 - 100 * sum(camera_state_1_count) / sum(camera_state_count)"
"""Share of the measurements in which the camera was not well, in %."""
COLOURS: Final = {
    CameraState.UNKNOWN: ("◇ ", look.UNKNOWN),
    CameraState.OK: ("", look.NORMAL),
    CameraState.DEGRADED: ("▲ ", look.WARN),
    CameraState.DOWN: ("■ ", look.ALARM),
}


def board(_: Voice) -> Json:
    """The board."""
    bands = [
        Band(4, [*((4, one) for one in open_now(_)), (4, newest_data(_, "camera_state_count", "cam_5m"))]),
        Band(10, [(13, not_well(_)), (11, open_incidents("incidents", _, '"kind" =~ /^camera-/'))]),
        Band(10, [(8, bad_today(_)), (8, bad_week(_)), (8, bad_month(_))]),
        Band(9, [(8, frames(_)), (8, loss(_)), (8, keyframes(_))]),
        Band(9, [(12, clocks(_)), (12, dirty(_))]),
    ]
    what = _("Cameras: what they show, not only whether they answer. Grey is normal.")
    links = [other_boards(_, _("Boards"))]
    return laid_out("cameras", _, _("Kewang: cameras"), what, bands, refresh="30s", since="now-24h", links=links)


def open_now(_: Voice) -> list[Panel]:
    """What is wrong now, by kind."""
    go = _("Open incidents of this kind. The table below names the cameras; look at the view, then send somebody.")
    measured = outer(
        "count(n)", select("last(camera_state_count) AS n", "cam_5m", last_s(NOW_S), by=["device", "source"])
    )
    seen = _("Cameras that were measured in the last 15 minutes.")
    return [
        stat("measured", _("Cameras measured"), seen, measured, unit="none", decimals=0, empty=_("0, if fresh")),
        open_count("lost", _, "■ " + _("No picture"), go, "camera-lost", look.ALARM),
        open_count("covered", _, "■ " + _("Covered"), go, "camera-covered", look.ALARM),
        open_count("moved", _, "▲ " + _("Moved"), go, "camera-moved"),
        open_count("recording", _, "▲ " + _("Not recording"), go, "camera-recording"),
    ]


def not_well(_: Voice) -> Panel:
    """Which cameras are not well now, and why."""
    language = _.language
    names = {code: word[language != "id"] for code, *word in metric("camera_state").codes}
    words = {str(code.value): (mark + names[code.value], colour) for code, (mark, colour) in COLOURS.items()}
    reasons = {str(code): (word[language != "id"], look.NORMAL) for code, *word in metric("camera_reason").codes}
    query = select(
        newest("camera_state", "camera_reason"), "cam", last_s(NOW_S), "camera_state >= 2", by=["device", "source"]
    )
    columns = {
        "device": device_column(_),
        "source": source_column(_),
        "camera_state": column(_("State"), mappings=[look.values(words)]),
        "camera_reason": column(_("Why"), mappings=[look.values(reasons)]),
    }
    what = _("Cameras that were degraded or down in the last 15 minutes, with the reason measured last.")
    none = _("No camera is degraded or down.")
    rows = [target(query, table=True)]
    return table("now", _("Not well now"), what, rows, columns, sort="camera_state", empty=none)


def unmeasured(_: Voice) -> str:
    """What stands where no camera is measured."""
    return _("No camera was measured.")


def _share(_: Voice) -> Json:
    steps = look.thresholds((5, look.WARN), (50, look.ALARM))
    return column(_("Not well"), unit="percent", decimals=1, thresholds=steps)


def bad_today(_: Voice) -> Panel:
    """The cameras that were not well for longest in 24 hours."""
    what = _("Share of the last 24 hours in which the camera was not well.")
    more: Json = {"shown": _share(_), "or_zero": True, "empty": unmeasured(_)}
    return worst("day", _("Worst of 24 hours"), what, _, NOT_WELL, "cam_5m", last_s(86_400), **more)


def bad_week(_: Voice) -> Panel:
    """The cameras that were not well for longest in a week."""
    what = _("Share of the last 7 days in which the camera was not well. Near 100%: it has been bad for a week.")
    share = _share(_)
    return worst(
        "week",
        _("Bad for a week"),
        what,
        _,
        NOT_WELL,
        "cam_1d",
        last_s(WEEK_S),
        shown=share,
        or_zero=True,
        with_site=True,
        empty=unmeasured(_),
    )


def bad_month(_: Voice) -> Panel:
    """The cameras that were not well for longest in 30 days."""
    what = _("Share of the last 30 days in which the camera was not well.")
    more: Json = {"shown": _share(_), "or_zero": True, "empty": unmeasured(_)}
    return worst("month", _("Worst of 30 days"), what, _, NOT_WELL, "cam_1d", last_s(MONTH_S), **more)


def _over_time(key: str, _: Voice, title: str, what: str, middle: str, edge: str, unit: str, edge_word: str) -> Panel:
    queries = [
        target(select(edge, "cam_5m", every="$__interval"), alias=edge_word),
        target(select(middle, "cam_5m", every="$__interval"), alias=_("mean")),
    ]
    return timeseries(key, title, what, queries, unit=unit, interval="5m", empty=unmeasured(_))


def frames(_: Voice) -> Panel:
    """Frames per second against what each camera usually has."""
    what = _("Frames per second against each camera's own norm. If all fall together, look at the network.")
    ratio = ("mean(fps_ratio_mean)", "min(fps_ratio_min)")
    return _over_time("frames", _, _("Frame rate against norm"), what, *ratio, "percentunit", _("lowest"))


def loss(_: Voice) -> Panel:
    """Packets lost between box and camera."""
    what = _("Packets lost between box and camera. If one site is high, look at its switch and cables.")
    return _over_time(
        "loss", _, _("Packet loss"), what, "mean(loss_pct_mean)", "max(loss_pct_max)", "percent", _("highest")
    )


def keyframes(_: Voice) -> Panel:
    """Time between whole pictures."""
    what = _("Time between whole pictures: long ones make a viewer wait and freeze after a loss.")
    interval = ("mean(keyframe_interval_s_mean)", "max(keyframe_interval_s_max)")
    return _over_time("keyframes", _, _("Key-frame interval"), what, *interval, "s", _("highest"))


def clocks(_: Voice) -> Panel:
    """Cameras whose clock is wrong: recordings of no use as evidence."""
    what = _("Largest difference of the camera's clock in 24 hours. Above 60 s a recording is no evidence: set NTP.")
    shown = column(_("Offset"), unit="s", decimals=0, thresholds=look.thresholds((60, look.WARN)))
    asked = ("max(clock_offset_s_max)", "cam_5m", last_s(86_400))
    return worst("clocks", _("Clock offset"), what, _, *asked, shown=shown, empty=unmeasured(_))


def dirty(_: Voice) -> Panel:
    """Cameras whose lens wants cleaning."""
    what = _("How dirty the lens is, mean of 7 days. Clean from the top.")
    shown = column(_("Dirt"), unit="percent", decimals=0, thresholds=look.thresholds((30, look.WARN)))
    asked = ("mean(dirt_pct_mean)", "cam_1d", last_s(WEEK_S))
    return worst("dirt", _("Dirty lenses"), what, _, *asked, shown=shown, empty=unmeasured(_))
