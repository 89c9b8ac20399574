"""Jaringan & Listrik: uplinks and feeders, what they cost, and who can't send."""

from typing import Final, get_args

from dashboards import look
from dashboards.boards.shared import fleet_states, newest_data, open_incidents, states_over_time, unmeasured, worst
from dashboards.builder import Json, Panel, bars, column, table, target, timeseries
from dashboards.influxql import is_, last_s, outer, select
from dashboards.layout import Band, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice
from kewang.wire.state import Why

NOW_S: Final = 900
ENDED: Final = is_("what", "resolved")


def board(_: Voice) -> Json:
    """The board. It shows the month so far."""
    uplinks = _("The lines of the providers. Half of the devices down: call the provider, not a technician.")
    feeders = _("The lines of the power company. Half of the devices down: ask PLN first.")
    over = _("How they were in the time chosen above.")
    parents = '"level" =~ /^(uplink|feeder|city)$/'
    bands = [
        Band(
            8,
            [
                (8, fleet_states("uplinks", _("Uplinks now"), uplinks, _, "uplink")),
                (8, fleet_states("feeders", _("Feeders now"), feeders, _, "feeder")),
                (8, open_incidents("incidents", _, parents)),
            ],
        ),
        Band(8, [(12, minutes_lost(_, "feeder")), (12, minutes_lost(_, "uplink"))]),
        Band(8, [(9, by_cause(_)), (12, costliest(_)), (3, newest_data(_, "total", "fleet", is_("level", "city")))]),
        Band(8, [(8, backlog(_)), (8, supply(_)), (8, weak_supply(_))]),
        Band(
            9,
            [
                (12, states_over_time("uplinks-time", _("Uplinks over time"), over, _, "uplink")),
                (12, states_over_time("feeders-time", _("Feeders over time"), over, _, "feeder")),
            ],
        ),
    ]
    what = _("Uplinks and feeders: how they are, and what they cost this month.")
    links = [other_boards(_, _("Boards"))]
    return laid_out("network", _, _("Kewang: network and power"), what, bands, refresh="1m", since="now/M", links=links)


def minutes_lost(_: Voice, level: str) -> Panel:
    """What each uplink or feeder cost: minutes it was away, of incidents that are over."""
    title = _("Minutes each feeder lost") if level == "feeder" else _("Minutes each uplink lost")
    query = select(
        ["sum(lost_s) / 60 AS minutes", "count(lost_s) AS outages", "sum(device_lost_s) / 3600 AS device_hours"],
        "incident",
        is_("level", level),
        ENDED,
        by=["name"],
    )
    columns = {
        "name": column(_("Place")),
        "minutes": column(_("Minutes lost"), decimals=0),
        "outages": column(_("Outages"), decimals=0),
        "device_hours": column(_("Device hours lost"), decimals=1),
    }
    what = _("Minutes without it in the time chosen above, this month at first. For the talk with its provider.")
    none = _("Nothing was lost.")
    return table(level, title, what, [target(query, table=True)], columns, sort="minutes", empty=none)


def by_cause(_: Voice) -> Panel:
    """Device hours lost by cause."""
    words = look.causes(_)["options"]
    lost = "sum(device_lost_s) / 3600"
    queries = [
        target(select(lost, "incident", ENDED, is_("cause", why)), alias=str(words[why]["text"]))
        for why in get_args(Why)
    ]
    what = _("Device hours lost by what the boxes told afterwards: power, connection, or ourselves.")
    return bars("causes", _("Lost by cause"), what, queries, unit="h", decimals=1, empty=_("Nothing was lost."))


def costliest(_: Voice) -> Panel:
    """The outages that cost most."""
    shown = column(_("Device hours lost"), decimals=1)
    what = _("The incidents of the time chosen above that cost the most device hours.")
    lost = "max(device_lost_s) / 3600"
    by = ("number", "level", "name")
    columns = {"number": column(_("No.")), "level": column(_("Level")), "name": column(_("Place")), "top": shown}
    query = outer('top(value, "number", "level", "name", 20)', select(f"{lost} AS value", "incident", ENDED, by=by))
    return table(
        "costliest",
        _("Costliest incidents"),
        what,
        [target(query, table=True)],
        columns,
        sort="top",
        empty=_("Nothing was lost."),
    )


def backlog(_: Voice) -> Panel:
    """Boxes that hold much that they can't send."""
    steps = look.thresholds((50e6, look.WARN), (500e6, look.ALARM))
    shown = column(_("Waiting"), unit="decbytes", thresholds=steps)
    what = _("Boxes that hold most: their line is too slow or away. Nothing is lost until their disk is full.")
    query = ("max(outbox_bytes_max)", "sys_5m", last_s(NOW_S))
    return worst("backlog", _("Waiting to be sent"), what, _, *query, by=("device",), shown=shown, empty=look.stale(_))


def supply(_: Voice) -> Panel:
    """Supply voltage in the city."""
    queries = [
        target(select("min(supply_v_min)", "sys_5m", every="$__interval"), alias=_("lowest")),
        target(select("mean(supply_v_mean)", "sys_5m", every="$__interval"), alias=_("mean")),
    ]
    what = _("Supply voltage of the boxes. If it sags everywhere, ask the power company.")
    return timeseries("supply", _("Supply voltage"), what, queries, unit="volt", interval="5m", empty=unmeasured(_))


def weak_supply(_: Voice) -> Panel:
    """Boxes whose supply swings most."""
    shown = column(_("Swing"), unit="volt", decimals=2, thresholds=look.thresholds((2, look.WARN)))
    what = _("How far the supply voltage of a box swung in 24 hours. From 2 V: look at its power supply.")
    asked = ("max(supply_v_max) - min(supply_v_min)", "sys_5m", last_s(86_400))
    more: Json = {"by": ("device",), "shown": shown, "empty": unmeasured(_)}
    return worst("swing", _("Weak power supplies"), what, _, *asked, **more)
